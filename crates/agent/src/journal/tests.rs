use proptest::prelude::*;
use rollcall_model::outcome::Conclusion;
use rollcall_model::plan::{Action, AttributeChange, WriteRequest};
use rollcall_model::{Dn, Timestamp};
use uuid::Uuid;

use super::*;

fn id(number: u128) -> ChangeId {
    ChangeId(Uuid::from_u128(number))
}

fn intent(change: u128, person: u128) -> Record {
    let guid = ObjectGuid(Uuid::from_u128(person + 1_000));
    let dn = Dn::from_directory("CN=Zoë\nByron,DC=corp,DC=test");
    let changes = vec![AttributeChange { name: "title".to_owned(), old: vec![], new: vec!["née 🦀".to_owned()] }];
    Record::Intent {
        intent: Box::new(Intent {
            change: id(change),
            person: PersonId(Uuid::from_u128(person)),
            version: Version(1),
            epoch: Epoch(1),
            guid: Some(guid),
            matching: vec![],
            write: Write { action: Action::Update, request: WriteRequest::Modify { guid, dn, changes } },
        }),
    }
}

fn result(change: u128) -> Record {
    Record::Result {
        change: Box::new(AppliedChange {
            id: id(change),
            action: Action::Update,
            at: Timestamp(5),
            duration_ms: 2,
            guid: None,
            dn: "CN=a".to_owned(),
            properties: vec![],
            failure: None,
            confirmed_after_crash: false,
        }),
    }
}

fn outcome(number: u128, person: u128) -> Record {
    Record::Outcome {
        outcome: Box::new(Outcome {
            id: id(number),
            person: PersonId(Uuid::from_u128(person)),
            version: Version(1),
            epoch: Epoch(1),
            ended: Timestamp(9),
            result: Conclusion::Done,
            changes: vec![],
            link: None,
            dn: None,
            confirmed: None,
            refused: vec![],
            warnings: vec![],
            drift: vec![],
            waits_for_manager: None,
        }),
    }
}

fn state_of(records: &[Record]) -> State {
    let mut state = State::default();
    for record in records {
        state.take(record.clone());
    }
    state
}

#[test]
fn records_settle_one_another() {
    let open = |records: &[Record]| state_of(records).open.len();
    assert_eq!(open(&[intent(1, 1)]), 1);
    assert_eq!(open(&[intent(1, 1), intent(1, 1)]), 1, "an intent replaces the refused one of the same change");
    assert_eq!(open(&[intent(1, 1), result(1)]), 1);
    assert_eq!(open(&[intent(1, 1), intent(2, 2), Record::Abandoned { changes: vec![id(1)] }]), 1);
    assert_eq!(open(&[intent(1, 1), intent(2, 2), result(1), outcome(9, 1)]), 1);
    let state = state_of(&[intent(1, 1), result(1), outcome(9, 1), Record::Acknowledged { ids: vec![id(9)] }]);
    assert!(state.is_empty());
}

#[tokio::test]
async fn a_journal_outlives_its_process_and_is_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.append([intent(1, 1), result(1), intent(2, 2)]).unwrap();
    journal.append([outcome(9, 1)]).unwrap();
    journal.sync().await.unwrap();
    let before = journal.state().clone();
    drop(journal);
    let mut journal = Journal::open(folder.path()).unwrap();
    assert_eq!(*journal.state(), before);
    assert_eq!(state_of(&before.records()), before, "what a rewrite keeps says the same");
    journal.append([Record::Abandoned { changes: vec![id(2)] }]).unwrap();
    while journal.file.bytes() <= EMPTY_FROM_BYTES {
        journal.append([intent(3, 3), Record::Abandoned { changes: vec![id(3)] }]).unwrap();
    }
    journal.acknowledge(vec![id(9)]).unwrap();
    assert!(journal.file.bytes() < 200);
    journal.append([intent(4, 4)]).unwrap();
    drop(journal);
    assert_eq!(Journal::open(folder.path()).unwrap().state().open.len(), 1);
}

/// A line that is still JSON, but not the line that was written, is not believed; neither is what follows it.
#[test]
fn a_damaged_line_ends_the_journal() {
    let bytes = line::write(&[Record::Format { format: FORMAT }, intent(1, 1), intent(2, 2)]).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let damaged = text.replacen("\"version\":1", "\"version\":7", 1);
    assert_ne!(damaged, text);
    assert_eq!(line::read(text.as_bytes()).0.len(), 3);
    assert_eq!(line::read(damaged.as_bytes()).0, [Record::Format { format: FORMAT }]);
}

/// A crash tears the end only. Damage before good lines is something else: the whole is kept for whoever looks into it.
#[test]
fn a_damaged_middle_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let whole = line::write(&[Record::Format { format: FORMAT }, intent(1, 1), intent(2, 2)]).unwrap();
    let damaged = String::from_utf8(whole).unwrap().replacen("\"version\":1", "\"version\":7", 1);
    for (held, kept) in [(damaged.as_str(), 1), (&damaged[..damaged.len() - 3], 1), (&damaged, 2)] {
        crate::files::replace(&path, held.as_bytes()).unwrap();
        assert!(Journal::open(folder.path()).unwrap().state().open.is_empty());
        let aside = |number: u32| folder.path().join(format!("journal.jsonl.corrupt-{number}"));
        assert!(crate::files::exists(&aside(kept)) && !crate::files::exists(&aside(kept + 1)));
        assert_eq!(crate::files::read_text(&aside(kept)).unwrap(), damaged);
    }
}

#[test]
fn a_journal_of_another_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = line::write(&[Record::Format { format: 99 }]).unwrap();
    crate::files::replace(&folder.path().join("journal.jsonl"), &bytes).unwrap();
    assert!(matches!(Journal::open(folder.path()), Err(Error::JournalFormat { format: 99, .. })));
}

fn any_record() -> impl Strategy<Value = Record> {
    (0_u128..6, 0_u128..4, 0..5).prop_map(|(change, person, kind)| match kind {
        0 | 1 => intent(change, person),
        2 => result(change),
        3 => outcome(change + 100, person),
        _ => Record::Acknowledged { ids: vec![id(change + 100)] },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The file is cut anywhere and something else may stand behind the cut: every record before it is read, none is
    /// invented, and the journal goes on from there.
    #[test]
    fn a_cut_loses_nothing_synced_and_invents_nothing(
        records in proptest::collection::vec(any_record(), 1..20),
        cut in 0.0_f64..=1.0,
        rubbish in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut all = vec![Record::Format { format: FORMAT }];
        all.extend(records);
        let bytes = line::write(&all).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short file")]
        let cut = (bytes.len() as f64 * cut) as usize;
        let synced = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
        let mut torn = bytes[..cut].to_vec();
        torn.extend(rubbish);
        crate::files::replace(&path, &torn).unwrap();

        let mut journal = Journal::open_in(folder.path(), Some("one")).unwrap();
        let mut kept = all[..synced].to_vec();
        kept.push(Record::Boot { boot: "one".to_owned() });
        prop_assert_eq!(journal.state(), &state_of(&kept));
        journal.append([intent(50, 50)]).unwrap();
        drop(journal);
        kept.push(intent(50, 50));
        let reopened = Journal::open_in(folder.path(), Some("one")).unwrap();
        prop_assert_eq!(reopened.state(), &state_of(&kept));
    }
}
