//! How long to wait before a transient failure is tried again.

use rollcall_model::{Code, Random, limits};

/// Milliseconds before try number `attempts` + 1 after a failure: doubling from the first wait to the longest, of which
/// the second half is left to chance, so that persons who failed together are not tried together. Replication is over
/// soon.
pub(super) fn wait_ms(code: Code, attempts: i32, random: &dyn Random) -> i64 {
    let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(0);
    let longest = if code == Code::NotYetReplicated { limits::RETRY_REPLICATED_MS_MAX } else { limits::RETRY_MS_MAX };
    let wait = limits::RETRY_FIRST_MS.saturating_mul(1 << doublings).min(longest);
    let half = wait / 2;
    let jitter = i64::try_from(random.below(u64::try_from(half).unwrap_or(0) + 1)).unwrap_or(0);
    half + jitter
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn seconds_grow_to_minutes() {
        for (attempts, expected) in [(0, 1_000), (1, 2_000), (5, 32_000), (9, 300_000), (1_000, 300_000)] {
            assert_eq!(wait_ms(Code::TimeOut, attempts, &Fixed(0)), expected, "shortest after {attempts}");
        }
        for (attempts, expected) in [(0, 1_000), (1, 2_000), (2, 4_000), (1_000, 4_000)] {
            assert_eq!(wait_ms(Code::NotYetReplicated, attempts, &Fixed(0)), expected, "shortest after {attempts}");
        }
        for attempts in 0..40 {
            for byte in [0, 17, 255] {
                let wait = wait_ms(Code::TimeOut, attempts, &Fixed(byte));
                assert!((limits::RETRY_FIRST_MS / 2..=limits::RETRY_MS_MAX).contains(&wait));
            }
        }
    }
}
