//! Reading the file: a bulkUpload body, an array, or JSON lines; each operation kept as it was written.

use std::path::Path;

use rollcall_model::fold;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::files;

/// One operation as it goes out.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// The operation's text, word for word where the file held operations.
    pub(crate) json: Box<RawValue>,
    /// As written; `None` where there is none, which the service will say.
    pub(crate) external_id: Option<String>,
    /// The comparable form of `external_id`.
    pub(crate) person: Option<String>,
}

impl Operation {
    /// What it says of the person.
    pub(crate) fn data(&self) -> Value {
        let parsed: Option<Value> = serde_json::from_str(self.json.get()).ok();
        parsed.and_then(|mut operation| operation.get_mut("data").map(Value::take)).unwrap_or(Value::Null)
    }
}

/// Reads all operations of a file, in its order. An empty file has none.
pub(crate) fn operations(path: &Path) -> Result<Vec<Operation>, Error> {
    let bytes = files::read(path)?;
    parse(&bytes).map_err(|message| Error::Content { path: path.to_owned(), message })
}

/// A bulkUpload body; names without case, as the service takes them.
#[derive(Deserialize)]
struct Bulk<'a> {
    #[serde(borrow, rename = "Operations", alias = "operations")]
    operations: Option<Vec<&'a RawValue>>,
}

fn parse(bytes: &[u8]) -> Result<Vec<Operation>, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|cause| format!("not UTF-8 text from byte {} on; save it as UTF-8", cause.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut operations = Vec::new();
    // One value, or one after the other: JSON lines are just that.
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.map_err(|cause| format!("not JSON: {cause}"))?;
        add(value, &mut operations)?;
    }
    Ok(operations)
}

fn add(value: &RawValue, operations: &mut Vec<Operation>) -> Result<(), String> {
    let text = value.get();
    if text.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        return elements.into_iter().try_for_each(|element| add_one(element, operations));
    }
    // A body that is an object with Operations; what cannot be read as one is looked at as a user resource.
    match serde_json::from_str::<Bulk<'_>>(text) {
        Ok(Bulk { operations: Some(elements) }) => {
            for element in elements {
                add_operation(element, operations);
            }
            Ok(())
        }
        _ => add_one(value, operations),
    }
}

/// A user resource, or an operation around one.
fn add_one(element: &RawValue, operations: &mut Vec<Operation>) -> Result<(), String> {
    let place = operations.len() + 1;
    if !element.get().starts_with('{') {
        return Err(format!("element {place} is no object: neither a user resource nor an operation"));
    }
    let parsed: Option<Value> = serde_json::from_str(element.get()).ok();
    if parsed.as_ref().is_some_and(|value| value.get("data").is_some() && value.get("method").is_some()) {
        add_operation(element, operations);
        return Ok(());
    }
    let external_id = parsed.as_ref().and_then(external_id);
    operations.push(user(element.get(), place, external_id).map_err(|cause| cause.to_string())?);
    Ok(())
}

/// The operation that sends a user resource; `place` becomes its bulkId.
pub(crate) fn user(data: &str, place: usize, external_id: Option<String>) -> Result<Operation, serde_json::Error> {
    let json = format!(r#"{{"method":"POST","bulkId":"{place}","path":"/Users","data":{data}}}"#);
    Ok(operation(RawValue::from_string(json)?, external_id))
}

fn add_operation(element: &RawValue, operations: &mut Vec<Operation>) {
    // Text that serde_json cannot hold (a lone surrogate) goes out as it is: the service says what is wrong with it.
    let parsed: Option<Value> = serde_json::from_str(element.get()).ok();
    let data = parsed.as_ref().and_then(|value| value.get("data"));
    let external_id = data.and_then(external_id);
    operations.push(operation(element.to_owned(), external_id));
}

fn operation(json: Box<RawValue>, external_id: Option<String>) -> Operation {
    Operation { json, person: external_id.as_deref().map(fold), external_id }
}

/// SCIM's names have no case (RFC 7643 2.1). A number is taken as its text, as lenient servers do.
fn external_id(data: &Value) -> Option<String> {
    let (_, value) = data.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("externalId"))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
