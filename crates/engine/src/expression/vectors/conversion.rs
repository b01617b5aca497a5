//! Conversions.

use super::Outcome::Is;
use super::{Examples, on, on_nothing};

pub(super) const ALL: Examples = &[
    (
        "ConvertToBase64",
        &[
            on_nothing(r#"ConvertToBase64("AD")"#, Is(r#""QQBEAA==""#)),
            on("ConvertToBase64([n])", r#"{"n": "Zoë"}"#, Is(r#""WgBvAOsA""#)),
        ],
    ),
    (
        "ConvertToUTF8Hex",
        &[
            on_nothing(r#"ConvertToUTF8Hex("AD")"#, Is(r#""4144""#)),
            on("ConvertToUTF8Hex([n])", r#"{"n": "é"}"#, Is(r#""C3A9""#)),
        ],
    ),
    (
        "CStr",
        &[
            on("CStr([active])", r#"{"active": true}"#, Is(r#""True""#)),
            on_nothing("CStr(42)", Is(r#""42""#)),
            on(
                "CStr([manager])",
                r#"{"manager": "CN=Boss,DC=corp,DC=example"}"#,
                Is(r#""CN=Boss,DC=corp,DC=example""#),
            ),
        ],
    ),
    (
        "NormalizeDiacritics",
        &[
            on_nothing(r#"NormalizeDiacritics("Žanna Čižmár")"#, Is(r#""Zanna Cizmar""#)),
            on_nothing(r#"NormalizeDiacritics("Øystein Åse")"#, Is(r#""OEystein Ase""#)),
            on_nothing(r#"NormalizeDiacritics("Groß Ünal")"#, Is(r#""Gross Unal""#)),
            on_nothing(r#"NormalizeDiacritics("Łódź")"#, Is(r#""Lodz""#)),
            on_nothing(r#"NormalizeDiacritics("Ķēniņš")"#, Is(r#""Ķeniņs""#)),
            on_nothing(r#"NormalizeDiacritics("Æsa")"#, Is(r#""AEsa""#)),
            on_nothing(r#"NormalizeDiacritics("Đorđe")"#, Is(r#""Đorđe""#)),
        ],
    ),
];
