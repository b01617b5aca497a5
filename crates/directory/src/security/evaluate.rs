//! Whether a right is granted (MS-ADTS 5.1.3.3), here and on objects below.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Ace, AceKind, Descriptor, Sid, flag, right};

/// An answer, and the entry it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    Granted(&'a Ace),
    Denied(&'a Ace),
    /// No entry speaks of it: refused.
    NotMentioned,
}

impl Decision<'_> {
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

/// A mask with its generic bits replaced by what they mean for a directory object (MS-ADTS 5.1.3.2).
#[must_use]
pub fn mapped(mask: u32) -> u32 {
    const READ: u32 = right::READ_CONTROL | right::LIST | right::READ_PROPERTY | right::LIST_OBJECT;
    const WRITE: u32 = right::READ_CONTROL | right::WRITE_PROPERTY | right::SELF_WRITE;
    const EXECUTE: u32 = right::READ_CONTROL | right::LIST;
    let meanings = [
        (right::GENERIC_ALL, right::EVERYTHING),
        (right::GENERIC_READ, READ),
        (right::GENERIC_WRITE, WRITE),
        (right::GENERIC_EXECUTE, EXECUTE),
    ];
    meanings
        .iter()
        .filter(|(generic, _)| mask & generic != 0)
        .fold(mask & 0x0FFF_FFFF, |mask, (_, meaning)| mask | meaning)
}

/// Whether whoever carries `token` has one right, a single bit. `types` are the GUIDs that an entry may name to speak
/// of it: attribute and property set, class of children, or extended right; an entry without a type speaks of all. The
/// first entry that speaks decides, as the list stands.
pub fn decide<'a>(
    entries: impl IntoIterator<Item = &'a Ace>,
    token: &BTreeSet<Sid>,
    right: u32,
    types: &[Uuid],
) -> Decision<'a> {
    for ace in entries {
        let speaks = mapped(ace.mask) & right != 0
            && token.contains(&ace.trustee)
            && ace.object_type.is_none_or(|named| types.contains(&named));
        if speaks {
            return match ace.kind {
                AceKind::Allow => Decision::Granted(ace),
                AceKind::Deny => Decision::Denied(ace),
            };
        }
    }
    Decision::NotMentioned
}

impl Descriptor {
    /// The entries that count on the object itself.
    pub fn here(&self) -> impl Iterator<Item = &Ace> {
        self.entries().iter().filter(|ace| ace.flags & flag::INHERIT_ONLY == 0)
    }

    /// The entries that an object of `class` directly below inherits.
    pub fn below(&self, class: Uuid) -> impl Iterator<Item = &Ace> {
        self.entries().iter().filter(move |ace| {
            ace.flags & flag::CONTAINER_INHERIT != 0 && ace.inherited_type.is_none_or(|named| named == class)
        })
    }

    fn entries(&self) -> &[Ace] {
        self.dacl.as_deref().unwrap_or_default()
    }
}
