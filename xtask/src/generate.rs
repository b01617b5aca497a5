//! Files that are made from code and committed; `tidy` fails when one is stale.

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

/// Writes every generated file.
pub(crate) fn write_all(root: &Path) -> anyhow::Result<()> {
    for file in ALL {
        let path = root.join(file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, (file.text)()).with_context(|| file.path.to_owned())?;
        println!("wrote {}", file.path);
    }
    Ok(())
}

/// The generated files that are missing or stale, with the remedy.
pub(crate) fn stale(root: &Path) -> Vec<String> {
    ALL.iter()
        .filter(|file| std::fs::read_to_string(root.join(file.path)).ok().as_deref() != Some(&(file.text)()))
        .map(|file| format!("{}: stale or missing; run `cargo xtask generate`", file.path))
        .collect()
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
