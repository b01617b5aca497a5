//! The live schema, read from the controller.

use rollcall_model::Code;
use rollcall_model::observed::Entry;
use rollcall_model::schema::{Attribute, Class, Schema, Syntax};
use uuid::Uuid;

use crate::ldap::binary;
use crate::{Error, Filter, Read, Scope, Search};

const ATTRIBUTE: &[&str] = &[
    "lDAPDisplayName",
    "attributeSyntax",
    "oMSyntax",
    "isSingleValued",
    "rangeUpper",
    "systemOnly",
    "searchFlags",
    "linkID",
    "schemaIDGUID",
    "attributeSecurityGUID",
];
const CLASS_NAMES: &[&str] = &["lDAPDisplayName", "subClassOf", "schemaIDGUID"];
const AUXILIARY: &[&str] = &["auxiliaryClass", "systemAuxiliaryClass"];
const CONTAINED: &[&str] = &["mayContain", "systemMayContain", "mustContain", "systemMustContain"];

/// Reads all attributes and classes, page by page. An object without a name is left out. Errors: the directory's own,
/// and a domain whose schema container cannot be told.
pub async fn read(directory: &dyn Read) -> Result<Schema, Error> {
    let root = directory.root_dse().await?;
    let search = |base, scope, class: &str, attributes: Vec<String>| Search {
        base,
        scope,
        filter: Filter::Equal("objectClass".to_owned(), class.to_owned()),
        attributes,
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // A child domain's schema is the forest's: the domain object's category names it (MS-ADTS 3.1.1.2.4.8).
    let domain = search(root.default_naming_context, Scope::Base, "domain", names(&["objectCategory"]));
    let found = directory.search(&domain).await?;
    let category = found.first().and_then(|entry| entry.value("objectCategory"));
    let Some(base) = category.and_then(|category| rollcall_model::Dn::from_directory(category).parent()) else {
        let text = "the domain object names no objectCategory, so its schema cannot be found".to_owned();
        return Err(Error::Unreachable { code: Code::DirectoryInternalError, text });
    };
    let attributes =
        directory.search(&search(base.clone(), Scope::Subtree, "attributeSchema", names(ATTRIBUTE))).await?;
    let wanted = [CLASS_NAMES, AUXILIARY, CONTAINED].concat();
    let classes = directory.search(&search(base, Scope::Subtree, "classSchema", names(&wanted))).await?;
    Ok(Schema {
        attributes: attributes.iter().filter_map(attribute).map(|row| (row.name.to_lowercase(), row)).collect(),
        classes: classes.iter().filter_map(class).map(|row| (row.name.to_lowercase(), row)).collect(),
    })
}

fn attribute(entry: &Entry) -> Option<Attribute> {
    let number = |name: &str| entry.value(name).and_then(|text| text.parse::<i64>().ok());
    let is_true = |name: &str| entry.value(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    Some(Attribute {
        name: entry.value("lDAPDisplayName")?.to_owned(),
        syntax: Syntax::of(entry.value("attributeSyntax").unwrap_or_default(), number("oMSyntax").unwrap_or(0)),
        single_valued: is_true("isSingleValued"),
        range_upper: number("rangeUpper"),
        system_only: is_true("systemOnly"),
        search_flags: number("searchFlags").and_then(|flags| u32::try_from(flags & 0xFFFF_FFFF).ok()).unwrap_or(0),
        link_id: number("linkID"),
        id: guid(entry, "schemaIDGUID"),
        property_set: guid(entry, "attributeSecurityGUID"),
    })
}

fn class(entry: &Entry) -> Option<Class> {
    let all = |names: &[&str]| names.iter().flat_map(|name| entry.values(name)).cloned().collect();
    Some(Class {
        name: entry.value("lDAPDisplayName")?.to_owned(),
        id: guid(entry, "schemaIDGUID"),
        superior: entry.value("subClassOf").map(str::to_owned),
        auxiliary: all(AUXILIARY),
        attributes: all(CONTAINED),
    })
}

fn guid(entry: &Entry, name: &str) -> Option<Uuid> {
    let bytes: [u8; 16] = binary(entry.value(name)?)?.try_into().ok()?;
    Some(Uuid::from_bytes_le(bytes))
}
