//! Bytes to text. The encoding is the one given, else the byte order mark's, else UTF-8 where the bytes are UTF-8,
//! else the best guess for what they look like. Bytes that do not fit are an error, never a replacement character.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::rows;

/// A file's text.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// Without a byte order mark at its beginning.
    pub(crate) text: String,
    pub(crate) encoding: &'static Encoding,
}

pub(crate) fn text(bytes: &[u8], given: Option<&'static Encoding>) -> Result<Decoded, String> {
    let encoding = match given {
        Some(encoding) => encoding,
        None => detect(bytes)?,
    };
    let is_utf_16 = |encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        // The label `utf-16` means the little-endian one: which of the two it is, the mark knows better.
        Some((mark, length)) if mark == encoding || (is_utf_16(mark) && is_utf_16(encoding)) => {
            (mark, bytes.get(length..).unwrap_or_default())
        }
        _ => (encoding, bytes),
    };
    let text = decode(bytes, encoding)?;
    Ok(Decoded { text, encoding })
}

fn decode(bytes: &[u8], encoding: &'static Encoding) -> Result<String, String> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len());
    let mut text = String::with_capacity(room);
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty => Ok(text),
        DecoderResult::Malformed(..) | DecoderResult::OutputFull => Err(broken(&text, encoding)),
    }
}

/// `before` is what could be read.
fn broken(before: &str, encoding: &'static Encoding) -> String {
    let name = encoding.name();
    format!(
        "row {}: a byte there is no {name} text. Save the file as UTF-8, or name its encoding with --encoding. \
         Nothing was sent",
        rows::count_to_end(before)
    )
}

fn detect(bytes: &[u8]) -> Result<&'static Encoding, String> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Ok(encoding);
    }
    if let Some(encoding) = utf_16_without_mark(bytes) {
        return Ok(encoding);
    }
    let runs = Runs::of(bytes);
    if runs.broken == 0 {
        return Ok(UTF_8);
    }
    // Letters of other encodings hardly ever form UTF-8: a file that has more such letters than broken places is
    // UTF-8 with damage, and must not be read as something else.
    if runs.letters > runs.broken {
        let before = String::from_utf8_lossy(bytes.get(..runs.first_broken).unwrap_or_default());
        return Err(broken(&before, UTF_8));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    Ok(detector.guess(None, Utf8Detection::Deny))
}

/// Text of Western scripts in UTF-16 has a zero in nearly every other byte.
fn utf_16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = bytes.get(..4_096).unwrap_or(bytes);
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    if half > 0 && even == 0 && odd * 2 > half {
        Some(UTF_16LE)
    } else if half > 0 && odd == 0 && even * 2 > half {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Bytes seen as UTF-8.
#[derive(Debug, Default)]
struct Runs {
    /// Letters outside ASCII.
    letters: usize,
    broken: usize,
    /// Where the first broken place is.
    first_broken: usize,
}

impl Runs {
    fn of(bytes: &[u8]) -> Self {
        let mut runs = Self::default();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            at += chunk.valid().len();
            runs.letters += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
            if !chunk.invalid().is_empty() {
                if runs.broken == 0 {
                    runs.first_broken = at;
                }
                runs.broken += 1;
                at += chunk.invalid().len();
            }
        }
        runs
    }
}
