//! An entry as text (MS-DTYP 2.5.1), both ways. Identifiers are written in full, never as a domain's abbreviation.

use std::fmt;
use std::str::FromStr;

use super::{Ace, AceKind, Malformed, flag, right};

const RIGHTS: &[(&str, u32)] = &[
    ("GA", right::GENERIC_ALL),
    ("GR", right::GENERIC_READ),
    ("GW", right::GENERIC_WRITE),
    ("GX", right::GENERIC_EXECUTE),
    ("RC", right::READ_CONTROL),
    ("SD", right::DELETE),
    ("WD", right::WRITE_DACL),
    ("WO", right::WRITE_OWNER),
    ("RP", right::READ_PROPERTY),
    ("WP", right::WRITE_PROPERTY),
    ("CC", right::CREATE_CHILD),
    ("DC", right::DELETE_CHILD),
    ("LC", right::LIST),
    ("SW", right::SELF_WRITE),
    ("LO", right::LIST_OBJECT),
    ("DT", right::DELETE_TREE),
    ("CR", right::CONTROL_ACCESS),
];

const FLAGS: &[(&str, u8)] = &[
    ("OI", flag::OBJECT_INHERIT),
    ("CI", flag::CONTAINER_INHERIT),
    ("NP", flag::NO_PROPAGATE),
    ("IO", flag::INHERIT_ONLY),
    ("ID", flag::INHERITED),
];

impl fmt::Display for Ace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_object = self.object_type.is_some() || self.inherited_type.is_some();
        let kind = match (self.kind, is_object) {
            (AceKind::Allow, false) => "A",
            (AceKind::Deny, false) => "D",
            (AceKind::Allow, true) => "OA",
            (AceKind::Deny, true) => "OD",
        };
        let flags: String = FLAGS.iter().filter(|(_, bit)| self.flags & bit != 0).map(|(name, _)| *name).collect();
        let known = RIGHTS.iter().fold(0, |mask, (_, bit)| mask | bit);
        let rights = if self.mask & !known == 0 {
            RIGHTS.iter().filter(|(_, bit)| self.mask & bit != 0).map(|(name, _)| *name).collect()
        } else {
            format!("{:#x}", self.mask)
        };
        let guid = |guid: Option<uuid::Uuid>| guid.map(|guid| guid.to_string()).unwrap_or_default();
        let (object, inherited) = (guid(self.object_type), guid(self.inherited_type));
        write!(f, "({kind};{flags};{rights};{object};{inherited};{})", self.trustee)
    }
}

impl FromStr for Ace {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let inner = text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        let parts: Vec<&str> = inner.ok_or(Malformed("an entry stands in brackets"))?.split(';').collect();
        let [kind, flags, rights, object, inherited, trustee] = parts.as_slice() else {
            return Err(Malformed("an entry has six parts"));
        };
        let kind = match *kind {
            "A" | "OA" => AceKind::Allow,
            "D" | "OD" => AceKind::Deny,
            _ => return Err(Malformed("an entry's kind is not A, D, OA or OD")),
        };
        let guid = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Malformed("a type is no GUID")),
        };
        let mask = match rights.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).map_err(|_| Malformed("the rights are no number"))?,
            None => bits(rights, RIGHTS)?,
        };
        Ok(Self {
            kind,
            flags: bits(flags, FLAGS)?,
            mask,
            object_type: guid(object)?,
            inherited_type: guid(inherited)?,
            trustee: trustee.parse()?,
        })
    }
}

/// The bits of a row of two-letter names.
fn bits<T: Copy + Default + std::ops::BitOr<Output = T>>(text: &str, table: &[(&str, T)]) -> Result<T, Malformed> {
    let unknown = Malformed("an unknown flag or right");
    let mut left = text;
    let mut sum = T::default();
    while !left.is_empty() {
        let name = left.get(..2).ok_or(unknown)?;
        let (_, bit) = table.iter().find(|(known, _)| *known == name).ok_or(unknown)?;
        sum = sum | *bit;
        left = left.get(2..).unwrap_or_default();
    }
    Ok(sum)
}
