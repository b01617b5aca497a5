//! One person in a batch, from the desired state to the outcome.

use std::collections::VecDeque;

use rollcall_engine::reconcile;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid};
use rollcall_model::observed::{Entry, Observed, ObservedAccount};
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome, RefusedValue};
use rollcall_model::person::Link;
use rollcall_model::plan::{Failure, Plan, Verdict, Warning, Write};
use rollcall_model::{Code, Dn, Timestamp};

use crate::journal::Intent;
use crate::policy;

/// How far a person is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// To be observed and planned, for the first time or again.
    Due,
    /// Planned; writes are left.
    Planned,
    /// Nothing more is to be done; `Some`: because it failed.
    Ended(Option<Failure>),
}

pub(super) struct Task {
    pub(super) desired: DesiredState,
    pub(super) progress: Progress,
    /// Writes that are in the journal and not made.
    pub(super) steps: VecDeque<Intent>,
    pub(super) refused: Vec<RefusedValue>,
    /// Where the manager's account is, if it was found.
    pub(super) manager: Option<Dn>,
    /// The account as last seen.
    pub(super) seen: Option<Seen>,
    /// It is our own add that made it, in this batch, and its manager is still to be set.
    pub(super) manager_is_due: bool,
    plan: Option<Plan>,
    pub(super) stale: u32,
    pub(super) unanswered: u32,
    /// Looks that took longer than one may.
    pub(super) slow_looks: u32,
}

/// What is known of the account after the writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) guid: ObjectGuid,
    pub(super) dn: Dn,
    pub(super) usn_changed: Option<i64>,
}

impl Seen {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { guid: entry.guid, dn: entry.dn.clone(), usn_changed: entry.usn_changed }
    }
}

impl Task {
    pub(super) fn new(desired: DesiredState) -> Self {
        Self {
            desired,
            progress: Progress::Due,
            steps: VecDeque::new(),
            refused: vec![],
            manager: None,
            seen: None,
            manager_is_due: false,
            plan: None,
            stale: 0,
            unanswered: 0,
            slow_looks: 0,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.progress = Progress::Ended(Some(failure));
    }

    /// The account, where there is one.
    pub(super) fn guid(&self) -> Option<ObjectGuid> {
        self.seen.as_ref().map(|seen| seen.guid)
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended(_))
    }

    /// Plans, within the local policy; the writes, each with an id of its own, are the task's steps.
    pub(super) fn plan(&mut self, observed: &Observed, epoch: Epoch, mut id: impl FnMut() -> ChangeId) {
        let entry = match &observed.account {
            ObservedAccount::Linked(entry) | ObservedAccount::Matched(entry) => Some(entry),
            _ => None,
        };
        self.seen = entry.map(Seen::of);
        let mut plan = reconcile::plan(&self.desired, observed);
        for at in 0..plan.writes.len() {
            if let Err(failure) = policy::check(&plan.writes[at], entry) {
                plan.writes.truncate(at);
                plan.verdict = Verdict::Failed(failure);
                break;
            }
        }
        self.steps = plan.writes.iter().map(|write| self.intent(write.clone(), epoch, id())).collect();
        self.plan = Some(plan);
        self.progress = Progress::Planned;
    }

    pub(super) fn intent(&self, write: Write, epoch: Epoch, change: ChangeId) -> Intent {
        Intent {
            change,
            person: self.desired.person,
            version: self.desired.version,
            epoch,
            guid: self.seen.as_ref().map(|seen| seen.guid),
            matching: self.desired.matching.clone(),
            write,
        }
    }

    /// The outcome of a task that has ended, with the writes of its journal.
    pub(super) fn outcome(
        self,
        id: ChangeId,
        epoch: Epoch,
        ended: Timestamp,
        changes: Vec<AppliedChange>,
        invocation_id: &str,
    ) -> Outcome {
        let result = self.conclusion(&changes);
        let succeeded = !matches!(result, Conclusion::Failed(_));
        let Self { desired, refused, seen, plan, .. } = self;
        // Without an account nothing is in place, whatever was decided.
        let confirmed = plan
            .as_ref()
            .filter(|_| succeeded && seen.is_some())
            .map(|plan| reconcile::confirmed(&desired, plan, &refused, None));
        let was_confirmed = desired.link.as_ref().is_some_and(|link| link.confirmed);
        let link = seen.as_ref().map(|seen| Link {
            guid: seen.guid,
            confirmed: succeeded || was_confirmed,
            invocation_id: Some(invocation_id.to_owned()),
            usn_changed: seen.usn_changed,
        });
        let (mut warnings, drift) = match plan {
            Some(plan) => (plan.warnings, plan.drift),
            None => (desired.warnings.clone(), vec![]),
        };
        let waits = warnings.iter().any(|warning| warning.code == Code::UnableToResolveReferenceAttributeValue);
        warnings.extend(refused.iter().map(warning));
        Outcome {
            id,
            person: desired.person,
            version: desired.version,
            epoch,
            ended,
            result,
            changes,
            dn: seen.map(|seen| seen.dn.as_str().to_owned()),
            link,
            confirmed,
            refused,
            warnings,
            drift,
            waits_for_manager: desired.manager.filter(|_| waits).map(|manager| manager.external_id),
        }
    }

    fn conclusion(&self, changes: &[AppliedChange]) -> Conclusion {
        if let Progress::Ended(Some(failure)) = &self.progress {
            return Conclusion::Failed(failure.clone());
        }
        let waits = |plan: &Plan| {
            plan.warnings.iter().any(|warning| warning.code == Code::UnableToResolveReferenceAttributeValue)
        };
        match &self.plan {
            Some(Plan { verdict: Verdict::Failed(failure), .. }) => Conclusion::Failed(failure.clone()),
            _ if !changes.is_empty() || !self.refused.is_empty() => Conclusion::Done,
            Some(Plan { verdict: Verdict::Skipped(code), .. }) => Conclusion::Skipped(*code),
            Some(plan) if waits(plan) => Conclusion::Done,
            _ => Conclusion::Skipped(Code::RedundantExport),
        }
    }
}

fn warning(refused: &RefusedValue) -> Warning {
    Warning {
        code: Code::AttributeRefused,
        attribute: Some(refused.attribute.clone()),
        text: format!("{} was left out: {}", refused.attribute, refused.failure.reason),
    }
}
