//! Lists, bits, random and unique values, the job's domain.

use super::Outcome::{Fails, Is, Matches};
use super::{Example, Examples, on, on_nothing};

const UNIQUE: Example = on(
    r#"SelectUniqueValue(Join("", Mid([g],1,1), [s]), Join("", Mid([g],1,2), [s]), Join("", [g], [s]))"#,
    r#"{"g": "Ilze", "s": "Kalns"}"#,
    Is(r#""IKalns""#),
);

pub(super) const ALL: Examples = &[
    (
        "BitAnd",
        &[
            on_nothing("BitAnd(12, 10)", Is("8")),
            on_nothing("BitAnd(&H202, 2)", Is("2")),
            on("BitAnd([uac], 2)", r#"{"uac": "512"}"#, Is("0")),
            on(r#"BitAnd([uac], "&H202")"#, r#"{"uac": "&h2"}"#, Is("2")),
            on("BitAnd([uac], 2)", r#"{"uac": "&H-2"}"#, Fails("it is no whole number")),
        ],
    ),
    (
        "Count",
        &[
            on("Count([otherPhones])", r#"{"otherPhones": ["1", "2", "3"]}"#, Is("3")),
            on_nothing("Count([otherPhones])", Is("0")),
        ],
    ),
    (
        "DefaultDomain",
        &[
            on(
                r#"Join("@", Replace([userName], , "(?<d>@.*)$", "d", "", , ), DefaultDomain())"#,
                r#"{"userName": "ana@src.example"}"#,
                Is(r#""ana@example.com""#),
            ),
            on_nothing(r#"Append("x@", DefaultDomain())"#, Is(r#""x@example.com""#)),
        ],
    ),
    (
        "Item",
        &[
            on("Item([addr], 1)", r#"{"addr": ["first", "second"]}"#, Is(r#""first""#)),
            on("Item([addr], 2)", r#"{"addr": ["first", "second"]}"#, Is(r#""second""#)),
            on("Item([addr], 3)", r#"{"addr": ["first", "second"]}"#, Fails("index out of bounds")),
            on("Item([addr], 0)", r#"{"addr": ["first", "second"]}"#, Fails("indexes start at 1")),
        ],
    ),
    (
        "RandomString",
        &[
            on_nothing("RandomString(3,2,2,0,0)", Fails("below the sum of the minimums")),
            on_nothing("RandomString(12,2,2,2,2)", Matches("^.{12}$")),
            on_nothing("RandomString(12,2,2,2,2)", Matches("([0-9].*){2}")),
            on_nothing("RandomString(12,2,2,2,2)", Matches("([A-Z].*){2}")),
            on_nothing("RandomString(12,2,2,2,2)", Matches("([a-z].*){2}")),
            on_nothing("RandomString(12,2,2,2,2)", Matches("([^0-9A-Za-z].*){2}")),
            on_nothing("RandomString(4,4,0,0,0,)", Matches("^[0-9]{4}$")),
            on_nothing(r#"RandomString(10,1,1,1,1,"O0l1")"#, Matches("^[^O0l1]{10}$")),
        ],
    ),
    (
        "RemoveDuplicates",
        &[
            on("RemoveDuplicates([m])", r#"{"m": ["a", "b", "a"]}"#, Is(r#"["a", "b"]"#)),
            on("RemoveDuplicates([m])", r#"{"m": ["SMTP:a", "smtp:a"]}"#, Is(r#"["SMTP:a", "smtp:a"]"#)),
        ],
    ),
    (
        "Split",
        &[
            on(r#"Split([s], ";")"#, r#"{"s": "x;y;z"}"#, Is(r#"["x", "y", "z"]"#)),
            on_nothing(
                r#"Split(Join(",", "smtp:a@x.example", "SMTP:b@x.example"), ",")"#,
                Is(r#"["smtp:a@x.example", "SMTP:b@x.example"]"#),
            ),
            on(r#"Split([s], ",")"#, r#"{"s": "solo"}"#, Is(r#"["solo"]"#)),
        ],
    ),
    (
        "Guid",
        &[
            on_nothing("Guid()", Matches("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")),
            on_nothing("Guid()", Matches("^.{14}4.{4}[89ab]")),
            on_nothing("Mid(ConvertToBase64(Guid()), 1, 5)", Matches("^[A-Za-z0-9+/]{5}$")),
        ],
    ),
    (
        "SelectUniqueValue",
        &[
            Example { taken: &[], ..UNIQUE },
            Example { taken: &["ikalns"], result: Is(r#""IlKalns""#), ..UNIQUE },
            Example { taken: &["IKalns", "ilkalns"], result: Is(r#""IlzeKalns""#), ..UNIQUE },
            Example { taken: &["ikalns", "ilkalns", "ilzekalns"], result: Fails("every value is taken"), ..UNIQUE },
        ],
    ),
    (
        "SingleAppRoleAssignment",
        &[on_nothing("SingleAppRoleAssignment([appRoleAssignments])", Fails("cannot be used"))],
    ),
    (
        "AppRoleAssignmentsComplex",
        &[on_nothing("AppRoleAssignmentsComplex([appRoleAssignments])", Fails("cannot be used"))],
    ),
    (
        "AssertiveAppRoleAssignmentsComplex",
        &[on_nothing("AssertiveAppRoleAssignmentsComplex([appRoleAssignments])", Fails("cannot be used"))],
    ),
];
