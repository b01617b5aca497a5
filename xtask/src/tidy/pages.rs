//! Pages that must go with code: one for each error code, and one test at least for each touched row of the semantics.

use std::collections::BTreeSet;
use std::path::Path;

use rollcall_model::{Code, Refusal};

use super::files::Tree;

/// Codes of records and of refused requests without a page, pages without a code, pages that lack the code's own words.
pub(super) fn error_pages(root: &Path) -> Vec<String> {
    let folder = root.join("docs/errors");
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".md").map(str::to_owned))
        // Pages about all of them.
        .filter(|name| !matches!(name.as_str(), "README" | "ldap-result-codes"))
        .collect();
    let mut out = unpaired(&found);
    for name in codes().intersection(&found) {
        let text = std::fs::read_to_string(folder.join(format!("{name}.md"))).unwrap_or_default();
        if !text.starts_with(&format!("# {name}\n")) {
            out.push(format!("docs/errors/{name}.md does not begin with `# {name}`"));
        }
    }
    out
}

/// The codes that want a page.
fn codes() -> BTreeSet<String> {
    let refusals = Refusal::ALL.iter().map(ToString::to_string);
    Code::ALL.iter().map(ToString::to_string).chain(refusals).collect()
}

/// Codes without a page, and pages without a code.
fn unpaired(found: &BTreeSet<String>) -> Vec<String> {
    let wanted = codes();
    let missing = wanted.difference(found).map(|name| format!("docs/errors/{name}.md is missing"));
    missing
        .chain(found.difference(&wanted).map(|name| format!("docs/errors/{name}.md is the page of no code")))
        .collect()
}

/// A row of `docs/semantics.md`.
#[derive(Debug, PartialEq)]
struct Row {
    id: String,
    touched: bool,
}

/// Touched rows that no test names, and names in tests that are no row.
pub(super) fn semantics(root: &Path, tree: &Tree) -> Vec<String> {
    let text = std::fs::read_to_string(root.join("docs/semantics.md")).unwrap_or_default();
    let rows = match rows(&text) {
        Ok(rows) => rows,
        Err(complaint) => return vec![complaint],
    };
    let named: BTreeSet<String> = tree
        .rust()
        .filter(|file| file.is_test() || file.text.contains("#[test]") || file.text.contains("#[tokio::test"))
        .flat_map(|file| named_in(&file.text))
        .collect();
    let mut out: Vec<String> = rows
        .iter()
        .filter(|row| row.touched && !named.contains(&row.id))
        .map(|row| format!("docs/semantics.md: no test names `{}`", mark(&row.id)))
        .collect();
    let unknown = named.iter().filter(|id| rows.iter().all(|row| row.id != **id));
    out.extend(unknown.map(|id| format!("a test names `{}`, which is no row of docs/semantics.md", mark(id))));
    out
}

/// How a test names a row. Put together here, so that this file names none.
fn mark(id: &str) -> String {
    format!("{}: {id}", "semantics")
}

/// The ids that a file names.
fn named_in(text: &str) -> Vec<String> {
    let mark = mark("");
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    text.split(mark.as_str())
        .skip(1)
        .map(|rest| rest.split(|c| !is_part(c)).next().unwrap_or("").trim_end_matches('-').to_owned())
        .filter(|id| !id.is_empty())
        .collect()
}

/// Parses the table `| id | question | answer | touched |`.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let lines = text.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut out: Vec<Row> = Vec::new();
    for line in lines {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        // A bar that belongs to the text is escaped.
        let cells: Vec<String> =
            inner.replace("\\|", "\u{1}").split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        let [id, _, _, touched] = cells.as_slice() else {
            return Err(format!("docs/semantics.md: a row with {} cells, not 4: {line:.40}", cells.len()));
        };
        let touched = match touched.as_str() {
            "yes" => true,
            "no" => false,
            other => return Err(format!("docs/semantics.md: {id}: touched is yes or no, not '{other}'")),
        };
        if out.iter().any(|row| row.id == *id) {
            return Err(format!("docs/semantics.md: two rows with the id {id}"));
        }
        out.push(Row { id: id.clone(), touched });
    }
    if out.is_empty() { Err("docs/semantics.md has no table".to_owned()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let head = "# S\n\n| id | question | answer | touched |\n|---|---|---|---|\n";
        let check = |body: &str, expected: Result<Vec<(&str, bool)>, &str>| {
            let found = rows(&format!("{head}{body}"));
            let expected = expected
                .map(|rows| rows.iter().map(|(id, touched)| Row { id: (*id).to_owned(), touched: *touched }).collect())
                .map_err(str::to_owned);
            assert_eq!(found, expected);
        };
        check("| a | q \\| r | x | yes |\n| b | q | x | no |\n", Ok(vec![("a", true), ("b", false)]));
        check("| a | q | x | yes |\n| a | q | x | no |\n", Err("docs/semantics.md: two rows with the id a"));
        check("| a | q | x | maybe |\n", Err("docs/semantics.md: a: touched is yes or no, not 'maybe'"));
        check("", Err("docs/semantics.md has no table"));
    }

    #[test]
    fn every_code_has_its_page() {
        assert_eq!(unpaired(&codes()), [""; 0]);
        for code in [Code::ContainerNotFound.to_string(), Refusal::RequestDenied.to_string()] {
            let mut found = codes();
            assert!(found.remove(&code), "{code} wants a page");
            assert_eq!(unpaired(&found), [format!("docs/errors/{code}.md is missing")]);
        }
        let mut found = codes();
        found.insert("NoSuchCode".to_owned());
        assert_eq!(unpaired(&found), ["docs/errors/NoSuchCode.md is the page of no code"]);
    }

    #[test]
    fn names_in_tests() {
        let text = format!("// {}\nfn x() {{}} // {}, and more", mark("null-empty"), mark("merge"));
        assert_eq!(named_in(&text), ["null-empty", "merge"]);
    }
}
