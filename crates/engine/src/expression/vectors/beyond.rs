//! Functions beyond the documented set, and meanings of .NET that the documentation only names.

use super::Outcome::{Fails, Ignored, Is, Matches};
use super::{Example, Examples, on, on_nothing};

const NUMBERED: Example = on(
    r#"SelectNumberedValue([upn], , "@corp.example")"#,
    r#"{"upn": "john.smith"}"#,
    Is(r#""john.smith@corp.example""#),
);

pub(super) const ALL: Examples = &[
    (
        "And",
        &[
            on(r#"And([a] = "1", [b] = "2")"#, r#"{"a": "1", "b": "2"}"#, Is("true")),
            on(r#"And([a] = "1", [b] = "2")"#, r#"{"a": "1"}"#, Is("false")),
            on_nothing(r#"And("False", Item([none], 1) = "x")"#, Is("false")),
        ],
    ),
    (
        "Or",
        &[
            on(r#"Or([a] = "1", [b] = "2")"#, r#"{"b": "2"}"#, Is("true")),
            on_nothing(r#"Or([a] = "1", [b] = "2")"#, Is("false")),
            on_nothing(r#"Or("True", Item([none], 1) = "x")"#, Is("true")),
        ],
    ),
    (
        "In",
        &[
            on(r#"In([c], "LV", "EE", "LT")"#, r#"{"c": "EE"}"#, Is("true")),
            on(r#"In([c], "LV", "EE", "LT")"#, r#"{"c": "ee"}"#, Is("false")),
            on(r#"In("b", [list])"#, r#"{"list": ["a", "b"]}"#, Is("true")),
            on_nothing(r#"In([c], "LV", [none])"#, Is("true")),
        ],
    ),
    (
        "IsMatch",
        &[
            on(r#"IsMatch([id], "^[A-Z]{2}\\d+$")"#, r#"{"id": "LV417"}"#, Is("true")),
            on(r#"IsMatch([id], "^[A-Z]{2}\\d+$")"#, r#"{"id": "lv417"}"#, Is("false")),
            on(r#"IsMatch([id], "(?i)^[A-Z]{2}")"#, r#"{"id": "lv417"}"#, Is("true")),
            on(r#"IsMatch([id], "^(?!x)")"#, r#"{"id": "x1"}"#, Is("false")),
        ],
    ),
    ("Error", &[on_nothing(r#"IIF([c] = "", Error("no country"), [c])"#, Fails("no country"))]),
    (
        "With",
        &[
            on(r#"With($n, Trim([name]), IIF($n = "", "none", $n))"#, r#"{"name": "  Ana "}"#, Is(r#""Ana""#)),
            on(r#"With($n, Trim([name]), IIF($n = "", "none", $n))"#, r#"{"name": "  "}"#, Is(r#""none""#)),
        ],
    ),
    (
        "Where",
        &[
            on(
                r#"Where($m, [m], InStr($m, "smtp:") = 1)"#,
                r#"{"m": ["smtp:a", "x500:b", "smtp:c"]}"#,
                Is(r#"["smtp:a", "smtp:c"]"#),
            ),
            on(r#"Where($m, [m], $m = "z")"#, r#"{"m": ["a", "b"]}"#, Is("null")),
        ],
    ),
    (
        "Select",
        &[
            on(r#"Select($m, [m], Replace($m, "-", , , "", , ))"#, r#"{"m": ["1-2", "3-4"]}"#, Is(r#"["12", "34"]"#)),
            on("Select($m, [m], ToUpper($m))", "{}", Is("null")),
        ],
    ),
    (
        "Contains",
        &[
            on(r#"Contains([m], "b")"#, r#"{"m": ["a", "b"]}"#, Is("2")),
            on(r#"Contains([m], "B")"#, r#"{"m": ["a", "b"]}"#, Is("0")),
            on(r#"Contains([m], "B", vbTextCompare)"#, r#"{"m": ["a", "b"]}"#, Is("2")),
        ],
    ),
    (
        "ItemOrNull",
        &[
            on("ItemOrNull([m], 2)", r#"{"m": ["a", "b"]}"#, Is(r#""b""#)),
            on("ItemOrNull([m], 3)", r#"{"m": ["a", "b"]}"#, Is("null")),
        ],
    ),
    (
        "Len",
        &[on_nothing(r#"Len("John")"#, Is("4")), on_nothing("Len([x])", Is("0")), on_nothing(r#"Len("😀")"#, Is("2"))],
    ),
    ("LTrim", &[on_nothing(r#"LTrim("  a b ")"#, Is(r#""a b ""#))]),
    ("RTrim", &[on_nothing(r#"RTrim("  a b ")"#, Is(r#""  a b""#))]),
    (
        "Right",
        &[
            on_nothing(r#"Right("Provision", 3)"#, Is(r#""ion""#)),
            on_nothing(r#"Right("ab", 9)"#, Is(r#""ab""#)),
            on_nothing(r#"Right("ab", 0)"#, Is(r#""""#)),
        ],
    ),
    (
        "InStrRev",
        &[
            on_nothing(r#"InStrRev("abcdefabc", "b")"#, Is("8")),
            on_nothing(r#"InStrRev("abcdefabc", "b", 7)"#, Is("2")),
            on_nothing(r#"InStrRev("abc", "x")"#, Is("0")),
            on_nothing(r#"InStrRev("aBcabC", "bc", , vbTextCompare)"#, Is("5")),
        ],
    ),
    (
        "PadLeft",
        &[
            on(r#"PadLeft([id], 6, "0")"#, r#"{"id": "917"}"#, Is(r#""000917""#)),
            on(r#"PadLeft([id], 2, "0")"#, r#"{"id": "917"}"#, Is(r#""917""#)),
            on(r#"PadLeft([id], 6, "0")"#, r#"{"id": 917}"#, Is(r#""000917""#)),
            on_nothing(r#"PadLeft("a", 6, "xy")"#, Fails("one character")),
        ],
    ),
    ("PadRight", &[on_nothing(r#"PadRight("ab", 4, ".")"#, Is(r#""ab..""#))]),
    (
        "ReplaceChars",
        &[
            on_nothing(r#"ReplaceChars("Räksmörgås", "å:a,ä:a,ö:oe")"#, Is(r#""Raksmoergas""#)),
            on_nothing(r#"ReplaceChars("O'Neil, A", "',\\,")"#, Is(r#""ONeil A""#)),
        ],
    ),
    ("BitOr", &[on_nothing("BitOr(&H200, 2)", Is("514"))]),
    ("IsBitSet", &[on_nothing("IsBitSet(&HF, 3)", Is("true")), on_nothing("IsBitSet(&HF, 4)", Is("false"))]),
    (
        "CNum",
        &[
            on_nothing(r#"CNum("0042")"#, Is("42")),
            on_nothing(r#"CNum("1.5")"#, Is("1.5")),
            on_nothing("CNum([x])", Is("null")),
            on("CNum([x])", r#"{"x": "12 A"}"#, Fails("no number")),
        ],
    ),
    (
        "IsNumeric",
        &[
            on_nothing(r#"IsNumeric("12.5")"#, Is("true")),
            on_nothing(r#"IsNumeric("12a")"#, Is("false")),
            on_nothing("IsNumeric([x])", Is("false")),
        ],
    ),
    (
        "IsDate",
        &[
            on_nothing(r#"IsDate("2026-02-28")"#, Is("true")),
            on_nothing(r#"IsDate("2026-02-29")"#, Is("false")),
            on_nothing("IsDate(Now())", Is("true")),
        ],
    ),
    (
        "IsGuid",
        &[
            on_nothing(r#"IsGuid("{0F8FAD5B-D9CB-469F-A165-70867728950E}")"#, Is("true")),
            on_nothing(r#"IsGuid("0F8FAD5B")"#, Is("false")),
        ],
    ),
    (
        "CGuid",
        &[
            on_nothing(
                r#"CGuid("{0F8FAD5B-D9CB-469F-A165-70867728950E}")"#,
                Is(r#""0f8fad5b-d9cb-469f-a165-70867728950e""#),
            ),
            on("CGuid([x])", r#"{"x": "abc"}"#, Fails("no GUID")),
        ],
    ),
    ("CRef", &[on_nothing(r#"CRef("CN=Boss,DC=corp,DC=example")"#, Is(r#""CN=Boss,DC=corp,DC=example""#))]),
    (
        "StringFromGuid",
        &[
            on_nothing(
                r#"StringFromGuid("5BAD8F0FCBD99F46A16570867728950E")"#,
                Is(r#""0f8fad5b-d9cb-469f-a165-70867728950e""#),
            ),
            on_nothing(
                r#"StringFromGuid("W62PD8vZn0ahZXCGdyiVDg==")"#,
                Is(r#""0f8fad5b-d9cb-469f-a165-70867728950e""#),
            ),
            on_nothing(r#"StringFromGuid("AA")"#, Fails("16 bytes")),
        ],
    ),
    (
        "StringFromSid",
        &[
            on_nothing(r#"StringFromSid("01020000000000052000000020020000")"#, Is(r#""S-1-5-32-544""#)),
            on_nothing(r#"StringFromSid("AQIAAAAAAAUgAAAAIAIAAA==")"#, Is(r#""S-1-5-32-544""#)),
            on_nothing(r#"StringFromSid("0102")"#, Fails("not the bytes of a SID")),
        ],
    ),
    (
        "ConvertFromBase64",
        &[
            on_nothing(r#"ConvertFromBase64("WgBvAOsA")"#, Is(r#""Zoë""#)),
            on_nothing(r#"ConvertFromBase64("Wm/Dqw==", "UTF8")"#, Is(r#""Zoë""#)),
            on_nothing(r#"ConvertFromBase64("*")"#, Fails("no Base64")),
        ],
    ),
    (
        "ConvertFromUTF8Hex",
        &[
            on_nothing(r#"ConvertFromUTF8Hex("5A6FC3AB")"#, Is(r#""Zoë""#)),
            on_nothing(r#"ConvertFromUTF8Hex("C3")"#, Fails("UTF-8")),
        ],
    ),
    (
        "Transliterate",
        &[
            on_nothing(r#"Transliterate("Ķēniņš Đorđe Øystein Łódź")"#, Is(r#""Kenins Dorde Oystein Lodz""#)),
            on_nothing(r#"Transliterate("Jürgen Groß Ärger", "de-DE")"#, Is(r#""Juergen Gross Aerger""#)),
            on_nothing(r#"Transliterate("Åse", "da")"#, Is(r#""Aase""#)),
            on_nothing(r#"Transliterate("Щукин Жанна")"#, Is(r#""Shchukin Zhanna""#)),
            on_nothing(r#"Transliterate("ЩУКИН")"#, Is(r#""SHCHUKIN""#)),
            on_nothing(r#"Transliterate("Γιώργος")"#, Is(r#""Giorgos""#)),
            on_nothing(r#"Transliterate("Nguyễn Việt")"#, Is(r#""Nguyen Viet""#)),
        ],
    ),
    (
        "EscapeDNComponent",
        &[
            on_nothing(r#"EscapeDNComponent("Smith, John + Co")"#, Is(r#""Smith\\, John \\+ Co""#)),
            on_nothing(r#"EscapeDNComponent(" #x ")"#, Is(r#""\\ #x\\ ""#)),
            on_nothing(r##"EscapeDNComponent("#x")"##, Is(r#""\\#x""#)),
        ],
    ),
    (
        "DNComponent",
        &[
            on_nothing(r#"DNComponent("CN=Smith\\, John,OU=Staff,DC=corp,DC=example", 1)"#, Is(r#""Smith, John""#)),
            on_nothing(r#"DNComponent("CN=John,OU=Staff,DC=corp,DC=example", 2)"#, Is(r#""Staff""#)),
            on_nothing(r#"DNComponent("CN=John", 2)"#, Is("null")),
            on("DNComponent([x], 1)", r#"{"x": "John"}"#, Fails("no distinguished name")),
        ],
    ),
    (
        "DNComponentRev",
        &[
            on_nothing(r#"DNComponentRev("CN=John,OU=Staff,DC=corp,DC=example", 1)"#, Is(r#""example""#)),
            on_nothing(r#"DNComponentRev("CN=John,OU=Staff,DC=corp,DC=example", 1, "DC")"#, Is(r#""Staff""#)),
        ],
    ),
    (
        "RandomNum",
        &[
            on_nothing("RandomNum(10, 12)", Matches("^1[0-2]$")),
            on_nothing("RandomNum(5, 4)", Fails("below the lowest")),
        ],
    ),
    (
        "SelectNumberedValue",
        &[
            NUMBERED,
            Example { taken: &["john.smith@corp.example"], result: Is(r#""john.smith2@corp.example""#), ..NUMBERED },
            Example {
                expression: "SelectNumberedValue([upn], 20)",
                input: r#"{"upn": "bartholomew.featherstonehaugh"}"#,
                taken: &["bartholomew.feathers"],
                result: Is(r#""bartholomew.feather2""#),
            },
            on("SelectNumberedValue([upn])", "{}", Fails("no rule yields a value")),
        ],
    ),
    (
        "SelectUniqueValue",
        &[Example {
            expression: "SelectUniqueValue([a], SelectNumberedValue([b], 5))",
            input: r#"{"a": "ann", "b": "annika"}"#,
            taken: &["ann", "annik", "anni2"],
            result: Is(r#""anni3""#),
        }],
    ),
    (
        "IIF",
        &[
            on_nothing(r#"IIF(CDate("2026-03-01") < Now(), "past", "ahead")"#, Is(r#""past""#)),
            on(r#"IIF(CDate([d]) = "2026-03-01T00:00:00Z", "it", "other")"#, r#"{"d": "3/1/2026"}"#, Is(r#""it""#)),
            on(r#"IIF([n] = "", "none", [n])"#, "{}", Is(r#""none""#)),
            on("IIF(IsNullOrEmpty([n]), IgnoreAttributeFlow, [n])", "{}", Ignored),
            on("IIF([n] >= 10, 1, 0)", r#"{"n": "9.5"}"#, Is("0")),
            on(r#"IIF([a] = "a", Item([none], 1), "fine")"#, "{}", Is(r#""fine""#)),
        ],
    ),
    (
        "Append",
        &[
            on(r#"Append([none], "x")"#, "{}", Is(r#""x""#)),
            on(r#""t-" & [alias]"#, r#"{"alias": "x"}"#, Is(r#""t-x""#)),
        ],
    ),
    (
        "Replace",
        &[
            on(r#"Replace([n], , "(\\w+) (\\w+)", , "$2$$$1", , )"#, r#"{"n": "Juris Ozols"}"#, Is(r#""Ozols$Juris""#)),
            on(r#"Replace([n], , "(?<a>.)(.)", , "$1$2", , )"#, r#"{"n": "xy"}"#, Is(r#""yx""#)),
            on(r#"Replace([n], , "b", , "[$&$9${no}]", , )"#, r#"{"n": "abc"}"#, Is(r#""a[b$9${no}]c""#)),
            on(r#"Replace([n], , "(?<=a)b(?!d)", , "X", , )"#, r#"{"n": "abc abd"}"#, Is(r#""aXc abd""#)),
            on(r#"Replace([n], , "(\\w)\\1", , "$1", , )"#, r#"{"n": "Anna-Lotta"}"#, Is(r#""Ana-Lota""#)),
            on(r#"Replace([n], , "(?<c>\\w)\\k<c>", , "${c}", , )"#, r#"{"n": "Anna"}"#, Is(r#""Ana""#)),
            on(r#"Replace([n], , "x*", , "-", , )"#, r#"{"n": "abc"}"#, Is(r#""-a-b-c-""#)),
            on(r#"Replace([n], , "a*", , "-", , )"#, r#"{"n": "baaac"}"#, Is(r#""-b--c-""#)),
            on(r#"Replace([n], , "c$", , "-", , )"#, r#"{"n": "abc\n"}"#, Is(r#""ab-\n""#)),
            on(r#"Replace([n], , "[a-z-[aeiou]]", , "", , )"#, r#"{"n": "ozols"}"#, Is(r#""oo""#)),
            on(r#"Replace([n], , "\\d", , "x", , )"#, r#"{"n": "1٣"}"#, Is(r#""xx""#)),
            on(r#"Replace([n], , "[^\\w-.]", , "", , )"#, r#"{"n": "a b-c.d!"}"#, Is(r#""ab-c.d""#)),
            on(
                r#"Replace([n], , "([\\/\\\\\\[\\]\\:\\;\\|\\=\\,\\+\\*\\?\\<\\>])", , "", , )"#,
                r#"{"n": "a/b\\c[d]:e<f>"}"#,
                Is(r#""abcdef""#),
            ),
            on(r#"Replace([n], , "[^\\w ]", , "", , )"#, r#"{"n": "Zoë O'Neil"}"#, Is(r#""Zoë ONeil""#)),
            on(r#"Replace([n], , "[\\p{IsCyrillic}]+", , "*", , )"#, r#"{"n": "a Анна"}"#, Is(r#""a *""#)),
            on(r#"Replace([n], , "\+", , "00", , )"#, r#"{"n": "+371"}"#, Is(r#""00371""#)),
            on(r#"Replace([n], "", , , "x", , )"#, r#"{"n": "abc"}"#, Is(r#""abc""#)),
            on(r#"Replace([none], "a", , , "x", , )"#, "{}", Is("null")),
            on(
                r#"Replace([n], , "(a+)+$", , "x", , )"#,
                r#"{"n": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}"#,
                Is(r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab""#),
            ),
            on(
                r#"Replace([n], , "(?:(?=a)a+)+$", , "x", , )"#,
                r#"{"n": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}"#,
                Fails("too many steps"),
            ),
        ],
    ),
    (
        "FormatDateTime",
        &[
            on(
                r#"FormatDateTime([d], , "yyyy-MM-ddTHH:mm:ssZ", "dddd, d. MMMM yy, h 'o''clock' tt")"#,
                r#"{"d": "2026-03-01T15:04:05Z"}"#,
                Is(r#""Sunday, 1. March 26, 3 oclock PM""#),
            ),
            on(
                r#"FormatDateTime([d], , "yyyy-MM-ddTHH:mm:ss.fffzzz", "yyyy-MM-dd HH:mm:ss.FFFFFFF")"#,
                r#"{"d": "2026-03-01T00:30:00.250+02:00"}"#,
                Is(r#""2026-02-28 22:30:00.25""#),
            ),
            on(
                r#"FormatDateTime([d], , "yyyy-MM-ddTHH:mm:ssK", "s")"#,
                r#"{"d": "2026-03-01T00:30:00Z"}"#,
                Is(r#""2026-03-01T00:30:00""#),
            ),
            on(r#"FormatDateTime([d], "None", "d.M.yyyy", "d")"#, r#"{"d": " 1.3.2026"}"#, Fails("does not fit")),
            on(
                r#"FormatDateTime([d], "AllowWhiteSpaces", "d.M.yyyy", "d")"#,
                r#"{"d": " 1. 3. 2026 "}"#,
                Is(r#""03/01/2026""#),
            ),
            on(
                r#"FormatDateTime([d], , "HH:mm", "yyyy-MM-dd HH:mm")"#,
                r#"{"d": "10:30"}"#,
                Is(r#""2026-03-10 10:30""#),
            ),
            on(
                r#"FormatDateTime([d], "NoCurrentDateDefault", "HH:mm", "yyyy-MM-dd HH:mm")"#,
                r#"{"d": "10:30"}"#,
                Is(r#""0001-01-01 10:30""#),
            ),
            on(r#"FormatDateTime([d], , "d-MMM-yy", "yyyy-MM-dd")"#, r#"{"d": "7-JAN-55"}"#, Is(r#""1955-01-07""#)),
            on(
                r#"FormatDateTime(CDate([d]), , "M/d/yyyy h:mm:ss tt", "yyyyMMdd")"#,
                r#"{"d": "2026-03-01"}"#,
                Is(r#""20260301""#),
            ),
            on(r#"FormatDateTime([none], , "d", "s")"#, "{}", Is("null")),
        ],
    ),
    (
        "DateAdd",
        &[
            on_nothing(r#"DateAdd("q", 1, CDate("2026-11-30"))"#, Is(r#""2/28/2027 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("d", "7", "2026-03-01")"#, Is(r#""3/8/2026 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("yyyy", 9000, Now())"#, Fails("outside of the years")),
            on_nothing(r#"DateAdd("m", -1, CDate("2026-03-31"))"#, Is(r#""2/28/2026 12:00:00 AM""#)),
        ],
    ),
    (
        "DateDiff",
        &[
            on_nothing(r#"DateDiff("d", CDate("2021-08-25T17:41:18Z"), CDate("2012-03-16-07:00"))"#, Is("-3449")),
            on_nothing(r#"DateDiff("ww", CDate("2021-08-25T17:41:18Z"), CDate("2012-03-16-07:00"))"#, Is("-493")),
            on_nothing(r#"DateDiff("m", CDate("2021-08-25T17:41:18Z"), CDate("2012-03-16-07:00"))"#, Is("-113")),
            on_nothing(r#"DateDiff("yyyy", CDate("2021-08-25T17:41:18Z"), CDate("2012-03-16-07:00"))"#, Is("-9")),
            on_nothing(r#"DateDiff("n", CDate("2026-03-01"), CDate("2026-03-01T00:01:59Z"))"#, Is("1")),
        ],
    ),
    (
        "CDate",
        &[
            on_nothing("CDate([none])", Fails("null is no date")),
            on("CDate([d])", r#"{"d": "soon"}"#, Fails("no date")),
        ],
    ),
    (
        "NumFromDate",
        &[
            on_nothing(r#"NumFromDate("2030-01-15T23:59:59-05:00")"#, Is("135392435990000000")),
            on_nothing(r#"NumFromDate("1600-12-31")"#, Fails("before 1601")),
            on_nothing(r#"NumFromDate("9999-12-31")"#, Is("2650466880000000000")),
        ],
    ),
    (
        "ToLower",
        &[
            on_nothing("ToLower([none])", Is("null")),
            on_nothing(r#"ToLower("TITLE", )"#, Is(r#""title""#)),
            on_nothing(r#"ToLower("Iİ", "az-Latn-AZ")"#, Is(r#""ıi""#)),
        ],
    ),
    (
        "PCase",
        &[on_nothing(r#"PCase("john's 3rd o_o")"#, Is(r#""John'S 3Rd O_O""#)), on_nothing("PCase([none])", Is("null"))],
    ),
    (
        "Coalesce",
        &[on(r#"Coalesce([a], "x")"#, r#"{"a": ""}"#, Is(r#""""#)), on("Coalesce([n], 1)", r#"{"n": null}"#, Is("1"))],
    ),
    ("Switch", &[on_nothing(r#"Switch("b", "fine", "a", Item([none], 1))"#, Is(r#""fine""#))]),
    (
        "CStr",
        &[
            on_nothing("CStr(Now())", Is(r#""3/10/2026 12:00:00 PM""#)),
            on("CStr([n])", r#"{"n": 9007199254740993}"#, Is(r#""9007199254740993""#)),
        ],
    ),
    ("NormalizeDiacritics", &[on_nothing(r#"NormalizeDiacritics("Z̄anna A\u0308 ȫ")"#, Is(r#""Zanna A\\u0308 o""#))]),
    (
        "Mid",
        &[
            on_nothing(r#"Mid("abc", 9, 1)"#, Is(r#""""#)),
            on_nothing(r#"Mid("abc", 0, 1)"#, Is(r#""abc""#)),
            on(r#"Mid("abc", [x], 1)"#, r#"{"x": "b"}"#, Fails("no whole number")),
        ],
    ),
    ("Left", &[on_nothing(r#"Left("ab😀", 3)"#, Is(r#""ab""#))]),
    ("Join", &[on(r#"Join("-", [n], [f])"#, r#"{"n": 7, "f": true}"#, Is(r#""7-True""#))]),
    (
        "Split",
        &[on_nothing(r#"Split("A, B", ",")"#, Is(r#"["A", " B"]"#)), on_nothing(r#"Split([x], ",")"#, Is("null"))],
    ),
    ("CBool", &[on_nothing(r#"CBool("true")"#, Is("true")), on_nothing("CBool([none])", Is("false"))]),
    (
        "Count",
        &[
            on(
                "Count([emails.value])",
                r#"{"emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "b"}]}"#,
                Is("2"),
            ),
            on(r#"Count([emails[type eq "work"].value])"#, r#"{"emails[type eq \"work\"].value": "a"}"#, Is("1")),
        ],
    ),
];
