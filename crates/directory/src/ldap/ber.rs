//! The two messages of a SASL bind (RFC 4511 4.2), read without recursion: whoever answers is not known yet.

/// What is used of a BindResponse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BindAnswer {
    pub(super) result_code: u32,
    pub(super) diagnostic: String,
    pub(super) credentials: Option<Vec<u8>>,
}

/// BindRequest of LDAP version 3 with an empty name.
pub(super) fn bind_request(id: u8, mechanism: &str, credentials: Option<&[u8]>) -> Vec<u8> {
    let credentials = credentials.map_or_else(Vec::new, |credentials| element(0x04, &[credentials]));
    let sasl = element(0xA3, &[&element(0x04, &[mechanism.as_bytes()]), &credentials]);
    let bind = element(0x60, &[&[0x02, 1, 3], &[0x04, 0], &sasl]);
    element(0x30, &[&[0x02, 1, id], &bind])
}

/// The BindResponse at the start of `bytes`; `None` where it has not arrived whole.
pub(super) fn bind_answer(bytes: &[u8], id: u8) -> Result<Option<BindAnswer>, &'static str> {
    const BROKEN: &str = "it is no BindResponse";
    let Some((tag, mut message, rest)) = split(bytes)? else { return Ok(None) };
    if tag != 0x30 || !rest.is_empty() {
        return Err(BROKEN);
    }
    if take(&mut message, 0x02)? != [id] {
        return Err("it answers another request");
    }
    let mut body = take(&mut message, 0x61)?;
    let result_code = take(&mut body, 0x0A)?.iter().fold(0_u32, |code, byte| (code << 8) | u32::from(*byte));
    take(&mut body, 0x04)?;
    let diagnostic = String::from_utf8_lossy(take(&mut body, 0x04)?).into_owned();
    let mut credentials = None;
    while !body.is_empty() {
        let (tag, content, rest) = split(body)?.ok_or(BROKEN)?;
        if tag == 0x87 {
            credentials = Some(content.to_vec());
        }
        body = rest;
    }
    Ok(Some(BindAnswer { result_code, diagnostic, credentials }))
}

/// The content of the next element, which must have this tag.
fn take<'a>(bytes: &mut &'a [u8], expected: u8) -> Result<&'a [u8], &'static str> {
    match split(bytes)? {
        Some((tag, content, rest)) if tag == expected => {
            *bytes = rest;
            Ok(content)
        }
        _ => Err("an element is missing"),
    }
}

type Element<'a> = (u8, &'a [u8], &'a [u8]);

/// Tag, content and what follows; `None` where bytes are missing.
fn split(bytes: &[u8]) -> Result<Option<Element<'_>>, &'static str> {
    let Some((&[tag, first], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        if count == 0 || count > 4 {
            return Err("a length is malformed");
        }
        let Some((digits, rest)) = rest.split_at_checked(count) else { return Ok(None) };
        (digits.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
    };
    Ok(rest.split_at_checked(length).map(|(content, rest)| (tag, content, rest)))
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    if content.len() < 0x80 {
        out.push(content.len().to_le_bytes()[0]);
    } else {
        let digits = content.len().to_be_bytes();
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        out.push(0x80 | digits.len().to_le_bytes()[0]);
        out.extend_from_slice(digits);
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let expected = b"\x30\x17\x02\x01\x02\x60\x12\x02\x01\x03\x04\x00\xA3\x0B\x04\x06GSSAPI\x04\x01x";
        assert_eq!(bind_request(2, "GSSAPI", Some(b"x")), expected);
        let long = bind_request(1, "GSSAPI", Some(&[1; 300]));
        assert_eq!(&long[..4], [0x30, 0x82, 1, 72]);
        assert_eq!(long.len(), 4 + 256 + 72);
    }

    #[test]
    fn answers() {
        let answer = |id: u8, code: u8, more: &[u8]| {
            let body = element(0x61, &[&[0x0A, 1, code], &[0x04, 0], &element(0x04, &[b"said"]), more]);
            element(0x30, &[&[0x02, 1, id], &body])
        };
        let whole = answer(1, 14, &element(0x87, &[&[9; 200]]));
        let found = bind_answer(&whole, 1).unwrap().unwrap();
        let expected = BindAnswer { result_code: 14, diagnostic: "said".to_owned(), credentials: Some(vec![9; 200]) };
        assert_eq!(found, expected);
        for cut in 0..whole.len() {
            assert_eq!(bind_answer(&whole[..cut], 1), Ok(None), "{cut}");
        }
        assert_eq!(bind_answer(&answer(1, 49, &[]), 1).unwrap().unwrap().credentials, None);
        for broken in
            [answer(2, 0, &[]), [whole.clone(), vec![0]].concat(), b"HTTP/1.1 400 ".to_vec(), vec![0x30, 0x80, 0]]
        {
            assert!(bind_answer(&broken, 1).is_err() || bind_answer(&broken, 1) == Ok(None), "{broken:?}");
        }
        assert!(bind_answer(&answer(2, 0, &[]), 1).is_err());
        assert!(bind_answer(&[0x30, 0x03, 0x02, 0x01, 0x01], 1).is_err());
    }
}
