//! Texts that are meant to be mistaken for something else.

use rollcall_model::limits::EXTERNAL_ID_CHARS_MAX;
use rollcall_model::plan::{Action, Failure, PropertyChange};
use rollcall_model::{Code, fold};

use super::log::{contains, query, store_log, text_is};
use super::world::{START, World};
use crate::log::LogDetails;
use crate::{Error, LogField, LogRow, PersonUpdate, RecordBatch, Store};

/// Texts that have broken programs. NUL is not among them: see [`nul_is_refused_or_shown_as_replaced`].
pub(super) fn texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "'",
        "\"",
        "\\",
        "' or 1=1 --",
        "'; drop table person; --",
        "\\u0000",
        "\\\\u0000",
        "\\'",
        "$1",
        "%s",
        "{}",
        "👩🏽‍🚀",
        "\u{202e}abc",
        "\u{feff}x",
        "e\u{301}",
        "İI",
        "ß",
        "\u{1}\u{7f}",
        "\r\n\t",
        "*)(uid=*",
        "[^]]",
        "",
        "null",
        "\u{ffff}\u{10ffff}",
        "***:(?i)a",
        "a]b^c-d",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    all.push("x".repeat(1_000_000));
    all
}

/// A person whose record, name and confirmed values hold the text.
fn person(world: &World, external_id: &str, text: &str) -> PersonUpdate {
    let mut update = world.person(external_id);
    update.person.record.insert(text.to_owned(), serde_json::json!([text, {"v": text}]));
    update.person.pending.touched.insert(text.to_owned());
    let values = std::iter::once((text.to_owned(), vec![text.to_owned()])).collect();
    update.person.confirmed = Some(rollcall_model::person::Confirmed { attributes: values, ..Default::default() });
    update
}

fn details(text: &str) -> LogDetails {
    LogDetails {
        properties: vec![PropertyChange { name: text.to_owned(), old: vec![text.to_owned()], new: Vec::new() }],
        failure: Some(Failure::new(Code::DirectoryRefused, Some(text), text)),
        ..LogDetails::default()
    }
}

/// Stores one text everywhere it may stand and reads it back; `at` keeps several apart.
pub async fn round_trip(store: &dyn Store, world: &World, at: usize, text: &str) {
    // An externalId has a limit; one in an operation that will fail for it has none.
    let external_id: String = format!("{at}-{text}").chars().take(EXTERNAL_ID_CHARS_MAX).collect();
    let long = format!("{at}-{text}");
    let update = person(world, &external_id, text);
    let mut upload = world.upload(&[&external_id, &long]);
    upload.operations[0].bulk_id = Some(text.to_owned());
    world.accept(store, &upload).await;
    world.merge(store, std::slice::from_ref(&update)).await;
    let key = fold(&external_id);
    assert_eq!(store.person(&world.job, &key).await.unwrap().as_ref(), Some(&update), "{at}");
    let row = LogRow {
        source_name: Some(text.to_owned()),
        target_name: Some(text.to_owned()),
        details: details(text),
        ..world.log_row(&update, Action::Other)
    };
    let waits = vec![(update.person.id, text.to_owned())];
    let batch = RecordBatch { log: vec![row.clone()], waits, ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), crate::Fenced::Done(()));
    let status = store.upload(world.tenant, upload.id).await.unwrap().unwrap();
    assert_eq!(status.operations[0].bulk_id.as_deref(), Some(text));
    assert_eq!(status.operations[0].external_id.as_deref(), Some(external_id.as_str()));
    assert_eq!(status.operations[1].external_id, Some(long));
    let found = store.log(&query(world, Some(text_is(LogField::ExternalId, &external_id)))).await.unwrap();
    assert_eq!(found, [row], "{at}");
}

pub(super) async fn texts_survive(store: &dyn Store) {
    let world = World::new(store, 1).await;
    for (at, text) in texts().iter().enumerate() {
        round_trip(store, &world, at, text).await;
    }
}

pub(super) async fn nul_is_refused_or_shown_as_replaced(store: &dyn Store) {
    let world = World::new(store, 1).await;
    // In a record, in details: JSON has an escape for it.
    let update = person(&world, "a", "nul\0nul");
    world.merge(store, std::slice::from_ref(&update)).await;
    assert_eq!(store.person(&world.job, "a").await.unwrap(), Some(update.clone()));
    // In a name of the log, which is only shown: replaced.
    let row = LogRow {
        source_name: Some("a\0b".to_owned()),
        details: details("nul\0nul"),
        ..world.log_row(&update, Action::Other)
    };
    store_log(store, &world, vec![row.clone()]).await;
    let shown = LogRow { source_name: Some("a\u{fffd}b".to_owned()), ..row };
    assert_eq!(store.log(&query(&world, None)).await.unwrap(), [shown]);
    // As a key: refused where it is stored, unknown where it is looked for.
    let mut upload = world.upload(&["x"]);
    upload.operations[0].bulk_id = Some("\0".to_owned());
    let unstorable = store.accept(&upload, 10, START).await;
    assert!(matches!(unstorable, Err(Error::Unstorable(_))), "{unstorable:?}");
    assert_eq!(store.person(&world.job, "\0").await.unwrap(), None);
    let filtered = store.log(&query(&world, Some(text_is(LogField::ExternalId, "\0")))).await;
    assert!(matches!(filtered, Err(Error::Unstorable(_))), "{filtered:?}");
}

pub(super) async fn filters_are_never_interpreted(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = world.person("holder");
    world.merge(store, std::slice::from_ref(&person)).await;
    let innocent = world.log_row(&person, Action::Update);
    store_log(store, &world, vec![LogRow { source_name: Some("zzz".to_owned()), ..innocent }]).await;
    for text in texts().iter().filter(|text| !text.is_empty() && text.len() < 10_000) {
        let held = LogRow { source_name: Some(format!("<{text}>")), ..world.log_row(&person, Action::Update) };
        store_log(store, &world, vec![held.clone()]).await;
        let exact = text_is(LogField::SourceName, &format!("<{text}>"));
        assert_eq!(store.log(&query(&world, Some(exact))).await.unwrap(), std::slice::from_ref(&held), "{text:?}");
        for folded in [false, true] {
            let part = contains(LogField::SourceName, &format!("<{text}>"), folded);
            assert_eq!(
                store.log(&query(&world, Some(part))).await.unwrap(),
                std::slice::from_ref(&held),
                "{text:?} {folded}"
            );
            let foreign = contains(LogField::TargetName, text, folded);
            let found = store.log(&query(&world, Some(foreign))).await.unwrap();
            assert!(
                found.iter().all(|row| row.target_name.as_deref().is_some_and(|name| name.contains(text.as_str())))
            );
        }
    }
}
