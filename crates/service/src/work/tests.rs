//! Recording, as a table of outcomes: what becomes of the log, the person and the operations.

use std::collections::HashMap;

use rollcall_model::ids::{ChangeId, JobId, ObjectGuid, PersonId, TenantId, UploadId, Version};
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome};
use rollcall_model::person::{Confirmed, Link, Pending, Person};
use rollcall_model::plan::{Action, Failure, PropertyChange, Warning};
use rollcall_model::{Code, Random, Timestamp};
use rollcall_store::{LogStatus, OpenOperation, PersonUpdate, RecordBatch};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench;
use super::record::Recorder;

struct Counting(std::sync::atomic::AtomicU64);
impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_le_bytes();
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = next[at % next.len()];
        }
    }
}

const NOW: Timestamp = Timestamp(1_000_000_000);
const GUID: ObjectGuid = ObjectGuid(Uuid::from_u128(77));

fn job() -> JobId {
    JobId::from_text("API2AD.t.j")
}

fn person_id() -> PersonId {
    PersonId(Uuid::from_u128(1))
}

fn person(version: i64) -> PersonUpdate {
    let mut person = Person::new(person_id(), "E-1");
    person.version = Version(version);
    person.record.insert("title".into(), json!("Buyer"));
    person.pending = Pending { was_inactive: true, ..Pending::default() };
    PersonUpdate {
        job: job(),
        person,
        due: Some(NOW),
        attempts: 0,
        urgent: false,
        last_code: None,
        data: None,
        quiet: None,
        display_name: None,
        unlinked: None,
        look: None,
        cause: None,
    }
}

fn outcome(version: i64, result: Conclusion) -> Outcome {
    Outcome { ended: NOW, ..bench::outcome(person_id(), version, result) }
}

fn change(number: u128, action: Action, failure: Option<Failure>) -> AppliedChange {
    AppliedChange { guid: Some(GUID), failure, ..bench::change(ChangeId(Uuid::from_u128(number)), action) }
}

fn operation(row: i64, version: i64) -> OpenOperation {
    OpenOperation {
        row,
        upload: UploadId(Uuid::from_u128(9)),
        index: i32::try_from(row - 1).unwrap(),
        job: job(),
        method: Method::Post,
        external_id: Some("E-1".into()),
        person: Some(person_id()),
        version: Some(Version(version)),
        state: OperationState::Working,
        urgent: false,
        data: None,
    }
}

fn record(update: PersonUpdate, open: Vec<OpenOperation>, bodies: Vec<Value>, outcome: &Outcome) -> RecordBatch {
    record_under(HashMap::from([(person_id(), 5)]), update, open, bodies, outcome)
}

/// The job's schema version is 5 today.
fn record_under(
    evaluated_under: HashMap<PersonId, i64>,
    update: PersonUpdate,
    open: Vec<OpenOperation>,
    bodies: Vec<Value>,
    outcome: &Outcome,
) -> RecordBatch {
    let random = Counting(std::sync::atomic::AtomicU64::new(1));
    let mut recorder = Recorder {
        tenant: TenantId(Uuid::from_u128(3)),
        now: NOW,
        cycle: Uuid::from_u128(4),
        random: &random,
        schema_versions: HashMap::from([(job(), 5)]),
        quarantine_ends: HashMap::from([(job(), NOW.plus_ms(9))]),
        evaluated_under,
        looks: HashMap::new(),
        persons: HashMap::from([(update.person.id, update)]),
        open,
        bodies: HashMap::from([(UploadId(Uuid::from_u128(9)), bodies)]),
        touched: Vec::new(),
        batch: RecordBatch::default(),
    };
    recorder.add(outcome);
    recorder.finish()
}

fn failure(code: Code) -> Failure {
    Failure::new(code, None, "why")
}

/// What is looked at, in one line.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<(Action, LogStatus, Option<Code>)>,
    states: Vec<(i64, OperationState, Option<Code>)>,
    due: bool,
}

fn check(case: &str, outcome: &Outcome, expected: &Seen) {
    let batch = record(person(2), vec![operation(1, 2)], vec![json!({"title": "Buyer"})], outcome);
    let seen = Seen {
        rows: batch.log.iter().map(|row| (row.action, row.status, row.code)).collect(),
        states: batch.operations.iter().map(|done| (done.row, done.state, done.code)).collect(),
        due: batch.persons[0].due.is_some(),
    };
    assert_eq!(seen, *expected, "{case}");
}

#[test]
fn each_outcome_leads_to_its_rows_and_states() {
    let done = Conclusion::Done;
    check(
        "one change",
        &Outcome { changes: vec![change(1, Action::Update, None)], ..outcome(2, done.clone()) },
        &Seen {
            rows: vec![(Action::Update, LogStatus::Success, None)],
            states: vec![(1, OperationState::Done, None)],
            due: false,
        },
    );
    check(
        "nothing to do",
        &outcome(2, Conclusion::Skipped(Code::RedundantExport)),
        &Seen {
            rows: vec![(Action::Other, LogStatus::Skipped, Some(Code::RedundantExport))],
            states: vec![(1, OperationState::Skipped, Some(Code::RedundantExport))],
            due: false,
        },
    );
    let waiting = Code::UnableToResolveReferenceAttributeValue;
    check(
        "semantics: manager; a waiting reference has a row of its own",
        &Outcome {
            changes: vec![change(1, Action::Create, None)],
            warnings: vec![Warning { code: waiting, attribute: None, text: String::new() }],
            waits_for_manager: Some("E-9".into()),
            ..outcome(2, done.clone())
        },
        &Seen {
            rows: vec![(Action::Create, LogStatus::Success, None), (Action::Other, LogStatus::Warning, Some(waiting))],
            states: vec![(1, OperationState::Done, Some(waiting))],
            due: false,
        },
    );
    check(
        "semantics: disable; done although the rest failed for good",
        &Outcome {
            changes: vec![
                change(1, Action::Disable, None),
                change(2, Action::Move, Some(failure(Code::ContainerNotFound))),
            ],
            ..outcome(2, Conclusion::Failed(failure(Code::ContainerNotFound)))
        },
        &Seen {
            rows: vec![
                (Action::Disable, LogStatus::Success, None),
                (Action::Move, LogStatus::Failure, Some(Code::ContainerNotFound)),
            ],
            states: vec![(1, OperationState::Failed, Some(Code::ContainerNotFound))],
            due: false,
        },
    );
}

#[test]
fn moves_retries_and_crashes_lead_to_their_rows_and_states() {
    let done = Conclusion::Done;
    check(
        "semantics: move; with the modify that goes with it one row",
        &Outcome {
            changes: vec![change(1, Action::Move, None), change(2, Action::Update, None)],
            ..outcome(2, done.clone())
        },
        &Seen {
            rows: vec![(Action::Update, LogStatus::Success, None)],
            states: vec![(1, OperationState::Done, None)],
            due: false,
        },
    );
    check(
        "a transient failure is tried again",
        &outcome(2, Conclusion::Failed(failure(Code::DirectoryBusy))),
        &Seen {
            rows: vec![(Action::Other, LogStatus::Failure, Some(Code::DirectoryBusy))],
            states: vec![(1, OperationState::Retrying, Some(Code::DirectoryBusy))],
            due: true,
        },
    );
    check(
        "an interrupted one is looked at again, and what it wrote is in the log",
        &Outcome { changes: vec![change(1, Action::Create, None)], ..outcome(2, Conclusion::Interrupted) },
        &Seen { rows: vec![(Action::Create, LogStatus::Success, None)], states: vec![], due: true },
    );
    check(
        "an outcome of an older version ends nothing newer",
        &Outcome { changes: vec![change(1, Action::Update, None)], ..outcome(1, done) },
        &Seen { rows: vec![(Action::Update, LogStatus::Success, None)], states: vec![], due: true },
    );
}

#[test]
fn an_earlier_operation_goes_into_the_last_or_is_superseded() {
    // semantics: several-operations
    let bodies = vec![json!({"title": "Clerk"}), json!({"title": "Buyer", "displayName": "Ada"})];
    let done = Outcome { changes: vec![change(1, Action::Update, None)], ..outcome(2, Conclusion::Done) };
    let batch = record(person(2), vec![operation(1, 1), operation(2, 2)], bodies, &done);
    let states: Vec<_> = batch.operations.iter().map(|op| (op.row, op.state, op.merged_into)).collect();
    assert_eq!(states, [(1, OperationState::Superseded, Some(2)), (2, OperationState::Done, None)]);

    let bodies = vec![json!({"title": "Buyer"}), json!({"displayName": "Ada"})];
    let batch = record(person(2), vec![operation(1, 1), operation(2, 2)], bodies, &done);
    let states: Vec<_> = batch.operations.iter().map(|op| (op.row, op.state, op.merged_into)).collect();
    assert_eq!(states, [(1, OperationState::Done, Some(2)), (2, OperationState::Done, None)]);
}

#[test]
fn what_an_interrupted_run_wrote_ends_as_done() {
    let interrupted = Outcome { changes: vec![change(1, Action::Create, None)], ..outcome(2, Conclusion::Interrupted) };
    let mut batch = record(person(2), vec![operation(1, 2)], vec![json!({})], &interrupted);
    let second = outcome(2, Conclusion::Skipped(Code::RedundantExport));
    let batch = record(batch.persons.remove(0), vec![operation(1, 2)], vec![json!({})], &second);
    let rows: Vec<_> = batch.log.iter().map(|row| (row.action, row.status)).collect();
    assert_eq!(rows, [(Action::Other, LogStatus::Success)]);
    assert_eq!(batch.operations[0].state, OperationState::Done);
    assert!(!batch.persons[0].person.pending.written);
}

#[test]
fn the_cause_to_enable_stays_until_the_account_is_enabled() {
    // semantics: enable
    for (enabled, remains) in [(Some(false), true), (None, true), (Some(true), false)] {
        let confirmed = Confirmed { enabled, ..Confirmed::default() };
        let done = Outcome { confirmed: Some(confirmed), ..outcome(2, Conclusion::Done) };
        let batch = record(person(2), vec![operation(1, 2)], vec![json!({})], &done);
        assert_eq!(batch.persons[0].person.pending.was_inactive, remains, "{enabled:?}");
    }
}

#[test]
fn a_late_report_takes_no_cause_to_enable_away() {
    // semantics: enable; version 1 left the account enabled, 2 disabled it, 3 is to enable it, and 1 reports again.
    let mut update = person(3);
    update.person.record.insert("active".into(), json!(true));
    update.person.confirmed = Some(Confirmed { enabled: Some(false), ..Confirmed::default() });
    let confirmed = Confirmed { enabled: Some(true), ..Confirmed::default() };
    let late = Outcome { confirmed: Some(confirmed), ..outcome(1, Conclusion::Done) };
    let batch = record(update, vec![operation(1, 3)], vec![json!({})], &late);
    let person = &batch.persons[0].person;
    assert!(person.pending.was_inactive);
    assert_eq!(person.confirmed.as_ref().unwrap().enabled, Some(false));
}

#[test]
fn a_link_is_confirmed_by_success_and_never_changed() {
    // semantics: link
    let seen = Link { guid: GUID, confirmed: false, invocation_id: None, usn_changed: Some(7) };
    let linked = |result| Outcome { link: Some(seen.clone()), ..outcome(2, result) };
    let link_after = |update: PersonUpdate, outcome: &Outcome| {
        let batch = record(update, vec![operation(1, 2)], vec![json!({})], outcome);
        let woken = !batch.linked.is_empty();
        (batch.persons[0].person.link.clone().unwrap(), woken)
    };
    let (link, woken) = link_after(person(2), &linked(Conclusion::Done));
    assert!(link.confirmed && woken, "a first success links, and wakes who waits");
    let (link, woken) = link_after(person(2), &linked(Conclusion::Failed(failure(Code::DirectoryBusy))));
    assert!(!link.confirmed && woken, "a failure after the create keeps the account, unconfirmed");
    let mut other = person(2);
    other.person.link = Some(Link { guid: ObjectGuid(Uuid::from_u128(78)), confirmed: true, ..seen.clone() });
    let (link, woken) = link_after(other, &linked(Conclusion::Done));
    assert!(link.guid == ObjectGuid(Uuid::from_u128(78)) && !woken, "a report of another account changes no link");
}

#[test]
fn a_look_of_our_own_that_finds_nothing_writes_no_row() {
    let mut waiting = outcome(2, Conclusion::Done);
    waiting.waits_for_manager = Some("E-9".into());
    for quiet in [waiting, outcome(2, Conclusion::Skipped(Code::RedundantExport))] {
        let batch = record(person(2), vec![], vec![], &quiet);
        assert!(batch.log.is_empty(), "{quiet:?}");
    }
}

#[test]
fn a_deleted_account_is_forgotten() {
    // semantics: delete
    let deleted = |result| Outcome {
        changes: vec![AppliedChange { guid: Some(GUID), ..change(1, Action::Delete, None) }],
        ..outcome(2, result)
    };
    let linked = |guid| {
        let mut update = person(2);
        update.person.pending.method = Method::Delete;
        update.person.link = Some(Link { guid, confirmed: true, invocation_id: None, usn_changed: None });
        update.person.confirmed = Some(Confirmed { enabled: Some(true), ..Confirmed::default() });
        update
    };
    let operation = || vec![OpenOperation { method: Method::Delete, ..operation(1, 2) }];
    let batch = record(linked(GUID), operation(), vec![json!({})], &deleted(Conclusion::Done));
    let after = &batch.persons[0];
    assert_eq!((&after.person.link, &after.person.confirmed, after.due), (&None, &None, None));
    assert_eq!(batch.unlinked, [(person_id(), Version(2))]);
    assert_eq!(
        (batch.log[0].action, batch.log[0].guid, batch.log[0].status),
        (Action::Delete, Some(GUID), LogStatus::Success)
    );
    assert_eq!(batch.operations[0].state, OperationState::Done);
    // After a crash the deletion is reported first, and the look that then finds no link ends the operation as done.
    let mut batch = record(linked(GUID), operation(), vec![json!({})], &deleted(Conclusion::Interrupted));
    assert_eq!((&batch.persons[0].person.link, batch.unlinked.len(), batch.operations.len()), (&None, 1, 0));
    let second = outcome(2, Conclusion::Skipped(Code::NotLinked));
    let batch = record(batch.persons.remove(0), operation(), vec![json!({})], &second);
    assert_eq!(batch.operations[0].state, OperationState::Done);
    // A late report of an account that is not this person's any more, and one of a deletion that failed.
    let other = ObjectGuid(Uuid::from_u128(78));
    let batch = record(linked(other), operation(), vec![json!({})], &deleted(Conclusion::Done));
    assert_eq!((batch.persons[0].person.link.as_ref().unwrap().guid, batch.unlinked.len()), (other, 0));
    let mut failed = deleted(Conclusion::Failed(failure(Code::DirectoryRefused)));
    failed.changes[0].failure = Some(failure(Code::DirectoryRefused));
    let batch = record(linked(GUID), operation(), vec![json!({})], &failed);
    assert!(batch.persons[0].person.link.is_some() && batch.unlinked.is_empty());
    // A DELETE that found nothing to begin with is skipped.
    let batch = record(person(2), operation(), vec![json!({})], &outcome(2, Conclusion::Skipped(Code::NotLinked)));
    assert_eq!(batch.operations[0].state, OperationState::Skipped);
}

/// semantics: link, delete. The person is read after the link was broken, or after the account was deleted.
#[test]
fn an_outcome_of_before_brings_no_lost_account_back() {
    for (version, expected) in [(1, None), (2, None), (3, Some(GUID)), (4, Some(GUID))] {
        let mut update = person(4);
        update.unlinked = Some(Version(2));
        let seen = Link { guid: GUID, confirmed: false, invocation_id: None, usn_changed: Some(7) };
        let batch = record(
            update,
            Vec::new(),
            Vec::new(),
            &Outcome { link: Some(seen), ..outcome(version, Conclusion::Interrupted) },
        );
        let link = batch.persons[0].person.link.as_ref().map(|link| link.guid);
        assert_eq!((link, !batch.linked.is_empty()), (expected, expected.is_some()), "{version}");
    }
}

/// A refused value is tried again with the next schema version: not with the one it was refused under.
#[test]
fn a_value_is_refused_under_the_version_it_was_mapped_with() {
    for (evaluated_under, expected) in [(Some(4), 4), (None, 5)] {
        let refused = rollcall_model::outcome::RefusedValue {
            attribute: "title".to_owned(),
            values: vec!["Buyer".to_owned()],
            failure: failure(Code::DirectoryRefused),
        };
        let outcome = Outcome { refused: vec![refused], ..outcome(2, Conclusion::Done) };
        let evaluated_under = evaluated_under.map(|version| (person_id(), version)).into_iter().collect();
        let batch = record_under(evaluated_under, person(2), Vec::new(), Vec::new(), &outcome);
        assert_eq!(batch.persons[0].person.refused["title"].schema_version, expected);
    }
}

/// semantics: move. What an attempt that did not end well moved is no move by hand.
#[test]
fn a_move_that_was_made_is_remembered() {
    let to_other = PropertyChange {
        name: "parentDistinguishedName".to_owned(),
        old: vec!["OU=Staff".to_owned()],
        new: vec!["OU=Other".to_owned()],
    };
    let linked = |due: Option<Timestamp>| {
        let mut update = PersonUpdate { due, ..person(2) };
        update.person.link = Some(Link { guid: GUID, confirmed: true, invocation_id: None, usn_changed: None });
        update.person.confirmed = Some(Confirmed { container: Some("OU=Staff".to_owned()), ..Confirmed::default() });
        update
    };
    let moved = |version: i64, failed: Option<Code>, result: Conclusion| {
        let made = AppliedChange { properties: vec![to_other.clone()], ..change(1, Action::Move, failed.map(failure)) };
        Outcome { changes: vec![made], ..outcome(version, result) }
    };
    let check = |case: &str, due: Option<Timestamp>, outcome: &Outcome, is_remembered: bool, is_due: bool| {
        let batch = record(linked(due), Vec::new(), Vec::new(), outcome);
        let update = &batch.persons[0];
        assert_eq!((update.person.pending.moved, update.due.is_some()), (is_remembered, is_due), "{case}");
    };
    let (busy, refused) = (|| Conclusion::Failed(failure(Code::DirectoryBusy)), Some(Code::DirectoryBusy));
    check("broken off after it", Some(NOW), &moved(2, None, Conclusion::Interrupted), true, true);
    check("failed after it", Some(NOW), &moved(2, None, busy()), true, true);
    check("the move itself failed", Some(NOW), &moved(2, refused, busy()), false, true);
    check("of an older version", Some(NOW), &moved(1, None, Conclusion::Done), true, true);
    check("an older version's failure", Some(NOW), &moved(1, refused, busy()), false, true);
    check("told of when all was done", None, &moved(1, None, Conclusion::Interrupted), true, true);
    check("done in its turn", Some(NOW), &moved(2, None, Conclusion::Done), false, false);
    let mut again = moved(2, None, Conclusion::Done);
    again.changes[0].properties[0].new = vec!["ou=staff".to_owned()];
    check("to where it is known to be, told again", None, &again, false, false);

    // Somebody planned before the move was told of, and took it for one by hand.
    let mut update = linked(Some(NOW));
    update.person.pending.moved = true;
    let done = Outcome { drift: vec![to_other.clone()], ..outcome(2, Conclusion::Done) };
    let batch = record(update, Vec::new(), Vec::new(), &done);
    assert!(batch.persons[0].person.pending.moved && batch.persons[0].due.is_some());
}

/// semantics: swap. A name that an attempt without a good end wrote may be one that stepped aside: it is no longer
/// known, so that the next attempt writes it again.
#[test]
fn a_unique_value_of_a_broken_run_is_written_again() {
    let check = |name: &str, action: Action, failed: Option<Code>, result: Conclusion, expected: bool| {
        let mut update = PersonUpdate { due: Some(NOW), ..person(2) };
        update.person.link = Some(Link { guid: GUID, confirmed: true, invocation_id: None, usn_changed: None });
        let known = ["cn", "samaccountname", "userprincipalname", "title"];
        let attributes = known.map(|name| (name.to_owned(), vec!["was".to_owned()])).into();
        update.person.confirmed = Some(Confirmed { attributes, ..Confirmed::default() });
        let written =
            PropertyChange { name: name.to_owned(), old: vec!["was".to_owned()], new: vec!["aside".to_owned()] };
        let made = AppliedChange { properties: vec![written], ..change(1, action, failed.map(failure)) };
        let case = format!("{name} {action:?} {failed:?} {result:?}");
        let batch = record(update, Vec::new(), Vec::new(), &Outcome { changes: vec![made], ..outcome(2, result) });
        let now = &batch.persons[0].person.confirmed.as_ref().unwrap().attributes;
        assert_eq!(now.get(&name.to_lowercase()).map(Vec::len), expected.then_some(1), "{case}");
    };
    let busy = || Conclusion::Failed(failure(Code::DirectoryBusy));
    for name in ["cn", "sAMAccountName", "userPrincipalName"] {
        check(name, Action::Update, None, Conclusion::Interrupted, false);
        check(name, Action::Update, None, busy(), false);
        check(name, Action::Update, Some(Code::DirectoryBusy), busy(), true);
        check(name, Action::Create, None, Conclusion::Interrupted, true);
    }
    check("title", Action::Update, None, busy(), true);
}

#[test]
fn what_comes_from_the_future_is_not_fresh() {
    for (age_ms, expected) in [(-3_600_000, false), (-1, false), (0, true), (399, true), (400, false)] {
        assert_eq!(super::is_fresh(NOW, 400, NOW.plus_ms(age_ms)), expected, "{age_ms}");
    }
}
