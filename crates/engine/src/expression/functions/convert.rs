//! Texts in other forms: bytes in text, identifiers, letters of other alphabets.

pub(super) mod bytes;
mod diacritics;
mod transliterate;

use super::{Family, FunctionInfo, Type, optional, required};
use crate::expression::Value;

const SOURCE: super::Parameter = required("source", Type::Text);

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("CGuid", &[SOURCE], Type::Text, bytes::c_guid).of(Family::Conversion).told(
        "A GUID in its usual form, lower case with hyphens.",
        &["Braces and missing hyphens are accepted; anything else fails the record."],
    ),
    FunctionInfo::new("ConvertFromBase64", &[SOURCE, optional("encoding", Type::Text)], Type::Text, bytes::from_base64)
        .of(Family::Conversion)
        .told(
            "The text of Base64, which holds UTF-16LE.",
            &["`encoding` may be Unicode (UTF-16LE, the default), UTF8 or ASCII."],
        ),
    FunctionInfo::new("ConvertFromUTF8Hex", &[SOURCE], Type::Text, bytes::from_hex)
        .of(Family::Conversion)
        .told("The text whose UTF-8 bytes are written in hexadecimal.", &[]),
    FunctionInfo::new("ConvertToBase64", &[SOURCE], Type::Text, bytes::to_base64)
        .of(Family::Conversion)
        .told("Base64 of the text's UTF-16LE bytes.", &["Not of UTF-8, which most other tools take."]),
    FunctionInfo::new("ConvertToUTF8Hex", &[SOURCE], Type::Text, bytes::to_hex)
        .of(Family::Conversion)
        .told("The text's UTF-8 bytes in upper-case hexadecimal.", &[]),
    FunctionInfo::new("CStr", &[required("value", Type::Any)], Type::Text, |a| match a.value(0)? {
        Value::List(values) => Ok(Value::List(values)),
        value => match value.text() {
            Some(text) => a.shared(text),
            None => Ok(Value::Null),
        },
    })
    .of(Family::Conversion)
    .told("A number, date, condition or reference as text.", &["Conditions are written True and False."]),
    FunctionInfo::new("IsGuid", &[required("value", Type::Any)], Type::Flag, bytes::is_guid)
        .of(Family::Conversion)
        .told("True if the value is a GUID.", &[]),
    FunctionInfo::new("NormalizeDiacritics", &[SOURCE], Type::Text, diacritics::normalize).of(Family::Conversion).told(
        "Letters with diacritics of a fixed table as plain ones.",
        &["The documented table and nothing else: ä, å and æ become a, a and ae, but ķ, ļ, ņ, ģ, đ, ţ, bare œ, \
                 Greek and Cyrillic stay. Composed and decomposed spellings count alike. For more see Transliterate."],
    ),
    FunctionInfo::new("StringFromGuid", &[SOURCE], Type::Text, bytes::string_from_guid)
        .of(Family::Conversion)
        .told("A directory's binary GUID as text.", &["The source holds the 16 bytes in Base64 or hexadecimal."]),
    FunctionInfo::new("StringFromSid", &[SOURCE], Type::Text, bytes::string_from_sid).of(Family::Conversion).told(
        "A directory's binary SID as text, S-1-5-21-...",
        &["The source holds the bytes in Base64 or hexadecimal."],
    ),
    FunctionInfo::new("Transliterate", &[SOURCE, optional("culture", Type::Culture)], Type::Text, transliterate::run)
        .of(Family::Conversion)
        .told(
            "Latin, Greek and Cyrillic letters in plain ASCII letters.",
            &[
                "Every diacritic is dropped; letters of their own such as đ, þ and œ, Greek and Cyrillic are written \
                 out. Other scripts stay.",
                "The culture decides where languages differ: de writes ä, ö, ü as ae, oe, ue; da, nb, nn and no write \
                 å as aa and ö as oe; uk and bg read Cyrillic their way.",
            ],
        ),
];
