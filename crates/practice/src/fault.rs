//! Faults that can be asked for, at start or by an LDAP extended operation.

use std::collections::BTreeMap;

/// Name of the extended operation whose value is a fault's text (an arc made from a random UUID, X.667). The
/// connection must be bound.
pub const CONTROL_OID: &str = "2.25.67610522384803895880685225241680309511";

/// What can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Every answer comes this many milliseconds later; 0 ends it.
    DelayMs,
    /// The next searches and writes, this many, are answered 51.
    Busy,
    /// The next writes, this many, are answered 53.
    Unwilling,
    /// At the next writes, this many, the connection is dropped and nothing is written.
    DropBeforeCommit,
    /// At the next writes, this many, the connection is dropped after the write is made and before it is answered.
    DropAfterCommit,
    /// All connections are dropped now, whatever the number.
    DropConnections,
}

/// One fault. As text: `delay 200`, `busy 3`, `unwilling 1`, `drop-before-commit 1`, `drop-after-commit 1`, `drop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub number: u32,
}

impl Fault {
    /// Reads the text; `None` where it is no fault.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, number) = text.split_once(' ').unwrap_or((text, "1"));
        let kind = match name {
            "delay" => Kind::DelayMs,
            "busy" => Kind::Busy,
            "unwilling" => Kind::Unwilling,
            "drop-before-commit" => Kind::DropBeforeCommit,
            "drop-after-commit" => Kind::DropAfterCommit,
            "drop" => Kind::DropConnections,
            _ => return None,
        };
        Some(Self { kind, number: number.trim().parse().ok()? })
    }
}

/// What is left of the faults asked for.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) BTreeMap<Kind, u32>);

impl Faults {
    /// What the next request meets that these kinds are for, counted down.
    pub(crate) fn next(&mut self, kinds: &[Kind]) -> Option<Kind> {
        let (kind, left) = self.0.iter_mut().find(|(kind, left)| kinds.contains(kind) && **left > 0)?;
        *left -= 1;
        Some(*kind)
    }
}
