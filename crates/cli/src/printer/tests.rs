use super::*;

#[test]
fn what_comes_from_outside_cannot_move_the_terminal() {
    let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
    check("Inès Roth", "Inès Roth");
    check("日本 🦀 עברית", "日本 🦀 עברית");
    check("a\u{1b}[31mb", "a\\u{1b}[31mb");
    check("a\rb\u{0}c\u{9b}d", "a\\u{d}b\\u{0}c\\u{9b}d");
    check("a\u{202e}b", "a\\u{202e}b");
    check("two\nlines", "two\nlines");
}

#[test]
fn members_are_flattened() {
    let value = json!({
        "@odata.context": "x", "id": "J", "status": { "code": "Active", "error": null },
        "list": [1, "two"], "rows": [{ "a": 1 }, { "a": 2 }], "empty": [],
    });
    let expected = [
        "empty",
        "id            J",
        "list          1, two",
        "rows.0.a      1",
        "rows.1.a      2",
        "status.code   Active",
        "status.error  -",
    ];
    assert_eq!(members(&value), expected.join("\n"));
}

#[test]
fn no_color_is_obeyed() {
    let terminal = || Stream { sink: Arc::new(Mutex::new(Vec::new())), is_terminal: true };
    let check = |variables: &[(&str, &str)], expected: bool| {
        let environment = Environment::new(variables.iter().copied());
        let printer = Printer::new(terminal(), terminal(), Format::Text, &environment);
        let mut table = printer.table(&["state"]);
        table.add_row([cell("failed", Tone::Bad)]);
        assert_eq!(finished(&table).contains('\u{1b}'), expected, "{variables:?}");
    };
    check(&[], true);
    check(&[("NO_COLOR", "1")], false);
    check(&[("NO_COLOR", "")], true);
    check(&[("TERM", "dumb")], false);
}
