//! Bodies as the store keeps them: gzip (RFC 1952) of a JSON array of the operations' `data` members, in the order of
//! the request. Element `n` belongs to the operation of index `n`.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rollcall_model::limits;
use serde_json::Value;

/// Room for JSON that grows when it is written anew (escapes) beyond what a request may hold.
const UNPACKED_BYTES_MAX: u64 = 4 * limits::BODY_BYTES_MAX as u64;

/// A stored body that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the stored body is no gzip")]
    Compression(#[source] std::io::Error),
    #[error("the stored body is larger than {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the stored body is no JSON array")]
    Json(#[source] serde_json::Error),
}

/// Compresses the `data` members of a request, each as JSON.
#[must_use]
pub fn pack(data: &[String]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let json = format!("[{}]", data.join(","));
    // Writing into a vector cannot fail; should it, the body is empty and reading it back says so.
    let written = encoder.write_all(json.as_bytes());
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Reads back what [`pack`] made.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Value>, BodyError> {
    let mut json = Vec::new();
    let read = GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut json);
    let length = read.map_err(BodyError::Compression)?;
    if length as u64 > UNPACKED_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    serde_json::from_slice(&json).map_err(BodyError::Json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        for data in [vec![], vec![json!({"externalId":"1"}), json!({}), json!({"a":"\u{1F600}\"\\"})]] {
            let texts: Vec<String> = data.iter().map(Value::to_string).collect();
            assert_eq!(unpack(&pack(&texts)).unwrap(), data);
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let zeros = vec![b'0'; 1 << 20];
        for _ in 0..=UNPACKED_BYTES_MAX >> 20 {
            encoder.write_all(&zeros).unwrap();
        }
        assert!(matches!(unpack(&encoder.finish().unwrap()), Err(BodyError::TooLarge)));
    }

    proptest! {
        #[test]
        fn reading_survives_anything(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
        }
    }
}
