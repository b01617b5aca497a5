//! How much may be given to the agent: counted in the milliseconds that the directory will need for it.
//!
//! Enough that the directory is never idle, and so little that nobody waits long behind it. Urgent persons have a
//! credit of their own.

use std::collections::HashMap;

use rollcall_model::desired::{DesiredState, IfAbsent};
use rollcall_model::ids::{PersonId, Version};
use rollcall_model::outcome::Outcome;
use rollcall_model::plan::Action;
use rollcall_model::{Timestamp, limits};
use rollcall_wire::link::Lane;

/// What one write is taken to cost before any was measured: a create with a password, any other.
const CREATE_MS: f64 = 20.0;
const WRITE_MS: f64 = 2.0;
/// How much one measurement moves the estimate.
const WEIGHT: f64 = 0.1;

/// A person given to the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) at: Timestamp,
    pub(super) lane: Lane,
    pub(super) version: Version,
    cost_ms: f64,
    /// Of the job, as they were evaluated.
    pub(super) schema_version: i64,
    /// When to look at the person again, as their evaluation read the clock.
    pub(super) look: Option<Timestamp>,
    /// A manager was to be set who had no account that this job knew of.
    pub(super) manager_was_unknown: bool,
}

impl Given {
    /// Of somebody about whom it was decided without the agent.
    pub(super) fn to_nobody(version: Version, under: (i64, Option<Timestamp>), now: Timestamp) -> Self {
        let (schema_version, look) = under;
        Self { at: now, lane: Lane::Normal, version, cost_ms: 0.0, schema_version, look, manager_was_unknown: false }
    }
}

/// What was given out, and what the directory was seen to need.
#[derive(Debug)]
pub(super) struct Credit {
    given: HashMap<PersonId, Given>,
    create_ms: f64,
    write_ms: f64,
}

impl Default for Credit {
    fn default() -> Self {
        Self { given: HashMap::new(), create_ms: CREATE_MS, write_ms: WRITE_MS }
    }
}

impl Credit {
    /// How many persons may be given out now.
    pub(super) fn room(&self, lane: Lane) -> usize {
        let own: Vec<&Given> = self.given.values().filter(|given| given.lane == lane).collect();
        match lane {
            Lane::Urgent => limits::WORK_URGENT_PERSONS_MAX.saturating_sub(own.len()),
            Lane::Normal => {
                let busy_ms: f64 = own.iter().map(|given| given.cost_ms).sum();
                let allowed = if busy_ms < f64::from(limits::WORK_OUTSTANDING_MS_MAX) {
                    limits::WORK_OUTSTANDING_PERSONS_MAX
                } else {
                    // One batch in the directory and one being looked up, however slow it is.
                    2 * limits::WORK_BATCH_PERSONS_MAX
                };
                allowed.saturating_sub(own.len())
            }
        }
    }

    /// `under`: the job's schema version, and when the person is to be looked at again.
    pub(super) fn give(&mut self, item: &DesiredState, under: (i64, Option<Timestamp>), lane: Lane, now: Timestamp) {
        let (schema_version, look) = under;
        let creates = item.link.is_none() && item.if_absent == IfAbsent::Create;
        let given = Given {
            at: now,
            lane,
            version: item.version,
            schema_version,
            look,
            cost_ms: if creates { self.create_ms } else { self.write_ms },
            manager_was_unknown: item.manager.as_ref().is_some_and(|manager| manager.guid.is_none()),
        };
        self.given.insert(item.person, given);
    }

    /// A person was reported on; what was given of them, unless that is newer and still out. Writes run side by side,
    /// so that each one's time holds that of its neighbours: the estimate errs towards giving out less.
    pub(super) fn take_back(&mut self, outcome: &Outcome) -> Option<Given> {
        for change in outcome.changes.iter().filter(|change| !change.confirmed_after_crash) {
            let estimate = if change.action == Action::Create { &mut self.create_ms } else { &mut self.write_ms };
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one write")]
            let seen = change.duration_ms.clamp(0, limits::LDAP_TIMEOUT_MS) as f64;
            *estimate += (seen - *estimate) * WEIGHT;
        }
        self.given.get(&outcome.person).filter(|given| given.version <= outcome.version)?;
        self.given.remove(&outcome.person)
    }

    pub(super) fn holds(&self, person: PersonId) -> bool {
        self.given.contains_key(&person)
    }

    /// Whether an older version of the person is out in the normal lane: for urgent work the agent drops that.
    pub(super) fn is_older(&self, person: PersonId, version: Version) -> bool {
        self.given.get(&person).is_some_and(|given| given.lane == Lane::Normal && given.version < version)
    }

    pub(super) fn len(&self) -> usize {
        self.given.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Whom the agent has kept silent about for too long may be given out anew.
    pub(super) fn forget_before(&mut self, overdue: Timestamp) {
        self.given.retain(|_, given| given.at > overdue);
    }

    /// Nothing is out any more; what was measured stays.
    pub(super) fn clear(&mut self) {
        self.given.clear();
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::ids::ChangeId;
    use rollcall_model::outcome::{AppliedChange, Conclusion};
    use uuid::Uuid;

    use super::super::bench;
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn given(lane: Lane, cost_ms: f64) -> Given {
        Given { at: NOW, lane, version: Version(2), cost_ms, schema_version: 1, look: None, manager_was_unknown: false }
    }

    fn credit(lane: Lane, persons: u32, cost_ms: f64) -> Credit {
        let given = (0..persons).map(|n| (PersonId(Uuid::from_u128(n.into())), given(lane, cost_ms))).collect();
        Credit { given, ..Credit::default() }
    }

    fn outcome(version: i64) -> Outcome {
        bench::outcome(PersonId(Uuid::from_u128(0)), version, Conclusion::Done)
    }

    #[test]
    fn a_late_report_takes_nothing_newer_back() {
        for (version, is_taken) in [(1, false), (2, true), (3, true)] {
            let mut credit = credit(Lane::Normal, 1, 1.0);
            assert_eq!(credit.take_back(&outcome(version)).is_some(), is_taken, "{version}");
            assert_eq!(credit.is_empty(), is_taken, "{version}");
        }
    }

    #[test]
    fn urgent_work_overtakes_what_is_older_and_not_urgent() {
        let check = |case: &str, credit: &Credit, version: i64, expected: bool| {
            assert_eq!(credit.is_older(PersonId(Uuid::from_u128(0)), Version(version)), expected, "{case}");
        };
        check("nothing is out", &Credit::default(), 3, false);
        check("an older version", &credit(Lane::Normal, 1, 1.0), 3, true);
        check("the same version", &credit(Lane::Normal, 1, 1.0), 2, false);
        check("an older urgent one", &credit(Lane::Urgent, 1, 1.0), 3, false);
    }

    #[test]
    fn room_is_what_the_directory_can_do_soon() {
        let check = |case: &str, credit: &Credit, lane: Lane, expected: usize| {
            assert_eq!(credit.room(lane), expected, "{case}");
        };
        let (persons, batch) = (limits::WORK_OUTSTANDING_PERSONS_MAX, limits::WORK_BATCH_PERSONS_MAX);
        check("nothing is out", &Credit::default(), Lane::Normal, persons);
        check("ten quick ones", &credit(Lane::Normal, 10, 1.0), Lane::Normal, persons - 10);
        let slow = credit(Lane::Normal, 20, f64::from(limits::WORK_OUTSTANDING_MS_MAX) / 10.0);
        check("twenty slow ones", &slow, Lane::Normal, 2 * batch - 20);
        check("urgent beside slow ones", &slow, Lane::Urgent, limits::WORK_URGENT_PERSONS_MAX);
        check("ordinary beside urgent", &credit(Lane::Urgent, 7, 9e9), Lane::Normal, persons);
    }

    #[test]
    fn what_was_measured_counts() {
        let mut credit = Credit::default();
        let created = bench::change(ChangeId(Uuid::from_u128(1)), Action::Create);
        let change = AppliedChange { duration_ms: 120, ..created };
        let outcome = Outcome { changes: vec![change], ..outcome(1) };
        for _ in 0..100 {
            credit.take_back(&outcome);
        }
        assert!((credit.create_ms - 120.0).abs() < 1.0, "{}", credit.create_ms);
        assert!((credit.write_ms - WRITE_MS).abs() < f64::EPSILON);
    }
}
