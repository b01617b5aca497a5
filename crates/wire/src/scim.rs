//! The body of bulkUpload: a bulk request in the shape of SCIM's (RFC 7644 3.7), read as leniently as published clients
//! need (wire contract 2.2-2.4, 2.10) and no further.
//!
//! Structure is checked here, for the whole request: what is wrong with it refuses all of it. Content belongs to the
//! single record and is judged when it is merged.

use std::borrow::Cow;

use rollcall_model::limits;
use rollcall_model::operation::Method;
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// Media type of a request.
pub const MEDIA_TYPE: &str = "application/scim+json";
/// What the root's `schemas` must name.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// A request that was refused: nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScimError {
    /// Names the place and the remedy.
    pub message: String,
    /// JSON pointer (RFC 6901) of the place, where there is one.
    pub target: Option<String>,
}

impl ScimError {
    fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), target: None }
    }

    fn at(target: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), target: Some(target.into()) }
    }
}

/// One operation, its `data` already without any `password`.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    pub method: Method,
    pub bulk_id: Option<String>,
    /// As sent; `None` where it is missing, no text, empty, too long, or holds NUL: such an operation fails later.
    pub external_id: Option<String>,
    /// `active` is false, or DELETE.
    pub urgent: bool,
    pub data: Value,
}

/// Reads a request's body: UTF-8, or UTF-16 as Windows PowerShell writes it.
pub fn parse(body: &[u8]) -> Result<Vec<BulkOperation>, ScimError> {
    parse_up_to(body, limits::OPERATIONS_PER_REQUEST_MAX)
}

/// The same with another greatest number of operations.
pub fn parse_up_to(body: &[u8], max: usize) -> Result<Vec<BulkOperation>, ScimError> {
    let text = decode(body)?;
    let mut root = parse_json(&text)?;
    // `ConvertTo-Json` of a text that is JSON already: the document as one JSON string.
    if let Value::String(inner) = root {
        root = parse_json(&inner)?;
    }
    let Value::Object(mut root) = root else {
        return Err(ScimError::whole(
            "the body is no JSON object; send a bulk request with `schemas` and `Operations`",
        ));
    };
    check_schemas(&root)?;
    let operations = match take(&mut root, "Operations") {
        Some(Value::Array(operations)) => operations,
        Some(_) => return Err(ScimError::at("/Operations", "`Operations` must be an array")),
        None => return Err(ScimError::at("/Operations", "`Operations` is missing: it holds 1 to 50 operations")),
    };
    if operations.is_empty() {
        return Err(ScimError::at("/Operations", "`Operations` is empty: send at least one operation"));
    }
    if operations.len() > max {
        let found = operations.len();
        return Err(ScimError::at(
            "/Operations",
            format!("{found} operations in one request: at most {max} are allowed, send the rest in further requests"),
        ));
    }
    operations.into_iter().enumerate().map(|(index, operation)| read_operation(index, operation)).collect()
}

fn check_schemas(root: &Map<String, Value>) -> Result<(), ScimError> {
    let wanted = format!("`schemas` must be an array that holds \"{BULK_REQUEST}\"");
    match member(root, "schemas") {
        Some(Value::Array(schemas))
            if schemas.iter().any(|one| one.as_str().is_some_and(|text| text.eq_ignore_ascii_case(BULK_REQUEST))) =>
        {
            Ok(())
        }
        Some(Value::String(_)) => Err(ScimError::at(
            "/schemas",
            format!("{wanted}, and is a bare text (PowerShell unwraps arrays of one element: write @(,'...'))"),
        )),
        _ => Err(ScimError::at("/schemas", wanted)),
    }
}

fn read_operation(index: usize, operation: Value) -> Result<BulkOperation, ScimError> {
    let place = |name: &str| format!("/Operations/{index}/{name}");
    let Value::Object(mut members) = operation else {
        return Err(ScimError::at(format!("/Operations/{index}"), "an operation must be a JSON object"));
    };
    let method = match member(&members, "method").and_then(Value::as_str) {
        Some(text) if text.eq_ignore_ascii_case("POST") => Method::Post,
        Some(text) if text.eq_ignore_ascii_case("DELETE") => Method::Delete,
        Some(text) => {
            let text: String = text.chars().take(20).collect();
            return Err(ScimError::at(
                place("method"),
                format!("method '{text}' is not supported: send POST for every change, DELETE for a removal"),
            ));
        }
        None => return Err(ScimError::at(place("method"), "`method` is missing or no text: send POST")),
    };
    match member(&members, "path").and_then(Value::as_str) {
        Some(path) if path.trim_end_matches('/').eq_ignore_ascii_case("/Users") => {}
        _ => return Err(ScimError::at(place("path"), "`path` must be /Users")),
    }
    let bulk_id = member(&members, "bulkId").and_then(identifier);
    let data = match take(&mut members, "data") {
        Some(Value::Object(data)) => data,
        Some(_) => return Err(ScimError::at(place("data"), "`data` must be a JSON object: one user")),
        None => return Err(ScimError::at(place("data"), "`data` is missing: it holds one user")),
    };
    if matches!(member(&data, "schemas"), Some(Value::String(_))) {
        return Err(ScimError::at(
            place("data/schemas"),
            "`schemas` must be an array (PowerShell unwraps arrays of one element: write @(,'...'))",
        ));
    }
    let external_id = member(&data, "externalId").and_then(Value::as_str).and_then(usable_external_id);
    let urgent = method == Method::Delete || member(&data, "active").is_some_and(is_false);
    let mut data = Value::Object(data);
    drop_passwords(&mut data);
    Ok(BulkOperation { method, bulk_id, external_id, urgent, data })
}

/// A member by name; an exact match goes before one that differs in case (RFC 7643 2.1).
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The same, taken out.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = object.remove(name) {
        return Some(value);
    }
    let name = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    object.remove(&name)
}

/// A client's own mark, kept for the status only: text or number, cut at the length of an `externalId`, without NUL.
fn identifier(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => return None,
    };
    Some(text.chars().filter(|c| *c != '\0').take(limits::EXTERNAL_ID_CHARS_MAX).collect())
}

fn usable_external_id(text: &str) -> Option<String> {
    let usable =
        !text.trim().is_empty() && !text.contains('\0') && text.chars().count() <= limits::EXTERNAL_ID_CHARS_MAX;
    usable.then(|| text.to_owned())
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(active) => !active,
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        _ => false,
    }
}

/// Takes every member named `password` out, at any depth, by its full name too.
fn drop_passwords(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| {
                !name.rsplit(':').next().is_some_and(|leaf| leaf.trim().eq_ignore_ascii_case("password"))
            });
            members.values_mut().for_each(drop_passwords);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_passwords),
        _ => {}
    }
}

/// Text of a body, by its byte order mark; UTF-16 without one is known by its first character being ASCII.
fn decode(body: &[u8]) -> Result<Cow<'_, str>, ScimError> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [first, 0, ..] if first.is_ascii() => utf16(body, u16::from_le_bytes),
        [0, first, ..] if first.is_ascii() => utf16(body, u16::from_be_bytes),
        _ => utf8(body),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, ScimError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        ScimError::whole(format!("the body is no UTF-8 at byte {}: send it as UTF-8", error.valid_up_to()))
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, ScimError> {
    let broken = |at: usize| ScimError::whole(format!("the body is no UTF-16 at byte {at}: send it as UTF-8"));
    if !bytes.len().is_multiple_of(2) {
        return Err(broken(bytes.len()));
    }
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    for read in char::decode_utf16(units) {
        text.push(read.map_err(|_| broken(text.encode_utf16().count() * 2))?);
    }
    Ok(Cow::Owned(text))
}

fn parse_json(text: &str) -> Result<Value, ScimError> {
    check_depth(text)?;
    serde_json::from_str(text).map_err(|error| {
        let (said, line, column) = (error.to_string(), error.line(), error.column());
        let place = format!("line {line}, column {column}");
        if said.contains("trailing characters") {
            let begins = text.lines().nth(line.saturating_sub(1)).and_then(|l| l.get(column.saturating_sub(1)..));
            if begins.is_some_and(|rest| rest.starts_with(['{', '['])) {
                return ScimError::whole(format!(
                    "a second JSON document begins at {place}: send each document in a request of its own"
                ));
            }
        }
        if said.contains("surrogate") || said.contains("hex escape") {
            return ScimError::whole(format!(
                "a \\u escape at {place} is half a surrogate pair, which is no character: send both halves, or the \
                 character itself in UTF-8"
            ));
        }
        ScimError::whole(format!("the body is no JSON: {said}"))
    })
}

/// Refuses nesting beyond [`limits::JSON_DEPTH_MAX`] before anything recurses over it.
fn check_depth(text: &str) -> Result<(), ScimError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_text {
            in_text = byte != b'"' || escaped;
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits::JSON_DEPTH_MAX {
            return Err(ScimError::whole(format!(
                "the JSON is nested deeper than {} levels at byte {at} (JSON_DEPTH_MAX): send it flatter",
                limits::JSON_DEPTH_MAX
            )));
        }
    }
    Ok(())
}
