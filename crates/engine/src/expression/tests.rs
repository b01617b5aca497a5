//! The examples of every function, what cannot be saved, and what no input may do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rollcall_model::fold;
use serde_json::json;

use super::vectors::{self, Example, Outcome};
use super::*;

/// A value as JSON.
fn json_of(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Flag(flag) => json!(flag),
        Value::Number(number) => json!(number),
        Value::Decimal(decimal) => json!(decimal),
        Value::List(values) => json!(values),
        other => json!(other.text()),
    }
}

fn context<'a>(record: &'a Map<String, Json>, taken: &'a dyn Fn(&str) -> bool) -> Context<'a> {
    Context { record, now: Timestamp(vectors::NOW_US), default_domain: vectors::DEFAULT_DOMAIN, seed: [7; 32], taken }
}

/// What an expression yields: JSON, `ignored`, `error: ...`, or `unusable 3..5: ...; hint`.
fn run(expression: &str, record: &Json, taken: &[&str]) -> String {
    let record = record_of(record.as_object().unwrap_or(&Map::new()));
    let compiled = match compile(expression) {
        Err(unusable) => {
            let hint = unusable.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            return format!("unusable {}..{}: {}{hint}", unusable.at.start, unusable.at.end, unusable.message);
        }
        Ok(compiled) => compiled,
    };
    let taken = |value: &str| taken.iter().any(|other| fold(other) == fold(value));
    match compiled.evaluate(&context(&record, &taken)) {
        Err(fault) => format!("error: {}", fault.text),
        Ok(Evaluated { value: Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow, .. }) => "ignored".to_owned(),
        Ok(evaluated) if evaluated.is_redacted => format!("redacted {}", json_of(&evaluated.value)),
        Ok(evaluated) => json_of(&evaluated.value).to_string(),
    }
}

fn check_example(example: &Example) -> Result<(), String> {
    let input: Json = serde_json::from_str(example.input).map_err(|error| format!("{}: {error}", example.input))?;
    let found = run(example.expression, &input, example.taken);
    let plain =
        |json: &str| serde_json::from_str::<Json>(json).map_or_else(|error| error.to_string(), |it| it.to_string());
    let holds = match example.result {
        Outcome::Is(json) => found == plain(json),
        Outcome::Redacted(json) => found == format!("redacted {}", plain(json)),
        Outcome::Ignored => found == "ignored",
        Outcome::Fails(part) => (found.starts_with("error") || found.starts_with("unusable")) && found.contains(part),
        Outcome::Matches(pattern) => regex::Regex::new(pattern).unwrap().is_match(found.trim_matches('"')),
    };
    if holds {
        Ok(())
    } else {
        Err(format!("{} on {}: {found}, not {:?}", example.expression, example.input, example.result))
    }
}

#[test]
fn vectors() {
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for function in functions() {
        let examples: Vec<_> = function.examples().collect();
        wrong.extend(examples.iter().filter_map(|example| check_example(example).err()));
        counts.insert(function.name, examples.len());
    }
    for (name, count) in &counts {
        println!("{name}: {count}");
    }
    let composite = vectors::composite();
    wrong.extend(composite.iter().filter_map(|example| check_example(example).err()));
    println!("(composite): {}", composite.len());
    println!("{} functions, {} vectors", counts.len(), counts.values().sum::<usize>() + composite.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let without: Vec<_> = counts.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    assert!(without.is_empty(), "functions without a vector: {without:?}");
    assert_eq!(vectors::names().filter(|name| !counts.contains_key(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// What is refused when a mapping is saved: the part that is wrong, the reason, the remedy.
fn refused(expression: &str, part: &str, message: &str, hint: &str) {
    let unusable = compile(expression).map(|_| ()).expect_err(expression);
    let found = expression.get(unusable.at.start..unusable.at.end).unwrap_or("no part of it");
    assert_eq!((found, unusable.message.as_str()), (part, message), "{expression}");
    let given = unusable.hint.unwrap_or_default();
    assert!(given.contains(hint) && given.is_empty() == hint.is_empty(), "{expression}: {given}");
}

#[test]
fn names_and_numbers_of_arguments_are_checked() {
    refused("Repalce([a])", "Repalce", "there is no function Repalce", "did you mean Replace?");
    refused("Append(lower([a]), \"x\")", "lower", "there is no function lower", "did you mean ToLower?");
    refused("join(\"\", [a])", "join", "there is no function join", "did you mean Join?");
    refused("Left([a])", "Left([a])", "Left takes exactly 2 arguments, not 1", "write Left(string, numChars)");
    refused("Now([a])", "[a]", "Now takes no arguments, not 1", "write Now()");
    refused("CStr()", "CStr()", "CStr takes exactly 1 argument, not 0", "CStr(value)");
    refused("ToLower([a], \"x\", [b])", "[b]", "ToLower takes 1 to 2 arguments, not 3", "ToLower(source, culture)");
    let even = "Switch takes an even number of arguments, at least 4, not 3";
    refused("Switch([a], \"b\", \"c\")", "Switch([a], \"b\", \"c\")", even, "key1, value1, ...");
    refused(
        "ToLower([emails[type])",
        "[emails[type])",
        "expected ']' that closes this attribute name, found the end",
        "",
    );
    refused(
        "ToLower([a b])",
        "[a b]",
        "[a b] is no attribute's name: expected the end of the name at position 2, found 'b'",
        "name.givenName",
    );
    refused("ToLower(a)", "a", "expected a function, an attribute or a text, found 'a'", "[a]");
    refused("Append($x, \"a\")", "$x", "there is no variable $x here", "With($name");
    refused(
        "AppRoleAssignmentsComplex([r])",
        "AppRoleAssignmentsComplex",
        "AppRoleAssignmentsComplex cannot be used",
        "applications",
    );
}

#[test]
fn types_are_checked_where_they_are_known() {
    refused("Left([a], \"x\")", "\"x\"", "Left: expected a whole number as numChars, found \"x\"", "digits");
    refused("Left([a], 1.5)", "1.5", "Left: expected a whole number as numChars, found a number with a fraction", "");
    refused("Left([a], )", "", "Left: expected a whole number as numChars, found none", "Left(string");
    let flag = "Mid: expected a whole number as start, found IsNull, which yields a condition";
    refused("Mid([a], IsNull([b]), 1)", "IsNull([b])", flag, "");
    refused("DateAdd(\"D\", 1, Now())", "\"D\"", "DateAdd: expected an interval as interval, found \"D\"", "\"d\"");
    refused("CDate(\"soon\")", "\"soon\"", "CDate: expected a date as text, found \"soon\"", "2026-03-01");
    let number = "DateDiff: expected a date as date2, found Len, which yields a whole number";
    refused("DateDiff(\"d\", Now(), Len([a]))", "Len([a])", number, "DateFromNum");
    let condition = "IIF: expected a condition as condition, found \"abc\"";
    refused("IIF(\"abc\", 1, 2)", "\"abc\"", condition, "IsPresent");
    refused("IIF(Now(), 1, 2)", "Now()", "IIF: expected a condition as condition, found Now, which yields a date", "");
    refused(
        "ToLower(Split([a], \",\"))",
        "Split([a], \",\")",
        "ToLower: expected text as source, found Split, which yields a list",
        "",
    );
    let style = "FormatDateTime: expected names of DateTimeStyles as dateTimeStyles, found \"AllowWhite\"";
    refused("FormatDateTime([a], \"AllowWhite\", \"d\", \"s\")", "\"AllowWhite\"", style, "AllowWhiteSpaces");
    let format = "FormatDateTime: expected a date format as outputFormat, found \"'\"";
    refused("FormatDateTime([a], , \"d\", \"'\")", "\"'\"", format, "one letter");
    refused(
        "FormatDateTime([a], , \"d\", \"'yyyy\")",
        "\"'yyyy\"",
        "FormatDateTime: expected a date format as outputFormat, found \"'yyyy\"",
        "quote is not closed",
    );
    refused("Item([a], 0)", "0", "Item: indexes start at 1", "Item(attribute, 1)");
    let sum = "RandomString: the length is below the sum of the minimums, 4";
    refused("RandomString(3, 2, 2, 0, 0)", "3", sum, "longer");
    refused("RandomString(300,1,1,1,1)", "300", "RandomString: lengths are from 0 to 256", "256");
    let culture = "ToLower: expected a culture such as tr-TR as culture, found \"Turkish!\"";
    refused("ToLower([a], \"Turkish!\")", "\"Turkish!\"", culture, "tr-TR");
    let keyword = "InStr: expected vbTextCompare or vbBinaryCompare as compareType, found \"text\"";
    refused("InStr([a], \"b\", 1, \"text\")", "\"text\"", keyword, "vbTextCompare");
    refused("Append([a], vbTextCompare)", "vbTextCompare", "vbTextCompare cannot stand here", "InStr");
    refused("Append(IgnoreAttributeFlow, [a])", "IgnoreAttributeFlow", "IgnoreAttributeFlow cannot stand here", "IIF(");
}

#[test]
fn patterns_and_places_are_checked() {
    let together = "Replace: these arguments do not go together";
    refused(
        r#"Replace([a], "b", "c", , "d", , )"#,
        r#"Replace([a], "b", "c", , "d", , )"#,
        together,
        "oldValue and template",
    );
    refused(
        r#"Replace([a], , "(", , "d", , )"#,
        r#""(""#,
        "Replace: the pattern cannot be used: unclosed group",
        "\\\\d+",
    );
    refused(r#"IsMatch([a], "\\q")"#, r#""\\q""#, "IsMatch: the pattern cannot be used: \\q is no escape", "backslash");
    let differs = "Replace: expected a regular expression as regexPattern, found a value that differs per person";
    refused(r#"Replace([a], , [b], , "d", , )"#, "[b]", differs, "double quotes");
    refused(
        r#"Replace([a], , "(?<dom>x)", "domain", "d", , )"#,
        r#""domain""#,
        "Replace: the pattern has no group domain",
        "dom",
    );
    refused(r#"Replace([a], , "x", "g", "d", , )"#, r#""g""#, "Replace: the pattern has no group g", "(?<name>...)");
    let outermost = "SelectUniqueValue must be the outermost function";
    refused("ToLower(SelectUniqueValue([a], [b]))", "SelectUniqueValue", outermost, "outermost");
    refused("\"x\" & SelectUniqueValue([a], [b])", "SelectUniqueValue", outermost, "outermost");
    let inside = "SelectNumberedValue cannot stand inside another function";
    refused("ToLower(SelectNumberedValue([a]))", "SelectNumberedValue", inside, "rule");
    refused(
        "SelectUniqueValue([a])",
        "SelectUniqueValue([a])",
        "SelectUniqueValue takes at least 2 arguments, not 1",
        "rule1",
    );
}

#[test]
fn faults_say_where_and_why() {
    let check = |expression: &str, input: Json, part: &str, text: &str| {
        let record = record_of(input.as_object().unwrap());
        let compiled = compile(expression).unwrap();
        let fault = compiled.evaluate(&context(&record, &|_| true)).unwrap_err();
        assert_eq!((&expression[fault.at.start..fault.at.end], fault.text.as_str()), (part, text), "{expression}");
    };
    check("Append(\"x\", Item([m], 3))", json!({"m": ["a"]}), "3", "Item, argument 2 (\"3\"): index out of bounds");
    // The first of several values is never taken for all of them.
    let two = json!({"m": ["a", "b"], "o": "a"});
    let rest = "has 2 values where one is needed; take one, as with Item(..., 1), or make one of them, as with Join";
    for (expression, part, what) in [
        ("ToLower([m])", "[m]", "ToLower: [m]"),
        ("CBool([m] = \"a\")", "[m]", "[m]"),
        ("IIF([o] <> [m], \"x\", \"y\")", "[m]", "[m]"),
        ("IIF([m] > 1, \"x\", \"y\")", "[m]", "[m]"),
        ("\"x\" & [m]", "[m]", "[m]"),
        ("CBool(Split(\"a;b\", \";\") = [o])", "Split(\"a;b\", \";\")", "the result of Split"),
        ("IIF([m], \"x\", \"y\")", "[m]", "IIF: [m]"),
        ("And(\"True\", [m])", "[m]", "And: [m]"),
        ("BitAnd([m], 2)", "[m]", "BitAnd: [m]"),
        ("CNum([m])", "[m]", "CNum: [m]"),
        ("CDate([m])", "[m]", "CDate: [m]"),
        ("DateAdd([m], 1, Now())", "[m]", "DateAdd: [m]"),
        ("Append(\"x\", [m] & [o])", "[m]", "[m]"),
    ] {
        check(expression, two.clone(), part, &format!("{what} {rest}"));
    }
    assert_eq!(run("IIF([m] = \"a\", 1, 2)", &json!({"m": ["a"]}), &[]), "1", "one value is one");
    check(
        "Left(\"a\", Redact([n]))",
        json!({"n": "no"}),
        "Redact([n])",
        "Left, argument 2 (\"[Redact]\"): it is no whole number",
    );
    let taken = "every value is taken: ann, bob";
    check("SelectUniqueValue([a], [b])", json!({"a": "ann", "b": "bob"}), "SelectUniqueValue([a], [b])", taken);
    check(
        "SelectUniqueValue(Redact([a]), [b])",
        json!({"a": "ann"}),
        "SelectUniqueValue(Redact([a]), [b])",
        "all 1 values that were tried are taken",
    );
    check(
        "Append([a], [a])",
        json!({"a": "x".repeat(60_000)}),
        "Append([a], [a])",
        "Append: a value grew longer than 65536 characters",
    );
}

#[test]
fn what_an_expression_depends_on() {
    for (expression, expected) in [
        ("Append([a], \"x\")", (false, false, false)),
        ("DateDiff(\"d\", Now(), CDate([a]))", (true, false, false)),
        ("Append([a], Guid())", (false, true, false)),
        ("SelectUniqueValue([a], Append([a], RandomNum(1, 9)))", (false, true, true)),
        ("SelectNumberedValue([a])", (false, false, true)),
    ] {
        let compiled = compile(expression).unwrap();
        assert_eq!((compiled.may_read_clock(), compiled.is_random(), compiled.is_unique()), expected, "{expression}");
    }
    // Only a clock that was read counts.
    let compiled = compile("IIF([a] = \"x\", Now(), \"\")").unwrap();
    for (value, read) in [("x", true), ("y", false)] {
        let record = record_of(json!({ "a": value }).as_object().unwrap());
        assert_eq!(compiled.evaluate(&context(&record, &|_| false)).unwrap().read_clock, read);
    }
}

#[test]
fn candidates_come_in_order_and_on_demand() {
    let record = record_of(json!({"g": "Ilze", "s": "Kalns"}).as_object().unwrap());
    let compiled =
        compile("SelectUniqueValue([none], [g], SelectNumberedValue([s], 5, , 9), Item([none], 1))").unwrap();
    let mut candidates = compiled.candidates(&context(&record, &|_| true)).unwrap();
    let first: Vec<String> = candidates.by_ref().take(4).map(|it| it.unwrap().into_owned()).collect();
    assert_eq!(first, ["Ilze", "Kalns", "Kaln9", "Kal10"]);
    // The numbers end where nothing of the value would be left; then comes the rule that fails.
    let rest: Vec<_> = candidates.collect();
    assert_eq!(rest.len(), 9_990);
    assert!(rest.last().unwrap().is_err());
    let redacted = compile("SelectUniqueValue(Redact([g]), [s])").unwrap();
    let evaluated = redacted.evaluate(&context(&record, &|_| false)).unwrap();
    assert!(evaluated.is_redacted && !evaluated.read_clock);
}

#[test]
fn one_seed_one_value() {
    let record = Map::new();
    let compiled = compile("Join(\"\", Guid(), Guid(), RandomString(20,1,1,1,1))").unwrap();
    let with = |seed: [u8; 32]| {
        let context = Context { seed, ..context(&record, &|_| false) };
        compiled.evaluate(&context).unwrap().value.text().unwrap().into_owned()
    };
    assert_eq!(with([1; 32]), with([1; 32]));
    assert_ne!(with([1; 32]), with([2; 32]));
    let one = with([1; 32]);
    assert_ne!(one[..36], one[36..72]);
}

#[test]
fn trees_name_their_parameters() {
    let node = tree(r#"Replace(Join(" ", [a], [b]), , "x", , "y", , )"#).unwrap();
    let keys: Vec<_> = node.parameters.iter().map(|(key, node)| (key.as_str(), node.expression.as_str())).collect();
    let expected = [("source", r#"Join(" ", [a], [b])"#), ("regexPattern", r#""x""#), ("replacementValue", r#""y""#)];
    assert_eq!(keys, expected);
    let inner: Vec<_> =
        node.parameters[0].1.parameters.iter().map(|(key, it)| (key.as_str(), it.name.as_str(), it.kind)).collect();
    let expected = [
        ("separator", " ", NodeKind::Constant),
        ("source", "a", NodeKind::Attribute),
        ("source", "b", NodeKind::Attribute),
    ];
    assert_eq!(inner, expected);
    let short = tree(r#"FormatDateTime([d], "d", "s")"#).unwrap();
    assert_eq!(short.parameters[1].0, "inputFormat");
}

/// A pattern that explodes and a record that makes it, a list that multiplies, texts that double: each ends soon.
#[test]
fn nothing_runs_away() {
    let long = json!({"a": "a".repeat(60_000), "m": vec!["x"; 2_000]});
    for (expression, expected) in [
        (r#"Replace([a], , "(?:(?=a)a+)+$x", , "", , )"#, "too many steps"),
        (r#"Replace([a], , "(a*)*\\1b", , "", , )"#, "too many steps"),
        (r#"Replace([a], , "(?=a)", , "$_", , )"#, ""),
        (r#"Replace([a], , "a", , "$_$_$_$_", , )"#, "grew longer"),
        (r#"Replace([a], "a", , , "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", , )"#, "grew too long"),
        ("Select($x, [m], Select($y, [m], Select($z, [m], $x & $y & $z)))", "more than 100000 steps"),
        (r#"Select($x, [m], InStr([a], "b"))"#, "more than 100000 steps"),
        (r#"With($l, Split([a], "a"), Select($x, [m], Count($l)))"#, "more than 100000 steps"),
        ("InStr([a], [a] & \"b\")", "too long for a search"),
        (r#"PadLeft("x", 9000000000, "0")"#, "too long"),
        (r#"Split([a], "a")"#, ""),
    ] {
        let found = run(expression, &long, &[]);
        assert!(
            found.contains(expected) && (expected.is_empty() || found.starts_with("error")),
            "{expression}: {found:.200}"
        );
    }
}

/// Expressions of any shape: functions with arguments that are attributes, constants, keywords and functions again.
fn any_expression() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = functions().map(|function| function.name).collect();
    let leaf = prop_oneof![
        Just("[a]".to_owned()),
        Just("[b]".to_owned()),
        Just("[m]".to_owned()),
        Just("[n]".to_owned()),
        Just(String::new()),
        Just("\"d\"".to_owned()),
        Just("\"(?<d>.)\"".to_owned()),
        Just("vbTextCompare".to_owned()),
        Just("$x".to_owned()),
        Just("IgnoreAttributeFlow".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[a-z0-9 :/.-]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        (proptest::sample::select(names.clone()), proptest::collection::vec(inner, 0..6))
            .prop_map(|(name, arguments)| format!("{name}({})", arguments.join(", ")))
    })
}

proptest! {
    #[test]
    fn any_text_compiles_or_says_why(text in any::<String>()) {
        if let Err(unusable) = compile(&text) {
            prop_assert!(text.get(unusable.at.start..unusable.at.end).is_some());
        }
    }

    #[test]
    fn any_expression_on_any_values_yields_or_says_why(
        expression in any_expression(), a in any::<String>(), b in "[0-9T:Z./ +-]{0,30}", n in any::<i64>(),
    ) {
        let record = json!({"a": a, "b": b, "m": [a, b], "n": n});
        let record = record.as_object().unwrap();
        if let Ok(compiled) = compile(&expression) {
            match compiled.evaluate(&context(record, &|value| value.len() < 3)) {
                Ok(evaluated) => drop(evaluated.value.into_values()),
                Err(fault) => prop_assert!(expression.get(fault.at.start..fault.at.end).is_some(), "{:?}", fault),
            }
        }
        let _ = tree(&expression);
    }

    #[test]
    fn functions_survive_any_values(values in proptest::collection::vec(any::<String>(), 3), number in any::<i64>()) {
        let record = json!({"a": values[0], "b": values[1], "c": values[2], "n": number});
        for expression in [
            "Mid([a], [n], [n])", "Left([a], [n])", "Right([a], [n])", "Word([a], [n], [b])", "InStr([a], [b], [n])",
            "InStrRev([a], [b], [n])", "Item([a], [n])", "Replace([a], [b], , , [c], , )", "PadLeft([a], [n], [b])",
            "Replace([a], , \"(?<g>.)b*\", \"g\", [b], , )", "Replace([a], , \".\", , [c], , )", "ReplaceChars([a], [b])",
            "Switch([a], [b], [c], [n])", "Split([a], [b])", "Trim([a])", "Join([a], [b], [c])", "ToUpper([a], [b])",
            "FormatDateTime([a], [b], [c], [c])", "DateAdd(\"m\", [n], Now())", "DateFromNum([n])", "DateFromNum([a])",
            "NormalizeDiacritics([a])", "Transliterate([a], [b])", "PCase([a], [b])", "DNComponent([a], [n])",
            "RandomString([n], [n], 0, 0, 0, [a])", "RandomNum([n], 7)", "StringFromSid([a])", "EscapeDNComponent([a])",
            "SelectNumberedValue([a], [n], [b], [n])", "CDate([a])", "ConvertFromBase64(ConvertToBase64([a]))",
        ] {
            let _ = run(expression, &record, &[]);
        }
    }

    #[test]
    fn any_pattern_compiles_or_says_why(pattern in "[ab\\\\()\\[\\]{}?<>=!^$.|*+,-:'#dwsSWDkpPZzAGuxc0-9]{0,24}", text in "[ab0-9\n]{0,20}") {
        if let Ok(pattern) = pattern::Pattern::new(&pattern) {
            let _ = pattern.replace(&text, "${a}$1$2", &pattern::Work::new());
        }
    }
}
