//! What is known of the schema: a table recorded from Samba, `transcripts/schema.tsv`.
//!
//! A line is an attribute that a user or an organizationalUnit may have: name, syntax (T text, I integer, D name,
//! O other), flags (s single-valued, u of users, o of organizationalUnits, x written by the system only,
//! c constructed, b back link), upper range, attribute id in hex. A line of one field is an attribute of other classes.

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) struct Attribute {
    /// As the schema spells it.
    pub(crate) name: &'static str,
    pub(crate) syntax: char,
    pub(crate) flags: &'static str,
    /// Greatest length, in UTF-16 units.
    pub(crate) upper: Option<usize>,
    /// ATTRTYP, as Microsoft's diagnostics show it.
    pub(crate) id: &'static str,
}

impl Attribute {
    pub(crate) fn is(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whether a request may write it without more ado: text that no rule but length and number of values governs.
    pub(crate) fn is_plain(&self) -> bool {
        const RULED: &[&str] = &["cn", "ou", "name", "sAMAccountName", "userPrincipalName", "servicePrincipalName"];
        self.syntax == 'T' && !self.is('x') && !self.is('c') && !RULED.contains(&self.name)
    }
}

static TABLE: LazyLock<HashMap<String, Attribute>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default();
        let syntax = fields.next().and_then(|field| field.chars().next()).unwrap_or('O');
        let flags = fields.next().unwrap_or_default();
        let upper = fields.next().and_then(|field| field.parse().ok());
        (name.to_lowercase(), Attribute { name, syntax, flags, upper, id: fields.next().unwrap_or("0") })
    };
    include_str!("../transcripts/schema.tsv").lines().map(row).collect()
});

/// The attribute of this name, whatever its case; `None` where the schema has none.
pub(crate) fn attribute(name: &str) -> Option<&'static Attribute> {
    TABLE.get(&name.to_lowercase())
}

/// How values of text attributes compare: case and runs of spaces do not count.
pub(crate) fn fold(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).to_lowercase();
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
