//! What the directory holds of one person, as far as planning needs it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dn::Dn;
use crate::ids::ObjectGuid;

/// A directory entry: the attributes asked for, by lower-case name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub dn: Dn,
    pub guid: ObjectGuid,
    pub attributes: BTreeMap<String, Vec<String>>,
    /// `uSNChanged` on the controller that was asked.
    pub usn_changed: Option<i64>,
}

impl Entry {
    /// All values of an attribute, whatever the name's case.
    #[must_use]
    pub fn values(&self, name: &str) -> &[String] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The first value of an attribute.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).first().map(String::as_str)
    }

    /// `userAccountControl` as a number (MS-ADTS 2.2.16).
    #[must_use]
    pub fn account_control(&self) -> Option<u32> {
        // AD prints the 32 bits as a signed number.
        self.value("userAccountControl")?.parse::<i64>().ok().and_then(|bits| u32::try_from(bits & 0xFFFF_FFFF).ok())
    }

    /// Whether ACCOUNTDISABLE (0x2) is set.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.account_control().is_some_and(|bits| bits & 0x2 != 0)
    }

    /// adminCount = 1 or isCriticalSystemObject (semantics `protected`).
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.value("adminCount") == Some("1")
            || self.value("isCriticalSystemObject").is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

/// What a look at the directory found for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub account: ObservedAccount,
    pub manager: ObservedManager,
}

/// The account, looked for by link or by matching attribute. Absence is only ever the answer of a complete search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedAccount {
    /// The linked object.
    Linked(Entry),
    /// No link yet; exactly one object carries the matching value, and the service has claimed it for this person.
    Matched(Entry),
    /// No link yet, and a complete search of the whole domain found nothing.
    Absent,
    /// The linked GUID is gone: a complete search did not find it.
    LinkGone,
    /// Several objects carry the matching value.
    Several(Vec<Dn>),
    /// The one matching object is linked to another person of the job.
    ClaimedByAnother(Dn),
}

/// The manager, where one is desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedManager {
    NotAsked,
    Found(Dn),
    /// Nobody, or several, carry the matching value.
    NotFound,
}
