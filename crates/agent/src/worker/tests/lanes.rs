//! Many persons at once: the controller is kept busy, the urgent overtake, and a domain is handed over in order.

use std::time::Duration;

use rollcall_wire::link::Replication;
use tokio::time::Instant;

use super::*;

/// A worker that runs, and what may be sent to it.
struct Works {
    inbox: mpsc::Sender<ToWorker>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Works {
    fn on(bench: &Bench) -> Self {
        let mut worker = bench.worker();
        let (inbox, received) = mpsc::channel(64);
        worker.inbox = received;
        Self { inbox, stop: worker.shared.stop.clone(), task: tokio::spawn(worker.run()) }
    }

    async fn send(&self, lane: Lane, items: Vec<DesiredState>) {
        self.inbox.send(ToWorker::Work { epoch: Epoch(1), needs: vec![], lane, items }).await.unwrap();
    }

    async fn ended(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Bench {
    async fn told(&self, outcomes: usize) -> Vec<Outcome> {
        for _ in 0..60_000 {
            if self.outcomes.lock().unwrap().len() >= outcomes {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.outcomes.lock().unwrap().clone()
    }

    /// Accounts of persons 1 to `count`, linked; their titles are to become `title`.
    fn linked(&self, count: u128, title: &str) -> Vec<DesiredState> {
        (1..=count).map(|number| self.titled(number, 1, title)).collect()
    }

    fn titled(&self, number: u128, version: i64, title: &str) -> DesiredState {
        let name = format!("p{number}");
        let dn = format!("CN={name},{STAFF}");
        let is_there = self.directory.set(|inner| inner.entries.iter().find(|entry| entry.dn.as_str() == dn).cloned());
        let guid = is_there.map_or_else(
            || self.directory.put(&dn, &[("sAMAccountName", &name), ("employeeID", &format!("E{number}"))]),
            |entry| entry.guid,
        );
        let desired = person(number, &name, &[("title", title)]);
        DesiredState { link: Some(link(guid)), version: Version(version), ..desired }
    }
}

#[tokio::test(start_paused = true)]
async fn the_controller_never_waits_for_us() {
    // Persons in a frame, frames, time of one search, writes of one person.
    for (persons, frames, search_ms, managed) in [(50, 1, 5, false), (50, 4, 60, false), (50, 4, 40, true)] {
        let bench = Bench::new();
        bench.directory.put(&format!("CN=boss,{STAFF}"), &[("employeeID", "BOSS")]);
        let mut worker = bench.worker();
        let _ = worker.shared.domain.session().await;
        bench.directory.set(|inner| (inner.serial_ms, inner.search_ms) = (20, search_ms));
        let manager = DesiredManager {
            external_id: "BOSS".to_owned(),
            guid: None,
            matching: vec![MatchRule { attribute: "employeeID".to_owned(), value: "BOSS".to_owned() }],
            may_write: MayWrite::Yes,
        };
        let before = bench.directory.set(|inner| inner.searches);
        let began = Instant::now();
        for frame in 0..frames {
            let items = (frame * persons..(frame + 1) * persons).map(|at| DesiredState {
                manager: managed.then(|| manager.clone()),
                ..person(at + 1, &format!("p{at}"), &[])
            });
            let items = items.collect();
            let lane = Lane::Normal;
            worker.take(ToWorker::Work { epoch: Epoch(1), needs: vec![], lane, items }).await.unwrap();
        }
        worker.finish().await.unwrap();
        let took_ms = began.elapsed().as_millis();
        let writes = persons * frames * if managed { 2 } else { 1 };
        let least_ms = writes * 20;
        assert_eq!(bench.directory.made().len() as u128, writes);
        assert!(took_ms >= least_ms && took_ms * 100 < least_ms * 105, "{writes} writes took {took_ms} ms");
        let searches = u128::from(bench.directory.set(|inner| inner.searches) - before);
        let batches = (persons * frames).div_ceil(u128::try_from(limits::BATCH_PERSONS_MAX).unwrap());
        assert!(searches <= batches * if managed { 4 } else { 2 }, "{searches} searches");
        let outcomes = worker.shared.journal.state().outcomes.clone();
        assert!(outcomes.iter().all(|outcome| outcome.link.as_ref().is_some_and(|link| link.confirmed)));
        assert!(outcomes.iter().flat_map(|outcome| &outcome.changes).all(|change| change.guid.is_some()));
    }
}

/// semantics: disable
#[tokio::test(start_paused = true)]
async fn the_urgent_go_between_two_writes_of_the_others() {
    let bench = Bench::new();
    let items = bench.linked(100, "new");
    let urgent = DesiredState { account: DesiredAccount::Disabled, ..bench.titled(199, 1, "") };
    bench.directory.set(|inner| (inner.serial_ms, inner.search_ms) = (20, 5));
    let works = Works::on(&bench);
    works.send(Lane::Normal, items).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = bench.directory.made().len();
    let began = Instant::now();
    works.send(Lane::Urgent, vec![urgent.clone()]).await;
    let told = bench.told(1).await;
    let waited_ms = began.elapsed().as_millis();
    assert_eq!((told.len(), told[0].person), (1, urgent.person), "reported before the others");
    let at = bench.directory.made().iter().position(|write| write == "modify userAccountControl").unwrap();
    assert!(at <= before + limits::WRITES_OUTSTANDING_MAX + 2, "{at} after {before}");
    assert!(waited_ms < 250, "{waited_ms} ms");
    // The others go on where they were.
    assert_eq!(bench.told(101).await.len(), 101);
    assert_eq!(bench.directory.made().len(), 102, "the urgent one has a disable and a title");
    works.ended().await;
}

#[tokio::test(start_paused = true)]
async fn of_one_person_the_newer_state_wins_whichever_lane_it_is_in() {
    // The urgent person, the versions of normal and urgent, and what is told of the person: version and writes.
    for (number, normal, urgent, expected) in [
        // Waits for its turn: dropped.
        (9, 1, 2, (2, vec!["urgent"])),
        (9, 2, 2, (2, vec!["urgent"])),
        // Its write is under way: it ends, and belongs to the newer one's report.
        (3, 1, 2, (2, vec!["normal", "urgent"])),
        // Made, and not reported yet.
        (1, 1, 2, (2, vec!["normal", "urgent"])),
        // Older than what is in hand.
        (9, 2, 1, (2, vec!["normal"])),
    ] {
        let bench = Bench::new();
        let mut items = bench.linked(10, "normal");
        for item in &mut items {
            item.version = Version(normal);
        }
        let newer = bench.titled(number, urgent, "urgent");
        bench.directory.set(|inner| inner.serial_ms = 20);
        let works = Works::on(&bench);
        works.send(Lane::Normal, items).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        works.send(Lane::Urgent, vec![newer.clone()]).await;
        let told = bench.told(10).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(bench.outcomes.lock().unwrap().len(), 10, "one report a person");
        let own: Vec<&Outcome> = told.iter().filter(|outcome| outcome.person == newer.person).collect();
        assert_eq!(own.len(), 1);
        let written: Vec<&str> = own[0].changes.iter().map(|change| change.properties[0].new[0].as_str()).collect();
        assert_eq!((own[0].version.0, written), expected, "{number} {normal} {urgent}");
        let last = *expected.1.last().unwrap();
        assert_eq!(bench.directory.entry(&format!("CN=p{number},{STAFF}")).value("title"), Some(last));
        works.ended().await;
        assert!(Journal::open(bench.folder.path()).unwrap().state().open.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_in_two_batches_is_looked_up_when_the_first_is_done() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.serial_ms = 20);
    let works = Works::on(&bench);
    works.send(Lane::Normal, (1..=10).map(|at| person(at, &format!("p{at}"), &[])).collect()).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    // The same person again, and a namesake in the matching value.
    let again = DesiredState { version: Version(2), ..person(5, "p5", &[("title", "x")]) };
    let twin = DesiredState { matching: person(6, "p6", &[]).matching, ..person(20, "twin", &[]) };
    works.send(Lane::Normal, vec![again, twin.clone()]).await;
    let told = bench.told(12).await;
    assert_eq!(bench.directory.made().len(), 12, "{:?}", bench.directory.made());
    let adds = bench.directory.made().iter().filter(|write| write.starts_with("add")).count();
    assert_eq!(adds, 10, "no second account with the value");
    assert_eq!(told.len(), 12);
    works.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_handed_over_with_every_outcome_told() {
    let bench = Bench::new();
    let items = bench.linked(40, "new");
    bench.directory.set(|inner| inner.serial_ms = 20);
    let works = Works::on(&bench);
    works.send(Lane::Normal, items).await;
    tokio::time::sleep(Duration::from_millis(210)).await;
    bench.fence.revoke();
    works.inbox.send(ToWorker::Release(Epoch(1))).await.unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    while bench.frames.lock().unwrap().is_empty() {
        assert!(Instant::now() < end, "it is not handed over");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let made = bench.directory.made().len();
    assert!((10..=14).contains(&made), "{made}");
    let (frame, told) = bench.frames.lock().unwrap()[0].clone();
    assert!(matches!(frame, FromAgent::Released { epoch: Epoch(1), usn: Some(_) }), "{frame:?}");
    let outcomes = bench.outcomes.lock().unwrap().clone();
    let mut persons: Vec<_> = outcomes[..told].iter().map(|outcome| outcome.person).collect();
    persons.sort_unstable();
    persons.dedup();
    assert_eq!(persons.len(), made, "whoever was written is told of before, nobody else at all");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.directory.made().len(), made, "nothing is written after it");
    works.ended().await;
}

#[tokio::test]
async fn what_may_still_be_on_its_way_is_neither_absent_nor_gone() {
    let bench = Bench::new();
    let there = bench.titled(1, 1, "new");
    let absent = person(2, "p2", &[]);
    let gone = DesiredState { link: Some(link(ObjectGuid(uuid::Uuid::from_u128(0xDEAD)))), ..person(3, "p3", &[]) };
    let all = vec![there, absent.clone(), gone.clone()];
    bench.replication.set(Some(Replication { from: "invocation-0".to_owned(), usn: Some(5), wait_ms: 60_000 }));
    bench.directory.set(|inner| inner.has_of = Some(4));
    for (has, codes, made) in [
        (4, [None, Some(Code::NotYetReplicated), Some(Code::NotYetReplicated)], 1),
        (5, [Some(Code::RedundantExport), None, Some(Code::InvalidAnchor)], 2),
    ] {
        bench.directory.set(|inner| inner.has_of = Some(has));
        let mut outcomes = bench.work(all.clone()).await;
        outcomes.sort_by_key(|outcome| outcome.person);
        assert_eq!(outcomes.iter().map(code).collect::<Vec<_>>(), codes);
        assert_eq!(bench.directory.made().len(), made);
    }
    assert!(Code::NotYetReplicated.is_transient());
}

#[tokio::test(start_paused = true)]
async fn a_search_that_ends_the_connection_holds_nobody_up_for_ever() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.deadly_value = Some("E2".to_owned()));
    let batch = (1..=3).map(|number| person(number, &format!("p{number}"), &[])).collect();
    let outcomes = tokio::time::timeout(Duration::from_mins(10), bench.work_for(batch, 10)).await.unwrap();
    for outcome in &outcomes {
        let deadly = outcome.person == person(2, "p2", &[]).person;
        assert_eq!(code(outcome), deadly.then_some(Code::EndpointUnavailable));
    }
    assert_eq!((outcomes.len(), bench.directory.made().len()), (3, 2));
}

/// Only the one whose writes end the connection fails for it, not those beside it.
#[tokio::test(start_paused = true)]
async fn whose_write_ends_the_connection_is_found_out() {
    let bench = Bench::new();
    bench.directory.set(|inner| (inner.deadly_add, inner.serial_ms) = (Some("CN=p2,".to_owned()), 20));
    let batch = (1..=6).map(|number| person(number, &format!("p{number}"), &[])).collect();
    let outcomes = bench.work_for(batch, 10).await;
    for outcome in &outcomes {
        let deadly = outcome.person == person(2, "p2", &[]).person;
        assert_eq!(code(outcome), deadly.then_some(Code::EndpointUnavailable));
    }
    assert_eq!((outcomes.len(), bench.directory.made().len()), (6, 5));
}
