//! Whether, and after how long, a request is sent again. Pure.

use rollcall_model::{Random, limits};

use crate::http::answer::Failure;

/// What may be done about a request whose fate is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Send it again: twice is once, by its nature.
    Always,
    /// Like `Always`, because it carries an `Idempotency-Key`; and longer.
    Keyed,
    /// Only where the service has certainly done nothing.
    WhenRefused,
}

/// What a failed try says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another ends the same.
    Final,
    /// The request was not worked on, and may be later.
    NotReached,
    /// Whether it was worked on is not known.
    Unknown,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    pub(crate) tries_max: u32,
    pub(crate) keyed_tries_max: u32,
    pub(crate) first_ms: u64,
    pub(crate) wait_ms_max: u64,
    pub(crate) asked_ms_max: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries_max: limits::CLIENT_TRIES_MAX,
            keyed_tries_max: limits::CLIENT_UPLOAD_TRIES_MAX,
            first_ms: limits::CLIENT_RETRY_FIRST_MS,
            wait_ms_max: limits::CLIENT_RETRY_MS_MAX,
            asked_ms_max: limits::CLIENT_RETRY_AFTER_MS_MAX,
        }
    }
}

impl Retry {
    /// The wait in milliseconds before try `tries + 1`; `None`: give up.
    pub(crate) fn wait_ms(&self, repeat: Repeat, tries: u32, failure: &Failure, random: &dyn Random) -> Option<u64> {
        let is_open = match failure.kind {
            Kind::Final => false,
            Kind::NotReached => true,
            Kind::Unknown => repeat != Repeat::WhenRefused,
        };
        let tries_max = if repeat == Repeat::Keyed { self.keyed_tries_max } else { self.tries_max };
        if !is_open || tries >= tries_max {
            return None;
        }
        let grown = self.first_ms.saturating_mul(1_u64 << (tries - 1).min(32)).min(self.wait_ms_max);
        match failure.retry_after_ms {
            Some(asked) if asked > self.asked_ms_max => None,
            // Never earlier than asked; a little later, so that those who were told the same do not come at once.
            Some(asked) => Some(asked.saturating_add(random.below(self.first_ms.max(1)))),
            None => Some(grown / 2 + random.below(grown / 2 + 1)),
        }
    }
}

#[cfg(test)]
mod tests;
