//! The structure of a request, row by row. The leniency matrix as a whole is walked over HTTP, in the service.

use proptest::prelude::*;

use super::*;

fn request(operations: &str) -> String {
    format!(r#"{{"schemas":["{BULK_REQUEST}"],"Operations":[{operations}]}}"#)
}

fn one(data: &str) -> String {
    request(&format!(r#"{{"method":"POST","bulkId":"b","path":"/Users","data":{data}}}"#))
}

/// `Err` holds the target and a word of the message.
fn check(body: &str, expected: Result<usize, (Option<&str>, &str)>) {
    match (parse(body.as_bytes()), expected) {
        (Ok(operations), Ok(count)) => assert_eq!(operations.len(), count, "{body}"),
        (Err(error), Err((target, word))) => {
            assert_eq!(error.target.as_deref(), target, "{body}: {error}");
            assert!(error.message.contains(word), "{body}: {error}");
        }
        (found, expected) => panic!("{body}: {found:?} instead of {expected:?}"),
    }
}

/// semantics: broken-record
#[test]
fn a_broken_envelope_refuses_the_whole_request() {
    let good = r#"{"method":"POST","path":"/Users","data":{"externalId":"1"}}"#;
    check(&request(good), Ok(1));
    check(&request(&[good; 50].join(",")), Ok(50));
    check(&request(&[good; 51].join(",")), Err((Some("/Operations"), "at most 50")));
    check(&request(""), Err((Some("/Operations"), "empty")));
    check(r#"{"name":"John Doe"}"#, Err((Some("/schemas"), "BulkRequest")));
    check("[]", Err((None, "no JSON object")));
    check("", Err((None, "no JSON")));
    check(&format!("{}{}", request(good), request(good)), Err((None, "second JSON document")));
    check(&request(good).replace("]}", "],}"), Err((None, "no JSON")));
    for (bad, target, word) in [
        ("7", "/Operations/1", "object"),
        (r#"{"path":"/Users","data":{}}"#, "/Operations/1/method", "missing"),
        (r#"{"method":"PATCH","path":"/Users","data":{}}"#, "/Operations/1/method", "PATCH"),
        (r#"{"method":"POST","data":{}}"#, "/Operations/1/path", "/Users"),
        (r#"{"method":"POST","path":"/Groups","data":{}}"#, "/Operations/1/path", "/Users"),
        (r#"{"method":"POST","path":"/Users"}"#, "/Operations/1/data", "missing"),
        (r#"{"method":"POST","path":"/Users","data":[]}"#, "/Operations/1/data", "object"),
        (r#"{"method":"POST","path":"/Users","data":{"schemas":"x"}}"#, "/Operations/1/data/schemas", "array"),
    ] {
        check(&request(&format!("{good},{bad}")), Err((Some(target), word)));
    }
}

/// semantics: broken-record
#[test]
fn content_is_not_judged_here() {
    for data in ["{}", r#"{"externalId":7}"#, r#"{"externalId":"","active":"perhaps"}"#, r#"{"externalId":"a\u0000b"}"#]
    {
        let operations = parse(one(data).as_bytes()).unwrap();
        assert_eq!(operations[0].external_id, None, "{data}");
    }
}

#[test]
fn hostile_json_is_refused_with_its_place() {
    let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    check(&one(&deep(limits::JSON_DEPTH_MAX - 4)), Ok(1));
    check(&one(&deep(limits::JSON_DEPTH_MAX - 3)), Err((None, "JSON_DEPTH_MAX")));
    check(&one(&deep(100_000)), Err((None, "JSON_DEPTH_MAX")));
    for lone in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#] {
        check(&one(&format!(r#"{{"title":{lone}}}"#)), Err((None, "surrogate")));
    }
    check(&one(r#"{"title":"[[[[{{{{\"[["}"#), Ok(1));
}

#[test]
fn passwords_are_dropped_wherever_they_stand() {
    let data = r#"{"externalId":"1","password":"x","PassWord":"y","urn:a:User":{"password":"z","keep":1},
        "urn:ietf:params:scim:schemas:core:2.0:User:password":"w","list":[{"password":"v"}]}"#;
    let operations = parse(one(data).as_bytes()).unwrap();
    let text = operations[0].data.to_string();
    assert!(!text.to_lowercase().contains("password"), "{text}");
    assert!(text.contains("keep"));
}

#[test]
fn urgent_is_what_takes_access_away() {
    for (data, urgent) in [
        (r#"{"active":false}"#, true),
        (r#"{"Active":"FALSE"}"#, true),
        (r#"{"active":true}"#, false),
        (r#"{"active":null}"#, false),
        ("{}", false),
    ] {
        assert_eq!(parse(one(data).as_bytes()).unwrap()[0].urgent, urgent, "{data}");
    }
    let delete = request(r#"{"method":"DELETE","path":"/Users","data":{"externalId":"1"}}"#);
    assert!(parse(delete.as_bytes()).unwrap()[0].urgent);
}

#[test]
fn encodings() {
    let text = one(r#"{"externalId":"Zoë"}"#);
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
    for body in [
        text.clone().into_bytes(),
        marked(&[0xEF, 0xBB, 0xBF], text.as_bytes()),
        marked(&[0xFF, 0xFE], &le),
        marked(&[0xFE, 0xFF], &be),
        le.clone(),
        be,
        serde_json::to_vec(&text).unwrap(),
    ] {
        assert_eq!(parse(&body).unwrap()[0].external_id.as_deref(), Some("Zoë"));
    }
    assert!(parse(&marked(&[0xFF, 0xFE], &le[..le.len() - 1])).unwrap_err().message.contains("UTF-16"));
    assert!(parse(b"{\"a\":\"\xff\"}").unwrap_err().message.contains("byte 6"));
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&body);
    }

    #[test]
    fn any_value_comes_through_as_it_was(value in any::<String>()) {
        let data = serde_json::json!({ "externalId": "1", "title": value });
        let operations = parse(one(&data.to_string()).as_bytes()).unwrap();
        prop_assert_eq!(&operations[0].data, &data);
    }
}
