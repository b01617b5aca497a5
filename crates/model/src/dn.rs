//! Distinguished names (RFC 4514): escaping, splitting, and comparison as Active Directory compares them.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// A distinguished name in its string form. Building one from parts escapes the values; nothing is ever pasted in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dn(String);

/// A text that is no distinguished name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is no distinguished name: {why}")]
pub struct DnError {
    pub text: String,
    pub why: &'static str,
}

impl Dn {
    /// Parses and keeps the text as written.
    pub fn parse(text: &str) -> Result<Self, DnError> {
        let fail = |why| Err(DnError { text: text.to_owned(), why });
        if text.is_empty() {
            return fail("it is empty");
        }
        for part in split(text) {
            let Some((name, value)) = split_rdn(part) else { return fail("a part has no '='") };
            if !is_attribute_type(trim(name)) {
                return fail("the name before '=' is no attribute type");
            }
            if trim(value).is_empty() {
                return fail("a part has no value");
            }
            if unescape(trim(value)).is_none() {
                return fail("a value has a broken escape");
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The child of this container whose naming attribute `name` has the given raw value.
    #[must_use]
    pub fn child(&self, name: &str, value: &str) -> Self {
        Self(format!("{name}={},{}", escape(value), self.0))
    }

    /// `<GUID=...>`: AD's way to address an object wherever it has moved to (MS-ADTS 3.1.1.3.1.2.4).
    #[must_use]
    pub fn by_guid(guid: crate::ids::ObjectGuid) -> Self {
        Self(format!("<GUID={guid}>"))
    }

    /// A name the directory itself gave; kept as it is.
    #[must_use]
    pub fn from_directory(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The container; `None` for a name of one part.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let first = split(&self.0).next()?;
        self.0.get(first.len() + 1..).map(|rest| Self(rest.trim_start().to_owned()))
    }

    /// The raw value of the first part, unescaped.
    #[must_use]
    pub fn leaf_value(&self) -> Option<String> {
        split_rdn(split(&self.0).next()?).and_then(|(_, value)| unescape(trim(value)))
    }

    /// The first part as written, for instance `CN=Ada Byron`.
    #[must_use]
    pub fn rdn(&self) -> &str {
        split(&self.0).next().unwrap_or("")
    }

    /// The form in which two names of one object are equal: types and values folded, escapes in one spelling, no
    /// spaces around separators.
    #[must_use]
    pub fn normalised(&self) -> String {
        let parts: Vec<String> = split(&self.0)
            .map(|part| match split_rdn(part) {
                Some((name, value)) => {
                    let raw = unescape(trim(value)).unwrap_or_else(|| trim(value).to_owned());
                    format!("{}={}", trim(name).to_lowercase(), escape(&raw.to_lowercase()))
                }
                None => trim(part).to_lowercase(),
            })
            .collect();
        parts.join(",")
    }

    /// Whether both texts name the same object.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.normalised() == other.normalised()
    }

    /// Whether this object lies below `container` at any depth, or is it.
    #[must_use]
    pub fn is_within(&self, container: &Self) -> bool {
        let (own, outer) = (self.normalised(), container.normalised());
        own == outer || own.ends_with(&format!(",{outer}"))
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Escapes an attribute value for use in a distinguished name (RFC 4514 2.4). Control characters and NUL become hex
/// pairs, so that no value can end a part or begin one.
#[must_use]
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                out.push('\\');
                out.push(c);
            }
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            c if c.is_control() => {
                let mut buffer = [0_u8; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\{byte:02X}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The raw value of an escaped one; `None` where an escape is broken or the bytes are no UTF-8.
#[must_use]
pub fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next()?;
        if let Some(high) = (first as char).to_digit(16) {
            let low = (rest.next()? as char).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The parts of a name, split at commas that are not escaped.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
}

fn split_rdn(part: &str) -> Option<(&str, &str)> {
    part.split_once('=')
}

/// Without the spaces around an escaped value; an escaped space at its end belongs to it.
fn trim(value: &str) -> &str {
    let start = value.trim_start_matches(' ');
    let end = start.trim_end_matches(' ');
    let escapes = end.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if escapes % 2 == 1 { start.get(..=end.len()).unwrap_or(end) } else { end }
}

fn is_attribute_type(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes() {
        for (raw, escaped) in [
            ("Ada", "Ada"),
            ("Byron, Ada", "Byron\\, Ada"),
            (" #a ", "\\ #a\\ "),
            ("#a", "\\#a"),
            ("a=b+c", "a\\=b\\+c"),
            ("a\0b", "a\\00b"),
            ("Sue ", "Sue\\ "),
            ("\u{202e}right", "\u{202e}right"),
        ] {
            assert_eq!(escape(raw), escaped);
            assert_eq!(unescape(escaped).as_deref(), Some(raw));
        }
    }

    #[test]
    fn parents_and_leaves() {
        let dn = Dn::parse("CN=Byron\\, Ada,OU=Staff, DC=corp,DC=test").unwrap();
        assert_eq!(dn.parent().unwrap().as_str(), "OU=Staff, DC=corp,DC=test");
        assert_eq!(dn.leaf_value().as_deref(), Some("Byron, Ada"));
        assert!(dn.same_as(&Dn::parse("cn=byron\\2c ada,ou=STAFF,dc=corp,dc=test").unwrap()));
        assert!(dn.is_within(&Dn::parse("dc=corp,dc=test").unwrap()));
        assert!(!dn.is_within(&Dn::parse("ou=taff,dc=corp,dc=test").unwrap()));
    }

    #[test]
    fn an_escaped_space_at_the_end_belongs_to_the_value() {
        for (text, leaf) in [("CN=Sue\\ ,DC=a", "Sue "), ("CN=Sue \\ ", "Sue  "), ("CN=a\\\\ ,DC=b", "a\\")] {
            assert_eq!(Dn::parse(text).unwrap().leaf_value().as_deref(), Some(leaf), "{text}");
        }
    }

    #[test]
    fn broken_names_say_why() {
        for text in ["", "Staff", "OU=", "OU=a\\", "=x", "OU=a,,DC=b"] {
            assert!(Dn::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_value_never_escapes_its_part(value in any::<String>().prop_filter("empty", |v| !v.trim().is_empty())) {
            let base = Dn::parse("OU=Staff,DC=corp,DC=test").unwrap();
            let dn = base.child("CN", &value);
            prop_assert_eq!(dn.leaf_value(), Some(value));
            prop_assert_eq!(dn.parent().unwrap(), base);
        }

        #[test]
        fn parsing_survives_anything(text in any::<String>()) {
            if let Ok(dn) = Dn::parse(&text) {
                let _ = (dn.normalised(), dn.parent(), dn.leaf_value());
            }
        }
    }
}
