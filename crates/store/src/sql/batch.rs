//! Batches as JSON texts, and the texts in them.

use serde::Serialize;
use uuid::Uuid;

use super::Arg;
use crate::Error;

/// A batch as the text that `(rows ...)` expands. Refuses one with NUL in a text: PostgreSQL cannot take it out of the
/// JSON again.
pub(crate) fn batch<T: Serialize>(rows: &[T]) -> Result<String, Error> {
    let text = serde_json::to_string(rows)
        .map_err(|error| Error::Unstorable(format!("a batch cannot be written as JSON: {error}")))?;
    if holds_nul(&text) {
        return Err(Error::Unstorable("a text holds the character NUL, which the store cannot hold".to_owned()));
    }
    Ok(text)
}

/// Whether a JSON text has an escaped NUL: `\u0000` behind an even number of backslashes.
fn holds_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        json.as_bytes().iter().take(at).rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
    })
}

/// Where a text stands in [`Longs`]: its first byte, counted from one, and its length in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Place(usize, usize);

/// The long texts of a batch, one after the other. They are bound beside its JSON: in it each would be escaped, parsed
/// and copied with its row for every column that is read.
#[derive(Debug, Default)]
pub(crate) struct Longs(Vec<u8>);

impl Longs {
    /// Appends a value as JSON.
    pub(crate) fn push<T: Serialize>(&mut self, value: &T) -> Result<Place, Error> {
        let at = self.0.len();
        serde_json::to_writer(&mut self.0, value)
            .map_err(|error| Error::Unstorable(format!("a value cannot be written as JSON: {error}")))?;
        Ok(Place(at + 1, self.0.len() - at))
    }
}

impl From<Longs> for Arg {
    fn from(longs: Longs) -> Self {
        Self::Blob(Some(longs.0))
    }
}

/// Four ids a row, as `(rows N, ids M: ...)` takes them out of `$M`.
pub(crate) fn id_rows(rows: impl Iterator<Item = [Uuid; 4]>) -> Vec<u8> {
    rows.flatten().flat_map(Uuid::into_bytes).collect()
}

/// One column of a list.
#[derive(Serialize)]
pub(crate) struct One<T> {
    pub(crate) v: T,
}

/// A list of ids for `(rows N: v blob)`.
pub(crate) fn ids(ids: impl IntoIterator<Item = Uuid>) -> Result<String, Error> {
    batch(&ids.into_iter().map(|id| One { v: hex(id) }).collect::<Vec<_>>())
}

/// A list of texts to look up for `(rows N: v text)`. One with NUL is stored nowhere and is left out.
pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    batch(&texts.into_iter().filter(|text| !text.contains('\0')).map(|v| One { v }).collect::<Vec<_>>())
}

/// Characters of a key that are stored: as many as any `externalId` can have, folded; engines limit what they index.
const KEY_CHARS_MAX: usize = 2 * rollcall_model::limits::EXTERNAL_ID_CHARS_MAX;

/// A text to be compared with keys, cut to where it can still be one. A longer one equals none either way.
pub(crate) fn key(folded: &str) -> String {
    shown(folded).chars().take(KEY_CHARS_MAX).collect()
}

/// The 16 bytes of an id as hex digits.
pub(crate) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A text of the directory's, shown and never compared: NUL becomes the replacement character, so that one name
/// cannot stop a batch.
pub(crate) fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_told_from_its_spelling() {
        fn check(text: &str, storable: bool) {
            assert_eq!(batch(&[One { v: text }]).is_ok(), storable, "{text:?}");
        }
        check("plain", true);
        check("a\0b", false);
        check("\\u0000", true);
        check("\\\0", false);
        check("\\\\u0000", true);
        check("{\"a\":\"\\u0000\"}", true);
    }
}
