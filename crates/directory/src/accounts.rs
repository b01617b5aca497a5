//! AD's facts about user accounts.

use crate::Filter;

/// `objectClass` of an account that is added; AD fills in the classes above it.
pub const OBJECT_CLASS: &str = "user";

/// NORMAL_ACCOUNT and nothing else: an enabled account (MS-ADTS 2.2.16).
pub const NORMAL_ACCOUNT: u32 = 512;

/// ACCOUNTDISABLE (MS-ADTS 2.2.16).
pub const ACCOUNT_DISABLED: u32 = 2;

/// `accountExpires` of an account that never does; 0 means the same (MS-ADTS 2.2.18 names both).
pub const NEVER_EXPIRES: &str = "9223372036854775807";

/// Whether an account may be logged on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    Enabled,
    Disabled,
}

impl AccountState {
    /// `userAccountControl` of a new account.
    #[must_use]
    pub fn control_of_new(self) -> u32 {
        self.applied_to(NORMAL_ACCOUNT)
    }

    /// The control bits with the one we own set as this state asks; the others stay.
    #[must_use]
    pub fn applied_to(self, control: u32) -> u32 {
        match self {
            Self::Enabled => control & !ACCOUNT_DISABLED,
            Self::Disabled => control | ACCOUNT_DISABLED,
        }
    }
}

/// `userAccountControl` as AD prints it: a signed number of 32 bits.
#[must_use]
pub fn control_text(control: u32) -> String {
    control.cast_signed().to_string()
}

/// The filter that finds the accounts whose `attribute` has one of `values`; several values make one OR, so that fifty
/// persons are read in one search (semantics `match`). No values make a filter that [`Filter::render`] refuses: an
/// empty question has no answer.
pub fn account_filter<V: Into<String>>(attribute: &str, values: impl IntoIterator<Item = V>) -> Filter {
    let mut found: Vec<Filter> =
        values.into_iter().map(|value| Filter::Equal(attribute.to_owned(), value.into())).collect();
    let wanted = if found.len() == 1 { found.remove(0) } else { Filter::Or(found) };
    Filter::And(vec![
        Filter::Equal("objectCategory".to_owned(), "person".to_owned()),
        Filter::Equal("objectClass".to_owned(), "user".to_owned()),
        wanted,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_bit_changes() {
        for (state, before, after) in [
            (AccountState::Disabled, 512, 514),
            (AccountState::Enabled, 514, 512),
            (AccountState::Disabled, 66_048, 66_050),
            (AccountState::Enabled, 66_050, 66_048),
            (AccountState::Enabled, 512, 512),
        ] {
            assert_eq!(state.applied_to(before), after);
        }
        assert_eq!(AccountState::Enabled.control_of_new(), 512);
        assert_eq!(AccountState::Disabled.control_of_new(), 514);
        assert_eq!(control_text(0x8000_0200), "-2147483136");
    }
}
