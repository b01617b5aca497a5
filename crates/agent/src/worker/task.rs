//! One person in a batch, from the desired state to the outcome.

use std::collections::VecDeque;

use rollcall_engine::reconcile::{self, Turn};
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid};
use rollcall_model::observed::{Entry, Observed, ObservedAccount, ObservedManager};
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome, RefusedValue};
use rollcall_model::person::Link;
use rollcall_model::plan::{Failure, Plan, Verdict, Warning, Write};
use rollcall_model::{Code, Dn, Timestamp};

use super::persons::Place;
use crate::journal::Intent;
use crate::policy::{Restricted, Rules, left_out_warning};

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
    /// The account that our own add made and that was not read back yet.
    pub(super) fresh: Option<Fresh>,
    /// It was written since it was seen.
    pub(super) is_dirty: bool,
    plan: Option<Plan>,
    /// Only a part of the plan is to be made now; what is left is planned anew.
    is_held: bool,
    /// How often it was held.
    pub(super) held: usize,
    /// Chosen values (attribute, value) that the directory would not take, because somebody holds them after all.
    pub(super) refused_names: Vec<(String, String)>,
    pub(super) stale: u32,
    pub(super) unanswered: u32,
    /// Looks in a row that got no answer.
    pub(super) lost_looks: u32,
    pub(super) place: Place,
}

/// An account that is made, and of which nothing else is known.
pub(super) struct Fresh {
    pub(super) change: ChangeId,
    pub(super) dn: Dn,
    pub(super) account_name: Option<String>,
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
    pub(super) fn new(desired: DesiredState, place: Place) -> Self {
        Self {
            desired,
            progress: Progress::Due,
            steps: VecDeque::new(),
            refused: vec![],
            manager: None,
            seen: None,
            fresh: None,
            is_dirty: false,
            plan: None,
            is_held: false,
            held: 0,
            refused_names: vec![],
            stale: 0,
            unanswered: 0,
            lost_looks: 0,
            place,
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.progress = Progress::Ended(Some(failure));
    }

    /// The account is gone by our own hand, which ends the work on this person.
    pub(super) fn deleted(&mut self) {
        self.seen = None;
        self.progress = Progress::Ended(None);
    }

    /// The write that may be made after the planned ones, if the local policy lets it.
    pub(super) fn permitted(&mut self, write: Write, rules: &Rules) -> Option<Write> {
        let Restricted { write, left_out, refusal } = rules.apply(write, None);
        if let Some(plan) = &mut self.plan {
            plan.warnings.extend(left_out.iter().map(|change| left_out_warning(&change.name)));
            plan.drift.extend(left_out);
        }
        if let Some(failure) = refusal {
            self.fail(failure);
        }
        write
    }

    /// The account, where there is one.
    pub(super) fn guid(&self) -> Option<ObjectGuid> {
        self.seen.as_ref().map(|seen| seen.guid)
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended(_))
    }

    /// Plans, within the local policy; the writes, each with an id of its own, are the task's steps.
    pub(super) fn plan(&mut self, observed: &Observed, epoch: Epoch, rules: &Rules, mut id: impl FnMut() -> ChangeId) {
        let entry = match &observed.account {
            ObservedAccount::Linked(entry) | ObservedAccount::Matched(entry) => Some(entry),
            _ => None,
        };
        self.seen = entry.map(Seen::of);
        let plan = rules.plan(&mut self.desired, observed);
        self.steps = plan.writes.iter().map(|write| self.intent(write.clone(), epoch, id())).collect();
        self.plan = Some(plan);
        self.is_held = false;
        self.progress = Progress::Planned;
    }

    /// What is to be carried out, as far as it is not yet.
    pub(super) fn planned(&self) -> Option<&Plan> {
        self.plan.as_ref().filter(|_| self.progress == Progress::Planned)
    }

    /// Leaves of the steps what may be made now.
    pub(super) fn take_turn(&mut self, turn: Turn, epoch: Epoch, rules: &Rules, id: impl FnOnce() -> ChangeId) {
        let (writes, aside) = match turn {
            Turn::Now => return,
            Turn::Wait { writes } => (writes, None),
            Turn::StepAside { writes, aside } => match rules.apply(aside, None).write {
                Some(aside) => (writes, Some(aside)),
                // It may not; then nobody of the circle gets what another one has.
                None => return,
            },
        };
        self.steps.truncate(writes);
        let aside = aside.map(|aside| self.intent(aside, epoch, id()));
        self.steps.extend(aside);
        self.is_held = true;
        self.held += 1;
    }

    /// Nothing more is to be written now; a new account is still to be read back.
    pub(super) fn written(&mut self) {
        if self.is_held {
            self.progress = Progress::Due;
        } else if self.fresh.is_none() {
            self.progress = Progress::Ended(None);
        }
    }

    /// The account after the writes. Where somebody changed it since it was looked at, its number is left out: what it
    /// stands for was not confirmed, and the next look has to read the account.
    pub(super) fn left(&self, entry: &Entry, rules: &Rules) -> Seen {
        let manager = match (&self.manager, &self.desired.manager) {
            (Some(dn), _) => ObservedManager::Found(dn.clone()),
            (None, Some(_)) => ObservedManager::NotFound,
            (None, None) => ObservedManager::NotAsked,
        };
        let observed = Observed { account: ObservedAccount::Linked(entry.clone()), manager };
        // What was carried out plans to nothing.
        let again = reconcile::plan(&self.desired, &rules.unmarked(&observed));
        let is_as_planned = again.writes.is_empty() && self.plan.as_ref().is_some_and(|plan| plan.drift == again.drift);
        let seen = Seen::of(entry);
        Seen { usn_changed: seen.usn_changed.filter(|_| is_as_planned), ..seen }
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
        let Self { desired, refused, seen, plan, is_dirty, .. } = self;
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
            // Not read back after the write, it is not the write's number.
            usn_changed: seen.usn_changed.filter(|_| !is_dirty),
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
