//! Types of known attributes (wire contract 2.4). An unknown attribute may have any.

use rollcall_model::Code;
use rollcall_model::plan::Failure;
use serde_json::{Map, Value};

use crate::scim::{self, Shape};

/// Checks every known attribute of a record; the first that is wrong fails it, with its JSON pointer.
pub(super) fn record(data: &Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in data {
        if scim::is_enterprise(name) {
            let pointer = format!("/{}", escaped(name));
            match value {
                Value::Null => {}
                Value::Object(extension) => members(extension, scim::ENTERPRISE, &pointer)?,
                _ => return wrong(&pointer, "an object", value),
            }
        } else if let (true, Value::Object(core)) = (scim::is_core(name), value) {
            record(core)?;
        } else if let Some((_, shape)) = scim::known(scim::CORE, name) {
            shaped(value, shape, &format!("/{}", escaped(name)))?;
        }
    }
    Ok(())
}

/// `active`: JSON booleans, or the words in any case; `None` for anything else, null included.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn members(object: &Map<String, Value>, table: &[(&'static str, Shape)], pointer: &str) -> Result<(), Failure> {
    for (name, value) in object {
        if let Some((_, shape)) = scim::known(table, name) {
            shaped(value, shape, &format!("{pointer}/{}", escaped(name)))?;
        }
    }
    Ok(())
}

fn shaped(value: &Value, shape: Shape, pointer: &str) -> Result<(), Failure> {
    match (shape, value) {
        (_, Value::Null) | (Shape::Text, Value::String(_)) | (Shape::List, Value::Array(_)) => Ok(()),
        (Shape::Text, _) => wrong(pointer, "a text", value),
        (Shape::Flag, _) if flag(value).is_some() => Ok(()),
        (Shape::Flag, _) => wrong(pointer, "true or false", value),
        (Shape::Object(subs), Value::Object(object)) => texts(object, subs, pointer),
        (Shape::Object(_), _) => wrong(pointer, "an object", value),
        (Shape::Typed(subs), Value::Array(elements)) => {
            for (at, element) in elements.iter().enumerate() {
                let pointer = format!("{pointer}/{at}");
                match element {
                    Value::Object(object) => texts(object, subs, &pointer)?,
                    _ => return wrong(&pointer, "an object", element),
                }
            }
            Ok(())
        }
        (Shape::Typed(_) | Shape::List, _) => wrong(pointer, "a list", value),
    }
}

fn texts(object: &Map<String, Value>, subs: &[&str], pointer: &str) -> Result<(), Failure> {
    for (name, value) in object {
        if subs.iter().any(|sub| sub.eq_ignore_ascii_case(name)) {
            shaped(value, Shape::Text, &format!("{pointer}/{}", escaped(name)))?;
        }
    }
    Ok(())
}

fn wrong(pointer: &str, expected: &str, found: &Value) -> Result<(), Failure> {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let reason = format!("{pointer} is {kind}, {expected} was expected; correct it in the source");
    Err(Failure::new(Code::AttributeValidationFailed, Some(pointer), reason))
}

/// A name as a part of a JSON pointer (RFC 6901 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
