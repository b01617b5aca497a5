//! Faults that can be asked for: in-process through the handle, from outside by an LDAP extended operation.

use std::str::FromStr;

/// Name of the extended operation whose value is a fault's text (an arc made from a random UUID, X.667). The
/// connection must be bound.
pub const CONTROL_OID: &str = "2.25.67610522384803895880685225241680309511";

/// One fault. As text: `delay 200`, `busy 3`, `unwilling 1`, `drop-before-commit 1`, `drop-after-commit 1`, `drop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every answer comes this much later; 0 ends it.
    DelayMs(u32),
    /// The next searches and writes, this many, are answered 51.
    Busy(u32),
    /// The next writes, this many, are answered 53.
    Unwilling(u32),
    /// At the next writes, this many, the connection is dropped and nothing is written.
    DropBeforeCommit(u32),
    /// At the next writes, this many, the connection is dropped after the write is made and before it is answered.
    DropAfterCommit(u32),
    /// All connections are dropped now.
    DropConnections,
}

/// A text that is no fault.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no fault: delay MS, busy N, unwilling N, drop-before-commit N, drop-after-commit N, drop")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownFault(text.to_owned());
        let (name, number) = text.split_once(' ').unwrap_or((text, "1"));
        let number: u32 = number.trim().parse().map_err(|_| unknown())?;
        Ok(match name {
            "delay" => Self::DelayMs(number),
            "busy" => Self::Busy(number),
            "unwilling" => Self::Unwilling(number),
            "drop-before-commit" => Self::DropBeforeCommit(number),
            "drop-after-commit" => Self::DropAfterCommit(number),
            "drop" => Self::DropConnections,
            _ => return Err(unknown()),
        })
    }
}

/// What is left of the faults asked for.
#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) delay_ms: u32,
    busy: u32,
    unwilling: u32,
    drop_before_commit: u32,
    drop_after_commit: u32,
}

/// What a request meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Struck {
    No,
    Busy,
    Unwilling,
    DropBeforeCommit,
    DropAfterCommit,
}

impl Faults {
    pub(crate) fn ask_for(&mut self, fault: Fault) {
        match fault {
            Fault::DelayMs(ms) => self.delay_ms = ms,
            Fault::Busy(n) => self.busy = n,
            Fault::Unwilling(n) => self.unwilling = n,
            Fault::DropBeforeCommit(n) => self.drop_before_commit = n,
            Fault::DropAfterCommit(n) => self.drop_after_commit = n,
            Fault::DropConnections => {}
        }
    }

    /// The fault of the next search, counted down.
    pub(crate) fn on_search(&mut self) -> Struck {
        Self::next([(&mut self.busy, Struck::Busy)])
    }

    /// The fault of the next write, counted down.
    pub(crate) fn on_write(&mut self) -> Struck {
        Self::next([
            (&mut self.busy, Struck::Busy),
            (&mut self.unwilling, Struck::Unwilling),
            (&mut self.drop_before_commit, Struck::DropBeforeCommit),
            (&mut self.drop_after_commit, Struck::DropAfterCommit),
        ])
    }

    fn next<const N: usize>(kinds: [(&mut u32, Struck); N]) -> Struck {
        let Some((left, struck)) = kinds.into_iter().find(|(left, _)| **left > 0) else { return Struck::No };
        *left -= 1;
        struck
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        faults.into_iter().fold(Self::default(), |mut all, fault| {
            all.ask_for(fault);
            all
        })
    }
}
