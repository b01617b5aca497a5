//! What would be written: the look and the plan of the work, and what the directory would say to it, as far as reading
//! tells. Everything here is given the read half of the directory and nothing else, so it cannot write.
//!
//! It has the reading connection, and never waits behind a write.

mod names;
mod rights;

use rollcall_directory::{Error as DirectoryError, Read};
use rollcall_engine::reconcile;
use rollcall_model::config::{Apply, target};
use rollcall_model::desired::{DesiredAttribute, DesiredState, IfAbsent, MayWrite, UniqueAttribute};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::{Entry, Observed, ObservedAccount, ObservedManager};
use rollcall_model::outcome::Conclusion;
use rollcall_model::plan::{Failure, Plan, Verdict, Write, WriteRequest};
use rollcall_model::{Code, Dn, limits};
use rollcall_wire::link::{Planned, PlannedWrite};

use crate::apply::dn_of;
use crate::controller::trouble;
use crate::look::no_directory;
use crate::observe::{self, Found, Seen};
use crate::policy::Rules;
use crate::replication::Awaited;

/// What a preview looks through.
pub(crate) struct Viewer<'a> {
    pub(crate) read: &'a dyn Read,
    /// The domain's naming context.
    pub(crate) domain: &'a Dn,
    /// `invocationId` of the controller.
    pub(crate) controller: &'a str,
    pub(crate) rules: &'a Rules,
    pub(crate) replication: &'a Awaited,
}

/// One person on the way.
struct Draft {
    desired: DesiredState,
    entry: Option<Entry>,
    is_claim: bool,
    manager: Option<Dn>,
    free: Vec<UniqueAttribute>,
    plan: Plan,
}

impl Viewer<'_> {
    /// What would be done about these, in their order. An `Err` says why the directory cannot be asked.
    pub(crate) async fn preview(&self, states: Vec<DesiredState>) -> Result<Vec<Planned>, Failure> {
        let max = limits::PREVIEW_BATCH_PERSONS_MAX;
        if states.len() > max {
            let reason = format!("{} persons in one question: at most {max} are allowed", states.len());
            return Err(Failure::new(Code::InternalError, None, reason));
        }
        let mut planned = Vec::with_capacity(states.len());
        let mut states = states.into_iter();
        loop {
            let some: Vec<DesiredState> = states.by_ref().take(limits::BATCH_PERSONS_MAX).collect();
            if some.is_empty() {
                return Ok(planned);
            }
            planned.extend(self.some(some).await?);
        }
    }

    async fn some(&self, states: Vec<DesiredState>) -> Result<Vec<Planned>, Failure> {
        let is_pending = self.replication.is_pending(self.read, self.controller).await;
        let seen = self.look(&states).await?;
        let mut drafts: Vec<Draft> = Vec::with_capacity(states.len());
        for (desired, seen) in states.into_iter().zip(seen) {
            drafts.push(draft(desired, seen, is_pending));
        }
        self.choose(&mut drafts).await.map_err(|error| trouble(&error))?;
        for draft in &mut drafts {
            draft.decide(self.rules);
        }
        self.check_names(&mut drafts).await.map_err(|error| trouble(&error))?;
        self.check_rights(&mut drafts).await.map_err(|error| trouble(&error))?;
        Ok(drafts.into_iter().map(|draft| draft.finish(self.rules)).collect())
    }

    /// Accounts and managers; where one person spoils the search of all, each is looked for alone.
    async fn look(&self, states: &[DesiredState]) -> Result<Vec<Result<Seen, Failure>>, Failure> {
        let all: Vec<&DesiredState> = states.iter().collect();
        match observe::observe(self.read, self.domain, &all).await {
            Ok(seen) => return Ok(seen.into_iter().map(Ok).collect()),
            Err(error @ (DirectoryError::Unreachable { .. } | DirectoryError::NotSent { .. })) => {
                return Err(trouble(&error));
            }
            Err(DirectoryError::Refused { .. }) => {}
        }
        let mut seen = Vec::with_capacity(states.len());
        for desired in all {
            let one = observe::observe(self.read, self.domain, &[desired]).await;
            seen.push(
                one.map_err(|error| trouble(&error))
                    .and_then(|found| found.into_iter().next().ok_or_else(no_directory)),
            );
        }
        Ok(seen)
    }
}

/// A person as looked up, not planned yet.
fn draft(desired: DesiredState, seen: Result<Seen, Failure>, is_pending: bool) -> Draft {
    let nothing = |verdict| Plan { writes: vec![], verdict, warnings: vec![], drift: vec![] };
    let mut draft =
        Draft { desired, entry: None, is_claim: false, manager: None, free: vec![], plan: nothing(Verdict::Fulfilled) };
    let seen = match seen {
        Ok(seen) => seen,
        Err(failure) => {
            draft.plan.verdict = Verdict::Failed(failure);
            return draft;
        }
    };
    if let ObservedManager::Found(dn) = seen.manager {
        draft.manager = Some(dn);
    }
    draft.plan.verdict = match seen.account {
        Found::Absent | Found::LinkGone if is_pending => {
            let reason = "the account is not found on the new writing controller, which does not have everything of \
                          the one before yet";
            Verdict::Failed(Failure::new(Code::NotYetReplicated, None, reason))
        }
        Found::Linked(entry) => {
            draft.entry = Some(entry);
            Verdict::Fulfilled
        }
        Found::Unclaimed(entry) => {
            (draft.entry, draft.is_claim) = (Some(entry), true);
            Verdict::Fulfilled
        }
        Found::Absent => Verdict::Fulfilled,
        Found::LinkGone => gone(&draft.desired, ObservedAccount::LinkGone),
        Found::Several(names) => gone(&draft.desired, ObservedAccount::Several(names)),
    };
    draft
}

/// What planning says of somebody whose account is not one to be sure of.
fn gone(desired: &DesiredState, account: ObservedAccount) -> Verdict {
    reconcile::plan(desired, &Observed { account, manager: ObservedManager::NotAsked }).verdict
}

impl Draft {
    fn is_failed(&self) -> bool {
        matches!(self.plan.verdict, Verdict::Failed(_))
    }

    /// Whether an account would be made.
    fn creates(&self) -> bool {
        !self.is_failed()
            && self.entry.is_none()
            && self.desired.link.is_none()
            && self.desired.failure.is_none()
            && self.desired.if_absent == IfAbsent::Create
    }

    fn guid(&self) -> Option<ObjectGuid> {
        self.entry.as_ref().map(|entry| entry.guid)
    }

    /// Plans as the work does.
    fn decide(&mut self, rules: &Rules) {
        if self.is_failed() {
            self.plan.warnings.clone_from(&self.desired.warnings);
            return;
        }
        let account = match &self.entry {
            Some(entry) if self.is_claim => ObservedAccount::Matched(entry.clone()),
            Some(entry) => ObservedAccount::Linked(entry.clone()),
            None => ObservedAccount::Absent,
        };
        let manager = match (&self.manager, &self.desired.manager) {
            (Some(dn), _) => ObservedManager::Found(dn.clone()),
            (None, Some(_)) => ObservedManager::NotFound,
            (None, None) => ObservedManager::NotAsked,
        };
        self.plan = rules.plan(&mut self.desired, &Observed { account, manager });
    }

    /// Takes a candidate for a value of the account that would be made.
    fn take(&mut self, unique: &UniqueAttribute, value: String) {
        if unique.name.eq_ignore_ascii_case(target::CN) {
            self.desired.cn = Some(value);
            return;
        }
        let is_matching =
            self.desired.matching.first().is_some_and(|rule| rule.attribute.eq_ignore_ascii_case(&unique.name));
        self.desired.attributes.push(DesiredAttribute {
            mandatory: is_matching || unique.name.eq_ignore_ascii_case(target::SAM_ACCOUNT_NAME),
            name: unique.name.clone(),
            values: vec![value],
            apply: Apply::OnCreate,
            may_write: MayWrite::Yes,
            redacted: unique.redacted,
            owned: vec![],
        });
    }

    /// A write would be refused: it and what comes after it are not made.
    fn fail_at(&mut self, at: usize, failure: Failure) {
        self.plan.writes.truncate(at);
        self.plan.verdict = Verdict::Failed(failure);
    }

    fn finish(mut self, rules: &Rules) -> Planned {
        let made = self.plan.writes.iter().find_map(|write| match &write.request {
            WriteRequest::Add { .. } => Some(dn_of(write)),
            _ => None,
        });
        // The manager of a new account is a write of its own: it could not be part of the add.
        if let Some((made, manager)) = made.zip(self.manager.as_ref())
            && let Some(write) =
                reconcile::manager_after_create(&self.desired, ObjectGuid(uuid::Uuid::nil()), &made, manager)
        {
            self.plan.writes.extend(rules.apply(write, None).write);
        }
        let mut place = self.entry.as_ref().map(|entry| entry.dn.clone());
        let writes = self.plan.writes.iter().map(|write| {
            if !matches!(write.request, WriteRequest::Modify { .. }) || place.is_none() {
                place = Some(dn_of(write));
            }
            let dn = place.as_ref().map_or_else(String::new, |dn| dn.as_str().to_owned());
            PlannedWrite { action: write.action, dn, properties: reconcile::properties(write) }
        });
        let writes: Vec<PlannedWrite> = writes.collect();
        Planned {
            person: self.desired.person,
            guid: self.guid(),
            dn: self.entry.as_ref().map(|entry| entry.dn.as_str().to_owned()),
            is_claim: self.is_claim,
            result: conclusion(&self.plan),
            writes,
            warnings: self.plan.warnings,
            drift: self.plan.drift,
            free: self.free,
        }
    }
}

/// How the operation would end, in the words of an outcome.
fn conclusion(plan: &Plan) -> Conclusion {
    let waits = plan.warnings.iter().any(|warning| warning.code == Code::UnableToResolveReferenceAttributeValue);
    match &plan.verdict {
        Verdict::Failed(failure) => Conclusion::Failed(failure.clone()),
        _ if !plan.writes.is_empty() => Conclusion::Done,
        Verdict::Skipped(code) => Conclusion::Skipped(*code),
        Verdict::Fulfilled if waits => Conclusion::Done,
        Verdict::Fulfilled => Conclusion::Skipped(Code::RedundantExport),
    }
}

/// The values of an attribute that a write sets.
fn new_values<'a>(write: &'a Write, name: &str) -> &'a [String] {
    match &write.request {
        WriteRequest::Add { attributes, .. } => {
            attributes.iter().find(|own| own.name.eq_ignore_ascii_case(name)).map_or(&[], |own| own.values.as_slice())
        }
        WriteRequest::Modify { changes, .. } => changes
            .iter()
            .find(|change| change.name.eq_ignore_ascii_case(name))
            .map_or(&[], |change| change.new.as_slice()),
        WriteRequest::Move { .. } | WriteRequest::Delete { .. } => &[],
    }
}

#[cfg(test)]
mod tests;
