//! CSV: a file of rows becomes user resources, or the list of everything that is wrong with it. Nothing is sent of a
//! file that has one bad row.

mod date;
mod decode;
mod mapping;
mod problem;
mod record;
mod rows;
mod target;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;
use encoding_rs::Encoding;
use rollcall_model::{fold, limits};

use crate::error::Error;
use crate::files;
use crate::upload::read::{self, Operation};
use mapping::Mapping;
use problem::{Place, Problems};
use rows::Table;

/// How a CSV file is read. Any of these says that the file is CSV; so does a name that ends in `.csv` or `.tsv`.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct CsvOptions {
    /// TOML file that says which column is which attribute (CSV only)
    #[arg(long, value_name = "MAP.toml")]
    pub mapping: Option<PathBuf>,
    /// Encoding of the CSV file, such as `utf-8` or `windows-1252`; found out where it is not given
    #[arg(long, value_name = "NAME", value_parser = parse_encoding)]
    pub encoding: Option<&'static Encoding>,
    /// Separator of the CSV file: one character, or `tab`; found out where it is not given
    #[arg(long, value_name = "CHARACTER", value_parser = parse_separator)]
    pub separator: Option<u8>,
}

impl CsvOptions {
    /// Whether the file is to be read as CSV.
    pub(crate) fn apply_to(&self, file: &Path) -> bool {
        let by_name = file.extension().and_then(|end| end.to_str());
        by_name.is_some_and(|end| ["csv", "tsv"].iter().any(|known| end.eq_ignore_ascii_case(known)))
            || self.mapping.is_some()
            || self.encoding.is_some()
            || self.separator.is_some()
    }
}

fn parse_encoding(text: &str) -> Result<&'static Encoding, String> {
    let hint = || format!("'{text}' is no encoding; try utf-8, utf-16le, windows-1252, iso-8859-15 or shift_jis");
    Encoding::for_label(text.trim().as_bytes()).ok_or_else(hint)
}

fn parse_separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [one] if one.is_ascii() && !matches!(*one, b'"' | b'\r' | b'\n' | 0) && !one.is_ascii_alphanumeric() => {
            Ok(*one)
        }
        _ if text.eq_ignore_ascii_case("tab") || text == "\\t" => Ok(b'\t'),
        _ => Err(format!("'{text}' is no separator; it is one ASCII character such as , ; | or the word tab")),
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) operations: Vec<Operation>,
    /// One line about how the file was understood.
    pub(crate) note: String,
}

/// Reads a file as the options and its mapping say.
pub(crate) fn operations(file: &Path, options: &CsvOptions) -> Result<Read, Error> {
    let mapping = options.mapping.as_deref().map(load_mapping).transpose()?;
    // One byte more shows that there is more.
    let bytes = files::read_start(file, limits::CSV_FILE_BYTES_MAX + 1)?;
    read(bytes, options, mapping).map_err(|message| Error::Content { path: file.to_owned(), message })
}

fn load_mapping(path: &Path) -> Result<Mapping, Error> {
    let fail = |message: String| Error::Content { path: path.to_owned(), message };
    let text =
        String::from_utf8(files::read(path)?).map_err(|_| fail("it is no UTF-8 text; save it as UTF-8".into()))?;
    Mapping::parse(&text).map_err(fail)
}

fn read(bytes: Vec<u8>, options: &CsvOptions, mapping: Option<Mapping>) -> Result<Read, String> {
    if bytes.len() > limits::CSV_FILE_BYTES_MAX {
        return Err(format!("it has more than {} bytes: send it in parts", limits::CSV_FILE_BYTES_MAX));
    }
    let encoding = options.encoding.or(mapping.as_ref().and_then(|mapping| mapping.encoding));
    let decoded = decode::text(&bytes, encoding)?;
    // As large as the text, which is all that is needed from here on.
    drop(bytes);
    let separator = options.separator.or(mapping.as_ref().and_then(|mapping| mapping.separator));
    let Some(mut table) = Table::open(&decoded.text, separator)? else {
        return Ok(Read { operations: Vec::new(), note: "it has no rows".to_owned() });
    };
    let mapping = match mapping {
        Some(mapping) => mapping,
        None => Mapping::of_header(&table.header)?,
    };
    let bound = mapping.bind(&table.header)?;
    let (mut operations, mut problems) = (Vec::new(), Problems::default());
    let mut first_row: HashMap<String, usize> = HashMap::new();
    while let Some(row) = table.next_row(&mut problems)? {
        let Some(made) = record::of_row(&row, &bound, &table.header, &mapping, &mut problems) else { continue };
        if let Some(earlier) = first_row.insert(fold(&made.external_id), row.number) {
            let place = Place::cell(row.number, bound.external_id_header(&table.header));
            let id = problem::shown(&made.external_id);
            problems.add(place, format!("externalId {id} is in row {earlier} already: send each person once"));
            continue;
        }
        let json = made.data.to_string();
        operations.push(read::user(&json, row.number, Some(made.external_id)).map_err(|cause| cause.to_string())?);
    }
    problems.into_result()?;
    let ignored = bound.ignored(&table.header);
    let unused = if ignored.is_empty() { String::new() } else { format!("; columns not used: {}", ignored.join(", ")) };
    let (count, name, separator) = (operations.len(), decoded.encoding.name(), rows::name_of(table.separator));
    Ok(Read { note: format!("{count} records, {name}, separator {separator}{unused}"), operations })
}

#[cfg(test)]
mod tests;
