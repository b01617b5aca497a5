//! `NormalizeDiacritics`: the documented table (engine-and-agent 1.2), exactly.

use std::collections::HashMap;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

/// Output in lower case, and what becomes it; a combining mark stands behind its letter.
const TABLE: &[(&str, &str)] = &[
    ("a", "ä à â ã å á ą ă ā ǟ ǡ ā\u{301} ā\u{300} ā\u{302} ā\u{303} ā\u{308} a\u{331} å\u{304}"),
    ("ae", "æ ǣ"),
    ("c", "ç č ć c\u{304} c\u{331}"),
    ("d", "ď ḏ d\u{304}"),
    ("e", "ë è é ê ę ě ė ē ḗ ḕ ē\u{302} ē\u{303} ê\u{304} ë\u{304} e\u{30a}\u{304} e\u{331}"),
    ("g", "ğ ḡ g\u{331}"),
    ("i", "ï î ì í ı ī ī\u{301} ī\u{300} ī\u{302} ī\u{303} i\u{331}"),
    ("l", "ľ ł ḹ ḻ l\u{304}"),
    ("n", "ñ ń ň ṉ n\u{304}"),
    ("o", "ö ò ő õ ô ó ō ṓ ṑ ȫ ǭ ȭ ȱ ō\u{302} ō\u{303} ō\u{308} o\u{331}"),
    ("oe", "ø ø\u{304} œ\u{304}"),
    ("r", "ř ṟ ṝ r\u{304}"),
    ("ss", "ß"),
    ("s", "š ś ș ş s\u{304} s\u{331}"),
    ("t", "ť ț ṯ t\u{304}"),
    ("u", "ü ù û ú ů ű ū ǖ ṻ ū\u{301} ū\u{300} ū\u{302} ū\u{303} u\u{307}\u{304} ṳ\u{304} u\u{331}"),
    ("y", "ÿ ý ȳ ȳ\u{301} ȳ\u{300} ȳ\u{303} y\u{331}"),
    ("z", "ź ž ż ẕ z\u{304}"),
];

/// Upper-case forms that the lower-case table does not lead to, and those that are not in the documented one.
const ONLY_UPPER: (&str, &str) = ("I", "İ");
const NO_UPPER: [&str; 2] = ["ı", "ß"];
/// Letters with marks after them that one entry has at most.
const MARKS_MAX: usize = 3;

/// From a canonically decomposed spelling to what becomes of it.
fn table() -> &'static HashMap<String, String> {
    static READY: OnceLock<HashMap<String, String>> = OnceLock::new();
    READY.get_or_init(|| {
        let mut ready = HashMap::new();
        for (out, forms) in TABLE {
            for form in forms.split(' ') {
                ready.insert(form.nfd().collect(), (*out).to_owned());
                if !NO_UPPER.contains(&form) {
                    ready.insert(form.to_uppercase().nfd().collect(), out.to_uppercase());
                }
            }
        }
        ready.insert(ONLY_UPPER.1.nfd().collect(), ONLY_UPPER.0.to_owned());
        ready
    })
}

pub(super) fn normalize<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    match a.text(0)? {
        None => Ok(Value::Null),
        Some(text) if text.is_ascii() => Ok(Value::Text(text)),
        Some(text) => a.built(normalized(&text)),
    }
}

/// Letters in whatever spelling, the longest entry first; all else as it is.
fn normalized(text: &str) -> String {
    let table = table();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let marks = rest.chars().skip(1).take(MARKS_MAX).take_while(|c| is_combining_mark(*c)).count();
        let fits = (0..=marks).rev().find_map(|count| {
            let end = rest.char_indices().nth(count + 1).map_or(rest.len(), |(at, _)| at);
            let spelled: String = rest[..end].nfd().collect();
            table.get(&spelled).map(|letters| (end, letters))
        });
        if let Some((end, letters)) = fits {
            out.push_str(letters);
            rest = &rest[end..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry of the table, composed and decomposed, in both cases.
    #[test]
    fn the_whole_table() {
        for (out, forms) in TABLE {
            for form in forms.split(' ') {
                let decomposed: String = form.nfd().collect();
                for spelled in [form, &decomposed] {
                    assert_eq!(normalized(spelled), *out, "{spelled:?}");
                    if !NO_UPPER.contains(&form) {
                        assert_eq!(normalized(&spelled.to_uppercase()), out.to_uppercase(), "{spelled:?}");
                    }
                }
            }
        }
        assert_eq!(normalized("İ"), "I");
    }

    #[test]
    fn what_is_not_in_it_stays_as_it_is_spelled() {
        for text in ["ķļņģŗįųĺŕŭũĕĉĝđðþœţ", "ķ", "u\u{303}", "\u{304}", "Ελλάς", "Привет", "ﬁ"]
        {
            assert_eq!(normalized(text), text);
        }
    }
}
