//! One bound connection, and which controller is at its other end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchResult, StdStream};
use rollcall_model::Code;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::AbortHandle;

use super::decode::{self, RawEntry};
#[cfg(not(feature = "kerberos"))]
use super::no_kerberos::{kerberos, sealed};
use super::transport::{self, Place};
use super::{Bind, Kerberos, LdapOptions, Transport, no_answer, refused};
#[cfg(feature = "kerberos")]
use super::{kerberos, sealed};
use crate::Error;
use crate::errors::Request;

/// Supported capability of a read-only controller (MS-ADTS 3.1.1.3.4.3).
const PARTIAL_SECRETS: &str = "1.2.840.113556.1.4.1920";

/// Which controller answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    pub dns_host_name: String,
    /// See [`crate::RootDse::invocation_id`].
    pub invocation_id: String,
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (invocationId {})", self.dns_host_name, self.invocation_id)
    }
}

/// An open, bound connection. Dropping the last handle closes it.
pub(super) struct Connection {
    ldap: Ldap,
    tasks: Tasks,
    /// Set at once, where the driver takes a moment to end.
    is_closed: AtomicBool,
    pub(super) controller: Controller,
}

/// What moves a connection's bytes; ended with it.
struct Tasks(Vec<AbortHandle>);

impl Tasks {
    fn start(connection: LdapConnAsync) -> Self {
        let task = tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "LDAP connection ended");
            }
        });
        Self(vec![task.abort_handle()])
    }

    fn end(&self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end();
    }
}

impl Connection {
    /// Connects, binds, and asks who answers.
    pub(super) async fn open(options: &LdapOptions, settings: LdapConnSettings) -> Result<Self, Error> {
        let place = transport::check(options)?;
        let (mut ldap, tasks) = match (&options.bind, options.transport) {
            (Bind::Kerberos(account), Transport::SealedLdap) => sealed_by_kerberos(&place, account).await?,
            (bind, transport) => {
                let settings = settings.set_starttls(transport == Transport::StartTls);
                let opened = LdapConnAsync::with_settings(settings, &options.url).await;
                let (connection, mut ldap) = opened.map_err(|error| no_answer(&error))?;
                let tasks = Tasks::start(connection);
                match bind {
                    Bind::Simple { name, password } => simple(&mut ldap, name, password).await?,
                    Bind::Kerberos(account) => by_kerberos(&ldap, &place, account).await?,
                }
                (ldap, tasks)
            }
        };
        let controller = identify(&mut ldap).await?;
        tracing::info!(controller = %controller, transport = ?options.transport, "connected to the directory");
        Ok(Self { ldap, tasks, is_closed: AtomicBool::new(false), controller })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Acquire) && !self.tasks.0.iter().any(AbortHandle::is_finished)
    }

    /// Closes at once; requests under way end without an answer.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.tasks.end();
    }

    pub(super) fn ldap(&self) -> Ldap {
        self.ldap.clone()
    }
}

async fn simple(ldap: &mut Ldap, name: &str, password: &SecretString) -> Result<(), Error> {
    let bound = ldap.simple_bind(name, password.expose_secret()).await.map_err(|error| no_answer(&error))?;
    if bound.rc == 0 { Ok(()) } else { Err(refused(Request::Bind, name, bound.rc, &bound.text)) }
}

async fn by_kerberos(ldap: &Ldap, place: &Place, account: &Kerberos) -> Result<(), Error> {
    let service = transport::service(account, place)?;
    let bound = kerberos::bind_on_tls(ldap.clone(), account, &service).await?;
    if bound.rc == 0 { Ok(()) } else { Err(refused(Request::Bind, &account.principal, bound.rc, &bound.text)) }
}

/// ldap3 speaks plainly to our own end of a pair of sockets.
async fn sealed_by_kerberos(place: &Place, account: &Kerberos) -> Result<(Ldap, Tasks), Error> {
    let service = transport::service(account, place)?;
    let sealed = sealed::open(place, account, &service).await?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(sealed.plain));
    let opened = LdapConnAsync::with_settings(settings, "ldapi://sealed").await;
    let (connection, ldap) = opened.map_err(|error| no_answer(&error))?;
    let mut tasks = Tasks::start(connection);
    tasks.0.push(sealed.pump);
    Ok((ldap, tasks))
}

/// Name and invocationId of the controller (MS-ADTS 3.1.1.3.2: rootDSE; 6.1.1.2.2.1.2.1.1: nTDSDSA).
async fn identify(ldap: &mut Ldap) -> Result<Controller, Error> {
    let root = root_dse(ldap).await?;
    let settings = root.text("dsServiceName").unwrap_or_default();
    let found = ldap.search(&settings, Scope::Base, "(objectClass=*)", vec!["invocationId"]).await;
    let SearchResult(entries, result) = found.map_err(|error| no_answer(&error))?;
    let read = entries.into_iter().next().filter(|_| result.rc == 0).and_then(|entry| decode::raw_entry(entry.0));
    let invocation_id = read.and_then(|entry| entry.guid("invocationId")).map_or(settings, |id| id.to_string());
    Ok(Controller { dns_host_name: root.text("dnsHostName").unwrap_or_default(), invocation_id })
}

/// The rootDSE.
pub(super) async fn root_dse(ldap: &mut Ldap) -> Result<RawEntry, Error> {
    const NAMES: [&str; 5] =
        ["dnsHostName", "defaultNamingContext", "dsServiceName", "highestCommittedUSN", "supportedCapabilities"];
    let SearchResult(entries, result) =
        ldap.search("", Scope::Base, "(objectClass=*)", NAMES.to_vec()).await.map_err(|error| no_answer(&error))?;
    if result.rc != 0 {
        return Err(refused(Request::Search, "", result.rc, &result.text));
    }
    entries.into_iter().next().and_then(|entry| decode::raw_entry(entry.0)).ok_or_else(|| unreadable("the rootDSE"))
}

pub(super) fn is_writable(root: &RawEntry) -> bool {
    !root.texts("supportedCapabilities").any(|capability| capability == PARTIAL_SECRETS)
}

/// An answer that makes no sense; nothing is concluded from it.
pub(super) fn unreadable(what: &str) -> Error {
    let text = format!("the directory's answer cannot be used: {what}");
    Error::Unreachable { code: Code::DirectoryInternalError, text }
}
