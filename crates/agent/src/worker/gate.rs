//! Who may send a write next: a few are under way at once, and the more urgent goes first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_model::limits;
use tokio::sync::oneshot;

/// The order between writes that wait; within a rank the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Urgent,
    /// Of a person of whom a write was made already: what is begun is ended.
    Begun,
    Normal,
}

/// Beside whom a write may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Others,
    /// Nobody: if the connection ends, it is known whose write it was.
    None,
}

#[derive(Default)]
struct Inner {
    /// Places that are taken.
    taken: usize,
    next: u64,
    waiting: BTreeMap<(Rank, u64), (usize, oneshot::Sender<()>)>,
}

impl Inner {
    fn let_in(&mut self) {
        while let Some(first) = self.waiting.first_entry() {
            let places = first.get().0;
            if self.taken + places > limits::WRITES_OUTSTANDING_MAX {
                return;
            }
            self.taken += places;
            let (_, turn) = first.remove();
            // Whoever has gone gives the places back as it goes.
            let _ = turn.send(());
        }
    }
}

/// One for all writes of an agent.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Inner>>);

/// A place in the queue, and once it is its turn, leave to send. Given back when dropped.
pub(super) struct Ticket {
    gate: Gate,
    key: (Rank, u64),
    places: usize,
    turn: oneshot::Receiver<()>,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the queue at once.
    pub(super) fn ticket(&self, rank: Rank, company: Company) -> Ticket {
        let places = match company {
            Company::Others => 1,
            Company::None => limits::WRITES_OUTSTANDING_MAX,
        };
        let (sender, turn) = oneshot::channel();
        let mut inner = self.lock();
        inner.next += 1;
        let key = (rank, inner.next);
        inner.waiting.insert(key, (places, sender));
        inner.let_in();
        Ticket { gate: self.clone(), key, places, turn }
    }
}

impl Ticket {
    /// Waits for its turn. Call once.
    pub(super) async fn turn(&mut self) {
        // The sender is dropped only after it was used, or with this ticket.
        let _ = (&mut self.turn).await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        if inner.waiting.remove(&self.key).is_none() {
            inner.taken -= self.places;
        }
        inner.let_in();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(ticket: &mut Ticket) -> bool {
        ticket.turn.try_recv().is_ok()
    }

    #[test]
    fn a_few_at_once_and_the_urgent_first() {
        let gate = Gate::default();
        let ask = |rank| gate.ticket(rank, Company::Others);
        let mut under_way: Vec<Ticket> = (0..limits::WRITES_OUTSTANDING_MAX).map(|_| ask(Rank::Normal)).collect();
        assert!(under_way.iter_mut().all(is_in));
        let (mut normal, gone, mut begun, mut urgent) =
            (ask(Rank::Normal), ask(Rank::Urgent), ask(Rank::Begun), ask(Rank::Urgent));
        drop(gone);
        under_way.pop();
        assert_eq!([is_in(&mut urgent), is_in(&mut begun), is_in(&mut normal)], [true, false, false]);
        under_way.pop();
        assert_eq!([is_in(&mut begun), is_in(&mut normal)], [true, false]);
        drop(urgent);
        assert!(is_in(&mut normal));
    }

    #[test]
    fn whoever_wants_no_company_waits_until_all_are_gone() {
        let gate = Gate::default();
        let mut one = gate.ticket(Rank::Normal, Company::Others);
        let (mut alone, mut after) =
            (gate.ticket(Rank::Normal, Company::None), gate.ticket(Rank::Normal, Company::Others));
        assert_eq!([is_in(&mut one), is_in(&mut alone), is_in(&mut after)], [true, false, false]);
        drop(one);
        assert_eq!([is_in(&mut alone), is_in(&mut after)], [true, false]);
        drop(alone);
        assert!(is_in(&mut after));
    }
}
