use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { chars_max: 10_000, depth_max: 64 };

/// The tree in a short form: calls as `(Name a b)`, attributes as `[a]`, texts quoted, absent arguments as `_`.
fn short(node: &Node) -> String {
    match &node.kind {
        Kind::Call { name, arguments, .. } => {
            let inner: Vec<String> =
                arguments.iter().map(|it| it.node.as_ref().map_or_else(|| "_".to_owned(), short)).collect();
            format!("({} {})", name, inner.join(" "))
        }
        Kind::Attribute(name) => format!("[{name}]"),
        Kind::Text(text) => format!("{text:?}"),
        Kind::Number(text) => text.clone(),
        Kind::Keyword(keyword) => format!("{keyword:?}"),
        Kind::Compare { operator, left, right } => format!("({operator:?} {} {})", short(left), short(right)),
        Kind::Variable(name) => format!("${name}"),
        Kind::Concat(parts) => format!("(& {})", parts.iter().map(short).collect::<Vec<_>>().join(" ")),
    }
}

fn check(text: &str, expected: &str) {
    let found = match parse(text, LIMITS) {
        Ok(node) => short(&node),
        Err(error) => format!("{}..{}: {error}", error.at.start, error.at.end),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn trees() {
    check("Now()", "(Now )");
    check("Now( )", "(Now )");
    check("ToLower([x], )", "(ToLower [x] _)");
    check("Switch([x], , \"1\", \"a\")", "(Switch [x] _ \"1\" \"a\")");
    check("Replace(a(), , \"rx\", , \"b\", , )", "(Replace (a ) _ \"rx\" _ \"b\" _ _)");
    check("F([emails[type eq \"wo]rk\"].value])", "(F [emails[type eq \"wo]rk\"].value])");
    check("F([urn:contoso:1.0:User:JobCode])", "(F [urn:contoso:1.0:User:JobCode])");
    check(r#"F("a\"b\\c\+d")"#, r#"(F "a\"b\\c\\+d")"#);
    check("F(1, -2, 3.5, &HF, \"4\")", "(F 1 -2 3.5 15 \"4\")");
    check("IIF([a] <> \"x\", [b]>=1, \n [c])", "(IIF (NotEqual [a] \"x\") (GreaterOrEqual [b] 1) [c])");
    check("\"t-\" & [alias] & F()", "(& \"t-\" [alias] (F ))");
    check("InStr([a], \"b\", 1, vbTextCompare)", "(InStr [a] \"b\" 1 TextCompare)");
    check("F(\"Zoë 😀\")", "(F \"Zoë 😀\")");
}

#[test]
fn errors_say_where_what_and_what_instead() {
    check(
        "",
        "0..0: expected a function, an attribute in brackets or a text in double quotes at position 0, found the end",
    );
    check(
        "F(\"a",
        "2..4: expected '\"' that closes this text at position 2, found the end; a quote inside a text is written \\\"",
    );
    check("F([a", "2..4: expected ']' that closes this attribute name at position 2, found the end");
    check(
        "F(abc)",
        "2..5: expected a function, an attribute or a text at position 2, found 'abc'; a text stands in double quotes (\"abc\"), an attribute in brackets ([abc])",
    );
    check(
        "F(vbtextcompare)",
        "2..15: expected a function, an attribute or a text at position 2, found 'vbtextcompare'; did you mean vbTextCompare?",
    );
    let unclosed = "expected ',' or ')' at position 10, found the end; write ) behind the last argument of Join";
    check("Join(\"\", 1", &format!("10..10: {unclosed}"));
    check("Join(F(1),", &format!("10..10: {unclosed}"));
    check("F(1 2)", "4..5: expected ',' or ')' at position 4, found '2'; the arguments of F begin at 1");
    for (text, found, hint) in [
        ("F([a]=1 AND [b]=2)", "'AND'", "write And(condition, condition)"),
        ("F([a]=1 or [b]=2)", "'or'", "write Or(condition, condition)"),
        ("F([a] != 2)", "'!'", "different is written <>"),
        ("F([a] + 2)", "'+'", "texts are joined by & or Join"),
    ] {
        let error = parse(text, LIMITS).unwrap_err();
        assert_eq!((error.found.as_str(), error.hint.as_deref()), (found, Some(hint)), "{text}");
    }
    check("F(1))", "4..5: expected the end of the expression at position 4, found ')'");
    check(
        "[a] = 1",
        "4..5: expected the end at position 4, found '='; a comparison is a condition: write IIF(condition, value, value)",
    );
    check(
        "F('a')",
        "2..3: expected a value at position 2, found '''; a text stands in straight double quotes: \"...\"",
    );
    check("F([a] =)", "7..8: expected a value to compare with at position 7, found ')'");
}

#[test]
fn length_and_depth_are_bounded() {
    let nest = |levels: usize| format!("{}1{}", "F(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nest(64), LIMITS).is_ok());
    assert!(parse(&nest(65), LIMITS).unwrap_err().expected.contains("64 levels"));
    assert!(parse(&nest(4_000), LIMITS).is_err());
    assert!(parse(&format!("\"{}\"", "ü".repeat(9_999)), LIMITS).unwrap_err().expected.contains("10000"));
}

proptest! {
    #[test]
    fn survives_any_text(text in any::<String>()) {
        let _ = parse(&text, LIMITS);
        let _ = crate::attribute::parse(&text);
    }

    #[test]
    fn survives_text_of_its_own_alphabet(text in "[\\[\\](),\"&Ha0-9.\\\\<>= FIü-]{0,200}") {
        if let Err(error) = parse(&text, LIMITS) {
            prop_assert!(text.is_char_boundary(error.at.start) && text.is_char_boundary(error.at.end));
            prop_assert!(error.at.start <= error.at.end && error.at.end <= text.len());
        }
        let _ = crate::attribute::parse(&text);
        let _ = crate::attribute::parse(&format!("urn:{text}"));
    }
}
