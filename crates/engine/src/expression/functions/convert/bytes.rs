//! Bytes written as text.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use data_encoding::{HEXUPPER, HEXUPPER_PERMISSIVE};

use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

pub(super) fn to_base64<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    a.built(BASE64.encode(bytes))
}

pub(super) fn from_base64<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let encoding = a.text(1)?.filter(|encoding| !encoding.is_empty());
    let bytes = BASE64.decode(text.trim()).ok();
    let Some(bytes) = bytes else { return Err(a.fault(0, &Value::Text(text), "it is no Base64")) };
    let decoded = match encoding.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("unicode") => {
            let units: Vec<u16> =
                bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])).collect();
            (bytes.len() % 2 == 0).then(|| String::from_utf16(&units).ok()).flatten()
        }
        Some("utf8" | "utf-8") => String::from_utf8(bytes).ok(),
        Some("ascii") => bytes.is_ascii().then(|| String::from_utf8(bytes).ok()).flatten(),
        Some(_) => return Err(a.fault(1, &a.value(1)?, "write Unicode, UTF8 or ASCII")),
    };
    match decoded {
        Some(decoded) => a.built(decoded),
        None => Err(a.fault(0, &Value::Text(text), "its bytes are no text of that encoding")),
    }
}

pub(super) fn to_hex<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    a.built(HEXUPPER.encode(text.as_bytes()))
}

pub(super) fn from_hex<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let decoded = HEXUPPER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(decoded) => a.built(decoded),
        None => Err(a.fault(0, &Value::Text(text), "it is no hexadecimal of UTF-8")),
    }
}

/// The 32 digits of a GUID in any of its spellings.
fn guid_digits(text: &str) -> Option<String> {
    let inner = text.trim();
    let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
    let places: Vec<usize> = inner.match_indices('-').map(|(at, _)| at).collect();
    let digits = inner.replace('-', "").to_ascii_lowercase();
    let is_placed = places.is_empty() || places == [8, 13, 18, 23];
    (is_placed && digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// 32 digits with hyphens.
pub(in crate::expression::functions) fn hyphenated(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("");
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

pub(super) fn c_guid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    match guid_digits(&text) {
        Some(digits) => a.built(hyphenated(&digits)),
        None => Err(a.fault(0, &Value::Text(text), "it is no GUID")),
    }
}

pub(super) fn is_guid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let value = a.value(0)?;
    Ok(Value::Flag(matches!(&value, Value::Text(text) if guid_digits(text).is_some())))
}

/// Bytes in hexadecimal or Base64.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    HEXUPPER_PERMISSIVE.decode(text.as_bytes()).ok().or_else(|| BASE64.decode(text).ok())
}

/// The first three fields stand in little-endian order (MS-DTYP 2.3.4).
const GUID_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

pub(super) fn string_from_guid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let bytes = bytes_of(&text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let Some(bytes) = bytes else { return Err(a.fault(0, &Value::Text(text), "it is no 16 bytes of a GUID")) };
    let ordered = GUID_ORDER.map(|at| bytes[at]);
    a.built(hyphenated(&HEXUPPER.encode(&ordered).to_ascii_lowercase()))
}

/// Revision, count, authority in big-endian order, sub-authorities in little-endian (MS-DTYP 2.4.2.2).
pub(super) fn string_from_sid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let written = bytes_of(&text).and_then(|bytes| {
        let (&revision, &count) = (bytes.first()?, bytes.get(1)?);
        let authority = bytes.get(2..8)?.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let subs = bytes.get(8..)?;
        if subs.len() != usize::from(count) * 4 {
            return None;
        }
        let mut out = format!("S-{revision}-{authority}");
        for sub in subs.chunks_exact(4) {
            let _ = write!(out, "-{}", u32::from_le_bytes(sub.try_into().ok()?));
        }
        Some(out)
    });
    match written {
        Some(written) => a.built(written),
        None => Err(a.fault(0, &Value::Text(text), "these are not the bytes of a SID")),
    }
}
