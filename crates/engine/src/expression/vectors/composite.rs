//! The usual jobs of a mapping, as combinations (engine-and-agent 1.4).

use super::Outcome::{Ignored, Is};
use super::{Example, on, on_nothing};

pub(super) const ALL: &[Example] = &[
    on(
        r#"Replace(Mid(Replace(NormalizeDiacritics(StripSpaces(Join("", Mid([g],1,1), [s]))), , "[\"/\\\\\\[\\]:;|=,+*?<>@]", , "", , ), 1, 20), , "\\.+$", , "", , )"#,
        r#"{"g": "Žanete", "s": "Kalniņš, Jr."}"#,
        Is(r#""ZKalniņsJr""#),
    ),
    on(
        r#"Replace(Mid(Replace(NormalizeDiacritics(StripSpaces(Join("", Mid([g],1,1), [s]))), , "[\"/\\\\\\[\\]:;|=,+*?<>@]", , "", , ), 1, 20), , "\\.+$", , "", , )"#,
        r#"{"g": "Ana", "s": "van der Wijngaarden-Okonkwo"}"#,
        Is(r#""AvanderWijngaarden-O""#),
    ),
    on(
        r#"Append(Join(", ", [sn], Coalesce([nick], [given])), Join("", " (", [dept], "-", [c], ")"))"#,
        r#"{"sn": "Ozols", "given": "Juris", "dept": "Sales", "c": "LV"}"#,
        Is(r#""Ozols, Juris (Sales-LV)""#),
    ),
    on(
        r#"Switch([c], Join(" ", [given], [sn]), "HU", Join(" ", [sn], [given]))"#,
        r#"{"c": "HU", "given": "Anna", "sn": "Nagy"}"#,
        Is(r#""Nagy Anna""#),
    ),
    on(
        r#"Join("", Switch([dept], "", "IT", "OU=IT,"), Switch([c], "", "LV", "OU=LV,"), "OU=Staff,DC=corp,DC=example")"#,
        r#"{"dept": "IT", "c": "LV"}"#,
        Is(r#""OU=IT,OU=LV,OU=Staff,DC=corp,DC=example""#),
    ),
    on(
        r#"Join("", Switch([dept], "", "IT", "OU=IT,"), Switch([c], "", "LV", "OU=LV,"), "OU=Staff,DC=corp,DC=example")"#,
        r#"{"dept": "HR", "c": "EE"}"#,
        Is(r#""OU=Staff,DC=corp,DC=example""#),
    ),
    on(
        r#"IIF(DateDiff("d", Now(), CDate(Switch([last], [last], "", "9999-12-31"))) < 0, "OU=Leavers,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example")"#,
        r#"{"last": "2026-03-01"}"#,
        Is(r#""OU=Leavers,DC=corp,DC=example""#),
    ),
    on(
        r#"IIF(DateDiff("d", Now(), CDate(Switch([last], [last], "", "9999-12-31"))) < 0, "OU=Leavers,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example")"#,
        r#"{"last": "2026-04-01"}"#,
        Is(r#""OU=Staff,DC=corp,DC=example""#),
    ),
    on_nothing(
        r#"IIF(DateDiff("d", Now(), CDate(Switch([last], [last], "", "9999-12-31"))) < 0, "OU=Leavers,DC=corp,DC=example", "OU=Staff,DC=corp,DC=example")"#,
        Is(r#""OU=Staff,DC=corp,DC=example""#),
    ),
    on(
        r#"Switch([active], "True", "True", IIF(DateDiff("d", Now(), CDate([hire])) <= 7, "False", "True"), "False", "True")"#,
        r#"{"active": "True", "hire": "2026-03-15"}"#,
        Is(r#""False""#),
    ),
    on(
        r#"Switch([active], "True", "True", IIF(DateDiff("d", Now(), CDate([hire])) <= 7, "False", "True"), "False", "True")"#,
        r#"{"active": "True", "hire": "2026-05-01"}"#,
        Is(r#""True""#),
    ),
    on(
        r#"Switch([active], "True", "True", IIF(DateDiff("d", Now(), CDate([hire])) <= 7, "False", "True"), "False", "True")"#,
        r#"{"active": "False", "hire": "2020-01-01"}"#,
        Is(r#""True""#),
    ),
    on_nothing(
        r#"Switch([active], "True", "True", IIF(DateDiff("d", Now(), CDate([hire])) <= 7, "False", "True"), "False", "True")"#,
        Is(r#""True""#),
    ),
    on(
        r#"Switch([end], NumFromDate(Join("", FormatDateTime([end], , "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd"), "T23:59:59+02:00")), "", "9223372036854775807")"#,
        r#"{"end": "6/30/2026 12:00:00 AM"}"#,
        Is("134273303990000000"),
    ),
    on(
        r#"Switch([end], NumFromDate(Join("", FormatDateTime([end], , "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd"), "T23:59:59+02:00")), "", "9223372036854775807")"#,
        r#"{"end": ""}"#,
        Is(r#""9223372036854775807""#),
    ),
    on(
        r#"Split(Join(",", Append("SMTP:", Join("@", [alias], "corp.example")), Append("smtp:", Join("@", [old], "corp.example"))), ",")"#,
        r#"{"alias": "a.ozols", "old": "aozols"}"#,
        Is(r#"["SMTP:a.ozols@corp.example", "smtp:aozols@corp.example"]"#),
    ),
    on(
        r#"IgnoreFlowIfNullOrEmpty(IIF(InStr([mail], "@corp.example")=0, "", [mail]))"#,
        r#"{"mail": "me@other.example"}"#,
        Ignored,
    ),
    on(
        r#"ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".", [given], [sn]))), DefaultDomain()))"#,
        r#"{"given": "Mārtiņš", "sn": "de la Cruz"}"#,
        Is(r#""martiņs.delacruz@example.com""#),
    ),
];
