//! Which attribute a diagnostic text names.

/// How Samba's texts begin, lower-cased and without the hex code, and what follows the name. Only beginnings count:
/// values and DNs, which anybody may have written, come later.
const PATTERNS: &[(&str, &str)] = &[
    ("objectclass_attrs: attribute '", "'"),
    ("objectclass_attrs: delete protected attribute '", "'"),
    ("acl_modify: attribute '", "'"),
    ("single-value attribute ", " "),
    ("modify of rdn '", "'"),
    ("modify of '", "'"),
    ("setup_last_set_field: old ", " "),
    ("setup_last_set_field: ", " "),
    ("samldb: '", "'"),
    ("samldb: ", " "),
    ("element '", "'"),
    ("element ", " "),
    ("attribute '", "'"),
    ("attribute ", " "),
];

/// The attribute's name as the server spells it; `None` where the text names none.
pub(super) fn named_in(diagnostic: &str) -> Option<String> {
    microsoft(diagnostic).or_else(|| samba(diagnostic)).filter(|name| is_name(name)).map(str::to_owned)
}

/// `problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att c (title):len 130`: the number is hex.
fn microsoft(diagnostic: &str) -> Option<&str> {
    let (_, rest) = diagnostic.split_once(", Att ")?;
    let (number, rest) = rest.split_once(" (")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| rest.split_once(')')).flatten().map(|(name, _)| name)
}

fn samba(diagnostic: &str) -> Option<&str> {
    let text = match diagnostic.split_once(": ") {
        Some((hex, rest)) if hex.len() == 8 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => rest,
        _ => diagnostic,
    };
    // ASCII folding keeps every byte where it was, so that a length found here fits the text itself.
    let folded = text.to_ascii_lowercase();
    PATTERNS.iter().find_map(|(before, after)| {
        let rest = folded.starts_with(before).then(|| text.get(before.len()..)).flatten()?;
        let name = rest.split_once(after)?.0;
        is_name(name).then_some(name)
    })
}

/// An attribute name (RFC 4512 1.4), which no sentence's next word should be mistaken for: those are ruled out by name.
fn is_name(text: &str) -> bool {
    const WORDS: &[&str] = &["value", "values", "or", "on", "is", "not", "the", "at"];
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}
