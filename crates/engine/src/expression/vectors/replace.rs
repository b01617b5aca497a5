//! `Replace`, by its five forms.

use super::Outcome::Is;
use super::{Examples, on};

pub(super) const ALL: Examples = &[(
    "Replace",
    &[
        on(
            r#"Replace([t], "Sr.", , , "Senior", , )"#,
            r#"{"t": "Sr. Clerk, Sr. Desk"}"#,
            Is(r#""Senior Clerk, Senior Desk""#),
        ),
        on(r#"Replace([t], "sr.", , , "Senior", , )"#, r#"{"t": "Sr. Clerk"}"#, Is(r#""Sr. Clerk""#)),
        on(r#"Replace([m], "@old.example", , , "", , )"#, r#"{"m": "ana@old.example"}"#, Is(r#""ana""#)),
        on(
            r#"Replace([id], "{u}", , , , , "{u}@corp.example")"#,
            r#"{"id": "aozols"}"#,
            Is(r#""aozols@corp.example""#),
        ),
        on(r##"Replace([id], "#", , , , , "A#-B#")"##, r#"{"id": "7"}"#, Is(r#""A7-B7""#)),
        on(r#"Replace([p], , "[^0-9]+", , "", , )"#, r#"{"p": "+371 (67) 00-11-22"}"#, Is(r#""37167001122""#)),
        on(
            r#"Replace([n], , "(?<f>\\w+) (?<l>\\w+)", , "${l}, ${f}", , )"#,
            r#"{"n": "Juris Ozols"}"#,
            Is(r#""Ozols, Juris""#),
        ),
        on(r#"Replace([e], , "^0+(?<rest>.+)$", , "${rest}", , )"#, r#"{"e": "000917"}"#, Is(r#""917""#)),
        on(
            r#"Replace(Join("", "000000", [e]), , "^.*(?<id>.{6})$", , "${id}", , )"#,
            r#"{"e": "917"}"#,
            Is(r#""000917""#),
        ),
        on(
            r#"Replace([a], , "^(?<no>[0-9]+) ", "no", "12", , )"#,
            r#"{"a": "99 Oak Street"}"#,
            Is(r#""12 Oak Street""#),
        ),
        on(r#"Replace([u], , "(?<dom>@.*)$", "dom", "", , )"#, r#"{"u": "ana@corp.example"}"#, Is(r#""ana""#)),
        on(r#"Replace([u], , "(?<dom>@.*)$", "dom", "", , )"#, r#"{"u": "nodomain"}"#, Is(r#""nodomain""#)),
        on(
            r#"Replace([desk], , "\\+(?<cc>[0-9]+) (?<nr>[0-9]+)", "nr", , [mobile], )"#,
            r#"{"desk": "", "mobile": "+371 20001122"}"#,
            Is(r#""20001122""#),
        ),
        on(
            r#"Replace([desk], , "\\+(?<cc>[0-9]+) (?<nr>[0-9]+)", "nr", , [mobile], )"#,
            r#"{"desk": "555", "mobile": "+371 20001122"}"#,
            Is(r#""555""#),
        ),
    ],
)];
