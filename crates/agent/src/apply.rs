//! One write, made: what the directory refuses is tried again with what it will take.

use rollcall_directory::accounts::{AccountState, OBJECT_CLASS, control_text};
use rollcall_directory::uniqueness::{Candidates, who_holds};
use rollcall_directory::{Add, Error as DirectoryError, password};
use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, Epoch};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::observed::Entry;
use rollcall_model::outcome::RefusedValue;
use rollcall_model::plan::{Failure, Write, WriteRequest};
use rollcall_model::{Code, Dn, Random, limits};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::controller::{Session, trouble, within};
use crate::fence::{Fence, Permit};
use crate::journal::{Intent, Journal, Record};
use crate::policy::{Restricted, Rules};
use crate::refusal::{Hunt, Next, is_about_a_value};
use crate::{Error, fault, observe};

/// Attributes whose values must not be part of a password.
const NAMES: &[&str] = &["sAMAccountName", "displayName", "givenName", "sn", "userPrincipalName"];

/// How a write ended.
#[derive(Debug)]
pub(crate) enum Made {
    /// It is made, perhaps without the refused values, or under another cn.
    Done {
        write: Write,
        refused: Vec<RefusedValue>,
    },
    /// Every value of it was refused; nothing was written.
    Nothing {
        refused: Vec<RefusedValue>,
    },
    /// It was made by an earlier attempt whose answer never came, and which was not found at first.
    Late {
        write: Write,
        entry: Entry,
    },
    Failed {
        write: Write,
        failure: Failure,
        refused: Vec<RefusedValue>,
    },
    /// The object is not as it was observed.
    Stale(Failure),
    /// No answer: whether it was made has to be looked up.
    Unknown,
    /// Surely not made: the controller takes no requests of ours now.
    Unavailable(Failure),
    /// This agent may write no more under this epoch; not made.
    Over,
}

/// What all writes of a window have in common.
pub(crate) struct Writer<'a> {
    pub(crate) session: &'a Session,
    pub(crate) fence: &'a Fence,
    pub(crate) epoch: Epoch,
    pub(crate) policy: &'a Rules,
    pub(crate) random: &'a dyn Random,
    pub(crate) stop: &'a CancellationToken,
}

/// What was tried so far for one write.
struct Tries {
    passwords: u32,
    fallback_cn: bool,
    hunt: Option<(Hunt, Failure)>,
}

impl Writer<'_> {
    /// Makes the write of a journalled intent.
    pub(crate) async fn make(&self, journal: &Journal, intent: &Intent, desired: &DesiredState) -> Result<Made, Error> {
        let mut write = intent.write.clone();
        let mut tries = Tries { passwords: 1, fallback_cn: false, hunt: None };
        loop {
            // Attempts before this one were refused: nothing is written yet.
            let Some(permit) = self.permit().await else { return Ok(Made::Over) };
            journal.note_sent(intent.change, &self.session.root.invocation_id)?;
            fault::reached(KillPoint::BeforeLdapWrite);
            let answer = within(self.send(&write)).await;
            fault::reached(KillPoint::AfterLdapWrite);
            drop(permit);
            let error = match answer {
                Ok(()) => {
                    let refused = tries.hunt.as_mut().map(|(hunt, first)| hunt.made(first)).unwrap_or_default();
                    return Ok(Made::Done { write, refused });
                }
                Err(DirectoryError::Unreachable { .. }) => return Ok(Made::Unknown),
                Err(error @ DirectoryError::NotSent { .. }) if self.fence.is_open(self.epoch) => {
                    return Ok(Made::Unavailable(trouble(&error)));
                }
                // The process slept between the permit and the write.
                Err(DirectoryError::NotSent { .. }) => continue,
                Err(error) => error,
            };
            let failure = trouble(&error);
            let revised = match failure.code {
                Code::BindRefused | Code::EndpointUnavailable => return Ok(Made::Unavailable(failure)),
                Code::StalePlan => return Ok(Made::Stale(failure)),
                Code::PasswordRefused if is_add(&write) && tries.passwords < limits::PASSWORD_TRIES_MAX => {
                    tries.passwords += 1;
                    continue;
                }
                Code::EntryConflict | Code::HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique
                    if is_add(&write) =>
                {
                    match self.already_there(journal, intent, &write, &failure).await {
                        Some(made) => return Ok(made),
                        None => self.revise(&write, failure, desired, &mut tries).await,
                    }
                }
                _ => self.revise(&write, failure, desired, &mut tries).await,
            };
            match revised {
                Ok(next) => write = next,
                Err(Some(failure)) => {
                    let refused = tries.hunt.as_mut().map(|(hunt, _)| hunt.take()).unwrap_or_default();
                    return Ok(Made::Failed { write, failure, refused });
                }
                Err(None) => {
                    let refused = tries.hunt.as_mut().map(|(hunt, _)| hunt.take()).unwrap_or_default();
                    return Ok(Made::Nothing { refused });
                }
            }
            // What is about to be written is not what the journal says: say so first.
            let intent = Box::new(Intent { write: write.clone(), ..intent.clone() });
            journal.append([Record::Intent { intent }])?;
            journal.sync().await?;
        }
    }

    /// After an add met something that holds a value of its own: is it the person's account? Only if not may another
    /// name be tried.
    async fn already_there(
        &self,
        journal: &Journal,
        intent: &Intent,
        write: &Write,
        failure: &Failure,
    ) -> Option<Made> {
        let attributes = [target::SAM_ACCOUNT_NAME.to_owned()].into();
        let domain = &self.session.root.default_naming_context;
        let hits = observe::hits(&*self.session.directory, domain, &intent.matching, attributes).await;
        let mut hits = match hits {
            Ok(hits) => hits,
            Err(error) => return Some(Made::Unavailable(trouble(&error))),
        };
        let own_name = match &write.request {
            WriteRequest::Add { attributes, .. } => {
                attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(target::SAM_ACCOUNT_NAME))
            }
            _ => None,
        };
        let is_ours = |entry: &Entry| {
            let names = entry.value(target::SAM_ACCOUNT_NAME).zip(own_name.and_then(|own| own.values.first()));
            entry.dn.same_as(&dn_of(write)) && names.is_some_and(|(held, own)| held.eq_ignore_ascii_case(own))
        };
        let first = hits.pop()?;
        if journal.state().doubted.contains(&intent.person)
            && is_ours(&first)
            && hits.iter().all(|hit| hit.guid == first.guid)
        {
            return Some(Made::Late { write: write.clone(), entry: first });
        }
        Some(Made::Stale(failure.clone()))
    }

    /// Leave for one write, asked for immediately before it.
    async fn permit(&self) -> Option<Permit> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            permit = self.fence.permit(self.epoch) => permit,
        }
    }

    /// The write to try after a refusal; `Err(None)`: nothing is left to write.
    async fn revise(
        &self,
        write: &Write,
        failure: Failure,
        desired: &DesiredState,
        tries: &mut Tries,
    ) -> Result<Write, Option<Failure>> {
        match failure.code {
            Code::EntryConflict | Code::HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique => {
                let taken = self.who_holds(write).await;
                let is_chosen = desired.unique.iter().any(|own| own.name.eq_ignore_ascii_case(target::CN));
                if matches!(taken, Some(("cn", _))) && names(write) && !tries.fallback_cn && !is_chosen {
                    tries.fallback_cn = true;
                    // To move may be allowed where to move under another name is not.
                    let next = reconcile::with_cn(write, &reconcile::fallback_cn(desired));
                    let Restricted { write, refusal, .. } = self.policy.apply(next, None);
                    return write.ok_or(refusal);
                }
                Err(Some(conflict(failure, taken)))
            }
            _ if is_about_a_value(&failure) => {
                let (hunt, _) = tries.hunt.get_or_insert_with(|| (Hunt::new(write.clone(), desired), failure.clone()));
                match hunt.refused(&failure) {
                    Next::Try(write) => Ok(write),
                    Next::Nothing => Err(None),
                    Next::GiveUp => Err(Some(failure)),
                }
            }
            _ => Err(Some(failure)),
        }
    }

    async fn send(&self, write: &Write) -> Result<(), DirectoryError> {
        let directory = &*self.session.directory;
        match &write.request {
            WriteRequest::Add { container, cn, attributes, enabled, must_change_password, initial_password } => {
                let mut all: std::collections::BTreeMap<String, Vec<String>> =
                    attributes.iter().map(|attribute| (attribute.name.clone(), attribute.values.clone())).collect();
                let state = if *enabled { AccountState::Enabled } else { AccountState::Disabled };
                all.insert("objectClass".to_owned(), vec![OBJECT_CLASS.to_owned()]);
                all.insert("userAccountControl".to_owned(), vec![control_text(state.control_of_new())]);
                if *must_change_password {
                    all.insert("pwdLastSet".to_owned(), vec!["0".to_owned()]);
                }
                let add = Add { dn: container.child("CN", cn), attributes: all };
                let password = initial_password.is_generated().then(|| self.password(write));
                self.fenced(directory.add(&add, password.as_ref())).await
            }
            WriteRequest::Modify { guid, changes, .. } => self.fenced(directory.modify(*guid, changes)).await,
            WriteRequest::Move { guid, container, .. } => {
                let after = dn_of(write);
                self.fenced(directory.rename(*guid, after.rdn(), container)).await
            }
            WriteRequest::Delete { guid, .. } => self.fenced(directory.delete(*guid)).await,
        }
    }

    /// Asks the fence once more, in the same breath as the request is handed over: since the permit was given the
    /// process may have slept.
    async fn fenced(&self, request: impl Future<Output = Result<(), DirectoryError>>) -> Result<(), DirectoryError> {
        if !self.fence.is_open(self.epoch) {
            let text = "the lease may be over; nothing was sent".to_owned();
            return Err(DirectoryError::NotSent { code: Code::EndpointUnavailable, text });
        }
        request.await
    }

    /// A password without parts of the person's names in it.
    fn password(&self, write: &Write) -> SecretString {
        let WriteRequest::Add { cn, attributes, .. } = &write.request else { return SecretString::default() };
        let mut parts: Vec<&str> = attributes
            .iter()
            .filter(|attribute| NAMES.iter().any(|name| attribute.name.eq_ignore_ascii_case(name)))
            .flat_map(|attribute| attribute.values.iter().map(String::as_str))
            .collect();
        parts.push(cn);
        password::generate(self.random, &parts, self.session.password_chars_min)
    }

    /// Which value of the write another object holds, and who it is.
    async fn who_holds(&self, write: &Write) -> Option<(&'static str, Dn)> {
        let candidates = match &write.request {
            WriteRequest::Add { container, cn, attributes, .. } => {
                let value = |name: &str| {
                    let attribute = attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
                    attribute.values.first().cloned()
                };
                Candidates {
                    sam_account_name: value(target::SAM_ACCOUNT_NAME),
                    user_principal_name: value(target::USER_PRINCIPAL_NAME),
                    dn: Some(container.child("CN", cn)),
                }
            }
            WriteRequest::Modify { changes, .. } => {
                let value = |name: &str| {
                    let change = changes.iter().find(|change| change.name.eq_ignore_ascii_case(name))?;
                    change.new.first().cloned()
                };
                Candidates {
                    sam_account_name: value(target::SAM_ACCOUNT_NAME),
                    user_principal_name: value(target::USER_PRINCIPAL_NAME),
                    dn: None,
                }
            }
            WriteRequest::Move { .. } => Candidates { dn: Some(dn_of(write)), ..Candidates::default() },
            WriteRequest::Delete { .. } => return None,
        };
        let directory = &*self.session.directory;
        let domain = &self.session.root.default_naming_context;
        within(who_holds(directory, domain, &candidates)).await.ok().flatten()
    }
}

fn is_add(write: &Write) -> bool {
    matches!(write.request, WriteRequest::Add { .. })
}

/// Whether the write gives the account a name that is ours to choose.
fn names(write: &Write) -> bool {
    matches!(write.request, WriteRequest::Add { .. } | WriteRequest::Move { cn: Some(_), .. })
}

/// The failure with what the search found out.
pub(crate) fn conflict(failure: Failure, taken: Option<(&'static str, Dn)>) -> Failure {
    let Some((attribute, holder)) = taken else { return failure };
    let code = match attribute {
        target::USER_PRINCIPAL_NAME => Code::HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique,
        _ => Code::EntryConflict,
    };
    let reason = format!("the {attribute} is taken by {holder}; change the value or its mapping");
    Failure { code, reason, attribute: Some(attribute.to_owned()), ..failure }
}

/// Where a write's object is, or will be once it is made.
pub(crate) fn dn_of(write: &Write) -> Dn {
    match &write.request {
        WriteRequest::Add { container, cn, .. } => container.child("CN", cn),
        WriteRequest::Modify { dn, .. } | WriteRequest::Delete { dn, .. } => dn.clone(),
        WriteRequest::Move { dn, .. } => reconcile::moved_to(&write.request).unwrap_or_else(|| dn.clone()),
    }
}

/// An id for a write or a report.
pub(crate) fn change_id(random: &dyn Random, now: rollcall_model::Timestamp) -> ChangeId {
    ChangeId(random.uuid_v7(now))
}
