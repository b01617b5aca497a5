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

/// A header, and the rows below it, one at a time: a file may be large.
pub(crate) struct Table<'a> {
    /// Trimmed names.
    pub(crate) header: Vec<String>,
    pub(crate) separator: u8,
    records: Records<'a>,
}

impl<'a> Table<'a> {
    /// `None` where there is not even a header.
    pub(crate) fn open(text: &'a str, given: Option<u8>) -> Result<Option<Self>, String> {
        // Spreadsheets write and obey a first line such as `sep=;`.
        let (hint, rest) = separator_line(text);
        let separator = given.or(hint).unwrap_or_else(|| likeliest(rest));
        let mut records = Records::new(text, rest, separator);
        let Some((number, header)) = records.next()? else { return Ok(None) };
        if records.quotes()? == Quotes::Amid {
            return Err(format!("row {number}: {QUOTE_AMID}"));
        }
        let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        check_header(&header)?;
        Ok(Some(Self { header, separator, records }))
    }

    /// The next row that can be used; what is wrong with those that cannot is added.
    pub(crate) fn next_row(&mut self, problems: &mut Problems) -> Result<Option<Row>, String> {
        while let Some((number, cells)) = self.records.next()? {
            if self.records.quotes()? == Quotes::Amid {
                problems.add(Place::row(number), QUOTE_AMID);
                continue;
            }
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if cells.len() != self.header.len() {
                let (found, wanted) = (cells.len(), self.header.len());
                let why = "a value that holds the separator needs quotes";
                problems.add(Place::row(number), format!("{found} fields where the header has {wanted}; {why}"));
                continue;
            }
            let row = Row { number, cells };
            if check_cells(&row, &self.header, problems) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
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

    /// How the quotes of the record read last stand. The reader is lenient: it takes text behind a closing quote for a
    /// part of the value, and the end of the file for a closing quote. Either may have swallowed the row below.
    fn quotes(&self) -> Result<Quotes, String> {
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(self.text.len());
        let ends_field = |byte: &u8| *byte == self.separator || matches!(*byte, b'\r' | b'\n');
        let is_blank = |byte: &u8| matches!(*byte, b' ' | b'\t') && !ends_field(byte);
        let (mut open, mut at_start) = (false, true);
        let mut bytes = self.text.as_bytes().get(self.start..end).unwrap_or_default().iter();
        while let Some(byte) = bytes.next() {
            match (*byte, open) {
                (b'"', true) if bytes.as_slice().first() == Some(&b'"') => _ = bytes.next(),
                (b'"', true) if bytes.clone().find(|byte| !is_blank(byte)).is_none_or(ends_field) => open = false,
                (b'"', true) => return Ok(Quotes::Amid),
                (b'"', false) if at_start => open = true,
                _ => {}
            }
            at_start = !open && ends_field(byte);
        }
        if open {
            return Err(format!("row {}: a quote is opened and never closed. Nothing was sent", self.number));
        }
        Ok(Quotes::Paired)
    }
}

/// How the quotes of a record stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    Paired,
    /// Behind a closing quote the value goes on.
    Amid,
}

const QUOTE_AMID: &str = "a quote ends a value, and more of it follows; a quote inside a value is written twice, and one \
                          that is opened is closed";

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
