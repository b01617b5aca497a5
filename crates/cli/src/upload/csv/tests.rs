use encoding_rs::{UTF_16BE, WINDOWS_1252};
use serde_json::{Value, json};

use super::*;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn read_with(bytes: &[u8], map: Option<&str>) -> Result<Read, String> {
    let mapping = map.map(|text| Mapping::parse(text).unwrap_or_else(|why| panic!("{text}: {why}")));
    read(bytes.to_vec(), &CsvOptions::default(), mapping)
}

/// The records without `schemas`.
fn records(read: &Read) -> Vec<Value> {
    let data = read.operations.iter().map(Operation::data);
    data.map(|mut data| {
        assert_eq!(data["schemas"][0], CORE);
        data.as_object_mut().unwrap().remove("schemas");
        data
    })
    .collect()
}

/// What a file becomes, without a mapping or with one.
fn check(input: impl AsRef<[u8]>, map: Option<&str>, expected: &Value) {
    let shown = String::from_utf8_lossy(input.as_ref()).into_owned();
    let read = read_with(input.as_ref(), map).unwrap_or_else(|why| panic!("{shown}: {why}"));
    assert_eq!(json!(records(&read)), *expected, "{shown}");
}

/// A file, or its mapping, is refused with all these words.
fn check_refused(input: impl AsRef<[u8]>, map: Option<&str>, expected: &[&str]) {
    let shown = String::from_utf8_lossy(&input.as_ref()[..input.as_ref().len().min(200)]).into_owned();
    let why = read_with(input.as_ref(), map).expect_err(&shown);
    assert!(expected.iter().all(|word| why.contains(word)), "{shown}: {why}");
}

fn check_map_refused(map: &str, expected: &[&str]) {
    let why = Mapping::parse(map).expect_err(map);
    assert!(expected.iter().all(|word| why.contains(word)), "{map}: {why}");
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn encodings() {
    let text = "externalId,displayName\r\nE-1,Jürgen Größe\r\n";
    let expected = json!([{ "externalId": "E-1", "displayName": "Jürgen Größe" }]);
    let marked = format!("\u{feff}{text}");
    let (windows, _, _) = WINDOWS_1252.encode(text);
    for (bytes, name) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        (marked.as_bytes().to_vec(), "UTF-8"),
        (utf_16(&marked, u16::to_le_bytes), "UTF-16LE"),
        (utf_16(&marked, u16::to_be_bytes), "UTF-16BE"),
        (utf_16(text, u16::to_le_bytes), "UTF-16LE"),
        (utf_16(text, u16::to_be_bytes), "UTF-16BE"),
        (windows.to_vec(), "windows-1252"),
    ] {
        check(&bytes, None, &expected);
        let note = read_with(&bytes, None).unwrap().note;
        assert!(note.contains(name), "{name}: {note}");
    }
    let given = |encoding, bytes: &[u8]| {
        let options = CsvOptions { encoding: Some(encoding), ..CsvOptions::default() };
        read(bytes.to_vec(), &options, None).map(|read| records(&read)[0]["displayName"].clone())
    };
    assert_eq!(given(parse_encoding("latin1").unwrap(), &windows).unwrap(), "Jürgen Größe");
    assert_eq!(given(UTF_16BE, &utf_16(&marked, u16::to_be_bytes)).unwrap(), "Jürgen Größe");
    // Of the two UTF-16s the mark decides: `utf-16` is a label of the little-endian one.
    for label in ["utf-16", "utf-16le", "utf-16be"] {
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let read = given(parse_encoding(label).unwrap(), &utf_16(&marked, to_bytes));
            assert_eq!(read.unwrap(), "Jürgen Größe", "{label}");
        }
    }
    assert_eq!(given(WINDOWS_1252, text.as_bytes()).unwrap(), "JÃ¼rgen GrÃ¶ÃŸe", "what is said is done");
    assert!(given(encoding_rs::UTF_8, &windows).unwrap_err().contains("row 2"));
    // The mapping says it too, and the command line outweighs it.
    let map = "encoding = \"windows-1252\"\nseparator = \",\"\n[columns]\nexternalId = \"externalId\"\ndisplayname = \"displayName\"";
    check(&windows, Some(map), &expected);
}

#[test]
fn a_broken_encoding_is_told_with_its_row() {
    // Damaged UTF-8 is not taken for another encoding; blank lines and breaks in quotes count as a spreadsheet does.
    let mut bytes = "externalId,title\nE-1,\"é\nö\"\n\nE-2,ü\nE-3,".as_bytes().to_vec();
    bytes.extend(b"\xff\n");
    check_refused(&bytes, None, &["row 5", "UTF-8", "--encoding"]);
    // Half a pair at the end of UTF-16.
    let mut bytes = utf_16("\u{feff}externalId,title\nE-1,x", u16::to_le_bytes);
    bytes.push(0x20);
    check_refused(&bytes, None, &["row 2", "UTF-16LE"]);
}

#[test]
fn separators_and_quotes() {
    let expected = json!([{ "externalId": "E-1", "title": "Buyer, senior; \"acting\"\r\nnorth" }]);
    for separator in [",", ";", "\t", "|"] {
        let text = format!(
            "\"externalId\"{separator}\" Title \"\r\nE-1{separator}\"Buyer, senior; \"\"acting\"\"\r\nnorth\"\r\n"
        );
        check(&text, None, &expected);
    }
    check("sep=;\r\nexternalId;title\r\nE-1;a,b\r\n", None, &json!([{ "externalId": "E-1", "title": "a,b" }]));
    // The header alone would say comma.
    let odd = "externalId;\"title, given, by\";displayName\nE-1;Buyer;a\nE-2;Clerk;b\n";
    check(
        odd,
        None,
        &json!([{ "externalId": "E-1", "displayName": "a" }, { "externalId": "E-2", "displayName": "b" }]),
    );
    check("externalId\nE-1\n", None, &json!([{ "externalId": "E-1" }]));
    check("externalId\rE-1\rE-2", None, &json!([{ "externalId": "E-1" }, { "externalId": "E-2" }]));
    check("", None, &json!([]));
    check("externalId,title\n", None, &json!([]));
    // As spreadsheets end a file.
    check("externalId,title\nE-1,x\n,\n , \n", None, &json!([{ "externalId": "E-1", "title": "x" }]));
    let options = CsvOptions { separator: Some(parse_separator(":").unwrap()), ..CsvOptions::default() };
    assert_eq!(records(&read(b"externalId:title\nE-1:a,b".to_vec(), &options, None).unwrap())[0]["title"], "a,b");
    assert_eq!(parse_separator("TAB"), Ok(b'\t'));
    for wrong in ["", ",,", "\"", "x", "é", "\n"] {
        assert!(parse_separator(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn text_behind_a_closing_quote_is_refused_with_its_row() {
    // The first one's quote is closed by the opening one of the next row, which would be lost.
    let swallowed = "externalId;displayName;department\nE-1;Al;HR\nE-2;\"Bob;Sales\nE-3;\"Ann\";HR\n";
    check_refused(swallowed, None, &["row 3", "written twice", "Nothing was sent"]);
    let header = "externalId,title,displayName\n";
    for row in
        ["E-1,\"Bob \"The Boss\" Lee\",x", "E-1,\"a\"b,x", "E-1,x,\"a\" b", "E-1,x,\"\"\"a\" \"b\"", "\"E\" 1,x,y"]
    {
        check_refused(format!("{header}{row}"), None, &["row 2", "written twice"]);
        check_refused(format!("{header}{row}\r\nE-2,x,y\r\n"), None, &["row 2", "written twice"]);
    }
    check_refused(format!("\"sum\" total,{header}"), None, &["row 1", "written twice"]);
    // Beside the other problems, in the order of rows.
    let two = "externalId,title\nE-1,\"a\"b\nE-2\n";
    check_refused(two, None, &["2 problems, nothing was sent:\n  row 2: a quote", "\n  row 3: 1 fields"]);
    // What looks alike and is right: quotes inside a value without quotes, doubled ones, blanks around quotes.
    for (cell, expected) in [
        ("5\" disk", "5\" disk"),
        (" \"a\" b", "\"a\" b"),
        ("\"a\"\"\"", "a\""),
        ("\"a\" \t", "a"),
        ("\"\"", ""),
        ("\"a\n\"\"b\"\"\nc\"", "a\n\"b\"\nc"),
    ] {
        for end in ["", "\n", "\r\n"] {
            let title = if expected.is_empty() { json!({}) } else { json!({ "title": expected }) };
            let mut record = json!({ "externalId": "E-1" });
            record.as_object_mut().unwrap().extend(title.as_object().unwrap().clone());
            check(format!("externalId,title\nE-1,{cell}{end}"), None, &json!([record]));
        }
    }
    let map = "separator = \"tab\"\n[columns]\nno = \"externalId\"\na = \"title\"\nb = \"displayName\"";
    let expected = json!([{ "externalId": "E-1", "title": "a", "displayName": "b" }]);
    check("no\ta\tb\nE-1\t\"a\"\t\"b\"\n", Some(map), &expected);
}

/// What the guide lists is what is known.
#[test]
fn the_guide_lists_every_header_and_pattern_letter() {
    let guide = include_str!("../../../../../docs/guides/client.md");
    assert!(guide.contains(&format!("`{}`", date::letters())), "{}", date::letters());
    let (_, rest) = guide.split_once("| attribute | header |\n|---|---|\n").unwrap();
    let bare = |name: &str| name.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
    let table: Vec<(&str, Vec<String>)> = rest
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .map(|(attribute, headers)| (attribute, headers.split([',', ';']).map(bare).collect()))
        .collect();
    for (names, path) in target::COMMON_NAMES {
        let attribute = match *path {
            "organization" | "manager" => "enterprise extension",
            path => path.split(['.', '[']).next().unwrap(),
        };
        let (_, listed) = table.iter().find(|(told, _)| told.contains(attribute)).unwrap();
        assert!(names.iter().all(|name| listed.iter().any(|told| told == name)), "{path}: {names:?} {listed:?}");
    }
    for name in table.iter().flat_map(|(_, names)| names) {
        assert!(target::Target::of_header(name).is_some(), "{name}");
    }
}

#[test]
fn headers_without_a_mapping() {
    let header = "Employee ID;USER-NAME;First_Name;last name;Job Title;E-Mail;Mobile phone;Department;manager;\
                  addresses[type eq \"work\"].locality;urn:acme:2.0:User:BadgeId;Active;Shoe size";
    let text = format!("{header}\nE-1;ann;Ann;Lee;Buyer;a@x.test;+49 1;Sales;E-0;Kiel;b-7;Yes;41\n");
    let expected = json!([{
        "externalId": "E-1", "userName": "ann", "name": { "givenName": "Ann", "familyName": "Lee" }, "title": "Buyer",
        "emails": [{ "type": "work", "value": "a@x.test" }], "phoneNumbers": [{ "type": "mobile", "value": "+49 1" }],
        "addresses": [{ "type": "work", "locality": "Kiel" }], "active": true,
        ENTERPRISE: { "department": "Sales", "manager": { "value": "E-0" } },
        "urn:acme:2.0:User": { "BadgeId": "b-7" },
    }]);
    check(&text, None, &expected);
    let read = read_with(text.as_bytes(), None).unwrap();
    assert!(read.note.ends_with("columns not used: 'Shoe size'"), "{}", read.note);
    let schemas = read.operations[0].data()["schemas"].clone();
    assert_eq!(schemas, json!([CORE, "urn:acme:2.0:User", ENTERPRISE]));
    check_refused("name,title\nx,y\n", None, &["externalId", "'name', 'title'", "--mapping"]);
    check_refused("externalId,Mail,E-Mail\nE,a,b\n", None, &["'Mail'", "'E-Mail'", "same attribute"]);
    check_refused("externalId,active\nE,maybe\n", None, &["row 2, column 'active'", "'maybe'", "yes", "[active]"]);
    for (names, path) in target::COMMON_NAMES {
        for name in *names {
            assert_eq!(target::Target::of_header(name), target::Target::parse(path).ok(), "{name}");
        }
    }
}

#[test]
fn a_mapping_says_what_each_column_is() {
    let map = format!(
        r#"
        separator = ";"
        [active]
        true = ["A"]
        false = ["T", "left"]
        [columns]
        "personnel NO" = "externalId"
        Login = "userName"
        Mail = {{ to = 'emails[type eq "work"].value', clear = true }}
        Boss = {{ to = "manager", clear = true }}
        Unit = {{ to = "{ENTERPRISE}:department", required = true }}
        Start = {{ to = "urn:acme:2.0:User:HireDate", date = "dd.MM.yyyy" }}
        Seen = {{ to = "urn:acme:2.0:User:Seen", date = "M/d/yyyy 'at' HH:mm" }}
        State = "active"
        [fixed]
        userType = "Employee"
        "{ENTERPRISE}:costCenter" = 7710
        "#
    );
    let text = "Personnel No;login;mail;boss;unit;start;seen;state;Rest\n\
                1;ann;;;Sales;01.3.2026;3/9/2026 at 07:30;a;x\n\
                2; bob ;b@x.test;1;Sales;;;LEFT;=cmd|'/c calc'!A0\n";
    let expected = json!([
        { "externalId": "1", "userName": "ann", "emails": [{ "type": "work", "value": null }], "active": true,
          "userType": "Employee", ENTERPRISE: { "costCenter": "7710", "manager": { "value": null }, "department": "Sales" },
          "urn:acme:2.0:User": { "HireDate": "2026-03-01", "Seen": "2026-03-09T07:30:00" } },
        { "externalId": "2", "userName": "bob", "emails": [{ "type": "work", "value": "b@x.test" }], "active": false,
          "userType": "Employee", ENTERPRISE: { "costCenter": "7710", "manager": { "value": "1" }, "department": "Sales" } },
    ]);
    check(text, Some(&map), &expected);
    check_refused(
        "Personnel No;login;mail;boss;unit;start;seen;state\n1;a;;;;31.02.2026;;gone\n",
        Some(&map),
        &[
            "3 problems, nothing was sent",
            "row 2, column 'unit': the cell is empty",
            "row 2, column 'start': '31.02.2026' is no date in the form dd.MM.yyyy",
            "row 2, column 'state': 'gone' is neither true (a) nor false (t, left)",
        ],
    );
    for (start, seen) in [("01.03.26", ""), ("01.03.926", ""), ("01.03.-2026", ""), ("", "3/9/26 at 07:30")] {
        let text = format!("Personnel No;login;mail;boss;unit;start;seen;state\n1;a;;;S;{start};{seen};a\n");
        check_refused(text, Some(&map), &["row 2", &format!("'{start}{seen}' is no date in the form")]);
    }
    check_refused("Personnel No;login\n1;a\n", Some(&map), &["row 1", "'Mail'", "'Unit'", "there are: 'Personnel No'"]);
    let twice = "Personnel No;login;mail;boss;unit;start;seen;state;LOGIN\n";
    check_refused(twice, Some(&map), &["row 1", "'Login' 2 times"]);
}

/// The guide's worked example, word for word.
#[test]
fn the_guide_tells_what_happens() {
    let guide = include_str!("../../../../../docs/guides/client.md");
    let block = |language: &str| {
        let section = guide.split("## CSV").nth(1).unwrap();
        let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap();
        rest.split("```").next().unwrap()
    };
    let (bytes, _, unmappable) = WINDOWS_1252.encode(block("text"));
    assert!(!unmappable);
    let read = read_with(&bytes, Some(block("toml"))).unwrap();
    let shown: Value = serde_json::from_str(block("json")).unwrap();
    assert_eq!(read.operations[1].data(), shown);
    assert_eq!(read.note, "2 records, windows-1252, separator ';'; columns not used: 'Desk'");
    let broken =
        block("text").replace("15.06.2019", "31.02.2026") + &"1002;x;;;;S;;;A;1\n".repeat(3) + "1001;y;;;;S;;;A;1\n";
    let broken = broken.replacen("1002", "1003", 1).replacen("1002", "1004", 1);
    let (bytes, _, _) = WINDOWS_1252.encode(&broken);
    let why = read_with(&bytes, Some(block("toml"))).unwrap_err();
    assert!(block("console").contains(&format!("error: people.csv: {why}")), "{why}");
}

#[test]
fn mappings_that_cannot_be() {
    let id = "[columns]\nNo = \"externalId\"\n";
    check_map_refused("[columns", &["line 1"]);
    check_map_refused("", &["columns"]);
    check_map_refused("[columns]\nNo = \"userName\"", &["externalId"]);
    check_map_refused(&format!("colour = 1\n{id}"), &["colour"]);
    check_map_refused(&format!("encoding = \"klingon\"\n{id}"), &["encoding", "klingon", "utf-8"]);
    check_map_refused(&format!("separator = \"ab\"\n{id}"), &["separator", "tab"]);
    let column = |value: &str| format!("{id}X = {value}\n");
    check_map_refused(&column("1"), &["columns.\"X\"", "path"]);
    check_map_refused(&column("\"usrName\""), &["columns.\"X\"", "usrName", "urn:"]);
    check_map_refused(&column("\"name\""), &["name.", "givenName"]);
    check_map_refused(&column("\"emails\""), &["emails[type eq \"work\"]"]);
    check_map_refused(&column("\"emails[primary eq true].value\""), &["type eq"]);
    check_map_refused(&column("\"password\""), &["password"]);
    check_map_refused(&column("\"externalId\""), &["'No'", "'X'", "same attribute"]);
    check_map_refused(&column("{ to = \"title\", colour = 1 }"), &["columns.\"X\"", "colour"]);
    check_map_refused(&column("{ to = \"title\", clear = true, required = true }"), &["clear"]);
    check_map_refused(&column("{ to = \"title\", date = \"yyyy\" }"), &["date", "dd.MM.yyyy"]);
    check_map_refused(&column("{ to = \"title\", date = \"dd.MM.yyyy X\" }"), &["'X'", "pattern letter"]);
    check_map_refused(&column("{ to = \"title\", date = \"dd'x\" }"), &["quote"]);
    check_map_refused(&format!("{id}no = \"title\"\n"), &["'no' is named twice"]);
    check_map_refused(&format!("{id}X = \"manager\"\n[fixed]\n\"manager.value\" = \"E\""), &["fixed value", "same"]);
    for (one, other, why) in [
        ("urn:x:U:badge", "urn:x:U:badge.number", "and a part of it"),
        ("urn:x:U:badge.number", "urn:x:U:badge", "and a part of it"),
        ("urn:x:U:badge", "urn:x:U:Badge", "in two ways"),
        ("urn:x:U:badge", "urn:X:u:shoe", "in two ways"),
        ("urn:x:U:badge.number", "urn:x:U:Badge.colour", "in two ways"),
    ] {
        check_map_refused(&format!("{id}X = \"{one}\"\nY = \"{other}\"\n"), &["column 'X' and column 'Y'", why]);
    }
    for (one, other) in [
        ("urn:x:U:badge.number", "urn:x:U:badge.colour"),
        ("urn:x:U:badge", "urn:x:U:badges"),
        ("urn:x:U:badge", "urn:x:V:badge"),
        ("emails[type eq \\\"work\\\"].value", "emails[type eq \\\"home\\\"].value"),
    ] {
        Mapping::parse(&format!("{id}X = \"{one}\"\nY = \"{other}\"\n")).unwrap();
    }
    check_map_refused(&format!("{id}[fixed]\nexternalId = \"1\""), &["fixed.\"externalId\""]);
    check_map_refused(&format!("{id}[fixed]\ntitle = \" \""), &["fixed.\"title\"", "empty"]);
    check_map_refused(&format!("{id}[fixed]\nactive = \"?\""), &["fixed.\"active\"", "'?'"]);
    check_map_refused(&format!("{id}[active]\ntrue = [\"x\"]\nfalse = [\"X\"]"), &["both lists"]);
    check_map_refused(&format!("{id}[active]\ntrue = [\"x\"]\nfalse = [\"\"]"), &["empty cell"]);
}

#[test]
fn bad_rows_are_told_all_at_once_and_nothing_is_sent() {
    let text = "externalId,title\nE-1,a\ne-1,b\n\nE-2\nE-3,c,d\n,e\nE-1,f\n";
    let expected = "5 problems, nothing was sent:
  row 3, column 'externalId': externalId 'e-1' is in row 2 already: send each person once
  row 5: 1 fields where the header has 2; a value that holds the separator needs quotes
  row 6: 3 fields where the header has 2; a value that holds the separator needs quotes
  row 7, column 'externalId': the cell is empty: every person needs an externalId
  row 8, column 'externalId': externalId 'E-1' is in row 3 already: send each person once";
    assert_eq!(read_with(text.as_bytes(), None).unwrap_err(), expected);
    let many: String = (0..100).map(|_| "\nE-1").collect();
    check_refused(format!("externalId{many}"), None, &["99 problems", "and 79 more"]);
}

#[test]
fn hostile_files() {
    let cell = "x".repeat(1024 * 1024);
    check_refused(
        format!("externalId,title\nE-1,a\nE-2,{cell}\n"),
        None,
        &["row 3, column 'title'", "65536 characters"],
    );
    let edge = "é".repeat(limits::CSV_CELL_CHARS_MAX);
    check(format!("externalId,title\nE-1,{edge}\n"), None, &json!([{ "externalId": "E-1", "title": edge }]));
    check_refused("externalId,title\nE-1,a\0b\n", None, &["row 2, column 'title'", "NUL"]);
    let columns: Vec<String> = (0..10_000).map(|at| format!("c{at}")).collect();
    check_refused(format!("externalId,{}\nE-1\n", columns.join(",")), None, &["10001 columns", "1000"]);
    check_refused(format!("externalId,{cell}\nE-1,x\n"), None, &["column 2", "256 characters"]);
    check_refused("externalId,title\nE-1,a\n\u{feff}externalId,title\nE-2,b\n", None, &["row 3", "byte order mark"]);
    check_refused(format!("externalId\n{}\n", "9".repeat(257)), None, &["row 2", "256"]);
    check_refused("externalId,title\nE-1,a\nE-2,\"b\nE-3,c\n", None, &["row 3", "never closed"]);
    check("externalId,title\nE-1,5\" disk\n", None, &json!([{ "externalId": "E-1", "title": "5\" disk" }]));
    check("externalId,title\nE-1,\"\"\"\"\n", None, &json!([{ "externalId": "E-1", "title": "\"" }]));
    for formula in ["=1+1", "+SUM(A1:A9)", "-2", "@x", "=HYPERLINK(\"http://x.test\")"] {
        let text = format!("externalId,title\nE-1,\"{}\"\n", formula.replace('"', "\"\""));
        check(text, None, &json!([{ "externalId": "E-1", "title": formula }]));
    }
}

#[test]
#[cfg(unix)]
fn no_more_is_read_than_may_be() {
    for (bytes_max, expected) in [(0, 0), (5, 5), (100_000, 100_000)] {
        assert_eq!(files::read_start(Path::new("/dev/zero"), bytes_max).unwrap().len(), expected);
    }
}

proptest::proptest! {
    /// Whatever is in a file, reading it ends with records or with words.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = read_with(&bytes, None);
        let with_header = [b"externalId,title\n".as_slice(), &bytes].concat();
        let _ = read_with(&with_header, None);
    }

    /// Any text that a cell may hold comes through quoting unchanged but for blanks around it.
    #[test]
    fn cells_round_trip(cells in proptest::collection::vec("[^\u{0}\u{feff}]{1,40}", 1..20)) {
        let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
        let rows: Vec<String> = cells.iter().enumerate().map(|(at, cell)| format!("E-{at};{}\n", quoted(cell))).collect();
        let read = read_with(format!("externalId;title\n{}", rows.concat()).as_bytes(), None).unwrap();
        let found: Vec<String> = records(&read).iter().map(|it| it["title"].as_str().unwrap_or_default().to_owned()).collect();
        let wanted: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        proptest::prop_assert_eq!(found, wanted);
    }
}
