//! A record made of names and values, as testers of expressions write it.

use rollcall_syntax::attribute::{self, AttributePath, ValueFilter};
use serde_json::{Map, Value as Json};

use crate::scim;

/// A record in which every name that is an attribute's stands where an expression finds it: `name.givenName`,
/// `emails[type eq "work"].value`, `urn:...:User:department`. Objects stay as they are, so that a record in the shape of
/// SCIM comes back as it is.
pub fn record_of(values: &Map<String, Json>) -> Map<String, Json> {
    let mut record = Map::new();
    for (name, value) in values {
        let is_plain = value.is_object() || (value.is_array() && !name.contains('.'));
        match attribute::parse(name) {
            Ok(path) if !is_plain || path.urn.is_some() && !value.is_object() => set(&mut record, &path, value),
            _ => merge(&mut record, name, value),
        }
    }
    record
}

/// A member as it is; an object's members join those that other names have put there.
fn merge(record: &mut Map<String, Json>, name: &str, value: &Json) {
    match (record.get_mut(name), value) {
        (Some(Json::Object(known)), Json::Object(more)) => {
            known.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        _ => drop(record.insert(name.to_owned(), value.clone())),
    }
}

fn set(record: &mut Map<String, Json>, path: &AttributePath, value: &Json) {
    let within = match path.urn.as_deref().filter(|urn| !scim::is_core(urn)) {
        None => Some(record),
        Some(urn) => object_at(record, urn),
    };
    let Some(within) = within else { return };
    match (&path.filter, &path.sub) {
        (None, None) => drop(within.insert(path.name.clone(), value.clone())),
        (None, Some(sub)) => {
            if let Some(object) = object_at(within, &path.name) {
                object.insert(sub.clone(), value.clone());
            }
        }
        (Some(filter), sub) => {
            let list = within.entry(path.name.clone()).or_insert_with(|| Json::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                set_element(list, filter, sub.as_deref().unwrap_or("value"), value);
            }
        }
    }
}

/// The object under a name, made where there is none.
fn object_at<'a>(object: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    object.entry(name.to_owned()).or_insert_with(|| Json::Object(Map::new())).as_object_mut()
}

fn set_element(list: &mut Vec<Json>, filter: &ValueFilter, sub: &str, value: &Json) {
    let fits = |element: &Json| element.get(&filter.attribute).and_then(Json::as_str) == Some(filter.value.as_str());
    if !list.iter().any(fits) {
        let told = Json::String(filter.value.clone());
        list.push(Json::Object(Map::from_iter([(filter.attribute.clone(), told)])));
    }
    if let Some(Json::Object(element)) = list.iter_mut().find(|element| fits(element)) {
        element.insert(sub.to_owned(), value.clone());
    }
}
