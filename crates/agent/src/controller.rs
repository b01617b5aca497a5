//! The one domain controller that this agent works on: connected, checked, watched, and connected again.
//!
//! While it cannot be reached, refuses the bind or is not the one that the service writes to, nothing is worked on and no
//! record fails; the link reports the trouble instead (semantics `ldap-errors`). A standby's controller may be another
//! one: it stays connected all the same.
//!
//! A session has two connections: writes have one of their own, so that looking never waits behind them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rollcall_directory::{Error as DirectoryError, Filter, Read, RootDse, Scope, Search, Write};
use rollcall_model::plan::Failure;
use rollcall_model::{Code, Dn, Random, limits};
use rollcall_wire::link::Controller;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;

/// How often a connection that is not used is tried.
const PROBE_MS: u64 = 5_000;
/// How much longer than the adapter this agent waits for it.
const ANSWER_GRACE_MS: u64 = 1_000;

/// Opens connections to the directory: LDAP in earnest, a fake in tests.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A connection that is bound, or why there is none.
    async fn connect(&self) -> Result<Arc<dyn Write>, DirectoryError>;
}

/// A connection, checked.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) directory: Arc<dyn Write>,
    /// Another connection to the same controller.
    pub(crate) reader: Arc<dyn Read>,
    pub(crate) root: RootDse,
    pub(crate) tombstones: Tombstones,
    /// Least length of a password by the domain's readable policy.
    pub(crate) password_chars_min: usize,
    number: u64,
}

impl Session {
    /// Tells one session from the next.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

/// Whether deleted objects can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tombstones {
    Seen,
    Hidden,
}

/// What the link reports and the worker uses.
#[derive(Clone, Default)]
pub(crate) struct Condition {
    pub(crate) session: Option<Session>,
    pub(crate) trouble: Option<Failure>,
}

impl Condition {
    /// For the link's frames.
    pub(crate) fn controller(&self) -> Option<Controller> {
        self.session.as_ref().map(|session| Controller {
            host: session.root.dns_host_name.clone(),
            invocation_id: session.root.invocation_id.clone(),
            highest_committed_usn: session.root.highest_committed_usn,
            writable: session.root.writable,
        })
    }
}

/// Handle to the connection's keeper.
#[derive(Clone)]
pub(crate) struct Domain {
    condition: watch::Sender<Condition>,
    lost: Arc<Notify>,
    /// `invocationId` of the controller that the service has named.
    writing: Arc<Mutex<Option<String>>>,
    /// Something succeeded in this session.
    worked: Arc<AtomicBool>,
}

impl Domain {
    pub(crate) fn new() -> Self {
        Self {
            condition: watch::Sender::default(),
            lost: Arc::default(),
            writing: Arc::default(),
            worked: Arc::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// The service says which controller this agent is to write to (`None`: to none). A session with another one is not
    /// worked on, but kept.
    pub(crate) fn write_to(&self, invocation_id: Option<String>) {
        *self.writing() = invocation_id;
        self.condition.send_modify(|condition| {
            if let Some(session) = &condition.session {
                condition.trouble = self.wrong(&session.root);
            }
        });
    }

    fn writing(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_wrong(&self, root: &RootDse) -> bool {
        self.writing().as_ref().is_some_and(|named| !named.eq_ignore_ascii_case(&root.invocation_id))
    }

    /// What stands in the way of writing to a controller that can be worked on.
    fn wrong(&self, root: &RootDse) -> Option<Failure> {
        let reason = || {
            format!(
                "{} is not the controller that the service writes to; name that one in directory.url",
                root.dns_host_name
            )
        };
        self.is_wrong(root).then(|| Failure::new(Code::EndpointUnavailable, None, reason()))
    }

    /// Whether this is still the session that there is.
    pub(crate) fn is_current(&self, session: &Session) -> bool {
        self.condition.borrow().session.as_ref().is_some_and(|current| current.number == session.number)
    }

    /// The session, if there is one, with whichever controller.
    pub(crate) fn any_session(&self) -> Option<Session> {
        self.condition.borrow().session.clone()
    }

    /// A session that works, as soon as there is one.
    pub(crate) async fn session(&self) -> Session {
        let mut condition = self.condition.subscribe();
        loop {
            let current = condition.borrow_and_update().session.clone();
            match current.filter(|session| !self.is_wrong(&session.root)) {
                Some(session) => return session,
                None => drop(condition.changed().await),
            }
        }
    }

    /// Work was done on a session: the next loss is the first again.
    pub(crate) fn worked(&self) {
        self.worked.store(true, Ordering::Release);
    }

    /// Reports that a session gave no answer.
    pub(crate) fn lost(&self, session: &Session) {
        self.lost_for(session, unreachable("the controller gave no answer"));
    }

    /// Reports why a session cannot be worked on.
    pub(crate) fn lost_for(&self, session: &Session, trouble: Failure) {
        let mut ended = false;
        self.condition.send_if_modified(|condition| {
            ended = condition.session.as_ref().is_some_and(|current| current.number == session.number);
            if ended {
                condition.session = None;
                condition.trouble = Some(trouble);
            }
            ended
        });
        if ended {
            self.lost.notify_one();
        }
    }

    /// Keeps a session until the end.
    pub(crate) async fn keep(self, connector: Arc<dyn Connector>, random: Arc<dyn Random>, stop: CancellationToken) {
        let mut backoff = Backoff::new(random);
        let mut number = 0;
        while !stop.is_cancelled() {
            number += 1;
            match self.open(&*connector, number).await {
                Ok(session) => {
                    info!(controller = %session.root.dns_host_name, "connected to the directory");
                    let trouble = self.wrong(&session.root);
                    self.condition.send_replace(Condition { session: Some(session.clone()), trouble });
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.probe(session) => {}
                    }
                    // A bind alone is no success: a controller that takes binds and refuses writes would be asked
                    // again and again.
                    if self.worked.swap(false, Ordering::AcqRel) {
                        backoff.reset();
                    }
                }
                Err(trouble) => {
                    warn!(code = %trouble.code, reason = %trouble.reason, "the directory cannot be worked on; the agent keeps trying");
                    self.condition.send_replace(Condition { session: None, trouble: Some(trouble) });
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = backoff.wait() => {}
            }
        }
    }

    async fn open(&self, connector: &dyn Connector, number: u64) -> Result<Session, Failure> {
        let directory = within(connector.connect()).await.map_err(|error| trouble(&error))?;
        let root = within(directory.root_dse()).await.map_err(|error| trouble(&error))?;
        if !root.writable {
            let reason =
                format!("{} is a read-only controller; name a writable one in directory.url", root.dns_host_name);
            return Err(Failure::new(Code::EndpointUnavailable, None, reason));
        }
        let reader = within(connector.connect()).await.map_err(|error| trouble(&error))?;
        let other = within(reader.root_dse()).await.map_err(|error| trouble(&error))?;
        if !other.invocation_id.eq_ignore_ascii_case(&root.invocation_id) {
            let reason = format!(
                "two connections reached two controllers, {} and {}; name one of them in directory.url",
                root.dns_host_name, other.dns_host_name
            );
            return Err(Failure::new(Code::EndpointUnavailable, None, reason));
        }
        let policy = Search {
            base: root.default_naming_context.clone(),
            scope: Scope::Base,
            filter: Filter::Present("objectClass".to_owned()),
            attributes: vec!["minPwdLength".to_owned()],
        };
        let policy = within(directory.search(&policy)).await.unwrap_or_default();
        let password_chars_min = policy
            .first()
            .and_then(|entry| entry.value("minPwdLength"))
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let tombstones = tombstones(&*reader, &root.default_naming_context).await;
        Ok(Session { directory, reader, root, tombstones, password_chars_min, number })
    }

    /// Returns once the session is lost.
    async fn probe(&self, session: Session) {
        loop {
            tokio::select! {
                () = self.lost.notified() => {
                    // It may have been said of an earlier session.
                    let own = |current: &Session| current.number == session.number;
                    if self.condition.borrow().session.as_ref().is_some_and(own) {
                        continue;
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(PROBE_MS)) => {
                    match within(session.directory.root_dse()).await {
                        Ok(root) => {
                            self.worked();
                            self.condition.send_modify(|condition| {
                                if let Some(current) = &mut condition.session {
                                    current.root.highest_committed_usn = root.highest_committed_usn;
                                }
                            });
                            continue;
                        }
                        Err(error) => warn!(%error, "the controller was lost"),
                    }
                    self.lost(&session);
                }
            }
            self.condition.send_if_modified(|condition| {
                let open = condition.session.take().is_some();
                if open {
                    condition.trouble = Some(unreachable("the connection is being made anew"));
                }
                open
            });
            return;
        }
    }
}

/// Whether the agent's account may read deleted objects. A search for them is no proof: who may not gets none, and no
/// error. So their container itself is read, which shows its attributes to those who may.
async fn tombstones(read: &dyn Read, domain: &Dn) -> Tombstones {
    // GUID_DELETED_OBJECTS_CONTAINER_W (MS-ADTS 6.1.1.4.4).
    let base = Dn::from_directory(&format!("<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,{}>", domain.as_str()));
    let filter = Filter::Present("objectClass".to_owned());
    let search = Search { base, scope: Scope::Base, filter, attributes: vec!["isDeleted".to_owned()] };
    match within(read.search_with_deleted(&search)).await {
        Ok(found) if found.iter().any(|entry| entry.usn_changed.is_some()) => Tombstones::Seen,
        Ok(_) | Err(_) => Tombstones::Hidden,
    }
}

/// An answer within the time that one may take.
pub(crate) async fn within<T>(answer: impl Future<Output = Result<T, DirectoryError>>) -> Result<T, DirectoryError> {
    // The adapter keeps the limit itself and closes what it gives up; this is the net below it.
    let limit = Duration::from_millis(limits::LDAP_TIMEOUT_MS.unsigned_abs() + ANSWER_GRACE_MS);
    let mut answer = std::pin::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(limit, &mut answer).await {
        return answer;
    }
    // After a sleep of the process the adapter has both the time limit and perhaps the answer before it: let it choose.
    tokio::time::timeout(Duration::from_millis(ANSWER_GRACE_MS), answer).await.unwrap_or_else(|_| {
        let text = format!("no answer within {} ms", limits::LDAP_TIMEOUT_MS);
        Err(DirectoryError::Unreachable { code: Code::TimeOut, text })
    })
}

fn unreachable(reason: &str) -> Failure {
    Failure::new(Code::EndpointUnavailable, None, reason)
}

/// A directory's error as a failure.
pub(crate) fn trouble(error: &DirectoryError) -> Failure {
    match error {
        DirectoryError::Refused { code, attribute, ldap } => Failure {
            code: *code,
            reason: format!("{}: result code {}, {}", code.reason(), ldap.result_code, ldap.diagnostic),
            attribute: attribute.clone(),
            ldap: Some(ldap.clone()),
        },
        DirectoryError::Unreachable { code, text } | DirectoryError::NotSent { code, text } => {
            Failure::new(*code, None, format!("{}: {text}", code.reason()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeDirectory, TestRandom};

    /// What was said of an earlier session does not end the next.
    #[tokio::test]
    async fn a_session_is_dropped_for_its_own_loss_only() {
        let domain = Domain::new();
        domain.lost.notify_one();
        let directory = Arc::new(FakeDirectory::default());
        tokio::spawn(domain.clone().keep(directory, Arc::new(TestRandom::default()), CancellationToken::new()));
        let first = domain.session().await;
        assert_eq!(first.number, 1);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let current = domain.condition.borrow().session.as_ref().map(|session| session.number);
        assert_eq!(current, Some(first.number));
        domain.lost(&first);
        let next = tokio::time::timeout(Duration::from_secs(5), domain.session()).await.unwrap();
        assert_ne!(next.number, first.number);
    }
}
