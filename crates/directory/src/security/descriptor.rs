//! Security descriptors and their entries, from bytes and to bytes (MS-DTYP 2.4.4, 2.4.5, 2.4.6).

use uuid::Uuid;

use super::Sid;

/// Bytes or a text that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the security descriptor cannot be read: {0}")]
pub struct Malformed(pub &'static str);

/// Bits of an entry's flags (MS-DTYP 2.4.4.1).
pub mod flag {
    pub const OBJECT_INHERIT: u8 = 0x1;
    /// Objects below get it too. Every object of a directory is a container.
    pub const CONTAINER_INHERIT: u8 = 0x2;
    pub const NO_PROPAGATE: u8 = 0x4;
    /// It counts below only, not on the object itself.
    pub const INHERIT_ONLY: u8 = 0x8;
    /// It came from an object above.
    pub const INHERITED: u8 = 0x10;
}

/// `SE_DACL_PRESENT`, `SE_DACL_PROTECTED`, `SE_SELF_RELATIVE`.
const DACL_PRESENT: u16 = 0x4;
const DACL_PROTECTED: u16 = 0x1000;
const SELF_RELATIVE: u16 = 0x8000;

const HEADER_BYTES: usize = 20;
const ACL_HEADER_BYTES: usize = 8;
/// `ACL_REVISION_DS`: entries may name object types.
const ACL_REVISION_DS: u8 = 4;
const OBJECT_TYPE_PRESENT: u32 = 0x1;
const INHERITED_TYPE_PRESENT: u32 = 0x2;

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AceKind {
    Allow,
    Deny,
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ace {
    pub kind: AceKind,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Bits of [`super::right`].
    pub mask: u32,
    /// Attribute, property set, class of children or extended right it is about; `None`: all.
    pub object_type: Option<Uuid>,
    /// Class of the objects that inherit it; `None`: all.
    pub inherited_type: Option<Uuid>,
    pub trustee: Sid,
}

/// An object's security descriptor without its audit entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    pub owner: Option<Sid>,
    /// `None`: there is no list, and everybody may do everything.
    pub dacl: Option<Vec<Ace>>,
    /// Entries that were passed over because of their kind: conditional ones (MS-DTYP 2.4.4.17), for instance.
    pub passed_over: usize,
    /// Nothing is inherited from above.
    pub is_protected: bool,
}

impl Descriptor {
    /// Reads the self-relative form, what `nTSecurityDescriptor` holds.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() < HEADER_BYTES || bytes.first() != Some(&1) {
            return Err(Malformed("its header is cut short or has an unknown revision"));
        }
        let control = u16_at(bytes, 2)?;
        let owner = match offset_at(bytes, 4)? {
            0 => None,
            at => Some(Sid::read(bytes.get(at..).unwrap_or_default())?.0),
        };
        let mut descriptor = Self { owner, dacl: None, passed_over: 0, is_protected: control & DACL_PROTECTED != 0 };
        let at = offset_at(bytes, 16)?;
        if control & DACL_PRESENT != 0 && at != 0 {
            let list = bytes.get(at..).ok_or(Malformed("the list lies outside"))?;
            let (entries, passed_over) = read_list(list)?;
            (descriptor.dacl, descriptor.passed_over) = (Some(entries), passed_over);
        }
        Ok(descriptor)
    }

    /// The self-relative form with owner and list; what was passed over is not in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let owner = self.owner.as_ref().map(Sid::to_bytes).unwrap_or_default();
        let mut control = SELF_RELATIVE;
        let mut list = Vec::new();
        if let Some(dacl) = &self.dacl {
            control |= DACL_PRESENT;
            let entries: Vec<u8> = dacl.iter().flat_map(Ace::to_bytes).collect();
            list.extend([ACL_REVISION_DS, 0]);
            list.extend(u16_bytes(ACL_HEADER_BYTES + entries.len()));
            list.extend(u16_bytes(dacl.len()));
            list.extend([0, 0]);
            list.extend(entries);
        }
        if self.is_protected {
            control |= DACL_PROTECTED;
        }
        let mut bytes = vec![1, 0];
        bytes.extend(control.to_le_bytes());
        let owner_at = if owner.is_empty() { 0 } else { HEADER_BYTES };
        let list_at = if list.is_empty() { 0 } else { HEADER_BYTES + owner.len() };
        for at in [owner_at, 0, 0, list_at] {
            bytes.extend(u32::try_from(at).unwrap_or(0).to_le_bytes());
        }
        bytes.extend(owner);
        bytes.extend(list);
        bytes
    }
}

impl Ace {
    fn to_bytes(&self) -> Vec<u8> {
        let is_object = self.object_type.is_some() || self.inherited_type.is_some();
        let mut body = self.mask.to_le_bytes().to_vec();
        if is_object {
            let present = if self.object_type.is_some() { OBJECT_TYPE_PRESENT } else { 0 }
                | if self.inherited_type.is_some() { INHERITED_TYPE_PRESENT } else { 0 };
            body.extend(present.to_le_bytes());
            for guid in [self.object_type, self.inherited_type].into_iter().flatten() {
                body.extend(guid.to_bytes_le());
            }
        }
        body.extend(self.trustee.to_bytes());
        let kind = match (self.kind, is_object) {
            (AceKind::Allow, false) => 0,
            (AceKind::Deny, false) => 1,
            (AceKind::Allow, true) => 5,
            (AceKind::Deny, true) => 6,
        };
        let mut bytes = vec![kind, self.flags];
        bytes.extend(u16_bytes(4 + body.len()));
        bytes.extend(body);
        bytes
    }
}

/// An ACL (MS-DTYP 2.4.5), and how many entries were passed over.
fn read_list(bytes: &[u8]) -> Result<(Vec<Ace>, usize), Malformed> {
    let (size, count) = (usize::from(u16_at(bytes, 2)?), usize::from(u16_at(bytes, 4)?));
    let mut rest = bytes.get(ACL_HEADER_BYTES..size).ok_or(Malformed("the list is cut short"))?;
    let (mut entries, mut passed_over) = (Vec::new(), 0);
    for _ in 0..count {
        let length = usize::from(u16_at(rest, 2)?);
        let entry = rest.get(..length).filter(|_| length >= 8).ok_or(Malformed("an entry is cut short"))?;
        match read_entry(entry)? {
            Some(ace) => entries.push(ace),
            None => passed_over += 1,
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok((entries, passed_over))
}

/// One entry; `None` for one of another kind than allow and deny.
fn read_entry(bytes: &[u8]) -> Result<Option<Ace>, Malformed> {
    let (kind, is_object) = match bytes.first() {
        Some(0) => (AceKind::Allow, false),
        Some(1) => (AceKind::Deny, false),
        Some(5) => (AceKind::Allow, true),
        Some(6) => (AceKind::Deny, true),
        _ => return Ok(None),
    };
    let (flags, mask) = (bytes.get(1).copied().unwrap_or(0), u32_at(bytes, 4)?);
    let mut at = 8;
    let (mut object_type, mut inherited_type) = (None, None);
    if is_object {
        let present = u32_at(bytes, at)?;
        at += 4;
        for (bit, slot) in [(OBJECT_TYPE_PRESENT, &mut object_type), (INHERITED_TYPE_PRESENT, &mut inherited_type)] {
            if present & bit != 0 {
                let guid = bytes.get(at..at + 16).and_then(|guid| <[u8; 16]>::try_from(guid).ok());
                *slot = Some(Uuid::from_bytes_le(guid.ok_or(Malformed("an object type is cut short"))?));
                at += 16;
            }
        }
    }
    let (trustee, _) = Sid::read(bytes.get(at..).unwrap_or_default())?;
    Ok(Some(Ace { kind, flags, mask, object_type, inherited_type, trustee }))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map(u16::from_le_bytes).ok_or(Malformed("a number is cut short"))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map(u32::from_le_bytes).ok_or(Malformed("a number is cut short"))
}

fn offset_at(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    usize::try_from(u32_at(bytes, at)?).map_err(|_| Malformed("an offset is too large"))
}

/// A length; what is too long for the format (64 KiB) is cut by whoever reads it.
fn u16_bytes(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes()
}
