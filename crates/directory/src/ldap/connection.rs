//! One bound connection, and which controller is at its other end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchResult};
use rollcall_model::Code;
use secrecy::ExposeSecret;
use tokio::task::AbortHandle;

use super::decode::{self, RawEntry};
use super::{LdapOptions, no_answer, refused};
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
    driver: AbortHandle,
    /// Set at once, where the driver takes a moment to end.
    is_closed: AtomicBool,
    pub(super) controller: Controller,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Ends the task that moves a connection's bytes unless the connection was handed on.
struct Driver(Option<AbortHandle>);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(driver) = self.0.take() {
            driver.abort();
        }
    }
}

impl Connection {
    /// Connects, binds, and asks who answers.
    pub(super) async fn open(options: &LdapOptions, settings: LdapConnSettings) -> Result<Self, Error> {
        let (connection, mut ldap) =
            LdapConnAsync::with_settings(settings, &options.url).await.map_err(|error| no_answer(&error))?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "LDAP connection ended");
            }
        });
        let mut driver = Driver(Some(task.abort_handle()));
        let bound = ldap
            .simple_bind(&options.bind_name, options.bind_password.expose_secret())
            .await
            .map_err(|error| no_answer(&error))?;
        if bound.rc != 0 {
            return Err(refused(Request::Bind, &options.bind_name, bound.rc, &bound.text));
        }
        let controller = identify(&mut ldap).await?;
        tracing::info!(controller = %controller, "connected to the directory");
        let Some(driver) = driver.0.take() else { return Err(unreadable("the connection is gone")) };
        Ok(Self { ldap, driver, is_closed: AtomicBool::new(false), controller })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Acquire) && !self.driver.is_finished()
    }

    /// Closes at once; requests under way end without an answer.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.driver.abort();
    }

    pub(super) fn ldap(&self) -> Ldap {
        self.ldap.clone()
    }
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
