//! Text to rows: the separator found, quotes undone (RFC 4180), every row as long as the header.

use csv::{ByteRecord, Reader, ReaderBuilder};
use rollcall_model::limits;

use super::problem::{Place, Problems};

/// Separators that are looked for, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Rows that are looked at to find the separator.
const SAMPLE_ROWS: usize = 20;

/// A row that has as many cells as the header.
#[derive(Debug)]
pub(crate) struct Row {
    /// As a spreadsheet counts it: from 1, the header being one.
    pub(crate) number: usize,
    pub(crate) cells: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Table {
    /// Trimmed names.
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) separator: u8,
}

/// `None` where there is not even a header.
pub(crate) fn read(text: &str, given: Option<u8>, problems: &mut Problems) -> Result<Option<Table>, String> {
    // Spreadsheets write and obey a first line such as `sep=;`.
    let (hint, rest) = separator_line(text);
    let separator = given.or(hint).unwrap_or_else(|| likeliest(rest));
    let mut records = Records::new(text, rest, separator);
    let Some((_, header)) = records.next()? else { return Ok(None) };
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    check_header(&header)?;
    let mut rows = Vec::new();
    while let Some((number, cells)) = records.next()? {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if cells.len() != header.len() {
            let (found, wanted) = (cells.len(), header.len());
            let why = "a value that holds the separator needs quotes";
            problems.add(Place::row(number), format!("{found} fields where the header has {wanted}; {why}"));
            continue;
        }
        let row = Row { number, cells };
        if check_cells(&row, &header, problems) {
            rows.push(row);
        }
    }
    if records.last_quote_is_open() {
        return Err(format!("row {}: a quote is opened and never closed. Nothing was sent", records.number));
    }
    Ok(Some(Table { header, rows, separator }))
}

fn check_header(header: &[String]) -> Result<(), String> {
    if header.len() > limits::CSV_COLUMNS_MAX {
        let (found, max) = (header.len(), limits::CSV_COLUMNS_MAX);
        return Err(format!("the header has {found} columns; at most {max} are read: leave out what is not needed"));
    }
    if let Some(at) = header.iter().position(|name| name.chars().count() > limits::CSV_HEADER_CHARS_MAX) {
        let max = limits::CSV_HEADER_CHARS_MAX;
        return Err(format!(
            "the header's column {} has a name longer than {max} characters; is this a header?",
            at + 1
        ));
    }
    Ok(())
}

/// What no directory and no database would take, found before anything is sent.
fn check_cells(row: &Row, header: &[String], problems: &mut Problems) -> bool {
    let mut good = true;
    for (cell, name) in row.cells.iter().zip(header) {
        let fault = if cell.chars().nth(limits::CSV_CELL_CHARS_MAX).is_some() {
            let max = limits::CSV_CELL_CHARS_MAX;
            Some(format!("longer than {max} characters; is a quote not closed?"))
        } else if cell.contains('\0') {
            Some("it holds a NUL character (U+0000); remove it".to_owned())
        } else if cell.contains('\u{feff}') {
            Some("it holds a byte order mark (U+FEFF), as files have that were joined; remove it".to_owned())
        } else {
            None
        };
        if let Some(fault) = fault {
            problems.add(Place::cell(row.number, name), fault);
            good = false;
        }
    }
    good
}

/// The separator that a first line `sep=X` names, and what follows that line.
fn separator_line(text: &str) -> (Option<u8>, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let named = line.trim_end_matches('\r').strip_prefix("sep=").map(str::as_bytes);
    match named {
        Some([one]) if one.is_ascii() => (Some(*one), rest),
        _ => (None, text),
    }
}

/// The separator with which most of the first rows have as many cells as the header, and more than one.
fn likeliest(text: &str) -> u8 {
    let score = |separator: u8| {
        let mut records = Records::new(text, text, separator);
        let Ok(Some((_, header))) = records.next() else { return (0, 0) };
        let width = header.len();
        let mut alike = 0;
        for _ in 0..SAMPLE_ROWS {
            let Ok(Some((_, cells))) = records.next() else { break };
            alike += usize::from(cells.len() == width);
        }
        if width > 1 { (alike + 1, width) } else { (0, 0) }
    };
    // The first of equals: `max_by_key` would give the last.
    SEPARATORS.into_iter().rev().max_by_key(|separator| score(*separator)).unwrap_or(b',')
}

/// How a separator is told.
pub(crate) fn name_of(separator: u8) -> String {
    if separator == b'\t' { "tab".to_owned() } else { format!("'{}'", char::from(separator)) }
}

/// The number of the row that the end of a text stands in.
pub(crate) fn count_to_end(text: &str) -> usize {
    // One more character: after a line break the next row has begun.
    let text = format!("{text}.");
    let mut records = Records::new(&text, &text, b',');
    while let Ok(Some(_)) = records.next() {}
    records.number
}

/// Records with their numbers. Blank lines count, as a spreadsheet counts them, though they are no records.
struct Records<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    separator: u8,
    record: ByteRecord,
    /// Of the record read last.
    number: usize,
    /// Where that record begins in `text`.
    start: usize,
}

impl<'a> Records<'a> {
    /// `text` is the end of `whole`; the lines before it count.
    fn new(whole: &str, text: &'a str, separator: u8) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(separator);
        let number = usize::from(whole.len() > text.len());
        Self {
            reader: builder.from_reader(text.as_bytes()),
            text,
            separator,
            record: ByteRecord::new(),
            number,
            start: 0,
        }
    }

    fn next(&mut self) -> Result<Option<(usize, Vec<String>)>, String> {
        let mut start = usize::try_from(self.reader.position().byte()).unwrap_or(0);
        // The reader may stop between the two characters of a line's end.
        if self.number > 0 && start > 0 && self.text[..start].ends_with('\r') && self.text[start..].starts_with('\n') {
            start += 1;
        }
        if !self.reader.read_byte_record(&mut self.record).map_err(|cause| cause.to_string())? {
            return Ok(None);
        }
        let blank = blank_lines(&self.text[start..]);
        self.start = start + blank.bytes;
        self.number += blank.lines + 1;
        let cells = self.record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        Ok(Some((self.number, cells)))
    }

    /// Whether the text ends inside quotes: the reader takes the end of the file for the closing one.
    fn last_quote_is_open(&self) -> bool {
        let (mut open, mut at_start) = (false, true);
        let mut bytes = self.text.as_bytes()[self.start..].iter().peekable();
        while let Some(byte) = bytes.next() {
            match (*byte, open) {
                (b'"', true) if bytes.peek() == Some(&&b'"') => _ = bytes.next(),
                (b'"', true) => open = false,
                (b'"', false) if at_start => open = true,
                _ => {}
            }
            at_start = !open && (*byte == self.separator || matches!(*byte, b'\r' | b'\n'));
        }
        open
    }
}

struct Blank {
    bytes: usize,
    lines: usize,
}

/// The line breaks that a text begins with.
fn blank_lines(text: &str) -> Blank {
    let mut blank = Blank { bytes: 0, lines: 0 };
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next_if(|byte| matches!(byte, b'\r' | b'\n')) {
        blank.bytes += 1;
        blank.lines += 1;
        if byte == b'\r' && bytes.next_if_eq(&b'\n').is_some() {
            blank.bytes += 1;
        }
    }
    blank
}
