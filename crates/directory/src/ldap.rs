//! The directory over LDAP: one connection that carries many requests at once, opened by a read when it is needed.
//! TLS or Kerberos protects it, always.
//!
//! A connection that breaks, or on which an answer misses the time limit, is closed and opened anew at the next call.
//! The first connection decides which controller is meant; a later one that reaches another is closed unused, until
//! [`LdapDirectory::release_controller`] allows the change.
//!
//! Every value is changed as *delete the observed value, add the new one* in one modify; Samba 4.22 takes that for
//! every attribute an account has, userAccountControl, pwdLastSet, accountExpires and manager included, and refuses it
//! with 16 or 20 where the observed value is gone. No attribute is written by *replace*.

#[cfg(feature = "kerberos")]
mod ber;
mod connection;
mod decode;
mod inspect;
#[cfg(feature = "kerberos")]
mod kerberos;
#[cfg(feature = "kerberos")]
mod keytab;
#[cfg(not(feature = "kerberos"))]
mod no_kerberos;
mod read;
mod replication;
#[cfg(feature = "kerberos")]
mod sealed;
mod tls;
mod transport;
mod write;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap, LdapConnSettings, LdapError};
use rollcall_model::plan::LdapFailure;
use rollcall_model::{Code, Dn, limits};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use crate::Error;
use crate::errors::{self, Request};
use connection::Connection;
pub use connection::Controller;
pub use inspect::Inspected;
#[cfg(feature = "kerberos")]
pub use kerberos::environment;
#[cfg(not(feature = "kerberos"))]
pub use no_kerberos::environment;
pub use transport::{Bind, Kerberos, Transport};

pub(crate) use decode::binary;

/// Time to read an answer that has arrived already.
const WAKING_MS: u64 = 100;

/// Where the directory is and who asks.
#[derive(Clone, Debug)]
pub struct LdapOptions {
    /// `ldaps://host[:port]`, or `ldap://host[:port]` where the transport is not [`Transport::Ldaps`].
    pub url: String,
    pub transport: Transport,
    pub bind: Bind,
    /// The domain's base, to be held against the controller's default naming context; `None`: that one, unchecked.
    pub base_dn: Option<Dn>,
    /// PEM file of the certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for one answer.
    pub timeout_ms: i64,
}

impl LdapOptions {
    /// A simple bind over LDAPS; otherwise as [`LdapOptions::over`].
    #[must_use]
    pub fn new(url: impl Into<String>, bind_name: impl Into<String>, bind_password: SecretString) -> Self {
        let bind = Bind::Simple { name: bind_name.into(), password: bind_password };
        Self::over(url, Transport::Ldaps, bind)
    }

    /// Options with the system's certificates, the controller's own base and the default time limit.
    #[must_use]
    pub fn over(url: impl Into<String>, transport: Transport, bind: Bind) -> Self {
        Self { url: url.into(), transport, bind, base_dn: None, ca_file: None, timeout_ms: limits::LDAP_TIMEOUT_MS }
    }
}

/// A directory behind LDAP. Shared by reference; calls run side by side on one connection.
pub struct LdapDirectory {
    options: LdapOptions,
    settings: LdapConnSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// Who answered first; kept across connections.
    controller: Option<Controller>,
}

impl LdapDirectory {
    /// Reads the certificates; connects at the first call. Errors (`EndpointUnavailable`): a URL that does not fit the
    /// transport, a password over a connection that is not encrypted, certificates that cannot be read.
    pub fn new(options: LdapOptions) -> Result<Self, Error> {
        transport::check(&options)?;
        let settings = LdapConnSettings::new().set_config(tls::client_config(options.ca_file.as_deref())?);
        Ok(Self { options, settings, state: Mutex::default() })
    }

    /// The controller that all connections go to; `None` before the first.
    pub async fn controller(&self) -> Option<Controller> {
        self.state.lock().await.controller.clone()
    }

    /// Closes the connection and lets the next one go to another controller. Only whoever decides about the writing
    /// controller calls this.
    pub async fn release_controller(&self) {
        *self.state.lock().await = State::default();
    }

    fn deadline(&self) -> Instant {
        let limit_ms = u64::try_from(self.options.timeout_ms).unwrap_or(0);
        Instant::now() + Duration::from_millis(limit_ms)
    }

    /// The open connection, or a new one to the same controller.
    async fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, Error> {
        let open = async {
            let mut state = self.state.lock().await;
            if let Some(connection) = state.connection.as_ref().filter(|connection| connection.is_open()) {
                return Ok(Arc::clone(connection));
            }
            state.connection = None;
            let connection = Connection::open(&self.options, self.settings.clone()).await?;
            match &state.controller {
                Some(known) if *known != connection.controller => return Err(other_controller(known, &connection)),
                Some(_) => (),
                None => state.controller = Some(connection.controller.clone()),
            }
            let connection = Arc::new(connection);
            state.connection = Some(Arc::clone(&connection));
            Ok(connection)
        };
        timeout_at(deadline, open).await.unwrap_or_else(|_| Err(timed_out("connecting")))
    }

    /// The open connection; no new one is waited for.
    async fn open_connection(&self) -> Result<Arc<Connection>, Error> {
        // Whoever holds the lock for longer is connecting.
        let state = timeout(Duration::from_millis(WAKING_MS), self.state.lock()).await.ok();
        let open = state.and_then(|state| state.connection.clone());
        open.filter(|connection| connection.is_open()).ok_or_else(|| {
            let text = "the connection is not open; nothing was sent".to_owned();
            Error::NotSent { code: Code::EndpointUnavailable, text }
        })
    }

    /// Runs one exchange by `deadline`. Where it ends without an answer the connection is closed, so that a request
    /// that was given up cannot still be sent.
    async fn exchange<T, F>(
        &self,
        connection: &Connection,
        deadline: Instant,
        request: impl FnOnce(Ldap) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut answer = pin!(request(connection.ldap()));
        let answer = match timeout_at(deadline, &mut answer).await {
            Ok(answer) => answer,
            // A process that slept past its deadline wakes with both the time limit and the answer before it, and the
            // answer counts: nobody else could tell what became of a write that others have meanwhile written over.
            Err(_) => timeout(Duration::from_millis(WAKING_MS), answer)
                .await
                .unwrap_or_else(|_| Err(timed_out("waiting for an answer"))),
        };
        if matches!(answer, Err(Error::Unreachable { .. })) {
            connection.close();
        }
        answer
    }
}

fn other_controller(known: &Controller, connection: &Connection) -> Error {
    let text = format!(
        "the connection reached controller {}, not {}; all of an agent's connections go to one controller, so give its own name in the URL",
        connection.controller, known
    );
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}

fn timed_out(what: &str) -> Error {
    Error::Unreachable { code: Code::TimeOut, text: format!("the time limit passed while {what}") }
}

/// A failure without an answer from the directory.
fn no_answer(error: &LdapError) -> Error {
    let code = match error {
        LdapError::Timeout { .. } => Code::TimeOut,
        _ => Code::EndpointUnavailable,
    };
    Error::Unreachable { code, text: error.to_string() }
}

/// An answer that is no success.
fn refused(request: Request, dn: &str, result_code: u32, diagnostic: &str) -> Error {
    let diagnostic = diagnostic.trim_end_matches(['\0', '\n']).to_owned();
    let (code, attribute) = errors::code(request, result_code, &diagnostic);
    Error::Refused { code, attribute, ldap: LdapFailure { result_code, diagnostic, dn: dn.to_owned() } }
}

#[cfg(test)]
mod tests;
