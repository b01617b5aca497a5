//! Conditions and choices.

use super::Outcome::{Ignored, Is, Redacted};
use super::{Examples, on, on_nothing};

pub(super) const ALL: Examples = &[
    (
        "CBool",
        &[
            on("CBool([a] = [b])", r#"{"a": "north", "b": "north"}"#, Is("true")),
            on_nothing(r#"CBool("0")"#, Is("false")),
            on_nothing("CBool(7)", Is("true")),
        ],
    ),
    (
        "Coalesce",
        &[
            on("Coalesce([nick], [given])", r#"{"given": "Liga"}"#, Is(r#""Liga""#)),
            on_nothing(r#"Coalesce([nick], [given], "n/a")"#, Is(r#""n/a""#)),
            on("Coalesce([nick], [given])", r#"{"nick": "Lia", "given": "Liga"}"#, Is(r#""Lia""#)),
            on_nothing("Coalesce([nick], [given])", Is("null")),
        ],
    ),
    (
        "IgnoreFlowIfNullOrEmpty",
        &[
            on("IgnoreFlowIfNullOrEmpty([dept])", r#"{"dept": ""}"#, Ignored),
            on(r#"IgnoreFlowIfNullOrEmpty(Switch([grade], "", "7", "Lead"))"#, r#"{"grade": "3"}"#, Ignored),
            on("IgnoreFlowIfNullOrEmpty([dept])", r#"{"dept": "Ops"}"#, Is(r#""Ops""#)),
        ],
    ),
    (
        "IIF",
        &[
            on(r#"IIF([site]="RIX", "Riga", [site])"#, r#"{"site": "RIX"}"#, Is(r#""Riga""#)),
            on(r#"IIF([site]="RIX", "Riga", [site])"#, r#"{"site": "rix"}"#, Is(r#""rix""#)),
            on(r#"IIF([level] >= 10, "senior", "junior")"#, r#"{"level": "9"}"#, Is(r#""junior""#)),
            on(
                r#"IIF([site]="RIX", IIF([floor]="3", "R3", "R?"), "other")"#,
                r#"{"site": "RIX", "floor": "3"}"#,
                Is(r#""R3""#),
            ),
            on(r#"IIF([site] <> "RIX", "away", "home")"#, r#"{"site": "TLL"}"#, Is(r#""away""#)),
        ],
    ),
    (
        "IsNull",
        &[
            on_nothing("IsNull([mail])", Is("true")),
            on("IsNull([mail])", r#"{"mail": ""}"#, Is("false")),
            on("IsNull([mail])", r#"{"mail": "a@b"}"#, Is("false")),
        ],
    ),
    (
        "IsNullOrEmpty",
        &[
            on_nothing("IsNullOrEmpty([mail])", Is("true")),
            on("IsNullOrEmpty([mail])", r#"{"mail": ""}"#, Is("true")),
            on("IsNullOrEmpty([mail])", r#"{"mail": " "}"#, Is("false")),
        ],
    ),
    (
        "IsPresent",
        &[
            on("IsPresent([mail])", r#"{"mail": "a@b"}"#, Is("true")),
            on("IsPresent([mail])", r#"{"mail": ""}"#, Is("false")),
            on_nothing("IsPresent([mail])", Is("false")),
        ],
    ),
    (
        "IsString",
        &[
            on_nothing(r#"IsString("12")"#, Is("true")),
            on("IsString([mails])", r#"{"mails": ["a", "b"]}"#, Is("false")),
            on_nothing("IsString([x])", Is("false")),
        ],
    ),
    (
        "Not",
        &[
            on_nothing(r#"Not("True")"#, Is("false")),
            on("Not([active])", r#"{"active": "False"}"#, Is("true")),
            on_nothing("Not([active])", Is("true")),
            on_nothing(r#"Not("banana")"#, Is("true")),
        ],
    ),
    (
        "Switch",
        &[
            on(r#"Switch([cc], "Other", "LV", "Riga", "EE", "Tallinn")"#, r#"{"cc": "EE"}"#, Is(r#""Tallinn""#)),
            on(r#"Switch([cc], "Other", "LV", "Riga", "EE", "Tallinn")"#, r#"{"cc": "lv"}"#, Is(r#""Other""#)),
            on(r#"Switch([flag], , "1", "False", "0", "True")"#, r#"{"flag": "0"}"#, Is(r#""True""#)),
            on(r#"Switch([flag], , "1", "False", "0", "True")"#, r#"{"flag": "9"}"#, Is("null")),
            on_nothing(r#"Switch([t], [t], "", "N/A")"#, Is(r#""N/A""#)),
            on(r#"Switch(ToLower([flag]), "0", "yes", "1")"#, r#"{"flag": "YES"}"#, Is(r#""1""#)),
        ],
    ),
    (
        "Redact",
        &[
            on("Redact([upn])", r#"{"upn": "ana@x.example"}"#, Redacted(r#""ana@x.example""#)),
            on_nothing(r#"Redact("s3cret")"#, Redacted(r#""s3cret""#)),
            on_nothing(r#"Append("x", Redact("s3cret"))"#, Redacted(r#""xs3cret""#)),
        ],
    ),
];
