//! The reference of the expression language: a page for each function, made from the table that the evaluator uses.

use std::fmt::Write as _;

use rollcall_engine::expression::vectors::{self, Example, Outcome};
use rollcall_engine::expression::{Family, FunctionInfo, functions};

/// Where the pages stand.
pub(super) const FOLDER: &str = "docs/expressions";

const MADE: &str =
    "Made by `cargo xtask generate` from the table of functions in `crates/engine/src/expression`; do not edit.\n";

/// Families in the order of the index, with their headings.
const FAMILIES: &[(Family, &str)] = &[
    (Family::Logic, "Conditions and choices"),
    (Family::Text, "Texts"),
    (Family::Numbers, "Numbers"),
    (Family::Dates, "Dates"),
    (Family::Lists, "Lists"),
    (Family::Conversion, "Conversions"),
    (Family::Directory, "The directory"),
    (Family::Random, "Random values"),
    (Family::Unique, "Unique values"),
    (Family::Outbound, "Known and refused"),
];

/// Path and text of each page.
pub(super) fn pages() -> Vec<(String, String)> {
    let mut pages = vec![(format!("{FOLDER}/README.md"), index())];
    pages.extend(functions().map(|function| (format!("{FOLDER}/{}.md", function.name), page(function))));
    pages
}

fn index() -> String {
    let mut out = format!(
        "# Mapping expressions\n\n{MADE}\n\
         An expression computes the value of a mapping from the attributes of a person: \
         `Join(\" \", [name.givenName], [name.familyName])`.\n\n\
         - An attribute stands in brackets under its full name: `[userName]`, `[emails[type eq \"work\"].value]`,\n  \
         `[urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department]`.\n\
         - A text stands in double quotes. A backslash stands before a quote and before a backslash; before anything else\n  \
         it is itself.\n\
         - A number is written as it is, `20`, `-1`, `0.5`, or in hexadecimal, `&H202`; a text of digits is as good.\n\
         - A function has its arguments in parentheses. An empty argument is left out: `Switch([x], , \"1\", \"a\")`.\n\
         - Comparisons, in conditions: `=`, `<>`, `<`, `<=`, `>`, `>=`. `&` joins texts.\n\
         - An attribute with several values where one is meant fails the record: take one, as with `Item([otherPhones], 1)`.\n\
         - `IgnoreAttributeFlow` as a result leaves the attribute as it is, `IgnoreObjectFlow` the whole object.\n\
         - Names of functions are written exactly; names of attributes in any case.\n\n\
         Try one with `rollcall expr test`. The examples are tested; their clock is at {}, their default domain is\n`{}`.\n",
        vectors::NOW,
        vectors::DEFAULT_DOMAIN
    );
    for (family, heading) in FAMILIES {
        let _ = write!(out, "\n## {heading}\n\n| function | what it yields |\n|---|---|\n");
        let mut of_family: Vec<_> = functions().filter(|function| function.family == *family).collect();
        of_family.sort_by_key(|function| function.name);
        for function in of_family {
            let _ = writeln!(out, "| [{0}]({0}.md) | {1} |", function.name, cell(function.purpose));
        }
    }
    out.push_str("\n## Together\n\n");
    examples(vectors::composite().iter(), &mut out);
    out
}

fn page(function: &FunctionInfo) -> String {
    let mut out = format!("# {}\n\n{}\n\n```\n{}\n```\n", function.name, function.purpose, function.signature());
    if !function.parameters.is_empty() {
        out.push_str("\n| parameter | takes | |\n|---|---|---|\n");
        for parameter in function.parameters {
            let how = match (parameter.repeats, parameter.required) {
                (true, _) => "may be given several times",
                (false, true) => "",
                (false, false) => "may be left out",
            };
            let _ = writeln!(out, "| `{}` | {} | {how} |", parameter.name, parameter.kind.describe());
        }
    }
    let _ = write!(out, "\nIt takes {} and yields {}.\n", function.arity(), function.returns.describe());
    if let Some(why) = function.refusal() {
        let _ = write!(out, "\nA mapping with it cannot be saved: {why}.\n");
    }
    for note in function.notes {
        let _ = write!(out, "\n- {note}");
    }
    if !function.notes.is_empty() {
        out.push('\n');
    }
    out.push_str("\n## Examples\n\n");
    examples(function.examples(), &mut out);
    let _ = write!(out, "\n{MADE}");
    out
}

fn examples<'a>(examples: impl Iterator<Item = &'a Example>, out: &mut String) {
    out.push_str("| expression | on | result |\n|---|---|---|\n");
    for example in examples {
        let mut on = if example.input == "{}" { String::new() } else { code(example.input) };
        if !example.taken.is_empty() {
            let taken: Vec<String> = example.taken.iter().map(|value| code(value)).collect();
            let _ = write!(on, "{}taken: {}", if on.is_empty() { "" } else { "; " }, taken.join(", "));
        }
        let result = match example.result {
            Outcome::Is(value) => code(value),
            Outcome::Redacted(value) => format!("{}; logs show `[Redact]`", code(value)),
            Outcome::Matches(pattern) => format!("matches {}", code(pattern)),
            Outcome::Ignored => "the attribute is left as it is".to_owned(),
            Outcome::Fails(why) => format!("error: {}", cell(why)),
        };
        let _ = writeln!(out, "| {} | {on} | {result} |", code(example.expression));
    }
}

/// Text as code in a cell: its bars escaped, its backquotes fenced.
fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", cell(text))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_page_with_examples() {
        let pages = pages();
        for function in functions() {
            let path = format!("{FOLDER}/{}.md", function.name);
            let (_, text) = pages.iter().find(|(known, _)| *known == path).expect(function.name);
            assert!(text.contains("## Examples\n\n| expression"), "{path}");
            assert!(!function.purpose.is_empty() && function.purpose.ends_with('.'), "{path}");
            assert!(FAMILIES.iter().any(|(family, _)| *family == function.family), "{path}");
            assert!(text.contains(&format!("| `{}", function.name)) || text.contains("| `"), "{path}");
        }
    }

    #[test]
    fn cells_keep_their_bars() {
        for (text, expected) in [("a|b", "`a\\|b`"), ("a`b", "``a`b``"), ("a\nb", "`a\\nb`")] {
            assert_eq!(code(text), expected);
        }
    }
}
