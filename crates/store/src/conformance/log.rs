//! The provisioning log.

use rollcall_model::Code;
use rollcall_model::ids::{LogId, TenantId};
use rollcall_model::plan::Action;
use uuid::Uuid;

use super::world::{START, World};
use crate::log::CompareOperator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
use crate::log::{CompareOperator, LogDetails};
use crate::{
    Fenced, LogField, LogFilter, LogOrder, LogQuery, LogRow, LogStatus, LogValue, MergeBatch, PersonUpdate, Store,
};

pub(super) async fn store_log(store: &dyn Store, world: &World, log: Vec<LogRow>) {
    let batch = MergeBatch { log, ..MergeBatch::default() };
    assert_eq!(store.merge(&world.lease, &batch).await.unwrap(), Fenced::Done(()));
}

pub(super) fn query(world: &World, filter: Option<LogFilter>) -> LogQuery {
    LogQuery { tenant: world.tenant, filter, order: LogOrder::OldestFirst, limit: 1_000, after: None }
}

pub(super) async fn pages_do_not_move(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = world.person("a");
    world.merge(store, std::slice::from_ref(&person)).await;
    // Three moments, several rows each.
    let row = |ms: i64| LogRow { at: START.plus_ms(ms), ..world.log_row(&person, Action::Update) };
    let rows: Vec<_> = [2, 1, 1, 0, 2, 1, 0].into_iter().map(row).collect();
    store_log(store, &world, rows.clone()).await;
    let mut expected = rows;
    expected.sort_by_key(|row| (row.at, row.id));
    for order in [LogOrder::OldestFirst, LogOrder::NewestFirst] {
        let mut seen: Vec<LogId> = Vec::new();
        let mut after = None;
        loop {
            let query = LogQuery { tenant: world.tenant, filter: None, order, limit: 2, after };
            let page = store.log(&query).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.at, last.id));
            seen.extend(page.iter().map(|row| row.id));
            // Stored meanwhile, before the page's place.
            let ms = if order == LogOrder::OldestFirst { -1 } else { 9 };
            store_log(store, &world, vec![row(ms)]).await;
        }
        let ids: Vec<_> = expected.iter().map(|row| row.id).collect();
        let known: Vec<_> = seen.into_iter().filter(|id| ids.contains(id)).collect();
        let wanted: Vec<_> = match order {
            LogOrder::OldestFirst => ids,
            LogOrder::NewestFirst => ids.into_iter().rev().collect(),
        };
        assert_eq!(known, wanted, "{order:?}");
    }
    let other = LogQuery { tenant: TenantId(world.id()), ..query(&world, None) };
    assert!(store.log(&other).await.unwrap().is_empty());
}

fn compare(field: LogField, operator: CompareOperator, value: LogValue) -> LogFilter {
    LogFilter::Compare { field, operator, value }
}

pub(super) fn text_is(field: LogField, value: &str) -> LogFilter {
    compare(field, Equal, LogValue::Text(value.to_owned()))
}

pub(super) fn contains(field: LogField, text: &str, folded: bool) -> LogFilter {
    LogFilter::Contains { field, text: text.to_owned(), folded }
}

fn starts(field: LogField, text: &str, folded: bool) -> LogFilter {
    LogFilter::StartsWith { field, text: text.to_owned(), folded }
}

fn ends(field: LogField, text: &str, folded: bool) -> LogFilter {
    LogFilter::EndsWith { field, text: text.to_owned(), folded }
}

fn folded(field: LogField, text: &str) -> LogFilter {
    LogFilter::EqualsFolded { field, text: text.to_owned() }
}

fn not(filter: LogFilter) -> LogFilter {
    LogFilter::Not(Box::new(filter))
}

fn both(left: LogFilter, right: LogFilter) -> LogFilter {
    LogFilter::And(Box::new(left), Box::new(right))
}

fn either(left: LogFilter, right: LogFilter) -> LogFilter {
    LogFilter::Or(Box::new(left), Box::new(right))
}

fn numbers(field: LogField, operator: CompareOperator, of: &[i64]) -> LogFilter {
    compare(field, operator, LogValue::Numbers(of.to_vec()))
}

/// Three rows: the first full, the second of another kind, the third without optional values.
fn rows(world: &World, person: &PersonUpdate) -> [LogRow; 3] {
    let first = LogRow {
        source_name: Some("Ärger [x] 100%_*".to_owned()),
        code: Some(Code::Drift),
        details: LogDetails { confirmed_after_crash: true, ..LogDetails::default() },
        ..world.log_row(person, Action::Update)
    };
    let second = LogRow {
        at: START.plus_ms(1),
        action: Action::Move,
        status: LogStatus::Failure,
        duration_ms: 90,
        external_id: "aC".to_owned(),
        source_name: Some("zed".to_owned()),
        cycle: Uuid::from_u128(6),
        ..world.log_row(person, Action::Move)
    };
    let third = LogRow {
        at: START.plus_ms(2),
        external_id: String::new(),
        source_name: None,
        guid: None,
        target_name: None,
        person: None,
        version: None,
        status: LogStatus::Skipped,
        duration_ms: 0,
        ..world.log_row(person, Action::Other)
    };
    [first, second, third]
}

/// A filter, and which of [`rows`] pass it.
type Case = (LogFilter, &'static [usize]);

fn text_endings() -> Vec<Case> {
    use LogField as F;
    vec![
        (ends(F::ExternalId, "b", false), &[0]),
        (ends(F::ExternalId, "B", false), &[]),
        (ends(F::ExternalId, "B", true), &[0]),
        (ends(F::ExternalId, "xAb", false), &[]),
        (ends(F::ExternalId, "", false), &[0, 1, 2]),
        (ends(F::SourceName, "100%_*", false), &[0]),
        (ends(F::SourceName, "100%_*", true), &[0]),
        (ends(F::SourceName, "100%_", true), &[]),
        (folded(F::ExternalId, "ab"), &[0]),
        (folded(F::ExternalId, "a"), &[]),
        (folded(F::ExternalId, ""), &[2]),
        (folded(F::SourceName, "ärger [x] 100%_*"), &[0]),
        (not(folded(F::SourceName, "zed")), &[0, 2]),
    ]
}

pub(super) async fn filters_select(store: &dyn Store) {
    use LogField as F;
    let world = World::new(store, 1).await;
    let person = world.person("Ab");
    world.merge(store, std::slice::from_ref(&person)).await;
    let rows = rows(&world, &person);
    store_log(store, &world, rows.to_vec()).await;
    let at = |ms| LogValue::Time(START.plus_ms(ms));
    let job = world.job.as_str();
    let guid = rows[0].guid.unwrap().0;
    let mut cases = text_endings();
    cases.extend::<Vec<Case>>(vec![
        (compare(F::Id, Equal, LogValue::Uuid(rows[1].id.0)), &[1]),
        (compare(F::Change, Equal, LogValue::Uuid(rows[2].change.0)), &[2]),
        (compare(F::Cycle, Equal, LogValue::Uuid(Uuid::from_u128(6))), &[1]),
        (compare(F::Cycle, NotEqual, LogValue::Uuid(Uuid::from_u128(6))), &[0, 2]),
        (compare(F::TargetId, Equal, LogValue::Uuid(guid)), &[0]),
        (compare(F::TargetId, NotEqual, LogValue::Uuid(guid)), &[1, 2]),
        (text_is(F::Job, job), &[0, 1, 2]),
        (text_is(F::Job, "other"), &[]),
        (compare(F::At, Greater, at(0)), &[1, 2]),
        (compare(F::At, GreaterOrEqual, at(1)), &[1, 2]),
        (compare(F::At, Less, at(1)), &[0]),
        (both(compare(F::At, GreaterOrEqual, at(1)), compare(F::At, LessOrEqual, at(1))), &[1]),
        (numbers(F::Action, Equal, &[2, 4, 5]), &[0, 1]),
        (numbers(F::Action, NotEqual, &[2, 4, 5]), &[2]),
        (numbers(F::Action, Equal, &[]), &[]),
        (numbers(F::Status, Equal, &[3]), &[1]),
        (numbers(F::Code, Equal, &[26]), &[0]),
        (numbers(F::Code, NotEqual, &[26]), &[1, 2]),
        (not(numbers(F::Code, Equal, &[26])), &[1, 2]),
        (numbers(F::DurationMs, Greater, &[12]), &[1]),
        (text_is(F::ExternalId, "Ab"), &[0]),
        (text_is(F::ExternalId, "ab"), &[]),
        (compare(F::ExternalId, Greater, LogValue::Text("B".to_owned())), &[1]),
        (contains(F::ExternalId, "B", false), &[]),
        (contains(F::ExternalId, "B", true), &[0]),
        (starts(F::ExternalId, "A", false), &[0]),
        (starts(F::ExternalId, "A", true), &[0, 1]),
        (starts(F::ExternalId, "b", true), &[]),
        (contains(F::SourceName, "äRGER", true), &[0]),
        (contains(F::SourceName, "[x] 100%_*", true), &[0]),
        (contains(F::SourceName, "[X] 100%_*", false), &[]),
        (contains(F::SourceName, ".*", true), &[]),
        (contains(F::SourceName, "%", false), &[0]),
        (contains(F::SourceName, "", true), &[0, 1]),
        (starts(F::SourceName, "ärg", true), &[0]),
        (not(contains(F::SourceName, "r", true)), &[1, 2]),
        (starts(F::TargetName, "cn=ada", true), &[0, 1]),
        (either(text_is(F::ExternalId, "Ab"), numbers(F::Status, Equal, &[4])), &[0, 2]),
        (both(LogFilter::Constant(true), LogFilter::Constant(false)), &[]),
        (LogFilter::Constant(true), &[0, 1, 2]),
    ]);
    for (filter, expected) in cases {
        let found = store.log(&query(&world, Some(filter.clone()))).await.unwrap();
        let wanted: Vec<LogRow> = expected.iter().map(|at| rows[*at].clone()).collect();
        assert_eq!(found, wanted, "{filter:?}");
    }
    for wrong in [text_is(F::At, "x"), numbers(F::ExternalId, Equal, &[1]), contains(F::Id, "x", true)] {
        assert!(store.log(&query(&world, Some(wrong.clone()))).await.is_err(), "{wrong:?}");
    }
}
