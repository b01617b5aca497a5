//! .NET's replacement patterns.

use rollcall_model::limits::EXPRESSION_BUILT_CHARS_MAX;

use super::{Groups, Pattern};

/// `${name}`, `$1`, `$&`, `$$`, `` $` ``, `$'`, `$+` and `$_`; anything else, unknown groups too, stands for itself.
pub(super) fn expand(template: &str, pattern: &Pattern, text: &str, groups: &Groups, out: &mut String) {
    let slice = |place: Option<(usize, usize)>| place.and_then(|(start, end)| text.get(start..end)).unwrap_or("");
    let group = |number: usize| slice(groups.get(number).copied().flatten());
    let whole = groups.first().copied().flatten().unwrap_or((0, 0));
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        // More than this is refused anyway; stop before memory does.
        if out.len() > EXPRESSION_BUILT_CHARS_MAX {
            return;
        }
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (value, taken) = match rest.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (slice(Some(whole)), 1),
            Some('`') => (slice(Some((0, whole.0))), 1),
            Some('\'') => (slice(Some((whole.1, text.len()))), 1),
            Some('+') => (group(groups.len().saturating_sub(1)), 1),
            Some('_') => (text, 1),
            Some('{') => match rest.find('}').map(|end| (end, pattern.group(&rest[1..end]))) {
                Some((end, Some(number))) => (group(number), end + 1),
                _ => ("$", 0),
            },
            Some('0'..='9') => {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                match pattern.group(&rest[..digits]) {
                    Some(number) => (group(number), digits),
                    None => ("$", 0),
                }
            }
            _ => ("$", 0),
        };
        out.push_str(value);
        rest = &rest[taken..];
    }
    out.push_str(rest);
}
