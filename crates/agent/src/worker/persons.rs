//! Who is being worked on: nobody twice at once, and nobody beside somebody with the same matching value, so that two
//! pieces of work cannot both find no account and make one each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_model::desired::DesiredState;
use rollcall_model::fold;
use rollcall_model::ids::{PersonId, Version};
use rollcall_wire::link::Lane;
use tokio::sync::Notify;

/// One for all work of an agent.
#[derive(Clone, Default)]
pub(super) struct Persons {
    inner: Arc<Mutex<Inner>>,
    /// Somebody can be taken in hand again.
    freed: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    in_hand: HashMap<PersonId, InHand>,
    keys: HashSet<Key>,
}

/// A matching attribute and value, folded.
type Key = (String, String);

struct InHand {
    number: u64,
    version: Version,
    lane: Lane,
    keys: Vec<Key>,
    /// A write is under way, or may be.
    writing: bool,
    /// A newer state wants to be next; this one is to be dropped.
    overtaken: bool,
}

/// A person in hand, until it is dropped.
pub(super) struct Place {
    persons: Persons,
    person: PersonId,
    number: u64,
}

/// What becomes of urgent work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overtaking {
    /// Nobody is in the way any more.
    Free,
    /// It comes next.
    Waits,
    /// A newer state is in hand.
    Outdated,
}

impl Inner {
    fn remove(&mut self, person: PersonId) {
        if let Some(in_hand) = self.in_hand.remove(&person) {
            for key in in_hand.keys {
                self.keys.remove(&key);
            }
        }
    }
}

impl Persons {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a person in hand; `None` while somebody is who stands in the way.
    pub(super) fn take(&self, desired: &DesiredState, lane: Lane) -> Option<Place> {
        let mut keys: Vec<Key> =
            desired.matching.iter().map(|rule| (fold(&rule.attribute), fold(&rule.value))).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut inner = self.lock();
        if inner.in_hand.contains_key(&desired.person) || keys.iter().any(|key| inner.keys.contains(key)) {
            return None;
        }
        inner.next += 1;
        let number = inner.next;
        inner.keys.extend(keys.iter().cloned());
        let in_hand = InHand { number, version: desired.version, lane, keys, writing: false, overtaken: false };
        inner.in_hand.insert(desired.person, in_hand);
        Some(Place { persons: self.clone(), person: desired.person, number })
    }

    /// Urgent work of a person has come: normal work in hand that is not newer is dropped, at once or after the write
    /// under way.
    pub(super) fn overtake(&self, person: PersonId, version: Version) -> Overtaking {
        let mut inner = self.lock();
        let Some(in_hand) = inner.in_hand.get_mut(&person) else { return Overtaking::Free };
        if in_hand.version > version {
            return Overtaking::Outdated;
        }
        if in_hand.lane == Lane::Urgent {
            return Overtaking::Waits;
        }
        in_hand.overtaken = true;
        if in_hand.writing {
            return Overtaking::Waits;
        }
        inner.remove(person);
        Overtaking::Free
    }

    /// Says that something else has changed that the scheduler looks at.
    pub(super) fn nudge(&self) {
        self.freed.notify_one();
    }

    /// Waits until somebody was given back since the last call, or something else has changed.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Place {
    /// Whether this work is still to be done.
    pub(super) fn is_wanted(&self) -> bool {
        let inner = self.persons.lock();
        inner.in_hand.get(&self.person).is_some_and(|in_hand| in_hand.number == self.number && !in_hand.overtaken)
    }

    /// Says that a write is about to be made; `false`: it may not, the work is dropped.
    pub(super) fn begin_write(&self) -> bool {
        let mut inner = self.persons.lock();
        match inner.in_hand.get_mut(&self.person) {
            Some(in_hand) if in_hand.number == self.number && !in_hand.overtaken => {
                in_hand.writing = true;
                true
            }
            _ => false,
        }
    }

    /// No write is under way any more, and what became of it is in the journal.
    pub(super) fn end_write(&self) {
        let mut inner = self.persons.lock();
        if let Some(in_hand) = inner.in_hand.get_mut(&self.person).filter(|in_hand| in_hand.number == self.number) {
            in_hand.writing = false;
        }
    }
}

impl Place {
    /// Gives the person back, before the work is dropped.
    pub(super) fn leave(&self) {
        let mut inner = self.persons.lock();
        if inner.in_hand.get(&self.person).is_some_and(|in_hand| in_hand.number == self.number) {
            inner.remove(self.person);
            self.persons.freed.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::person;

    fn at(number: u128, version: i64) -> DesiredState {
        DesiredState { version: Version(version), ..person(number, "p", &[]) }
    }

    #[test]
    fn nobody_is_in_hand_twice() {
        let persons = Persons::default();
        let place = persons.take(&at(1, 1), Lane::Normal).unwrap();
        assert!(persons.take(&at(1, 2), Lane::Normal).is_none());
        let namesake = DesiredState { matching: at(1, 1).matching, ..at(2, 1) };
        assert!(persons.take(&namesake, Lane::Normal).is_none(), "the same matching value");
        assert!(persons.take(&at(3, 1), Lane::Normal).is_some());
        drop(place);
        assert!(persons.take(&namesake, Lane::Normal).is_some());
    }

    #[test]
    fn the_newer_wins() {
        for (lane, version, writing, expected, wanted) in [
            (Lane::Normal, 2, false, Overtaking::Free, false),
            (Lane::Normal, 1, false, Overtaking::Free, false),
            (Lane::Normal, 2, true, Overtaking::Waits, false),
            (Lane::Normal, 3, false, Overtaking::Outdated, true),
            (Lane::Urgent, 1, false, Overtaking::Waits, true),
        ] {
            let persons = Persons::default();
            let place = persons.take(&at(1, version), lane).unwrap();
            if writing {
                assert!(place.begin_write());
            }
            let case = format!("{lane:?} {version} {writing}");
            assert_eq!(persons.overtake(at(1, 2).person, Version(2)), expected, "{case}");
            assert_eq!(place.is_wanted(), wanted, "{case}");
            place.end_write();
            assert_eq!(place.begin_write(), wanted, "{case}");
            if expected == Overtaking::Free {
                let next = persons.take(&at(1, 2), Lane::Urgent).unwrap();
                drop(place);
                assert!(next.is_wanted(), "the dropped work takes nothing with it");
            }
        }
    }
}
