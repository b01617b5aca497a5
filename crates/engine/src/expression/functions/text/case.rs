//! Upper, lower and title case as .NET has them: one character for one.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

pub(super) const NOTE: &str = "One character becomes one: ß has no upper case. Turkish and Azeri (tr, az) tell the \
                               dotted i from the dotless; every other culture is as none.";

#[derive(Clone, Copy)]
enum Case {
    Lower,
    Upper,
}

pub(super) fn lower<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    cased(a, Case::Lower)
}

pub(super) fn upper<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    cased(a, Case::Upper)
}

fn cased<'a>(a: &Arguments<'_, 'a>, case: Case) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let culture = a.text_or_empty(1)?;
    let language = culture.split('-').next().unwrap_or("");
    let turkic = ["tr", "az"].iter().any(|known| language.eq_ignore_ascii_case(known));
    let change = |c: char| match (case, c) {
        (Case::Lower, 'I') if turkic => 'ı',
        (Case::Lower, 'İ') if turkic => 'i',
        (Case::Upper, 'i') if turkic => 'İ',
        (Case::Upper, 'ı') if !turkic => 'ı',
        (Case::Lower, c) => lower_one(c),
        (Case::Upper, c) => upper_one(c),
    };
    a.built(text.chars().map(change).collect())
}

pub(super) fn lower_one(c: char) -> char {
    one(c.to_lowercase(), c)
}

fn upper_one(c: char) -> char {
    one(c.to_uppercase(), c)
}

/// The one character of a mapping, or the original where there are several.
fn one(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => original,
    }
}

/// `PCase`.
pub(super) fn proper<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let separators = a.text(1)?.filter(|separators| !separators.is_empty());
    let ends_word = |c: char| separators.as_ref().map_or_else(|| ends_any_word(c), |given| given.contains(c));
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if ends_word(c) {
            begins = true;
            out.push(c);
        } else if begins && c.is_alphabetic() {
            begins = false;
            out.push(upper_one(c));
        } else {
            out.push(lower_one(c));
        }
    }
    a.built(out)
}

/// .NET's word separators: blanks, controls, formats, punctuation of every kind and symbols of every kind.
fn ends_any_word(c: char) -> bool {
    use unicode_properties::GeneralCategory as Category;
    if c.is_ascii_alphanumeric() {
        return false;
    }
    match c.general_category_group() {
        GeneralCategoryGroup::Separator | GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Symbol => true,
        _ => matches!(c.general_category(), Category::Control | Category::Format),
    }
}
