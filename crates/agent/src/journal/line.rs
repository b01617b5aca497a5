//! Lines of the journal's file.

use super::Record;
use crate::Error;

/// Digits of the checksum, and the space behind them.
const HEAD_CHARS: usize = 9;

/// The bytes of some records.
pub(super) fn write(records: &[Record]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for record in records {
        let text = serde_json::to_vec(record).map_err(|source| Error::Json { what: "a journal record", source })?;
        bytes.extend_from_slice(format!("{:08x} ", crc32(&text)).as_bytes());
        bytes.extend_from_slice(&text);
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The records up to the first line that does not check, and the number of bytes they take.
pub(super) fn read(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut whole) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(record) = parse(line) else { break };
        records.push(record);
        whole += line.len();
    }
    (records, whole)
}

/// Whether a line that checks stands behind these first bytes.
pub(super) fn goes_on_after(bytes: &[u8], whole: usize) -> bool {
    let rest = bytes.get(whole..).unwrap_or_default();
    rest.split_inclusive(|byte| *byte == b'\n').any(|line| parse(line).is_some())
}

fn parse(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (head, text) = line.split_at_checked(HEAD_CHARS)?;
    let head = std::str::from_utf8(head).ok()?.strip_suffix(' ')?;
    if u32::from_str_radix(head, 16).ok()? != crc32(text) {
        return None;
    }
    serde_json::from_slice(text).ok()
}

/// CRC-32 as Ethernet and gzip have it (RFC 1952 8), a byte at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ REMAINDERS[usize::from(low ^ byte)]
    })
}

/// What each byte leaves (RFC 1952 8).
const REMAINDERS: [u32; 256] = {
    let (mut table, mut at) = ([0_u32; 256], 0);
    let mut start = 0_u32;
    while at < table.len() {
        let (mut crc, mut bit) = (start, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
        start += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
