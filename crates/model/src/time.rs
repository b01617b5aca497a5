//! Time and randomness as arguments.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment plus `ms` milliseconds, saturating.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// Milliseconds from `earlier` to this moment; negative where `earlier` is later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0) / 1_000
    }
}

/// What time it is. The mains hand in the system's clock, tests a clock of their own.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Where unpredictable bytes come from. The mains hand in the system's generator, tests a seeded one.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);

    /// A version 7 UUID of the given moment: sortable by time, 74 random bits (RFC 9562 5.7).
    fn uuid_v7(&self, now: Timestamp) -> uuid::Uuid {
        let mut random = [0_u8; 10];
        self.fill(&mut random);
        let ms = u64::try_from(now.0 / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }

    /// A version 4 UUID: 122 random bits.
    fn uuid_v4(&self) -> uuid::Uuid {
        let mut random = [0_u8; 16];
        self.fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    /// A number in `0..bound`; 0 where `bound` is 0. Good enough for jitter, not for secrets.
    fn below(&self, bound: u64) -> u64 {
        let mut random = [0_u8; 8];
        self.fill(&mut random);
        u64::from_le_bytes(random).checked_rem(bound).unwrap_or(0)
    }
}
