//! `Transliterate`: Latin, Greek and Cyrillic in ASCII letters.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

/// Letters, lower case first, that differ by culture: languages, letter, ASCII.
const BY_CULTURE: &[(&[&str], char, &str)] = &[
    (&["de"], 'ä', "ae"),
    (&["de", "da", "nb", "nn", "no"], 'ö', "oe"),
    (&["de"], 'ü', "ue"),
    (&["da", "nb", "nn", "no"], 'å', "aa"),
    (&["da", "nb", "nn", "no"], 'ä', "ae"),
    (&["uk"], 'г', "h"),
    (&["uk"], 'и', "y"),
    (&["uk"], 'й', "i"),
    (&["bg"], 'щ', "sht"),
    (&["bg"], 'ъ', "a"),
];

/// Letters that are no letter with a mark, and other alphabets (Cyrillic as in ICAO 9303-3, Greek as in ISO 843).
const LETTERS: &[(char, &str)] = &[
    ('ß', "ss"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('ø', "o"),
    ('đ', "d"),
    ('ð', "d"),
    ('þ', "th"),
    ('ħ', "h"),
    ('ı', "i"),
    ('ĸ', "k"),
    ('ł', "l"),
    ('ŋ', "n"),
    ('ŧ', "t"),
    ('ſ', "s"),
    ('ə', "a"),
    ('ƒ', "f"),
    ('ɨ', "i"),
    ('ƶ', "z"),
    ('ǥ', "g"),
    ('ɓ', "b"),
    ('ɗ', "d"),
    ('ƙ', "k"),
    ('ĳ', "ij"),
    ('ŀ', "l"),
    ('ŉ', "n"),
    ('α', "a"),
    ('β', "v"),
    ('γ', "g"),
    ('δ', "d"),
    ('ε', "e"),
    ('ζ', "z"),
    ('η', "i"),
    ('θ', "th"),
    ('ι', "i"),
    ('κ', "k"),
    ('λ', "l"),
    ('μ', "m"),
    ('ν', "n"),
    ('ξ', "x"),
    ('ο', "o"),
    ('π', "p"),
    ('ρ', "r"),
    ('σ', "s"),
    ('ς', "s"),
    ('τ', "t"),
    ('υ', "y"),
    ('φ', "f"),
    ('χ', "ch"),
    ('ψ', "ps"),
    ('ω', "o"),
    ('а', "a"),
    ('б', "b"),
    ('в', "v"),
    ('г', "g"),
    ('д', "d"),
    ('е', "e"),
    ('ж', "zh"),
    ('з', "z"),
    ('и', "i"),
    ('й', "i"),
    ('к', "k"),
    ('л', "l"),
    ('м', "m"),
    ('н', "n"),
    ('о', "o"),
    ('п', "p"),
    ('р', "r"),
    ('с', "s"),
    ('т', "t"),
    ('у', "u"),
    ('ф', "f"),
    ('х', "kh"),
    ('ц', "ts"),
    ('ч', "ch"),
    ('ш', "sh"),
    ('щ', "shch"),
    ('ъ', "ie"),
    ('ы', "y"),
    ('ь', ""),
    ('э', "e"),
    ('ю', "iu"),
    ('я', "ia"),
    ('ё', "e"),
    ('і', "i"),
    ('ї', "i"),
    ('є', "ie"),
    ('ґ', "g"),
    ('ў', "u"),
    ('ђ', "dj"),
    ('ј', "j"),
    ('љ', "lj"),
    ('њ', "nj"),
    ('ћ', "c"),
    ('џ', "dz"),
    ('ѓ', "g"),
    ('ќ', "k"),
    ('ѕ', "dz"),
    ('’', "'"),
    ('‘', "'"),
    ('“', "\""),
    ('”', "\""),
    ('–', "-"),
    ('—', "-"),
    ('\u{a0}', " "),
];

pub(super) fn run<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    if text.is_ascii() {
        return Ok(Value::Text(text));
    }
    let culture = a.text_or_empty(1)?.to_ascii_lowercase();
    a.built(transliterated(&text, culture.split('-').next().unwrap_or("")))
}

fn transliterated(text: &str, language: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Composed first, so that letters of a culture and of a table are recognised however they are spelled.
    let composed: Vec<char> = text.nfc().collect();
    for (at, c) in composed.iter().copied().enumerate() {
        let lower = c.to_lowercase().next().unwrap_or(c);
        let special =
            BY_CULTURE.iter().find(|(languages, letter, _)| *letter == lower && languages.contains(&language));
        let letters = special.map(|(_, _, letters)| *letters).or_else(|| known(lower));
        match letters {
            Some(letters) if c == lower => out.push_str(letters),
            Some(letters) => {
                let next_is_lower = composed.get(at + 1).is_some_and(|next| next.is_lowercase());
                push_upper(letters, next_is_lower, &mut out);
            }
            None => c.nfkd().filter(|part| !is_combining_mark(*part)).for_each(|part| push_plain(part, &mut out)),
        }
    }
    out
}

fn known(c: char) -> Option<&'static str> {
    LETTERS.iter().find(|(letter, _)| *letter == c).map(|(_, letters)| *letters)
}

/// `Zh` before a lower-case letter, else `ZH`.
fn push_upper(letters: &str, next_is_lower: bool, out: &mut String) {
    for (at, c) in letters.chars().enumerate() {
        out.push(if at == 0 || !next_is_lower { c.to_ascii_uppercase() } else { c });
    }
}

/// A letter without its marks, which may itself be in the table.
fn push_plain(c: char, out: &mut String) {
    let lower = c.to_lowercase().next().unwrap_or(c);
    match known(lower) {
        Some(letters) if c == lower => out.push_str(letters),
        Some(letters) => push_upper(letters, true, out),
        None => out.push(c),
    }
}
