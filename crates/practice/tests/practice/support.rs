//! A practice directory of a test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use rollcall_model::{Clock, Random, Timestamp};
use rollcall_practice::{Account, Dialect, Options, Practice};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub(crate) const BASE: &str = "DC=corp,DC=example,DC=test";
pub(crate) const BIND: &str = "administrator@corp.example.test";
pub(crate) const PASSWORD: &str = "Adm1n-Passw0rd!";

/// A clock that moves a millisecond at each look.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// A seeded generator (splitmix64).
struct Seeded(AtomicU64);

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Ends it when it is told, or dropped.
    pub(crate) stop: tokio::sync::watch::Sender<bool>,
    pub(crate) ca_pem: Vec<u8>,
}

pub(crate) async fn start(dialect: Dialect) -> Running {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let ca_pem = signed.cert.pem().into_bytes();
    let practice = Practice::bind(Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        certificate_pem: ca_pem.clone(),
        key_pem: signed.signing_key.serialize_pem().into_bytes(),
        base_dn: BASE.to_owned(),
        accounts: vec![Account { name: "Administrator".to_owned(), password: PASSWORD.into() }],
        dialect,
        faults: Vec::new(),
        clock: Arc::new(Ticking(AtomicI64::new(1_790_000_000_000_000))),
        random: Arc::new(Seeded(AtomicU64::new(7))),
    })
    .await
    .unwrap();
    let address = practice.address().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(practice.run(stopped));
    Running { address, stop, ca_pem }
}

impl Running {
    pub(crate) async fn connect(&self) -> Ldap {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.ca_pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let settings = LdapConnSettings::new().set_config(Arc::new(config));
        let url = format!("ldaps://{}", self.address);
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &url).await.unwrap();
        ldap3::drive!(connection);
        ldap
    }

    pub(crate) async fn bound(&self) -> Ldap {
        let mut ldap = self.connect().await;
        ldap.simple_bind(BIND, PASSWORD).await.unwrap().success().unwrap();
        ldap
    }
}
