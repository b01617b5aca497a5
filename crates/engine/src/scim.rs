//! What SCIM says about a user's attributes (RFC 7643 4.1, 4.3, 8.7.1), and finding them in a record.

use rollcall_model::fold;
use rollcall_model::source::{CORE_USER, ENTERPRISE_USER};
use rollcall_syntax::attribute::AttributePath;
use serde_json::{Map, Value};

/// The shape of a known attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    /// JSON true and false, or the words as text.
    Flag,
    /// An object of texts.
    Object(&'static [&'static str]),
    /// A list of objects that are told apart by `type`.
    Typed(&'static [&'static str]),
    /// A list whose elements we do not look into.
    List,
}

const NAME: &[&str] = &["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const VALUE: &[&str] = &["value", "display", "type"];
const ADDRESS: &[&str] = &["formatted", "streetAddress", "locality", "region", "postalCode", "country", "type"];
const MANAGER: &[&str] = &["value", "displayName"];

/// Attributes of the core schema, in their canonical spelling.
pub(crate) const CORE: &[(&str, Shape)] = &[
    ("externalId", Shape::Text),
    ("userName", Shape::Text),
    ("displayName", Shape::Text),
    ("active", Shape::Flag),
    ("name", Shape::Object(NAME)),
    ("emails", Shape::Typed(VALUE)),
    ("phoneNumbers", Shape::Typed(VALUE)),
    ("addresses", Shape::Typed(ADDRESS)),
    ("nickName", Shape::Text),
    ("title", Shape::Text),
    ("userType", Shape::Text),
    ("preferredLanguage", Shape::Text),
    ("locale", Shape::Text),
    ("timezone", Shape::Text),
    ("profileUrl", Shape::Text),
    ("ims", Shape::List),
    ("photos", Shape::List),
    ("groups", Shape::List),
    ("entitlements", Shape::List),
    ("roles", Shape::List),
    ("x509Certificates", Shape::List),
];

/// Attributes of the enterprise extension.
pub(crate) const ENTERPRISE: &[(&str, Shape)] = &[
    ("employeeNumber", Shape::Text),
    ("costCenter", Shape::Text),
    ("organization", Shape::Text),
    ("division", Shape::Text),
    ("department", Shape::Text),
    ("manager", Shape::Object(MANAGER)),
];

/// Members that carry nothing of the person and are dropped: what the server side of SCIM owns, and the password,
/// which must not be stored.
const DROPPED: &[&str] = &["schemas", "id", "meta", "password", "$ref"];

/// Members that clients send and no schema of a user knows, yet nobody need be told of.
pub(crate) const QUIET: &[&str] = &["resourceType"];

/// Whether a top-level member is dropped.
pub(crate) fn is_dropped(name: &str) -> bool {
    DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name))
}

/// The known attribute of a table, whatever the name's case.
pub(crate) fn known(table: &[(&'static str, Shape)], name: &str) -> Option<(&'static str, Shape)> {
    table.iter().copied().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// A member of an object, whatever the name's case (RFC 7643 2.1).
pub(crate) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    entry(object, name).map(|(_, value)| value)
}

/// The name under which `object` holds a member, whatever the case.
pub(crate) fn key_of(object: &Map<String, Value>, name: &str) -> Option<String> {
    entry(object, name).map(|(key, _)| key.clone())
}

/// One walk: most names that are asked for are not there, and a length tells most names apart.
fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<(&'a String, &'a Value)> {
    let mut like = None;
    for (key, value) in object {
        if key.len() != name.len() {
            continue;
        }
        if key == name {
            return Some((key, value));
        }
        if like.is_none() && key.eq_ignore_ascii_case(name) {
            like = Some((key, value));
        }
    }
    like
}

/// The folded `type` of a list's element; none counts as work.
pub(crate) fn type_of(element: &Map<String, Value>) -> String {
    sent_type(element).map_or_else(|| UNTYPED.to_owned(), fold)
}

/// What counts as the `type` of an element that has none.
const UNTYPED: &str = "work";

fn sent_type(element: &Map<String, Value>) -> Option<&str> {
    member(element, "type").and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// Whether `urn` is SCIM's core schema, whose attributes stand at the top of a record.
pub(crate) fn is_core(urn: &str) -> bool {
    urn.eq_ignore_ascii_case(CORE_USER)
}

/// What a record holds under a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found<'a> {
    /// Never sent.
    Absent,
    /// Sent as null.
    Null,
    One(&'a Value),
    /// Sub-attributes of all elements of a list.
    Many(Vec<&'a Value>),
}

/// Looks up a source attribute in a merged record.
pub(crate) fn find<'a>(record: &'a Map<String, Value>, path: &AttributePath) -> Found<'a> {
    let top = match path.urn.as_deref().filter(|urn| !is_core(urn)) {
        None => member(record, &path.name),
        Some(urn) => match member(record, urn) {
            Some(Value::Object(extension)) => member(extension, &path.name),
            Some(Value::Null) => Some(&Value::Null),
            // A flat client may write the full name as one member.
            _ => member(record, &format!("{urn}:{}", path.name)),
        },
    };
    match top {
        None => Found::Absent,
        Some(Value::Null) => Found::Null,
        Some(Value::Array(elements)) => find_in_list(elements, path),
        Some(Value::Object(object)) => {
            // A reference such as `manager` is meant by its value.
            found(member(object, path.sub.as_deref().unwrap_or("value")))
        }
        Some(value) => {
            if path.sub.is_none() {
                Found::One(value)
            } else {
                Found::Absent
            }
        }
    }
}

fn find_in_list<'a>(elements: &'a [Value], path: &AttributePath) -> Found<'a> {
    let sub = path.sub.as_deref().unwrap_or("value");
    let part = |element: &'a Value| match element {
        Value::Object(object) => member(object, sub),
        scalar => path.sub.is_none().then_some(scalar),
    };
    if let Some(filter) = &path.filter {
        let fits = |element: &&'a Value| element.as_object().is_some_and(|object| matches(object, filter));
        return elements.iter().find(fits).map_or(Found::Absent, |element| found(part(element)));
    }
    let parts: Vec<&Value> = elements.iter().filter_map(part).filter(|value| !value.is_null()).collect();
    if parts.is_empty() { Found::Absent } else { Found::Many(parts) }
}

fn matches(element: &Map<String, Value>, filter: &rollcall_syntax::attribute::ValueFilter) -> bool {
    if filter.attribute.eq_ignore_ascii_case("type") {
        return same(sent_type(element).unwrap_or(UNTYPED), &filter.value);
    }
    match member(element, &filter.attribute) {
        Some(Value::String(text)) => text.eq_ignore_ascii_case(&filter.value),
        Some(Value::Bool(flag)) => filter.value.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
        Some(Value::Number(number)) => number.to_string() == filter.value,
        _ => false,
    }
}

/// Whether two texts are the same when folded.
fn same(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { fold(a) == fold(b) }
}

fn found(value: Option<&Value>) -> Found<'_> {
    match value {
        None => Found::Absent,
        Some(Value::Null) => Found::Null,
        Some(value) => Found::One(value),
    }
}

/// Whether the schemas know an attribute as a list.
pub(crate) fn is_list(path: &AttributePath) -> bool {
    path.urn.as_deref().is_none_or(is_core)
        && matches!(known(CORE, &path.name), Some((_, Shape::Typed(_) | Shape::List)))
}

/// The name of an attribute as mappings write it.
pub(crate) fn name_of(path: &AttributePath) -> String {
    let urn = path.urn.as_deref().map_or_else(String::new, |urn| format!("{urn}:"));
    let filter = path
        .filter
        .as_ref()
        .map_or_else(String::new, |filter| format!("[{} eq \"{}\"]", filter.attribute, filter.value));
    let sub = path.sub.as_deref().map_or_else(String::new, |sub| format!(".{sub}"));
    format!("{urn}{}{filter}{sub}", path.name)
}

/// Puts a text where a record has none. Where something of another shape stands, it is left.
pub(crate) fn put(record: &mut Map<String, Value>, path: &AttributePath, text: &str) {
    let object = |record: &mut Map<String, Value>, name: &str| {
        let key = key_of(record, name).unwrap_or_else(|| name.to_owned());
        if record.get(&key).is_none_or(Value::is_null) {
            record.insert(key.clone(), Value::Object(Map::new()));
        }
        key
    };
    let mut place = record;
    if let Some(urn) = path.urn.as_deref().filter(|urn| !is_core(urn)) {
        let key = object(place, urn);
        let Some(Value::Object(extension)) = place.get_mut(&key) else { return };
        place = extension;
    }
    let key = key_of(place, &path.name).unwrap_or_else(|| path.name.clone());
    let text = Value::String(text.to_owned());
    let sub = path.sub.as_deref();
    match (&path.filter, sub) {
        (Some(filter), _) => {
            let element =
                [(filter.attribute.as_str(), Value::String(filter.value.clone())), (sub.unwrap_or("value"), text)];
            let element = element.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            if let Value::Array(elements) = place.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
                elements.push(Value::Object(element));
            }
        }
        (None, None) => {
            place.insert(key, text);
        }
        (None, Some(sub)) => {
            let key = object(place, &key);
            if let Some(Value::Object(whole)) = place.get_mut(&key) {
                let own = key_of(whole, sub).unwrap_or_else(|| sub.to_owned());
                whole.insert(own, text);
            }
        }
    }
}

/// The folded full name of an attribute, as `pending.touched` holds it. A core URN is left away.
pub(crate) fn touched_key(path: &AttributePath) -> String {
    let mut key = String::new();
    if let Some(urn) = path.urn.as_deref().filter(|urn| !is_core(urn)) {
        key.push_str(urn);
        key.push(':');
    }
    key.push_str(&path.name);
    if let Some(filter) = &path.filter {
        key.extend(["[", &filter.attribute, " eq \"", &filter.value, "\"]"]);
    }
    if let Some(sub) = &path.sub {
        key.push('.');
        key.push_str(sub);
    }
    fold(&key)
}

/// Whether `urn` is the enterprise extension.
pub(crate) fn is_enterprise(urn: &str) -> bool {
    urn.eq_ignore_ascii_case(ENTERPRISE_USER)
}
