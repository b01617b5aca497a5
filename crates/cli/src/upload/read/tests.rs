use super::*;

/// externalId and method of each operation, or the error.
fn check(input: &str, expected: &[(&str, &str)]) {
    let read = parse(input.as_bytes()).unwrap_or_else(|message| panic!("{input}: {message}"));
    let seen: Vec<_> = read
        .iter()
        .map(|it| {
            let json: Value = serde_json::from_str(it.json.get()).unwrap_or(Value::Null);
            (it.external_id.clone().unwrap_or("-".to_owned()), json["method"].as_str().unwrap_or("?").to_owned())
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|(id, method)| ((*id).to_owned(), (*method).to_owned())).collect();
    assert_eq!(seen, expected, "{input}");
}

#[test]
fn every_form_of_file() {
    let user = r#"{"externalId":"E-1","title":"Buyer"}"#;
    let operation = r#"{"method":"DELETE","bulkId":"x","path":"/Users","data":{"externalId":"E-2"}}"#;
    check("", &[]);
    check(" \n", &[]);
    check("[]", &[]);
    check(user, &[("E-1", "POST")]);
    check(&format!("[{user},{user}]"), &[("E-1", "POST"), ("E-1", "POST")]);
    check(&format!("{user}\n{user}\n"), &[("E-1", "POST"), ("E-1", "POST")]);
    check(&format!("{user}\r\n{operation}"), &[("E-1", "POST"), ("E-2", "DELETE")]);
    check(&format!("[{operation}]"), &[("E-2", "DELETE")]);
    check(&format!(r#"{{"schemas":[],"Operations":[{operation}],"failOnErrors":null}}"#), &[("E-2", "DELETE")]);
    check(&format!(r#"{{"operations":[{operation}]}}"#), &[("E-2", "DELETE")]);
    check(&format!("\u{feff}{user}"), &[("E-1", "POST")]);
    check(r#"{"EXTERNALID":"E-3"}"#, &[("E-3", "POST")]);
    check(r#"{"externalId":17}"#, &[("17", "POST")]);
    check(r#"{"externalId":null}"#, &[("-", "POST")]);
    check(r#"{"title":"nobody"}"#, &[("-", "POST")]);
    // A lone surrogate is for the service to judge.
    check(r#"{"externalId":"E-4","title":"\ud800"}"#, &[("-", "?")]);
}

#[test]
fn what_cannot_be_read_says_where() {
    let check = |input: &[u8], expected: &str| {
        let message = parse(input).unwrap_err();
        assert!(message.contains(expected), "{message}");
    };
    check(b"{\"a\":", "line 1 column 5");
    check(b"{}\n{oops}", "line 2");
    check(b"[1]", "element 1 is no object");
    check(b"[{},\"x\"]", "element 2 is no object");
    check(b"\xff\xfe{", "not UTF-8 text from byte 0");
}

#[test]
fn operations_go_out_word_for_word() {
    let text = r#"{"method":"POST","bulkId":"1","path":"/Users","data":{"externalId":"E","n":1.10,"n":2,"big":123456789012345678901234567890}}"#;
    assert_eq!(parse(format!("[{text}]").as_bytes()).unwrap()[0].json.get(), text);
    let user = r#"{"externalId" : "E", "n":1.10}"#;
    let sent = parse(user.as_bytes()).unwrap()[0].json.get().to_owned();
    assert_eq!(sent, format!(r#"{{"method":"POST","bulkId":"1","path":"/Users","data":{user}}}"#));
}
