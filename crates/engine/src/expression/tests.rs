//! The documented values of engine-and-agent 1.2 and 1.4, for the functions there are.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What an expression yields, in short: texts quoted, flags bare, lists in brackets, `null`, `ignore`, `error: ...`.
fn run(expression: &str, record: &Json) -> String {
    let empty = Map::new();
    let record = record.as_object().unwrap_or(&empty);
    match compile(expression) {
        Err(unusable) => {
            format!("unusable: {}{}", unusable.message, unusable.hint.map(|h| format!("; {h}")).unwrap_or_default())
        }
        Ok(compiled) => match compiled.evaluate(record, "example.com") {
            Err(fault) => format!("error: {}", fault.text),
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Ignore) => "ignore".to_owned(),
            Ok(Value::Flag(flag)) => if flag { "True" } else { "False" }.to_owned(),
            Ok(Value::Text(text)) => format!("{text:?}"),
            Ok(Value::List(values)) => format!("{values:?}"),
        },
    }
}

fn check(expression: &str, record: impl std::borrow::Borrow<Json>, expected: &str) {
    let record = record.borrow();
    assert_eq!(run(expression, record), expected, "{expression} on {record}");
}

#[test]
fn simple_functions() {
    check(r#"Append([login], "-adm")"#, json!({"login": "k.berzina"}), r#""k.berzina-adm""#);
    check(r#"Append("EMP", [no])"#, json!({"no": "00417"}), r#""EMP00417""#);
    check(r#"Append([login], "")"#, json!({"login": "x"}), r#""x""#);
    check("Coalesce([nick], [given])", json!({"given": "Liga"}), r#""Liga""#);
    check(r#"Coalesce([nick], [given], "n/a")"#, json!({}), r#""n/a""#);
    check("Coalesce([nick], [given])", json!({"nick": "Lia", "given": "Liga"}), r#""Lia""#);
    check("Coalesce([nick], [given])", json!({}), "null");
    check("Count([o])", json!({"o": ["1", "2", "3"]}), r#""3""#);
    check("Count([o])", json!({}), r#""0""#);
    check("CStr([active])", json!({"active": true}), r#""True""#);
    check("CStr(42)", json!({}), r#""42""#);
    check(r#"Append("x@", DefaultDomain())"#, json!({}), r#""x@example.com""#);
    check("IgnoreFlowIfNullOrEmpty([dept])", json!({"dept": ""}), "ignore");
    check(r#"IgnoreFlowIfNullOrEmpty(Switch([grade], "", "7", "Lead"))"#, json!({"grade": "3"}), "ignore");
    check("IgnoreFlowIfNullOrEmpty([dept])", json!({"dept": "Ops"}), r#""Ops""#);
    check(r#"IIF([site]="RIX", "Riga", [site])"#, json!({"site": "RIX"}), r#""Riga""#);
    check(r#"IIF([site]="RIX", "Riga", [site])"#, json!({"site": "rix"}), r#""rix""#);
    check(r#"IIF([level] >= 10, "senior", "junior")"#, json!({"level": "9"}), r#""junior""#);
    check(
        r#"IIF([site]="RIX", IIF([floor]="3", "R3", "R?"), "other")"#,
        json!({"site": "RIX", "floor": "3"}),
        r#""R3""#,
    );
    check(r#"IIF([site] <> "RIX", "away", "home")"#, json!({"site": "TLL"}), r#""away""#);
    check(r#"IIF(IsNullOrEmpty([c]), "none", [c])"#, json!({}), r#""none""#);
    check(r#"InStr("provision", "vis")"#, json!({}), r#""4""#);
    check(r#"InStr("provision", "zz")"#, json!({}), r#""0""#);
    check(r#"InStr("aBcabc", "b", 1, vbTextCompare)"#, json!({}), r#""2""#);
    check(r#"InStr("aBcabc", "b", 1, vbBinaryCompare)"#, json!({}), r#""5""#);
    check(r#"InStr("banana", "a", 3)"#, json!({}), r#""4""#);
    for (mail, null, empty) in
        [(json!({}), "True", "True"), (json!({"mail": ""}), "False", "True"), (json!({"mail": " "}), "False", "False")]
    {
        check("IsNull([mail])", mail.clone(), null);
        check("IsNullOrEmpty([mail])", mail.clone(), empty);
        check("IsPresent([mail])", mail, if empty == "True" { "False" } else { "True" });
    }
    check(r#"IsString("12")"#, json!({}), "True");
    check("Item([addr], 1)", json!({"addr": ["first", "second"]}), r#""first""#);
    check("Item([addr], 2)", json!({"addr": ["first", "second"]}), r#""second""#);
    check("Item([addr], 3)", json!({"addr": ["first"]}), "error: Item, argument 2 (\"3\"): index out of bounds");
    check("Item([addr], 0)", json!({"addr": ["first"]}), "error: Item, argument 2 (\"0\"): indexes start at 1");
}

#[test]
fn text_functions() {
    check(r#"Join("-", [a], [b])"#, json!({"a": "x", "b": "y"}), r#""x-y""#);
    check(r#"Join(", ", "", [sn], [given])"#, json!({"sn": "Ozols", "given": "Juris"}), r#""Ozols, Juris""#);
    check(r#"Join(".", [given], [mid], [sn])"#, json!({"given": "Ana", "sn": "Reis"}), r#""Ana.Reis""#);
    check(r#"Join(";", [list], "end")"#, json!({"list": ["p", "q"]}), r#""p;q;end""#);
    check(r#"Join("", "A", "B")"#, json!({}), r#""AB""#);
    check(r#"Left("Provision", 4)"#, json!({}), r#""Prov""#);
    check(r#"Left("ab", 9)"#, json!({}), r#""ab""#);
    check(r#"Left("abc", 0)"#, json!({}), r#""""#);
    check(r#"Left("abc", -1)"#, json!({}), r#""abc""#);
    check("Left([x], 3)", json!({}), r#""""#);
    check(r#"Left("ab😀", 3)"#, json!({}), r#""ab""#);
    check(r#"Mid("directory", 1, 6)"#, json!({}), r#""direct""#);
    check(r#"Mid("directory", 4, 2)"#, json!({}), r#""ec""#);
    check(r#"Mid("abc", 2, 99)"#, json!({}), r#""bc""#);
    check(r#"Mid("abc", "1", "1")"#, json!({}), r#""a""#);
    check(r#"Mid("abc", 9, 1)"#, json!({}), r#""""#);
    check(r#"Mid("abc", 2, 0)"#, json!({}), r#""""#);
    check(r#"Mid("abc", -9223372036854775808, 1)"#, json!({}), r#""abc""#);
    check(
        r#"Mid("abc", 2, x)"#,
        json!({}),
        "unusable: expected a function, an attribute or a text, found 'x'; a text stands in double quotes (\"x\"), an attribute in brackets ([x])",
    );
    check(r#"Mid("abc", "b", 1)"#, json!({}), "error: Mid, argument 2 (\"b\"): it is no whole number");
    check(r#"Not("True")"#, json!({}), "False");
    check("Not([active])", json!({"active": true}), "False");
    check("Not([active])", json!({"active": "False"}), "True");
    check("Not([active])", json!({}), "True");
    check(r#"Not("banana")"#, json!({}), "True");
    check("RemoveDuplicates([m])", json!({"m": ["a", "b", "a"]}), r#"["a", "b"]"#);
    check("RemoveDuplicates([m])", json!({"m": ["SMTP:a", "smtp:a"]}), r#"["SMTP:a", "smtp:a"]"#);
    check(r#"Split([s], ";")"#, json!({"s": "x;y;z"}), r#"["x", "y", "z"]"#);
    check(r#"Split([s], ",")"#, json!({"s": "solo"}), r#"["solo"]"#);
    check(r#"StripSpaces(" a b  c ")"#, json!({}), r#""abc""#);
    check("StripSpaces([s])", json!({"s": "tab\there"}), r#""tab\there""#);
    check(r#"ToLower("JŪRMALA")"#, json!({}), r#""jūrmala""#);
    check(r#"ToLower("TITLE", "tr-TR")"#, json!({}), r#""tıtle""#);
    check(r#"ToLower("TITLE", )"#, json!({}), r#""title""#);
    check(r#"ToUpper("straße")"#, json!({}), r#""STRAßE""#);
    check(r#"ToUpper("title", "tr-TR")"#, json!({}), r#""TİTLE""#);
    check(r#"ToUpper("jūra")"#, json!({}), r#""JŪRA""#);
    check(r#"Trim("  a b ")"#, json!({}), r#""a b""#);
    check("Left(Trim([d]), 3)", json!({"d": " Sales "}), r#""Sal""#);
    check(r#"Word("one two three", 2, " ")"#, json!({}), r#""two""#);
    check(r#"Word("k=v;w", 3, "=;")"#, json!({}), r#""w""#);
    check(r#"Word("a b", 5, " ")"#, json!({}), r#""""#);
    check(r#"Word("a b", 0, " ")"#, json!({}), r#""""#);
    check(r#"Word([x], 1, " ")"#, json!({}), r#""""#);
    check(r#""t-" & [alias]"#, json!({"alias": "x"}), r#""t-x""#);
}

#[test]
fn switch() {
    let riga = r#"Switch([cc], "Other", "LV", "Riga", "EE", "Tallinn")"#;
    check(riga, json!({"cc": "EE"}), r#""Tallinn""#);
    check(riga, json!({"cc": "lv"}), r#""Other""#);
    let flag = r#"Switch([flag], , "1", "False", "0", "True")"#;
    check(flag, json!({"flag": "0"}), r#""True""#);
    check(flag, json!({"flag": "9"}), "null");
    check(r#"Switch([t], [t], "", "N/A")"#, json!({}), r#""N/A""#);
    check(r#"Switch(ToLower([flag]), "0", "yes", "1")"#, json!({"flag": "YES"}), r#""1""#);
    // Lazy: the branch that would fail is not looked at.
    check(r#"Switch("a", Item([none], 1), "a", "fine")"#, json!({}), r#""fine""#);
    check(r#"Switch("b", "fine", "a", Item([none], 1))"#, json!({}), r#""fine""#);
    check(r#"Coalesce("fine", Item([none], 1))"#, json!({}), r#""fine""#);
    check(r#"IIF("a" = "a", "fine", Item([none], 1))"#, json!({}), r#""fine""#);
    let ou = r#"Join("", Switch([dept], "", "IT", "OU=IT,"), Switch([c], "", "LV", "OU=LV,"), "OU=Staff")"#;
    check(ou, json!({"dept": "IT", "c": "LV"}), r#""OU=IT,OU=LV,OU=Staff""#);
    check(ou, json!({"dept": "HR", "c": "EE"}), r#""OU=Staff""#);
}

#[test]
fn replace() {
    let r = |expression: &str, name: &str, value: &str, expected: &str| {
        check(expression, json!({ name: value }), &format!("{expected:?}"));
    };
    r(r#"Replace([t], "Sr.", , , "Senior", , )"#, "t", "Sr. Clerk, Sr. Desk", "Senior Clerk, Senior Desk");
    r(r#"Replace([t], "sr.", , , "Senior", , )"#, "t", "Sr. Clerk", "Sr. Clerk");
    r(r#"Replace([m], "@old.example", , , "", , )"#, "m", "ana@old.example", "ana");
    r(r#"Replace([id], "{u}", , , , , "{u}@corp.example")"#, "id", "aozols", "aozols@corp.example");
    r(r##"Replace([id], "#", , , , , "A#-B#")"##, "id", "7", "A7-B7");
    r(r#"Replace([p], , "[^0-9]+", , "", , )"#, "p", "+371 (67) 00-11-22", "37167001122");
    r(r#"Replace([n], , "(?<f>\\w+) (?<l>\\w+)", , "${l}, ${f}", , )"#, "n", "Juris Ozols", "Ozols, Juris");
    r(r#"Replace([n], , "(\\w+) (\\w+)", , "$2$$$1", , )"#, "n", "Juris Ozols", "Ozols$Juris");
    r(r#"Replace([e], , "^0+(?<rest>.+)$", , "${rest}", , )"#, "e", "000917", "917");
    r(r#"Replace(Join("", "000000", [e]), , "^.*(?<id>.{6})$", , "${id}", , )"#, "e", "917", "000917");
    r(r#"Replace([a], , "^(?<no>[0-9]+) ", "no", "12", , )"#, "a", "99 Oak Street", "12 Oak Street");
    r(r#"Replace([u], , "(?<dom>@.*)$", "dom", "", , )"#, "u", "ana@corp.example", "ana");
    r(r#"Replace([u], , "(?<dom>@.*)$", "dom", "", , )"#, "u", "nodomain", "nodomain");
    r(r#"Replace([u], , "(\\.)*$", , "", , )"#, "u", "abc..", "abc");
    let desk = r#"Replace([desk], , "\\+(?<cc>[0-9]+) (?<nr>[0-9]+)", "nr", , [mobile], )"#;
    check(desk, json!({"desk": "", "mobile": "+371 20001122"}), r#""20001122""#);
    check(desk, json!({"desk": "555", "mobile": "+371 20001122"}), r#""555""#);
    check(desk, json!({"mobile": "none"}), "null");
    check(
        r#"Join("@", Replace([userName], , "(?<d>@.*)$", "d", "", , ), DefaultDomain())"#,
        json!({"userName": "ana@src.example"}),
        r#""ana@example.com""#,
    );
}

#[test]
fn what_cannot_be_saved() {
    check("Repalce([a])", json!({}), "unusable: there is no function Repalce; did you mean Replace?");
    check("join(\"\", [a])", json!({}), "unusable: there is no function join; did you mean Join?");
    check("Left([a])", json!({}), "unusable: Left takes exactly 2 arguments, not 1; write Left(string, numChars)");
    check(
        "Switch([a], \"b\", \"c\")",
        json!({}),
        "unusable: Switch takes an even number of arguments, at least 4, not 3; write Switch(source, defaultValue, key1, value1, ...)",
    );
    assert!(run(r#"Replace([a], "b", "c", , "d", , )"#, &json!({})).contains("do not go together"));
    assert!(run(r#"Replace([a], , "(", , "d", , )"#, &json!({})).contains("the pattern cannot be used"));
    assert!(run(r#"Replace([a], , [b], , "d", , )"#, &json!({})).contains("the pattern must be a text"));
    assert!(run(r#"Replace([a], , "x", "g", "d", , )"#, &json!({})).contains("no group of that name"));
    assert!(run("ToLower([emails[type])", &json!({})).contains("unusable"));
}

#[test]
fn what_is_built_is_bounded() {
    let long = "x".repeat(60_000);
    check("Append([a], [a])", json!({"a": long}), "error: Append: a value grew longer than 65536 characters");
    let mut doubling = "[a]".to_owned();
    for _ in 0..30 {
        doubling = format!("Left(Append({doubling}, \"y\"), 60000)");
    }
    assert!(run(&doubling, &json!({"a": "x".repeat(60_000)})).starts_with("error: Append"));
}

proptest! {
    #[test]
    fn functions_survive_any_values(values in proptest::collection::vec(any::<String>(), 3), number in any::<i64>()) {
        let record = json!({"a": values[0], "b": values[1], "c": values[2], "n": number});
        for expression in [
            "Mid([a], [n], [n])", "Left([a], [n])", "Word([a], [n], [b])", "InStr([a], [b], [n])", "Item([a], [n])",
            "Replace([a], [b], , , [c], , )", "Replace([a], , \"(?<g>.)b*\", \"g\", [b], , )",
            "Replace([a], , \".\", , [c], , )", "Switch([a], [b], [c], [n])", "Split([a], [b])", "Trim([a])",
            "Join([a], [b], [c])", "ToUpper([a], [b])", "ToLower([a])",
        ] {
            let _ = run(expression, &record);
        }
    }
}
