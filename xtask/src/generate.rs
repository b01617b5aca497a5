//! Files that are made from code and committed; `tidy` fails when one is stale.

mod expressions;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use rollcall_model::limits;

/// A generated file: where it stands, and what should be in it.
struct Generated {
    path: &'static str,
    text: fn() -> String,
}

const ALL: &[Generated] = &[
    Generated { path: "docs/guides/limits.md", text: limits_guide },
    Generated { path: "docs/errors/ldap-result-codes.md", text: rollcall_directory::errors::table_markdown },
    Generated { path: "docs/openapi.json", text: rollcall_service::openapi_document },
    Generated { path: "docs/config.schema.json", text: rollcall_service::config::Config::schema },
];

/// Path and text of every generated file.
fn all() -> Vec<(String, String)> {
    let mut files: Vec<_> = ALL.iter().map(|file| (file.path.to_owned(), (file.text)())).collect();
    files.extend(expressions::pages());
    files
}

/// Writes every generated file.
pub(crate) fn write_all(root: &Path) -> anyhow::Result<()> {
    for (name, text) in all() {
        let path = root.join(&name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| name.clone())?;
        println!("wrote {name}");
    }
    Ok(())
}

/// The generated files that are missing, stale or left over, with the remedy.
pub(crate) fn stale(root: &Path) -> Vec<String> {
    let all = all();
    let mut out: Vec<String> = all
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(root.join(name)).ok().as_deref() != Some(text))
        .map(|(name, _)| format!("{name}: stale or missing; run `cargo xtask generate`"))
        .collect();
    for entry in std::fs::read_dir(root.join(expressions::FOLDER)).into_iter().flatten().flatten() {
        let name = format!("{}/{}", expressions::FOLDER, entry.file_name().to_string_lossy());
        if !all.iter().any(|(known, _)| *known == name) {
            out.push(format!("{name}: there is no such function; remove the file"));
        }
    }
    out
}

fn limits_guide() -> String {
    let mut out = String::from(
        "# Limits\n\nEvery queue, body, depth, batch, retry and wait has a limit. This page is made from \
         `crates/model/src/limits.rs` by\n`cargo xtask generate`.\n\n| limit | value | unit | what it bounds |\n|---|---:|---|---|\n",
    );
    for (name, value, unit, meaning) in limits::ALL {
        let _ = writeln!(out, "| `{name}` | {} | {unit} | {} |", grouped(*value), meaning.trim());
    }
    out
}

/// Digits in groups of three.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, expected) in [(0, "0"), (64, "64"), (1_000, "1,000"), (4_194_304, "4,194,304")] {
            assert_eq!(grouped(value), expected);
        }
    }
}
