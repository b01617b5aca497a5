//! The system's clocks and generator: what the mains hand in where tests hand in their own.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom as Generator};
use rollcall_model::{Clock, Random, Timestamp};

use crate::fence::LeaseClock;

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the wrapper through which everything else reads the clock")]
    fn now(&self) -> Timestamp {
        // Through the C library, so that a test can move this clock; the one of the lease is read from the kernel.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Fails only where the operating system has no generator. Predictable bytes would become passwords, so there
        // is nothing to go on with.
        if Generator::new().fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// CLOCK_BOOTTIME: never set, and it counts suspend, which CLOCK_MONOTONIC does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl LeaseClock for BootClock {
    fn now_ms(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000)
    }
}

/// This host's name, as the kernel knows it.
#[must_use]
pub fn host_name() -> String {
    let path = std::path::Path::new("/proc/sys/kernel/hostname");
    crate::files::read_text(path).map_or_else(|_| "agent".to_owned(), |name| name.trim().to_owned())
}
