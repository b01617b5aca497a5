//! Security identifiers (MS-DTYP 2.4.2).

use std::fmt;
use std::str::FromStr;

use super::Malformed;

/// Sub-authorities of one identifier at most.
const PARTS_MAX: usize = 15;

/// Whom a right is granted to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// 48 bits.
    authority: u64,
    parts: Vec<u32>,
}

impl Sid {
    /// From its authority and parts: `S-1-authority-part-part`. Parts beyond the fifteenth are dropped.
    #[must_use]
    pub fn new(authority: u8, parts: &[u32]) -> Self {
        Self { authority: u64::from(authority), parts: parts.iter().copied().take(PARTS_MAX).collect() }
    }

    /// Reads one from the front of `bytes`; also how long it is.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let short = Malformed("an identifier is cut short");
        let (revision, count) = (*bytes.first().ok_or(short)?, usize::from(*bytes.get(1).ok_or(short)?));
        if revision != 1 || count > PARTS_MAX {
            return Err(Malformed("an identifier has an unknown revision or too many parts"));
        }
        let authority = bytes.get(2..8).ok_or(short)?.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        let length = 8 + 4 * count;
        let parts = bytes.get(8..length).ok_or(short)?;
        let parts =
            parts.chunks_exact(4).map(|part| part.iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)));
        Ok((Self { authority, parts: parts.collect() }, length))
    }

    /// Reads one that fills `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        match Self::read(bytes)? {
            (sid, length) if length == bytes.len() => Ok(sid),
            _ => Err(Malformed("bytes are left behind an identifier")),
        }
    }

    /// As the directory transports it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, u8::try_from(self.parts.len()).unwrap_or(0)];
        bytes.extend_from_slice(self.authority.to_be_bytes().get(2..).unwrap_or_default());
        for part in &self.parts {
            bytes.extend_from_slice(&part.to_le_bytes());
        }
        bytes
    }

    /// The relative identifier of a domain's own account or group (`S-1-5-21-a-b-c-RID`).
    #[must_use]
    pub fn domain_rid(&self) -> Option<u32> {
        match (self.authority, self.parts.as_slice()) {
            (5, [21, _, _, _, rid]) => Some(*rid),
            _ => None,
        }
    }

    /// The relative identifier of a built-in group (`S-1-5-32-RID`).
    #[must_use]
    pub fn builtin_rid(&self) -> Option<u32> {
        match (self.authority, self.parts.as_slice()) {
            (5, [32, rid]) => Some(*rid),
            _ => None,
        }
    }

    /// Whether everybody who has logged on carries it: what is granted to it is granted to the whole domain.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        match (self.authority, self.parts.as_slice()) {
            // Everyone; network, self, authenticated users, this organisation; how it was authenticated.
            (1, [0]) | (5, [2 | 10 | 11 | 15]) | (18, _) => true,
            // Users, pre-Windows 2000 compatible access.
            (5, [32, rid]) => matches!(rid, 545 | 554),
            // Domain users.
            (5, [21, _, _, _, rid]) => *rid == 513,
            _ => false,
        }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl FromStr for Sid {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let refuse = || Malformed("it is no identifier of the form S-1-5-21-...");
        let mut parts = text.strip_prefix("S-1-").ok_or_else(refuse)?.split('-');
        let authority = parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or_else(refuse)?;
        let parts = parts.map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| refuse())?;
        if authority >> 48 != 0 || parts.len() > PARTS_MAX {
            return Err(refuse());
        }
        Ok(Self { authority, parts })
    }
}
