//! Checked data into the record, and which source attributes that touches.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::plan::Warning;
use rollcall_model::{Code, fold};
use serde_json::{Map, Value};

use super::check::flag;
use crate::scim::{self, Shape};

/// Merges checked data into a record. `touched` gains the folded name of every attribute that was present.
pub(super) fn merge(
    record: &mut Map<String, Value>,
    data: &Map<String, Value>,
    touched: &mut BTreeSet<String>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, value) in data.iter().filter(|(name, _)| !scim::is_dropped(name)) {
        match scim::known(scim::CORE, name) {
            Some((name, Shape::Flag)) => {
                // Null is absent here: nobody is disabled or enabled by saying nothing.
                if let Some(flag) = flag(value) {
                    touched.insert(fold(name));
                    record.insert(name.to_owned(), Value::Bool(flag));
                }
            }
            Some((name, Shape::Typed(_))) => typed(record, name, value, touched, &mut warnings),
            Some((name, _)) => member(record, name, value, &mut Touch { prefix: fold(name), touched }),
            None => unknown(record, name, value, touched),
        }
    }
    warnings
}

/// An extension, or an attribute that no schema of a user knows: kept, objects member by member.
fn unknown(record: &mut Map<String, Value>, name: &str, value: &Value, touched: &mut BTreeSet<String>) {
    let is_urn = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    let key = scim::key_of(record, name).unwrap_or_else(|| name.to_owned());
    let Value::Object(members) = value else {
        member(record, &key, value, &mut Touch { prefix: fold(name), touched });
        return;
    };
    if !is_urn {
        member(record, &key, value, &mut Touch { prefix: fold(name), touched });
    } else if scim::is_core(name) {
        // A client that nests the core attributes under their own URN means the attributes.
        merge(record, members, touched);
    } else {
        with_object(record, &key, |extension| {
            for (sub, value) in members {
                let known = if scim::is_enterprise(name) { scim::known(scim::ENTERPRISE, sub) } else { None };
                let sub = known.map_or(sub.as_str(), |(name, _)| name);
                let key = scim::key_of(extension, sub).unwrap_or_else(|| sub.to_owned());
                let prefix = format!("{}:{}", fold(name), fold(sub));
                member(extension, &key, value, &mut Touch { prefix, touched });
            }
        });
    }
}

/// The set of touched names and the name of what is being merged.
struct Touch<'a> {
    prefix: String,
    touched: &'a mut BTreeSet<String>,
}

impl Touch<'_> {
    /// Every leaf below `value`, by name. A reference is also meant by its own name.
    fn leaves(&mut self, value: Option<&Value>) {
        match value {
            Some(Value::Object(object)) => {
                for (name, value) in object {
                    let mut inner = Touch { prefix: format!("{}.{}", self.prefix, fold(name)), touched: self.touched };
                    inner.leaves(Some(value));
                    if name.eq_ignore_ascii_case("value") {
                        self.touched.insert(self.prefix.clone());
                    }
                }
            }
            Some(Value::Array(elements)) => {
                self.touched.insert(self.prefix.clone());
                for element in elements.iter().filter_map(Value::as_object) {
                    let prefix = format!("{}[type eq \"{}\"]", self.prefix, scim::type_of(element));
                    for name in element.keys() {
                        self.touched.insert(format!("{prefix}.{}", fold(name)));
                    }
                }
            }
            _ => {
                self.touched.insert(self.prefix.clone());
            }
        }
    }
}

/// One attribute that is not told apart by type.
fn member(object: &mut Map<String, Value>, name: &str, value: &Value, touch: &mut Touch<'_>) {
    if value.is_null() {
        // What goes with the null is touched as well.
        touch.leaves(object.get(name));
        touch.touched.insert(touch.prefix.clone());
    }
    touch.leaves(Some(value));
    put(object, name, value);
}

/// Objects member by member, everything else whole.
fn put(object: &mut Map<String, Value>, name: &str, value: &Value) {
    let key = scim::key_of(object, name).unwrap_or_else(|| name.to_owned());
    if let Value::Object(members) = value {
        with_object(object, &key, |inner| {
            for (name, value) in members.iter().filter(|(name, _)| name.as_str() != "$ref") {
                put(inner, name, value);
            }
        });
    } else {
        object.insert(key, value.clone());
    }
}

/// The object under a name; whatever else stands there gives way to one.
fn with_object(object: &mut Map<String, Value>, key: &str, act: impl FnOnce(&mut Map<String, Value>)) {
    let slot = object.entry(key).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        act(inner);
    }
}

/// emails, phoneNumbers, addresses: by type, types not sent stay.
fn typed(
    record: &mut Map<String, Value>,
    name: &'static str,
    value: &Value,
    touched: &mut BTreeSet<String>,
    warnings: &mut Vec<Warning>,
) {
    let Value::Array(elements) = value else {
        member(record, name, value, &mut Touch { prefix: fold(name), touched });
        return;
    };
    let mut chosen: BTreeMap<String, &Map<String, Value>> = BTreeMap::new();
    let mut several: BTreeSet<String> = BTreeSet::new();
    for element in elements.iter().filter_map(Value::as_object) {
        let kind = scim::type_of(element);
        match chosen.get(&kind) {
            None => {
                chosen.insert(kind, element);
            }
            Some(earlier) => {
                several.insert(kind.clone());
                if is_primary(element) && !is_primary(earlier) {
                    chosen.insert(kind, element);
                }
            }
        }
    }
    for kind in several {
        warnings.push(Warning {
            code: Code::SeveralValuesOfOneType,
            attribute: Some(format!("/{name}")),
            text: format!("{name} has several elements of type {kind}; the primary one, or else the first, counts"),
        });
    }
    let slot = record.entry(name).or_insert(Value::Null);
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Value::Array(stored) = slot else { return };
    touched.insert(fold(name));
    for (kind, element) in chosen {
        let prefix = format!("{}[type eq \"{kind}\"]", fold(name));
        touched.extend(element.keys().map(|sub| format!("{prefix}.{}", fold(sub))));
        one_typed(stored, &kind, element);
    }
}

fn one_typed(stored: &mut Vec<Value>, kind: &str, element: &Map<String, Value>) {
    let is_kind = |value: &Value| value.as_object().is_some_and(|object| scim::type_of(object) == kind);
    let at = stored.iter().position(is_kind).unwrap_or_else(|| {
        stored.push(Value::Object(Map::new()));
        stored.len() - 1
    });
    let Some(Value::Object(target)) = stored.get_mut(at) else { return };
    for (name, value) in element.iter().filter(|(name, _)| name.as_str() != "$ref") {
        put(target, name, value);
    }
    put(target, "type", &Value::String(kind.to_owned()));
}

fn is_primary(element: &Map<String, Value>) -> bool {
    scim::member(element, "primary").and_then(flag) == Some(true)
}

/// Whether any value of `sent` is still in `now`.
pub(super) fn stands(name: &str, sent: &Value, now: &Value) -> bool {
    if let (Some(sent), true) = (flag(sent), name.eq_ignore_ascii_case("active")) {
        return now == &Value::Bool(sent);
    }
    match (sent, now) {
        (Value::Object(sent), Value::Object(now)) => {
            sent.iter().any(|(name, value)| scim::member(now, name).is_some_and(|now| stands(name, value, now)))
        }
        (Value::Array(sent), Value::Array(now))
            if matches!(scim::known(scim::CORE, name), Some((_, Shape::Typed(_)))) =>
        {
            sent.iter().filter_map(Value::as_object).any(|sent| {
                let same = |now: &&Map<String, Value>| scim::type_of(now) == scim::type_of(sent);
                let Some(now) = now.iter().filter_map(Value::as_object).find(same) else { return false };
                let values = sent.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("type"));
                values.clone().any(|(name, value)| scim::member(now, name).is_some_and(|now| stands(name, value, now)))
            })
        }
        (sent, now) => sent == now,
    }
}
