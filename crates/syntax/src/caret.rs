//! Drawing an error under the text it is about.

use std::fmt::Write as _;

use crate::Span;

/// Characters of a line that are shown; the part around the error is chosen.
const SHOWN_CHARS_MAX: usize = 100;
/// Characters that are kept before the error in a line that is cut.
const BEFORE_CHARS: usize = 40;

/// Message, the line of `text` that holds the start of `span`, marks under the stretch, and the hint. Lines are counted
/// where there are several; control characters are shown as blanks.
#[must_use]
pub fn render_caret(text: &str, span: Span, message: &str, hint: Option<&str>) -> String {
    let at = floor(text, span.start);
    let end = floor(text, span.end).max(at);
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let before = text[line_start..at].chars().count();
    let width = text[at..end.min(line_end)].chars().count().max(1);
    let line: Vec<char> = text[line_start..line_end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();

    let cut = if line.len() > SHOWN_CHARS_MAX { before.saturating_sub(BEFORE_CHARS) } else { 0 };
    let shown: String = line.iter().skip(cut).take(SHOWN_CHARS_MAX).collect();
    let (lead, tail) = (if cut > 0 { "..." } else { "" }, if line.len() > cut + SHOWN_CHARS_MAX { "..." } else { "" });
    let marks = width.min((SHOWN_CHARS_MAX + cut).saturating_sub(before)).max(1);

    let mut out = String::from(message);
    if text.contains('\n') {
        let number = text[..line_start].matches('\n').count() + 1;
        let _ = write!(out, " (line {number})");
    }
    let _ = write!(out, "\n  {lead}{}{tail}", shown.trim_end());
    let _ = write!(out, "\n  {}{}", " ".repeat(lead.len() + before - cut), "^".repeat(marks));
    if let Some(hint) = hint {
        let _ = write!(out, "\n  {hint}");
    }
    out
}

/// The nearest character border at or before a position.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, span: (usize, usize), hint: Option<&str>, expected: &str) {
        assert_eq!(render_caret(text, Span::new(span.0, span.1), "no", hint), expected, "{text}");
    }

    #[test]
    fn drawings() {
        check(
            "ToLowr([a])",
            (0, 6),
            Some("did you mean ToLower?"),
            "no\n  ToLowr([a])\n  ^^^^^^\n  did you mean ToLower?",
        );
        check("Left([a])", (9, 9), None, "no\n  Left([a])\n           ^");
        check("Ü(x)", (3, 4), None, "no\n  Ü(x)\n    ^");
        check("Join(\"\",\n  [a],\n  x)", (18, 19), None, "no (line 3)\n    x)\n    ^");
        check("Join(\n[a])", (0, 10), None, "no (line 1)\n  Join(\n  ^^^^^");
        check("", (0, 0), None, "no\n  \n  ^");
        check("a\tb", (2, 3), None, "no\n  a b\n    ^");
        let long = format!("{}!{}", "a".repeat(100), "b".repeat(100));
        let drawn = format!("no\n  ...{}!{}...\n  {}^", "a".repeat(40), "b".repeat(59), " ".repeat(43));
        check(&long, (100, 101), None, &drawn);
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_is_drawn(text in ".{0,300}", start in 0_usize..400, end in 0_usize..400) {
            prop_assert!(render_caret(&text, Span::new(start, end), "no", None).starts_with("no"));
        }
    }
}
