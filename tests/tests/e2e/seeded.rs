//! Chance that can be repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// Names the variable that repeats a run.
pub(crate) const SEED: &str = "ROLLCALL_E2E_SEED";

/// The seed of this run: the variable's, else a new one.
pub(crate) fn seed() -> anyhow::Result<u64> {
    match std::env::var(SEED) {
        Ok(text) => text.parse().with_context(|| format!("{SEED} is no number: {text}")),
        Err(_) => Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros()).unwrap_or(1)),
    }
}

/// A seeded generator (splitmix64).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// An index below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % (count.max(1) as u64)).unwrap_or(0)
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    pub(crate) async fn pause_ms(&mut self, least: u64, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.between(least, most))).await;
    }
}
