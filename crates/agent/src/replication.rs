//! After the writing controller was changed: what is not found there may still be on its way from the one before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_directory::Read;
use rollcall_wire::link::Replication;
use tokio::time::Instant;
use tracing::info;

use crate::controller::within;

/// Shared by the link, which is told, and the worker, which asks.
#[derive(Clone, Default)]
pub(crate) struct Awaited(Arc<Mutex<Option<Waiting>>>);

#[derive(Clone, PartialEq, Eq)]
struct Waiting {
    from: String,
    usn: Option<i64>,
    until: Instant,
}

impl Awaited {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the service says now; the wait begins.
    pub(crate) fn set(&self, replication: Option<Replication>) {
        *self.lock() = replication.map(|replication| {
            let wait = Duration::from_millis(u64::try_from(replication.wait_ms).unwrap_or(0));
            Waiting { from: replication.from, usn: replication.usn, until: Instant::now() + wait }
        });
    }

    /// Whether absence may not be believed. To be asked *before* the look whose answer it is about; `own` is the
    /// controller's invocationId.
    pub(crate) async fn is_pending(&self, read: &dyn Read, own: &str) -> bool {
        let Some(waiting) = self.lock().clone() else { return false };
        let over =
            waiting.from.eq_ignore_ascii_case(own) || Instant::now() >= waiting.until || has(read, &waiting).await;
        if over {
            info!(from = %waiting.from, "what is not found is absent from now on");
            let mut held = self.lock();
            if held.as_ref() == Some(&waiting) {
                *held = None;
            }
        }
        !over
    }
}

/// Whether the controller has everything that was written on the one before; a controller that does not say has not.
async fn has(read: &dyn Read, waiting: &Waiting) -> bool {
    let Some(usn) = waiting.usn else { return false };
    matches!(within(read.has_of(&waiting.from)).await, Ok(Some(has)) if has >= usn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeDirectory;

    #[tokio::test(start_paused = true)]
    async fn absence_is_believed_once_all_has_come_or_the_time_is_over() {
        let wanted = |usn| Some(Replication { from: "dc-1".to_owned(), usn, wait_ms: 1_000 });
        for (told, has, waited_ms, own, pending) in [
            (None, Some(1), 0, "dc-2", false),
            (wanted(Some(5)), None, 0, "dc-2", true),
            (wanted(Some(5)), Some(4), 0, "dc-2", true),
            (wanted(Some(5)), Some(5), 0, "dc-2", false),
            (wanted(Some(5)), Some(4), 1_000, "dc-2", false),
            (wanted(None), Some(9), 999, "dc-2", true),
            (wanted(None), Some(9), 1_000, "dc-2", false),
            (wanted(Some(5)), None, 0, "DC-1", false),
        ] {
            let directory = FakeDirectory::default();
            directory.set(|inner| inner.has_of = has);
            let awaited = Awaited::default();
            awaited.set(told.clone());
            tokio::time::advance(Duration::from_millis(waited_ms)).await;
            assert_eq!(awaited.is_pending(&directory, own).await, pending, "{told:?} {has:?} {waited_ms} {own}");
            directory.set(|inner| inner.has_of = None);
            assert_eq!(awaited.is_pending(&directory, own).await, pending, "once over, over");
        }
    }
}
