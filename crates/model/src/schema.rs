//! The directory's schema, as far as mappings and rights need it (MS-ADTS 3.1.1.2).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Attributes and classes, each by lower-case `lDAPDisplayName`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub attributes: BTreeMap<String, Attribute>,
    pub classes: BTreeMap<String, Class>,
}

/// One `attributeSchema` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `lDAPDisplayName` as written.
    pub name: String,
    pub syntax: Syntax,
    /// `isSingleValued`.
    pub single_valued: bool,
    /// `rangeUpper`: characters of a text, bytes of octets, the value of a number.
    pub range_upper: Option<i64>,
    /// `systemOnly`: the directory alone writes it.
    pub system_only: bool,
    /// `searchFlags` (MS-ADTS 2.2.10).
    pub search_flags: u32,
    /// `linkID`: even for a forward link, odd for a back link.
    pub link_id: Option<i64>,
    /// `schemaIDGUID`: what an access control entry names it by.
    pub id: Option<Uuid>,
    /// `attributeSecurityGUID`: the property set it belongs to.
    pub property_set: Option<Uuid>,
}

/// One `classSchema` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// `lDAPDisplayName` as written.
    pub name: String,
    /// `schemaIDGUID`.
    pub id: Option<Uuid>,
    /// `subClassOf`.
    pub superior: Option<String>,
    /// `auxiliaryClass` and `systemAuxiliaryClass`.
    pub auxiliary: Vec<String>,
    /// Attributes of `mayContain`, `systemMayContain`, `mustContain` and `systemMustContain`.
    pub attributes: Vec<String>,
}

/// What values an attribute has (MS-ADTS 3.1.1.2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Syntax {
    Boolean,
    /// 32 bits, enumerations among them.
    Integer,
    /// 64 bits, times in ticks among them.
    LargeInteger,
    Text,
    Octets,
    Sid,
    Oid,
    /// UTC or generalised time.
    Time,
    DistinguishedName,
    /// A name with a text or with octets beside it.
    NameWithValue,
    SecurityDescriptor,
    Other,
}

impl Syntax {
    /// From `attributeSyntax` and `oMSyntax`.
    #[must_use]
    pub fn of(attribute_syntax: &str, om_syntax: i64) -> Self {
        match (attribute_syntax, om_syntax) {
            ("2.5.5.8", _) => Self::Boolean,
            ("2.5.5.9", _) => Self::Integer,
            ("2.5.5.16", _) => Self::LargeInteger,
            ("2.5.5.3" | "2.5.5.4" | "2.5.5.5" | "2.5.5.6" | "2.5.5.12", _) => Self::Text,
            // 127 is an object (a replica link), not plain octets.
            ("2.5.5.10", 4) => Self::Octets,
            ("2.5.5.17", _) => Self::Sid,
            ("2.5.5.2", _) => Self::Oid,
            ("2.5.5.11", _) => Self::Time,
            ("2.5.5.1", _) => Self::DistinguishedName,
            ("2.5.5.7" | "2.5.5.14", _) => Self::NameWithValue,
            ("2.5.5.15", _) => Self::SecurityDescriptor,
            _ => Self::Other,
        }
    }
}

impl Attribute {
    /// Whether there is an index over the whole domain (fATTINDEX).
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.search_flags & 1 != 0
    }

    /// Whether the directory keeps its values from links of other objects.
    #[must_use]
    pub fn is_back_link(&self) -> bool {
        self.link_id.is_some_and(|id| id & 1 == 1)
    }
}

impl Schema {
    /// An attribute, whatever the name's case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(&name.to_lowercase())
    }

    /// A class, whatever the name's case.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.get(&name.to_lowercase())
    }

    /// Lower-case names of all attributes that objects of `class` may have: its own, and those of the classes above it
    /// and of every auxiliary one. Empty for an unknown class.
    #[must_use]
    pub fn attributes_of(&self, class: &str) -> BTreeSet<String> {
        let (mut seen, mut names, mut left) = (BTreeSet::new(), BTreeSet::new(), vec![class.to_lowercase()]);
        while let Some(next) = left.pop() {
            let Some(class) = self.classes.get(&next).filter(|_| seen.insert(next.clone())) else { continue };
            names.extend(class.attributes.iter().map(|name| name.to_lowercase()));
            left.extend(class.superior.iter().chain(&class.auxiliary).map(|name| name.to_lowercase()));
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, superior: &str, auxiliary: &[&str], attributes: &[&str]) -> (String, Class) {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let class = Class {
            name: name.to_owned(),
            id: None,
            superior: Some(superior.to_owned()),
            auxiliary: texts(auxiliary),
            attributes: texts(attributes),
        };
        (name.to_lowercase(), class)
    }

    #[test]
    fn a_class_has_what_those_above_and_beside_it_have() {
        let classes = [
            // top is its own superior.
            class("top", "top", &[], &["cn"]),
            class("person", "top", &[], &["sn"]),
            class("user", "person", &["mailRecipient"], &["displayName"]),
            class("mailRecipient", "top", &[], &["mail"]),
            class("group", "top", &[], &["member"]),
        ];
        let schema = Schema { classes: classes.into(), ..Schema::default() };
        let names: Vec<String> = schema.attributes_of("USER").into_iter().collect();
        assert_eq!(names, ["cn", "displayname", "mail", "sn"]);
        assert!(schema.attributes_of("nothing").is_empty());
    }

    #[test]
    fn syntaxes() {
        for (oid, om, expected) in [
            ("2.5.5.12", 64, Syntax::Text),
            ("2.5.5.9", 10, Syntax::Integer),
            ("2.5.5.16", 65, Syntax::LargeInteger),
            ("2.5.5.10", 4, Syntax::Octets),
            ("2.5.5.10", 127, Syntax::Other),
            ("2.5.5.1", 127, Syntax::DistinguishedName),
            ("1.2.3", 0, Syntax::Other),
        ] {
            assert_eq!(Syntax::of(oid, om), expected, "{oid} {om}");
        }
    }
}
