//! Waits between tries of a connection.

use std::sync::Arc;
use std::time::Duration;

use rollcall_model::Random;

/// First wait.
const FIRST_MS: u64 = 200;
/// Longest wait.
const MS_MAX: u64 = 10_000;

/// Waits that double, each with a jitter of half its length.
pub(crate) struct Backoff {
    random: Arc<dyn Random>,
    next_ms: u64,
}

impl Backoff {
    pub(crate) fn new(random: Arc<dyn Random>) -> Self {
        Self { random, next_ms: FIRST_MS }
    }

    /// It worked: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.next_ms = FIRST_MS;
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.step_ms())).await;
    }

    fn step_ms(&mut self) -> u64 {
        let step = self.next_ms / 2 + self.random.below(self.next_ms / 2 + 1);
        self.next_ms = (self.next_ms * 2).min(MS_MAX);
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit() {
        let mut backoff = Backoff::new(Arc::new(crate::system::SystemRandom));
        for whole in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            let step = backoff.step_ms();
            assert!((whole / 2..=whole).contains(&step), "{step} of {whole}");
        }
        backoff.reset();
        assert!(backoff.step_ms() <= 200);
    }
}
