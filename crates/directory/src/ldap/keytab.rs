//! Whose keys a keytab holds (MIT krb5's file format, version 5.2). The keys themselves are not looked at.

use std::io::{self, Read as _};
use std::path::Path;

/// The principals of a file, each once, as `name@REALM`.
pub(super) fn principals(path: &Path, bytes_max: usize) -> io::Result<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "the crate's one file that reads files; the caller names the path")]
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64).read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no keytab"))
}

fn parse(bytes: &[u8]) -> Option<Vec<String>> {
    let mut rest = bytes.strip_prefix(&[5, 2])?;
    let mut out: Vec<String> = Vec::new();
    while !rest.is_empty() {
        let size = i32::from_be_bytes(*rest.first_chunk()?);
        // A negative size is a hole of that many bytes.
        let length = usize::try_from(size.unsigned_abs()).ok()?;
        let entry = rest.get(4..4 + length)?;
        rest = &rest[4 + length..];
        if size > 0 {
            let principal = principal(entry)?;
            if !out.contains(&principal) {
                out.push(principal);
            }
        } else if size == 0 {
            break;
        }
    }
    Some(out)
}

fn principal(mut entry: &[u8]) -> Option<String> {
    let components = number(&mut entry)?;
    let realm = text(&mut entry)?;
    let names: Option<Vec<String>> = (0..components).map(|_| text(&mut entry)).collect();
    Some(format!("{}@{realm}", names?.join("/")))
}

fn number(entry: &mut &[u8]) -> Option<u16> {
    let (head, rest) = entry.split_first_chunk()?;
    *entry = rest;
    Some(u16::from_be_bytes(*head))
}

fn text(entry: &mut &[u8]) -> Option<String> {
    let length = usize::from(number(entry)?);
    let (head, rest) = entry.split_at_checked(length)?;
    *entry = rest;
    Some(String::from_utf8_lossy(head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(names: &[&str], realm: &str) -> Vec<u8> {
        let mut body = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
        for text in std::iter::once(&realm).chain(names) {
            body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            body.extend(text.as_bytes());
        }
        body.extend([0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 18, 0, 2, 7, 7]);
        let mut out = i32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        out.extend(body);
        out
    }

    #[test]
    fn principals_are_read() {
        let hole = [(-3_i32).to_be_bytes().as_slice(), &[1, 2, 3]].concat();
        let file = [
            vec![5, 2],
            entry(&["svc"], "CORP.TEST"),
            hole,
            entry(&["svc"], "CORP.TEST"),
            entry(&["host", "a.b"], "CORP.TEST"),
        ];
        assert_eq!(parse(&file.concat()).unwrap(), ["svc@CORP.TEST", "host/a.b@CORP.TEST"]);
        assert_eq!(parse(&[5, 2]).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_keytab_is_refused() {
        for bytes in [&b""[..], b"password", &[5, 1], &[5, 2, 0], &[5, 2, 0, 0, 0, 9, 1], &[5, 2, 0, 0, 0, 2, 0, 9]] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
