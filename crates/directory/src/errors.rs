//! From result code and diagnostic text to a stable code and the attribute at fault (semantics `ldap-errors`).
//!
//! Servers agree on neither: a name that is taken is 68 with 00000524 at Microsoft's and 68 with 00002071 at Samba. So
//! the [table](ROWS) is read from the top, each row asks for a result code, a hex code, a text or any of them, and the
//! first row that fits decides. Nothing is retried on doubt: 53 and 80 are permanent but where a row says otherwise.

mod attribute;
mod table;

pub use table::{ROWS, Row, Server, table_markdown};

use rollcall_model::Code;

/// What was asked when the directory refused: one result code may mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Bind,
    Search,
    Add,
    Modify,
    Rename,
    Delete,
}

/// Where a row takes the attribute at fault from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Nothing,
    /// Always this one.
    Attribute(&'static str),
    /// The one that the diagnostic text names.
    Diagnostic,
}

/// The code for a refusal, and the attribute it is about where that is known.
#[must_use]
pub fn code(request: Request, result_code: u32, diagnostic: &str) -> (Code, Option<String>) {
    let row = row(request, result_code, diagnostic);
    let attribute = match row.blame {
        Blame::Nothing => None,
        Blame::Attribute(name) => Some(name.to_owned()),
        Blame::Diagnostic => attribute::named_in(diagnostic),
    };
    (row.code, attribute)
}

/// The row that decides; the last one fits everything.
pub(crate) fn row(request: Request, result_code: u32, diagnostic: &str) -> &'static Row {
    let (hex, text) = (hex_code(diagnostic), diagnostic.to_lowercase());
    ROWS.iter().find(|row| row.fits(request, result_code, hex, &text)).unwrap_or(&table::OTHERWISE)
}

/// The Win32 code that both servers put before the first colon, as eight hex digits (`00002071: samldb: ...`).
fn hex_code(diagnostic: &str) -> Option<u32> {
    let (digits, _) = diagnostic.trim_start().split_once(':')?;
    (digits.len() == 8).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests;
