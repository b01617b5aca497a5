//! Which operations go into which request, and when. Pure.
//!
//! Order between two requests is promised only when the second is sent after the first's 202 (design 4, invariant 4).
//! So an operation is held back while an earlier one of the same person is not answered, and a request never holds
//! two of one person: the order of the file then is the order of the service.

use std::collections::{BTreeSet, HashMap};

use rollcall_model::limits;

use crate::upload::read::Operation;

/// What stands around the operations of a request, at most, in bytes; and a comma for each.
const ENVELOPE_BYTES: usize = 256;

/// Hands out requests.
#[derive(Debug)]
pub(crate) struct Planner {
    /// The next operation of the same person, by operation.
    next_of: Vec<Option<usize>>,
    bytes: Vec<usize>,
    /// Operations that nothing holds back, in the order of the file.
    ready: BTreeSet<usize>,
    waiting: usize,
}

impl Planner {
    /// Reads persons and sizes; keeps no reference to the operations.
    pub(crate) fn new(operations: &[Operation]) -> Self {
        let mut next_of = vec![None; operations.len()];
        let mut ready = BTreeSet::new();
        let mut last_of: HashMap<&str, usize> = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            let earlier = operation.person.as_deref().and_then(|person| last_of.insert(person, at));
            match earlier {
                Some(earlier) => next_of[earlier] = Some(at),
                None => _ = ready.insert(at),
            }
        }
        let bytes = operations.iter().map(|operation| operation.json.get().len()).collect();
        Self { waiting: operations.len(), next_of, bytes, ready }
    }

    /// The next request: positions of its operations, ascending. `None` while all that is left is held back.
    ///
    /// At most fifty, and no more bytes than the service reads; an operation larger than that goes alone, for the
    /// service to refuse.
    pub(crate) fn next(&mut self) -> Option<Vec<usize>> {
        let mut batch = Vec::new();
        let mut bytes = ENVELOPE_BYTES;
        while batch.len() < limits::OPERATIONS_PER_REQUEST_MAX {
            let Some(&at) = self.ready.first() else { break };
            bytes += self.bytes[at] + 1;
            if bytes > limits::BODY_BYTES_MAX && !batch.is_empty() {
                break;
            }
            self.ready.pop_first();
            batch.push(at);
        }
        self.waiting -= batch.len();
        (!batch.is_empty()).then_some(batch)
    }

    /// A request was answered for good: its persons' next operations may go.
    pub(crate) fn answered(&mut self, batch: &[usize]) {
        self.ready.extend(batch.iter().filter_map(|at| self.next_of[*at]));
    }

    /// Operations not handed out yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests;
