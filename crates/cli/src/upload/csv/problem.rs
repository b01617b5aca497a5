//! What is wrong with a file: every finding with its row and column, the first of them shown.

use rollcall_model::limits;

/// Where something is wrong. Rows count as a spreadsheet shows them: from 1, the header being one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    row: usize,
    column: Option<String>,
}

impl Place {
    pub(crate) fn row(row: usize) -> Self {
        Self { row, column: None }
    }

    pub(crate) fn cell(row: usize, column: &str) -> Self {
        Self { row, column: Some(column.to_owned()) }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    shown: Vec<String>,
    count: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, place: Place, text: impl AsRef<str>) {
        self.count += 1;
        if self.shown.len() < limits::CSV_PROBLEMS_SHOWN_MAX {
            let column = place.column.map(|name| format!(", column {}", shown(&name))).unwrap_or_default();
            self.shown.push(format!("row {}{column}: {}", place.row, text.as_ref()));
        }
    }

    /// `Err` with all of them, where there are any.
    pub(crate) fn into_result(self) -> Result<(), String> {
        let shown = self.shown;
        match (self.count, shown.first()) {
            (0, _) | (_, None) => Ok(()),
            (1, Some(only)) => Err(format!("{only}. Nothing was sent")),
            (count, Some(_)) => {
                let more = count - shown.len();
                let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
                Err(format!("{count} problems, nothing was sent:\n  {}{more}", shown.join("\n  ")))
            }
        }
    }
}

/// A value as messages quote it: short, and on one line.
pub(crate) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("'{}'", short.replace(['\r', '\n'], " "))
}
