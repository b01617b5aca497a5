use std::sync::Arc;

use rollcall_model::ids::ObjectGuid;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{FakeDirectory, STAFF, TestRandom};

async fn session(directory: &FakeDirectory) -> Session {
    let domain = Domain::new();
    let keep =
        domain.clone().keep(Arc::new(directory.clone()), Arc::new(TestRandom::default()), CancellationToken::new());
    tokio::spawn(keep);
    domain.session().await
}

/// Accounts with the numbers 1 to `count`.
fn accounts(directory: &FakeDirectory, count: u32) -> Vec<ObjectGuid> {
    (1..=count).map(|at| directory.put(&format!("CN=p{at},{STAFF}"), &[])).collect()
}

#[tokio::test]
async fn who_changed_and_who_stands_as_he_was() {
    for (shows_deleted, since, asked, expected) in [
        (true, Some(0), &[][..], &[1, 2, 3, 103][..]),
        (true, Some(2), &[], &[3, 103]),
        (true, Some(2), &[1], &[1, 3, 103]),
        (true, None, &[2, 3], &[2, 3]),
        (true, None, &[4], &[103]),
        (true, Some(200), &[], &[]),
        (false, Some(2), &[1], &[1, 3]),
    ] {
        let directory = FakeDirectory::default();
        directory.set(|inner| inner.shows_deleted = shows_deleted);
        let guids = accounts(&directory, 4);
        directory.set(|inner| {
            let mut gone = inner.entries.remove(3);
            gone.usn_changed = Some(103);
            inner.deleted.push(gone);
        });
        let session = session(&directory).await;
        let asked: Vec<ObjectGuid> = asked.iter().map(|at: &usize| guids[at - 1]).collect();
        let seen = look(&session, since, &asked).await;
        let mut numbers: Vec<i64> = seen.accounts.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, expected, "{since:?}");
        assert_eq!((seen.complete, seen.up_to, seen.invocation_id.as_str()), (shows_deleted, 1, "invocation-1"));
    }
}

#[tokio::test]
async fn many_are_asked_about_a_hundred_at_a_time_and_a_lost_answer_is_no_answer() {
    let directory = FakeDirectory::default();
    directory.set(|inner| inner.shows_deleted = true);
    let guids = accounts(&directory, 250);
    let session = session(&directory).await;
    let before = directory.set(|inner| inner.searches);
    let seen = look(&session, None, &guids).await;
    assert_eq!((seen.accounts.len(), seen.complete), (250, true));
    assert_eq!(directory.set(|inner| inner.searches) - before, 3);
    directory.set(|inner| inner.lost_next_search = true);
    let seen = look(&session, None, &guids).await;
    assert!(!seen.complete && seen.accounts.len() < 250);
    directory.set(|inner| inner.down = true);
    assert_eq!(look(&session, Some(7), &guids).await, Seen::nothing(Some(7)));
}
