//! Dates.

use super::Outcome::{Fails, Is};
use super::{Examples, on, on_nothing};

pub(super) const ALL: Examples = &[
    (
        "CDate",
        &[
            on_nothing(r#"CDate("2026-02-01+02:00")"#, Is(r#""1/31/2026 10:00:00 PM""#)),
            on_nothing(r#"CDate("2026-02-01T23:30:00-05:00")"#, Is(r#""2/2/2026 4:30:00 AM""#)),
            on("CDate([d])", r#"{"d": "2026-07-04"}"#, Is(r#""7/4/2026 12:00:00 AM""#)),
        ],
    ),
    (
        "DateAdd",
        &[
            on_nothing(r#"DateAdd("d", -3, CDate("2026-03-01"))"#, Is(r#""2/26/2026 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("m", 1, CDate("2026-01-31"))"#, Is(r#""2/28/2026 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("ww", 2, CDate("2026-03-16-07:00"))"#, Is(r#""3/30/2026 7:00:00 AM""#)),
            on_nothing(r#"DateAdd("w", 1, CDate("2026-01-31"))"#, Is(r#""2/1/2026 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("yyyy", 1, CDate("2024-02-29"))"#, Is(r#""2/28/2025 12:00:00 AM""#)),
            on_nothing(r#"DateAdd("h", 36, CDate("2026-03-01T06:00:00Z"))"#, Is(r#""3/2/2026 6:00:00 PM""#)),
            on_nothing(r#"DateAdd("n", 90, CDate("2026-03-01T23:00:00Z"))"#, Is(r#""3/2/2026 12:30:00 AM""#)),
        ],
    ),
    (
        "DateDiff",
        &[
            on_nothing(r#"DateDiff("d", CDate("2026-03-01"), CDate("2026-03-15"))"#, Is("14")),
            on_nothing(r#"DateDiff("d", CDate("2026-03-02T12:00:00Z"), CDate("2026-03-01"))"#, Is("-1")),
            on_nothing(r#"DateDiff("m", CDate("2026-01-31"), CDate("2026-02-01"))"#, Is("1")),
            on_nothing(r#"DateDiff("yyyy", CDate("2025-12-31"), CDate("2026-01-01"))"#, Is("1")),
            on_nothing(r#"DateDiff("ww", CDate("2026-03-07"), CDate("2026-03-08"))"#, Is("1")),
            on_nothing(r#"DateDiff("ww", CDate("2026-03-08"), CDate("2026-03-14"))"#, Is("0")),
            on_nothing(r#"DateDiff("h", CDate("2026-03-01"), CDate("2026-03-02T01:59:00Z"))"#, Is("25")),
            on_nothing(r#"DateDiff("s", CDate("2026-03-01"), CDate("2026-03-01"))"#, Is("0")),
        ],
    ),
    (
        "DateFromNum",
        &[
            on_nothing("DateFromNum(133641792000000000)", Is(r#""6/30/2024 12:00:00 AM""#)),
            on(
                "DateFromNum([lastLogonTimestamp])",
                r#"{"lastLogonTimestamp": "134167931990000000"}"#,
                Is(r#""2/28/2026 10:59:59 PM""#),
            ),
            on_nothing("DateFromNum(0)", Is(r#""1/1/1601 12:00:00 AM""#)),
        ],
    ),
    (
        "FormatDateTime",
        &[
            on(r#"FormatDateTime([d], , "dd.MM.yyyy", "yyyy-MM-dd")"#, r#"{"d": "09.11.2026"}"#, Is(r#""2026-11-09""#)),
            on(
                r#"FormatDateTime([d], , "M/d/yyyy h:mm:ss tt", "yyyyMMddHHmmss.0Z")"#,
                r#"{"d": "3/5/2026 4:07:09 PM"}"#,
                Is(r#""20260305160709.0Z""#),
            ),
            on(r#"FormatDateTime([d], "yyyy-MM-dd", "d MMM yyyy")"#, r#"{"d": "2026-11-09"}"#, Is(r#""9 Nov 2026""#)),
            on(
                r#"FormatDateTime([d], , "yyyy-MM-ddzzz", "yyyy-MM-dd")"#,
                r#"{"d": "2026-12-31-08:00"}"#,
                Is(r#""2026-12-31""#),
            ),
            on(
                r#"FormatDateTime([d], , "yyyy-MM-dd", "MM/dd/yy")"#,
                r#"{"d": "31-12-2026"}"#,
                Fails("does not fit the input format"),
            ),
        ],
    ),
    (
        "NumFromDate",
        &[
            on_nothing(r#"NumFromDate("2012-01-01T23:00:00Z")"#, Is("129699324000000000")),
            on_nothing(r#"NumFromDate("2026-02-28T23:59:59+01:00")"#, Is("134167931990000000")),
            on(
                r#"NumFromDate(Join("", FormatDateTime([end], , "yyyy-MM-ddzzz", "yyyy-MM-dd"), " 23:59:59-05:00"))"#,
                r#"{"end": "2025-12-31-05:00"}"#,
                Is("134117171990000000"),
            ),
            on_nothing(r#"NumFromDate("1601-01-01T00:00:00Z")"#, Is("0")),
        ],
    ),
    (
        "Now",
        &[
            on_nothing("Now()", Is(r#""3/10/2026 12:00:00 PM""#)),
            on_nothing(r#"DateDiff("d", Now(), CDate("2026-03-20T12:00:00Z"))"#, Is("10")),
        ],
    ),
];
