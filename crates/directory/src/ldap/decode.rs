//! Search entries from their BER form. ldap3's own decoder panics on a malformed entry; this one yields `None`.

use std::collections::BTreeMap;

use base64::Engine as _;
use ldap3::asn1::StructureTag;
use rollcall_model::Dn;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;

/// What stands before a value that is no UTF-8 text: the value follows in base64 (standard alphabet, padded).
pub(crate) const BINARY_PREFIX: &str = "{base64}";

/// An entry as it came.
pub(super) struct RawEntry {
    dn: String,
    /// By lower-case name.
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl RawEntry {
    fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = String> {
        self.values(name).iter().map(|value| text(value))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).next()
    }

    pub(super) fn guid(&self, name: &str) -> Option<ObjectGuid> {
        let bytes: [u8; 16] = self.values(name).first()?.as_slice().try_into().ok()?;
        Some(ObjectGuid::from_ldap(bytes))
    }

    /// A name with the option `range=`: the directory gave only a part of the values (MS-ADTS 3.1.1.3.1.3.3).
    pub(super) fn cut_attribute(&self) -> Option<&str> {
        self.attributes.keys().find(|name| name.contains(";range=")).map(String::as_str)
    }

    /// DN, and values by lower-case name.
    pub(super) fn into_parts(self) -> (String, BTreeMap<String, Vec<Vec<u8>>>) {
        (self.dn, self.attributes)
    }

    /// The entry of the model; `None` where it has no objectGUID.
    pub(super) fn into_entry(self) -> Option<Entry> {
        let guid = self.guid("objectGUID")?;
        let usn_changed = self.text("uSNChanged").and_then(|number| number.parse().ok());
        let attributes = self
            .attributes
            .into_iter()
            .filter(|(name, _)| name != "objectguid" && name != "usnchanged")
            .map(|(name, values)| (name, values.iter().map(|value| text(value)).collect()))
            .collect();
        Some(Entry { dn: Dn::from_directory(&self.dn), guid, attributes, usn_changed })
    }
}

fn text(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(
        |_| format!("{BINARY_PREFIX}{}", base64::engine::general_purpose::STANDARD.encode(value)),
        str::to_owned,
    )
}

/// The bytes of a value as [`text`] gave it.
pub(crate) fn binary(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix(BINARY_PREFIX) {
        Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).ok(),
        None => Some(text.as_bytes().to_vec()),
    }
}

/// SearchResultEntry (RFC 4511 4.5.2): name, then a list of attribute and set of values.
pub(super) fn raw_entry(entry: StructureTag) -> Option<RawEntry> {
    const SEARCH_RESULT_ENTRY: u64 = 4;
    let mut parts = entry.match_id(SEARCH_RESULT_ENTRY)?.expect_constructed()?.into_iter();
    let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
    let attributes = parts.next()?.expect_constructed()?.into_iter().map(attribute).collect::<Option<_>>()?;
    Some(RawEntry { dn, attributes })
}

fn attribute(tag: StructureTag) -> Option<(String, Vec<Vec<u8>>)> {
    let mut parts = tag.expect_constructed()?.into_iter();
    let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
    let values = parts.next()?.expect_constructed()?.into_iter().map(StructureTag::expect_primitive);
    Some((name.to_lowercase(), values.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{PL, TagClass};

    use super::*;

    fn tag(class: TagClass, id: u64, payload: PL) -> StructureTag {
        StructureTag { class, id, payload }
    }

    fn octets(bytes: &[u8]) -> StructureTag {
        tag(TagClass::Universal, 4, PL::P(bytes.to_vec()))
    }

    fn entry(attributes: &[(&str, &[&[u8]])]) -> StructureTag {
        let list = attributes
            .iter()
            .map(|(name, values)| {
                let values = values.iter().map(|value| octets(value)).collect();
                let set = tag(TagClass::Universal, 17, PL::C(values));
                tag(TagClass::Universal, 16, PL::C(vec![octets(name.as_bytes()), set]))
            })
            .collect();
        let list = tag(TagClass::Universal, 16, PL::C(list));
        tag(TagClass::Application, 4, PL::C(vec![octets(b"CN=Ada"), list]))
    }

    #[test]
    fn texts_guids_numbers_and_bytes() {
        let guid: ObjectGuid = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        let read = raw_entry(entry(&[
            ("objectGUID", &[&guid.to_ldap()]),
            ("uSNChanged", &[b"4711"]),
            ("displayName", &["Ada É".as_bytes()]),
            ("thumbnailPhoto", &[&[0xFF, 0xD8]]),
            ("proxyAddresses", &[b"a", b"b"]),
        ]))
        .unwrap();
        let entry = read.into_entry().unwrap();
        assert_eq!((entry.guid, entry.usn_changed), (guid, Some(4_711)));
        assert_eq!(entry.value("DISPLAYNAME"), Some("Ada É"));
        assert_eq!(entry.value("thumbnailPhoto"), Some("{base64}/9g="));
        assert_eq!(entry.values("proxyAddresses").len(), 2);
        assert!(entry.values("objectGUID").is_empty());
    }

    #[test]
    fn malformed_answers_are_no_entries() {
        assert!(raw_entry(octets(b"x")).is_none());
        assert!(raw_entry(tag(TagClass::Application, 4, PL::C(vec![]))).is_none());
        assert!(raw_entry(entry(&[("objectGUID", &[b"short"])])).unwrap().into_entry().is_none());
    }

    #[test]
    fn a_part_of_the_values_is_noticed() {
        let read = raw_entry(entry(&[("proxyAddresses;range=0-1499", &[b"a"])])).unwrap();
        assert_eq!(read.cut_attribute(), Some("proxyaddresses;range=0-1499"));
    }
}
