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
            write: Write {
                action: Action::Update,
                request: WriteRequest::Modify { guid, dn, changes },
                redacted: Vec::new(),
            },
        }),
    }
}

fn sent(change: u128) -> Record {
    Record::Sent { change: id(change), to: change.is_multiple_of(2).then(|| "dc-1".to_owned()) }
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
    let guid = ObjectGuid(Uuid::from_u128(77));
    let found = state_of(&[intent(1, 1), result(1), Record::Found { change: id(1), guid }]);
    assert_eq!(found.open[0].result.as_ref().unwrap().guid, Some(guid));
    let state = state_of(&[intent(1, 1), result(1), outcome(9, 1), Record::Acknowledged { ids: vec![id(9)] }]);
    assert!(state.is_empty());
}

#[tokio::test]
async fn a_journal_outlives_its_process_and_is_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    journal.append([intent(1, 1), sent(1), result(1), intent(2, 2), sent(2)]).unwrap();
    journal.append([outcome(9, 1)]).unwrap();
    journal.sync().await.unwrap();
    let before = journal.state().clone();
    drop(journal);
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(*journal.state(), before);
    assert_eq!(state_of(&before.records()), before, "what a rewrite keeps says the same");
    journal.append([Record::Abandoned { changes: vec![id(2)] }]).unwrap();
    assert!(!journal.acknowledge(vec![]).unwrap(), "it is short");
    while journal.lock().file.bytes() <= EMPTY_FROM_BYTES {
        journal.append([intent(3, 3), Record::Abandoned { changes: vec![id(3)] }]).unwrap();
    }
    assert!(journal.acknowledge(vec![id(9)]).unwrap());
    let shortening = journal.shorten();
    let meanwhile = async {
        journal.append([intent(4, 4)]).unwrap();
        journal.sync().await.unwrap();
    };
    // Found long twice before the first of the two began.
    let (shortened, again, ()) = tokio::join!(shortening, journal.shorten(), meanwhile);
    shortened.unwrap();
    again.unwrap();
    assert!(journal.lock().file.bytes() < 700);
    journal.append([intent(5, 5)]).unwrap();
    drop(journal);
    assert_eq!(Journal::open(folder.path()).unwrap().state().open.len(), 2);
}

/// A crash in the midst of it finds the old file or the new one, and either has what was appended meanwhile.
#[tokio::test]
async fn a_journal_that_is_being_shortened_loses_nothing() {
    for is_replaced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        journal.append([intent(1, 1), result(1), outcome(9, 1), intent(2, 2), sent(2)]).unwrap();
        let bytes = line::write(&journal.state().records()).unwrap();
        let begun = journal.lock().file.begin_rewrite(&bytes).unwrap();
        journal.append([result(2)]).unwrap();
        if is_replaced {
            begun.await.unwrap();
            journal.append([intent(3, 3)]).unwrap();
        }
        let before = journal.state().clone();
        drop(journal);
        assert_eq!(*Journal::open(folder.path()).unwrap().state(), before, "{is_replaced}");
    }
}

/// Two acknowledgements that come close together each say that it is due.
#[tokio::test]
async fn a_journal_may_be_asked_twice_to_be_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    journal.append([intent(1, 1), intent(2, 2), sent(2)]).unwrap();
    let (one, other) = tokio::join!(journal.shorten(), journal.shorten());
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    journal.shorten().await.unwrap();
    drop(journal);
    assert_eq!(Journal::open(folder.path()).unwrap().state().open.len(), 2);
}

/// Without `/proc/sys` a run of the system has no name.
#[test]
fn the_unit_leaves_the_boot_id_readable() {
    let unit = include_str!("../../../../packaging/systemd/rollcall-agent.service");
    assert!(!unit.lines().any(|line| line.starts_with("ProcSubset=")));
}

#[test]
fn what_was_not_sent_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = |open: Vec<Open>| open.iter().map(|open| open.intent.change.0.as_u128()).collect::<Vec<_>>();
    let journal = Journal::open_in(folder.path(), Some("one")).unwrap();
    journal.append([intent(1, 1), intent(2, 2), sent(2), intent(3, 3), sent(3), result(3), intent(4, 4)]).unwrap();
    // The refused one is replaced by another that is not sent yet.
    journal.append([intent(5, 5), sent(5), intent(5, 5)]).unwrap();
    let check = |journal: &Journal, sent: &[u128], unsent: &[u128]| {
        let (a, b) = journal.unsettled(|_| true);
        assert_eq!((numbers(a).as_slice(), numbers(b).as_slice()), (sent, unsent));
    };
    check(&journal, &[2], &[1, 4, 5]);
    journal.note_sent(id(4), "dc-1").unwrap();
    check(&journal, &[2, 4], &[1, 5]);
    assert_eq!(numbers(journal.unsettled(|person| person.0.as_u128() == 4).0), [4]);
    drop(journal);
    check(&Journal::open_in(folder.path(), Some("one")).unwrap(), &[2, 4], &[1, 5]);
    // Notes are not synced: over a restart of the system they say nothing.
    check(&Journal::open_in(folder.path(), Some("two")).unwrap(), &[1, 2, 4, 5], &[]);
    // A run without a name is this process: what it notes holds while it lives.
    let nameless = tempfile::tempdir().unwrap();
    let journal = Journal::open_in(nameless.path(), None).unwrap();
    journal.append([intent(1, 1), intent(2, 2), sent(2)]).unwrap();
    check(&journal, &[2], &[1]);
    drop(journal);
    check(&Journal::open_in(nameless.path(), None).unwrap(), &[1, 2], &[]);
    check(&Journal::open_in(nameless.path(), Some("")).unwrap(), &[1, 2], &[]);
    // Builds before this one made none.
    let boot = Record::Boot { boot: "one".to_owned() };
    let old = [Record::Format { format: FORMAT_WITHOUT_NOTES }, boot, intent(1, 1), intent(2, 2), result(2)];
    crate::files::replace(&folder.path().join("journal.jsonl"), &line::write(&old).unwrap()).unwrap();
    let journal = Journal::open_in(folder.path(), Some("one")).unwrap();
    check(&journal, &[1], &[]);
    journal.append([intent(6, 6)]).unwrap();
    check(&journal, &[1], &[6]);
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

        let journal = Journal::open_in(folder.path(), Some("one")).unwrap();
        let mut kept = all[..synced].to_vec();
        kept.push(Record::Boot { boot: "one".to_owned() });
        prop_assert_eq!(&*journal.state(), &state_of(&kept));
        journal.append([intent(50, 50)]).unwrap();
        drop(journal);
        kept.push(intent(50, 50));
        let reopened = Journal::open_in(folder.path(), Some("one")).unwrap();
        prop_assert_eq!(&*reopened.state(), &state_of(&kept));
    }
}
