//! An embedded directory that behaves as Active Directory does, for the quick start, fast tests and fault injection.
//!
//! LDAPS, in memory, one domain. What it does is what transcripts recorded from Samba show (`transcripts/`, played by
//! xtask); a request that they do not cover is refused with 53 and a text that says so, never guessed. No ACLs, no
//! referrals, no replication, no tombstones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_model::{Clock, Random};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

mod change;
mod fault;
mod refusal;
mod schema;
mod search;
mod session;
mod tree;
pub mod wire;

pub use fault::{CONTROL_OID, Fault, Kind};

/// What can go wrong with a practice directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    #[error("certificate or key: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("base DN: {0}")]
    Base(#[from] rollcall_model::dn::DnError),
}

/// Whose result codes are given where Samba departs from Microsoft's AD (docs/semantics.md, LDAP errors).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As recorded.
    #[default]
    Samba,
    /// As Microsoft documents it; not recorded.
    Microsoft,
}

/// An account that may bind, made at start in `CN=Users`. Its userPrincipalName is `name@domain`.
#[derive(Clone, Debug)]
pub struct Account {
    /// sAMAccountName and cn.
    pub name: String,
    pub password: SecretString,
}

/// What a practice directory is started with.
#[derive(Clone)]
pub struct Options {
    /// Port 0: any free one, see [`Practice::address`].
    pub listen: SocketAddr,
    /// Certificate chain, PEM.
    pub certificate_pem: Vec<u8>,
    /// Its private key, PEM.
    pub key_pem: Vec<u8>,
    /// DN of the domain, for instance `DC=corp,DC=example,DC=test`.
    pub base_dn: String,
    pub accounts: Vec<Account>,
    pub dialect: Dialect,
    /// Faults that are asked for from the start.
    pub faults: Vec<Fault>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

/// A bound practice directory, not serving yet.
pub struct Practice {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
}

/// What all connections share.
struct Shared {
    tree: Mutex<tree::Tree>,
    faults: Mutex<fault::Faults>,
    /// Raised to drop all connections.
    generation: watch::Sender<u64>,
}

impl Practice {
    /// Opens the port, reads the certificate and makes the domain's first objects.
    pub async fn bind(options: Options) -> Result<Self, Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&options.certificate_pem).collect();
        let key = PrivateKeyDer::from_pem_slice(&options.key_pem)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain?, key)?;
        let listener = TcpListener::bind(options.listen).await?;
        let shared = Shared {
            tree: Mutex::new(tree::Tree::new(&options)?),
            faults: Mutex::default(),
            generation: watch::Sender::new(0),
        };
        options.faults.iter().for_each(|fault| shared.ask_for(*fault));
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), shared: Arc::new(shared) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `shutdown` turns true or its sender is gone; all connections end with it.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((tcp, _)) => {
                    drop(tokio::spawn(session::serve(tcp, self.acceptor.clone(), Arc::clone(&self.shared))));
                }
                Err(error) => tracing::warn!(%error, "accept failed"),
            }
        }
        self.shared.drop_connections();
    }
}

impl Shared {
    fn drop_connections(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// A later fault of a kind replaces an earlier one.
    fn ask_for(&self, fault: Fault) {
        lock(&self.faults).0.insert(fault.kind, fault.number);
        if fault.kind == Kind::DropConnections {
            self.drop_connections();
        }
    }
}

/// The lock, whatever happened to an earlier holder: every change is made whole or not at all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
