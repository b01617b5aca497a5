//! Texts.

use super::Outcome::Is;
use super::{Examples, on, on_nothing};

pub(super) const ALL: Examples = &[
    (
        "Append",
        &[
            on(r#"Append([login], "-adm")"#, r#"{"login": "k.berzina"}"#, Is(r#""k.berzina-adm""#)),
            on(r#"Append("EMP", [no])"#, r#"{"no": "00417"}"#, Is(r#""EMP00417""#)),
            on(r#"Append([login], "")"#, r#"{"login": "x"}"#, Is(r#""x""#)),
        ],
    ),
    (
        "InStr",
        &[
            on_nothing(r#"InStr("provision", "vis")"#, Is("4")),
            on_nothing(r#"InStr("provision", "zz")"#, Is("0")),
            on_nothing(r#"InStr("aBcabc", "b", 1, vbTextCompare)"#, Is("2")),
            on_nothing(r#"InStr("aBcabc", "b", 1, vbBinaryCompare)"#, Is("5")),
            on_nothing(r#"InStr("banana", "a", 3)"#, Is("4")),
        ],
    ),
    (
        "Join",
        &[
            on(r#"Join("-", [a], [b])"#, r#"{"a": "x", "b": "y"}"#, Is(r#""x-y""#)),
            on(r#"Join(", ", "", [sn], [given])"#, r#"{"sn": "Ozols", "given": "Juris"}"#, Is(r#""Ozols, Juris""#)),
            on(r#"Join(".", [given], [mid], [sn])"#, r#"{"given": "Ana", "sn": "Reis"}"#, Is(r#""Ana.Reis""#)),
            on(r#"Join(";", [list], "end")"#, r#"{"list": ["p", "q"]}"#, Is(r#""p;q;end""#)),
            on_nothing(r#"Join("", "A", "B")"#, Is(r#""AB""#)),
        ],
    ),
    (
        "Left",
        &[
            on_nothing(r#"Left("Provision", 4)"#, Is(r#""Prov""#)),
            on_nothing(r#"Left("ab", 9)"#, Is(r#""ab""#)),
            on_nothing(r#"Left("abc", 0)"#, Is(r#""""#)),
            on_nothing(r#"Left("abc", -1)"#, Is(r#""abc""#)),
            on_nothing("Left([x], 3)", Is(r#""""#)),
        ],
    ),
    (
        "Mid",
        &[
            on_nothing(r#"Mid("directory", 1, 6)"#, Is(r#""direct""#)),
            on_nothing(r#"Mid("directory", 4, 2)"#, Is(r#""ec""#)),
            on_nothing(r#"Mid("abc", 2, 99)"#, Is(r#""bc""#)),
            on_nothing(r#"Mid("abc", "1", "1")"#, Is(r#""a""#)),
        ],
    ),
    (
        "PCase",
        &[
            on_nothing(r#"PCase("ANA MARIJA (TEMP)")"#, Is(r#""Ana Marija (Temp)""#)),
            on_nothing(r#"PCase("smith-jones")"#, Is(r#""Smith-Jones""#)),
            on_nothing(r#"PCase("smith-jones", " ")"#, Is(r#""Smith-jones""#)),
            on_nothing(r#"PCase("D'ARTAGNAN-ROY", " -'")"#, Is(r#""D'Artagnan-Roy""#)),
            on_nothing(r#"PCase("van der berg", " ")"#, Is(r#""Van Der Berg""#)),
        ],
    ),
    (
        "StripSpaces",
        &[
            on_nothing(r#"StripSpaces(" a b  c ")"#, Is(r#""abc""#)),
            on("StripSpaces([s])", r#"{"s": "tab\there"}"#, Is(r#""tab\there""#)),
        ],
    ),
    (
        "ToLower",
        &[
            on_nothing(r#"ToLower("JŪRMALA")"#, Is(r#""jūrmala""#)),
            on_nothing(r#"ToLower("TITLE", "tr-TR")"#, Is(r#""tıtle""#)),
        ],
    ),
    (
        "ToUpper",
        &[
            on_nothing(r#"ToUpper("title", "tr-TR")"#, Is(r#""TİTLE""#)),
            on_nothing(r#"ToUpper("jūra")"#, Is(r#""JŪRA""#)),
            on_nothing(r#"ToUpper("straße")"#, Is(r#""STRAßE""#)),
        ],
    ),
    (
        "Trim",
        &[
            on_nothing(r#"Trim("  a b ")"#, Is(r#""a b""#)),
            on("Left(Trim([d]), 3)", r#"{"d": " Sales "}"#, Is(r#""Sal""#)),
        ],
    ),
    (
        "Word",
        &[
            on_nothing(r#"Word("one two three", 2, " ")"#, Is(r#""two""#)),
            on_nothing(r#"Word("k=v;w", 3, "=;")"#, Is(r#""w""#)),
            on_nothing(r#"Word("a b", 5, " ")"#, Is(r#""""#)),
            on_nothing(r#"Word("a b", 0, " ")"#, Is(r#""""#)),
            on_nothing(r#"Word([x], 1, " ")"#, Is(r#""""#)),
        ],
    ),
];
