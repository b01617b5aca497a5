//! All output: data on stdout, progress and errors on stderr.

use std::io::{IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use rollcall_wire::graph::ErrorDetail;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::settings::Environment;

/// What data looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// One JSON document on stdout; errors as one on stderr; no progress.
    Json,
}

/// One of the two streams.
#[derive(Clone)]
pub struct Stream {
    sink: Arc<Mutex<dyn Write + Send>>,
    is_terminal: bool,
}

impl Stream {
    /// The process's standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self { sink: Arc::new(Mutex::new(std::io::stdout())), is_terminal: std::io::stdout().is_terminal() }
    }

    /// The process's standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self { sink: Arc::new(Mutex::new(std::io::stderr())), is_terminal: std::io::stderr().is_terminal() }
    }

    /// Anything else; never a terminal.
    pub fn to(sink: Arc<Mutex<dyn Write + Send>>) -> Self {
        Self { sink, is_terminal: false }
    }

    fn lock(&self) -> MutexGuard<'_, dyn Write + Send + 'static> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes everything that a command says.
#[derive(Clone)]
pub struct Printer {
    out: Stream,
    err: Stream,
    format: Format,
    colour: bool,
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

impl Printer {
    /// Colours only on a terminal, and not where `NO_COLOR` is set (no-color.org) or the terminal is dumb.
    #[must_use]
    pub fn new(out: Stream, err: Stream, format: Format, environment: &Environment) -> Self {
        let refused = environment.text("NO_COLOR").is_some() || environment.text("TERM").as_deref() == Some("dumb");
        let colour = out.is_terminal && !refused;
        Self { out, err, format, colour }
    }

    /// What data looks like here.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether a moving progress bar makes sense.
    #[must_use]
    pub fn shows_bars(&self) -> bool {
        self.format == Format::Text && self.err.is_terminal
    }

    /// A result: `data` as JSON, or else what `text` makes of it.
    pub fn data<T: Serialize>(&self, data: &T, text: impl FnOnce(&T) -> String) -> Result<(), Error> {
        let line = match self.format {
            Format::Json => serde_json::to_string(data).map_err(|cause| Error::Output(std::io::Error::other(cause)))?,
            Format::Text => text(data),
        };
        let mut out = self.out.lock();
        out.write_all(line.as_bytes())?;
        if !line.is_empty() && !line.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    /// A remark on stderr; none with `--json`.
    pub fn note(&self, text: &str) {
        if self.format == Format::Text {
            self.say(&visible(text));
        }
    }

    /// Something to look at, on stderr, with `--json` too.
    pub fn warning(&self, text: &str) {
        match self.format {
            Format::Text => self.say(&format!("warning: {}", visible(text))),
            Format::Json => self.say(&json!({ "warning": text }).to_string()),
        }
    }

    /// Why a command failed, and what to do about it.
    pub fn error(&self, error: &Error) {
        if matches!(error, Error::Output(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe) {
            return;
        }
        let remedy = error.remedy();
        if self.format == Format::Json {
            let request_id = match error {
                Error::Refused(refusal) => refusal.request_id.as_deref(),
                _ => None,
            };
            let mut body = json!({ "code": error.code(), "message": error.to_string(), "remedy": remedy, "requestId": request_id });
            if let Error::Refused(refusal) = error
                && !refusal.details.is_empty()
            {
                body["details"] = json!(refusal.details);
            }
            return self.say(&json!({ "error": body }).to_string());
        }
        match error {
            // Each with its place; the message says them all once more.
            Error::Refused(refusal) if refusal.details.iter().any(|detail| detail.hint.is_some()) => {
                self.say(&format!("error: {} (HTTP {}, {})", refusal.code, refusal.status, refusal.request));
                refusal.details.iter().for_each(|detail| self.detail(detail));
            }
            _ => self.say(&format!("error: {}", visible(&error.to_string()))),
        }
        if let Error::Refused(refusal) = error
            && let Some(id) = &refusal.request_id
        {
            self.say(&format!("       request id {}", visible(id)));
        }
        if let Some(remedy) = remedy {
            self.say(&format!("       {}", visible(&remedy)));
        }
    }

    /// One place at fault: where it is, and the line with marks under it, or what is wrong and what to write.
    fn detail(&self, detail: &ErrorDetail) {
        self.say(&format!("  {}", visible(&detail.target)));
        let text = match (&detail.drawing, &detail.hint) {
            (Some(drawing), _) => drawing.clone(),
            (None, Some(hint)) => format!("{}\n  {hint}", detail.message),
            (None, None) => detail.message.clone(),
        };
        for line in visible(&text).lines() {
            self.say(&format!("    {line}"));
        }
    }

    fn say(&self, line: &str) {
        let mut err = self.err.lock();
        // Nobody is left to be told that stderr is gone.
        let _ = writeln!(err, "{line}");
    }

    /// A table with these column names. On a terminal it is fitted to the width.
    pub(crate) fn table(&self, columns: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.out.is_terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(columns.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
    }
}

/// A cell whose text cannot move the cursor or the colours of the terminal.
pub(crate) fn cell(text: &str, tone: Tone) -> Cell {
    let cell = Cell::new(visible(text));
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Warning => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
    }
}

/// Rows of plain text under these column names.
pub(crate) fn plain_table(printer: &Printer, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = printer.table(columns);
    for row in rows {
        table.add_row(row.iter().map(|text| cell(text, Tone::Plain)));
    }
    finished(&table)
}

/// A table's text without blanks at the ends of its lines.
pub(crate) fn finished(table: &Table) -> String {
    table.trim_fmt()
}

/// One line a member: `name  value`, members of members with dots. For answers that are shown as they come.
pub(crate) fn members(value: &Value) -> String {
    let mut rows = Vec::new();
    collect("", value, &mut rows);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        rows.iter().map(|(name, text)| format!("{name:width$}  {text}").trim_end().to_owned()).collect();
    lines.join("\n")
}

fn collect(prefix: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let path = |name: &str| if prefix.is_empty() { visible(name) } else { format!("{prefix}.{}", visible(name)) };
    match value {
        Value::Object(inner) => {
            for (name, value) in inner.iter().filter(|(name, _)| !name.starts_with("@odata")) {
                collect(&path(name), value, rows);
            }
        }
        Value::Array(inner) if inner.iter().any(Value::is_object) => {
            for (at, value) in inner.iter().enumerate() {
                collect(&path(&at.to_string()), value, rows);
            }
        }
        Value::Array(inner) => {
            rows.push((prefix.to_owned(), inner.iter().map(plain).collect::<Vec<_>>().join(", ")));
        }
        other => rows.push((prefix.to_owned(), plain(other))),
    }
}

/// A JSON value as a reader wants it: text without quotes, `-` where there is none.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => visible(text),
        other => other.to_string(),
    }
}

/// Text with its control and direction-changing characters spelled out: names come from outside, and a terminal obeys
/// what it is sent.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    let spell = |c: char| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(spell).collect()
}

#[cfg(test)]
mod tests;
