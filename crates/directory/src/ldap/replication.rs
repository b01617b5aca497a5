//! How far one controller has what another wrote.

use rollcall_model::ids::ObjectGuid;

/// Version, and what was reserved, before the body; the number of cursors, and what was reserved, before those.
const HEAD_BYTES: usize = 16;

/// The number that a replUpToDateVector (MS-DRSR 5.165, UPTODATE_VECTOR_V1_EXT and V2_EXT) holds for the controller
/// with an invocationId.
pub(super) fn number_of(vector: &[u8], invocation_id: &str) -> Option<i64> {
    let wanted: ObjectGuid = invocation_id.parse().ok()?;
    // Version 2 adds the time of the last success to each cursor.
    let cursor_bytes = match u32::from_le_bytes(vector.get(..4)?.try_into().ok()?) {
        1 => 24,
        2 => 32,
        _ => return None,
    };
    let cursors = u32::from_le_bytes(vector.get(8..12)?.try_into().ok()?);
    let mut held = vector.get(HEAD_BYTES..)?.chunks_exact(cursor_bytes).take(usize::try_from(cursors).ok()?);
    let own = held.find(|cursor| cursor.starts_with(&wanted.to_ldap()))?;
    Some(i64::from_le_bytes(own.get(16..24)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    /// As a delegated account read it from the second of two controllers (Samba 4.22.6), while `highestCommittedUSN` of
    /// the first was 4222.
    #[test]
    fn a_recorded_vector_is_read() {
        let recorded = "{base64}AgAAAAAAAAABAAAAAAAAADKRBRhjU6xFhZLNrzQu5DF+EAAAAAAAAACAPtXesZ0B";
        let bytes = decode::binary(recorded).unwrap();
        assert_eq!(number_of(&bytes, "18059132-5363-45ac-8592-cdaf342ee431"), Some(4_222));
    }

    #[test]
    fn the_right_cursor_is_read_and_broken_vectors_are_none() {
        let ids = ["00112233-4455-6677-8899-aabbccddeeff", "10112233-4455-6677-8899-aabbccddeeff"];
        let vector = |version: u32, count: u32| {
            let mut bytes = [version, 0, count, 0].map(u32::to_le_bytes).concat();
            for (id, number) in ids.iter().zip([4_711_i64, 815]) {
                bytes.extend(id.parse::<ObjectGuid>().unwrap().to_ldap());
                bytes.extend(number.to_le_bytes());
                bytes.extend(vec![7; if version == 2 { 8 } else { 0 }]);
            }
            bytes
        };
        for version in [1, 2] {
            assert_eq!(number_of(&vector(version, 2), ids[0]), Some(4_711));
            assert_eq!(number_of(&vector(version, 2), ids[1]), Some(815));
            assert_eq!(number_of(&vector(version, 1), ids[1]), None);
            assert_eq!(number_of(&vector(version, 2)[..60], ids[1]), None);
        }
        for (bytes, id) in [(vector(3, 2), ids[0]), (vec![], ids[0]), (vector(2, 2), "CN=NTDS Settings")] {
            assert_eq!(number_of(&bytes, id), None);
        }
    }
}
