//! Work that waits, in two lanes; of one person only the newest state.

use std::collections::VecDeque;

use rollcall_model::desired::{DesiredAccount, DesiredState};
use rollcall_model::ids::{Epoch, PersonId};
use rollcall_model::limits;
use rollcall_wire::link::Lane;

use super::persons::Persons;
use super::task::Task;

#[derive(Default)]
pub(super) struct Queue {
    urgent: VecDeque<(Epoch, DesiredState)>,
    normal: VecDeque<(Epoch, DesiredState)>,
}

impl Queue {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<(Epoch, DesiredState)> {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.normal.is_empty()
    }

    /// Takes a state in. Another one of the person that waits is replaced, if it is not newer; whoever is urgent once
    /// stays so.
    pub(super) fn push(&mut self, epoch: Epoch, desired: DesiredState, lane: Lane) {
        let person = desired.person;
        let waits = |waiting: &(Epoch, DesiredState)| waiting.1.person == person;
        for held in [Lane::Urgent, Lane::Normal] {
            let waiting = self.lane(held);
            let Some(at) = waiting.iter().position(waits) else { continue };
            let is_newer = waiting[at].0 == epoch && waiting[at].1.version > desired.version;
            if held == Lane::Urgent || lane == Lane::Normal {
                if !is_newer {
                    waiting[at] = (epoch, desired);
                }
            } else if let Some(before) = waiting.remove(at) {
                self.urgent.push_back(if is_newer { before } else { (epoch, desired) });
            }
            return;
        }
        self.lane(lane).push_back((epoch, desired));
    }

    /// Drops what was given out under an epoch that is over: whoever is active next is given it anew.
    pub(super) fn keep(&mut self, holds: impl Fn(Epoch) -> bool) {
        for lane in [&mut self.urgent, &mut self.normal] {
            lane.retain(|(epoch, _)| holds(*epoch));
        }
    }

    /// The urgent persons who wait, with the versions they wait with.
    pub(super) fn urgent(&self) -> impl Iterator<Item = &DesiredState> {
        self.urgent.iter().map(|(_, desired)| desired)
    }

    pub(super) fn drop_urgent(&mut self, person: PersonId) {
        self.urgent.retain(|(_, desired)| desired.person != person);
    }

    /// The next batch of a lane: persons of one epoch whom nobody has in hand. Disables first: nothing else may hold
    /// them up.
    pub(super) fn batch(&mut self, lane: Lane, persons: &Persons) -> Option<(Epoch, Vec<Task>)> {
        let waiting = self.lane(lane);
        let epoch = waiting.front()?.0;
        let (mut tasks, mut left) = (vec![], VecDeque::new());
        while let Some((given, desired)) = waiting.pop_front() {
            let wanted = given == epoch && tasks.len() < limits::BATCH_PERSONS_MAX;
            match wanted.then(|| persons.take(&desired, lane)).flatten() {
                Some(place) => tasks.push(Task::new(desired, place)),
                None => left.push_back((given, desired)),
            }
        }
        *waiting = left;
        tasks.sort_by_key(|task: &Task| task.desired.account != DesiredAccount::Disabled);
        (!tasks.is_empty()).then_some((epoch, tasks))
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::ids::Version;

    use super::*;
    use crate::testing::person;

    fn at(number: u128, version: i64) -> DesiredState {
        DesiredState { version: Version(version), ..person(number, "p", &[]) }
    }

    fn names(batch: Option<(Epoch, Vec<Task>)>) -> Vec<(u128, i64)> {
        let tasks = batch.map(|(_, tasks)| tasks).unwrap_or_default();
        tasks.iter().map(|task| (task.desired.person.0.as_u128(), task.desired.version.0)).collect()
    }

    #[test]
    fn of_one_person_the_newest_waits_and_once_urgent_is_urgent() {
        let (normal, urgent) = (Lane::Normal, Lane::Urgent);
        for (given, expected_urgent, expected_normal) in [
            (vec![(1, normal), (2, normal)], vec![], vec![(1, 2)]),
            (vec![(2, normal), (1, normal)], vec![], vec![(1, 2)]),
            (vec![(1, normal), (2, urgent)], vec![(1, 2)], vec![]),
            (vec![(2, normal), (1, urgent)], vec![(1, 2)], vec![]),
            (vec![(1, urgent), (2, normal)], vec![(1, 2)], vec![]),
        ] {
            let mut queue = Queue::default();
            for (version, lane) in &given {
                queue.push(Epoch(1), at(1, *version), *lane);
            }
            let persons = Persons::default();
            assert_eq!(names(queue.batch(urgent, &persons)), expected_urgent, "{given:?}");
            assert_eq!(names(queue.batch(normal, &persons)), expected_normal, "{given:?}");
        }
    }

    #[test]
    fn a_batch_is_of_one_epoch_has_disables_first_and_leaves_out_who_is_in_hand() {
        let (mut queue, persons) = (Queue::default(), Persons::default());
        let in_hand = persons.take(&at(2, 1), Lane::Normal);
        queue.push(Epoch(1), at(1, 1), Lane::Normal);
        queue.push(Epoch(1), at(2, 2), Lane::Normal);
        queue.push(Epoch(1), DesiredState { account: DesiredAccount::Disabled, ..at(3, 1) }, Lane::Normal);
        queue.push(Epoch(2), at(4, 1), Lane::Normal);
        let first = queue.batch(Lane::Normal, &persons);
        assert_eq!(names(queue.batch(Lane::Normal, &persons)), [], "the same place in the queue");
        assert_eq!(names(first), [(3, 1), (1, 1)]);
        drop(in_hand);
        assert_eq!(names(queue.batch(Lane::Normal, &persons)), [(2, 2)]);
        queue.keep(|epoch| epoch != Epoch(2));
        assert!(queue.is_empty());
    }
}
