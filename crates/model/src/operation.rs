//! One element of an upload, and the states it goes through.

use serde::{Deserialize, Serialize};

/// The methods that operations may have (semantics `broken-record`: any other is refused with the whole request).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Post,
    Delete,
}

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $number:literal, $is_final:literal;)*) => {
        /// Where an operation is on its way. The number is what the store holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum OperationState { $($(#[$doc])* $name,)* }

        impl OperationState {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[must_use]
            pub fn number(self) -> i16 {
                match self { $(Self::$name => $number,)* }
            }

            /// Whether it stays so for good.
            #[must_use]
            pub fn is_final(self) -> bool {
                match self { $(Self::$name => $is_final,)* }
            }

            #[must_use]
            pub fn from_number(number: i16) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.number() == number)
            }
        }
    };
}

states! {
    /// On disk, not merged yet.
    Queued, "queued", 0, false;
    /// Its job is not started, or paused. Derived when read: the store holds `Queued`.
    WaitingForJob, "waitingForJob", 1, false;
    /// No agent of its domain is active. Derived when read.
    WaitingForAgent, "waitingForAgent", 2, false;
    /// Merged into its person, which is being worked on.
    Working, "working", 3, false;
    /// The last attempt failed for a reason that may pass.
    Retrying, "retrying", 4, false;
    /// Held back by the job's budget.
    Staged, "staged", 5, false;
    Done, "done", 10, true;
    Skipped, "skipped", 11, true;
    Failed, "failed", 12, true;
    /// A later operation replaced all its values before they were written.
    Superseded, "superseded", 13, true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_round_trip_and_spell_alike() {
        for state in OperationState::ALL {
            assert_eq!(OperationState::from_number(state.number()), Some(*state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
