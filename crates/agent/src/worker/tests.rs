mod lanes;
mod names;
mod objects;

use std::sync::Mutex;

use rollcall_model::desired::DesiredManager;
use rollcall_model::desired::{DesiredAccount, MatchRule, MayWrite};
use rollcall_model::ids::{ObjectGuid, Version};
use rollcall_model::person::Link;
use rollcall_model::plan::Action;
use rollcall_wire::link::ClaimAnswer;
use tempfile::TempDir;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Policy;
use crate::controller::Domain;
use crate::fence::Fence;
use crate::journal::Journal;
use crate::policy::Rules;
use crate::replication::Awaited;
use crate::testing::{FakeDirectory, Inner, OTHER, STAFF, Strike, TestClock, TestRandom, person};

/// A worker on a fake directory, whose claims are granted unless refused.
struct Bench {
    directory: FakeDirectory,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    folder: TempDir,
    domain: Domain,
    fence: Fence,
    refuse_claims: bool,
    reserved: Arc<Mutex<names::Reserved>>,
    policy: Policy,
    replication: Awaited,
    /// What else was sent, and after how many outcomes.
    frames: Arc<Mutex<Vec<(FromAgent, usize)>>>,
}

impl Bench {
    fn new() -> Self {
        let directory = FakeDirectory::default();
        let domain = Domain::new();
        let keep =
            domain.clone().keep(Arc::new(directory.clone()), Arc::new(TestRandom::default()), CancellationToken::new());
        tokio::spawn(keep);
        let fence = Fence::new(Arc::new(TestClock::default()));
        fence.hello();
        fence.activated(Epoch(1), 10_000);
        let folder = tempfile::tempdir().unwrap();
        Self {
            directory,
            outcomes: Arc::default(),
            folder,
            domain,
            fence,
            refuse_claims: false,
            reserved: Arc::default(),
            policy: Policy::default(),
            replication: Awaited::default(),
            frames: Arc::default(),
        }
    }

    fn worker(&self) -> Worker {
        self.worker_with(Journal::open(self.folder.path()).unwrap())
    }

    fn worker_with(&self, journal: Journal) -> Worker {
        let (outgoing, mut sent) = mpsc::channel(16);
        let (outcomes, frames, granted) = (self.outcomes.clone(), self.frames.clone(), !self.refuse_claims);
        let reserved = self.reserved.clone();
        tokio::spawn(async move {
            while let Some(message) = sent.recv().await {
                match message {
                    Outgoing::Outcomes(some) => outcomes.lock().unwrap().extend(some),
                    Outgoing::Claims { claims, answer, .. } => {
                        let answers = claims
                            .into_iter()
                            .map(|claim| ClaimAnswer { person: claim.person, guid: claim.guid, granted })
                            .collect();
                        let _ = answer.send(answers);
                    }
                    Outgoing::Reserve { wants, answer, .. } => {
                        let _ = answer.send(reserved.lock().unwrap().answer(wants));
                    }
                    Outgoing::Frame(frame) => {
                        let told = outcomes.lock().unwrap().len();
                        frames.lock().unwrap().push((*frame, told));
                    }
                    Outgoing::Answer { .. } => {}
                }
            }
        });
        let shared = Shared {
            journal,
            domain: self.domain.clone(),
            fence: self.fence.clone(),
            policy: Rules::new(&self.policy),
            replication: self.replication.clone(),
            clock: Arc::new(TestClock::default()),
            random: Arc::new(TestRandom::default()),
            outgoing,
            stop: CancellationToken::new(),
            desk: Desk::default(),
        };
        Worker::new(shared, mpsc::channel(1).1, watch::Sender::new(false))
    }

    /// Works one batch; its outcomes in the order they were reported.
    async fn work(&self, items: Vec<DesiredState>) -> Vec<Outcome> {
        self.work_for(items, 1).await
    }

    async fn work_for(&self, items: Vec<DesiredState>, mins: u64) -> Vec<Outcome> {
        let mut worker = self.worker();
        let work = worker.work(Epoch(1), items);
        tokio::time::timeout(std::time::Duration::from_mins(mins), work).await.expect("the work hangs").unwrap();
        assert!(worker.shared.journal.state().open.is_empty(), "{:?}", worker.shared.journal.state().open);
        let expected = worker.shared.journal.state().outcomes.len();
        while self.outcomes.lock().unwrap().len() < expected {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let ids = worker.shared.journal.state().outcomes.iter().map(|outcome| outcome.id).collect();
        worker.shared.journal.acknowledge(ids).unwrap();
        std::mem::take(&mut self.outcomes.lock().unwrap())
    }

    async fn one(&self, desired: DesiredState) -> Outcome {
        let mut outcomes = self.work(vec![desired]).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }
}

fn link(guid: ObjectGuid) -> Link {
    Link { guid, confirmed: true, invocation_id: None, usn_changed: None }
}

/// Attributes the directory refuses (and whether by name), and what is left out.
type Case = (&'static [(&'static str, bool)], &'static [&'static str]);

fn actions(outcome: &Outcome) -> Vec<(Action, bool)> {
    outcome.changes.iter().map(|change| (change.action, change.failure.is_none())).collect()
}

fn refused(outcome: &Outcome) -> Vec<&str> {
    outcome.refused.iter().map(|refused| refused.attribute.as_str()).collect()
}

fn code(outcome: &Outcome) -> Option<Code> {
    match &outcome.result {
        Conclusion::Failed(failure) => Some(failure.code),
        Conclusion::Skipped(code) => Some(*code),
        Conclusion::Done | Conclusion::Interrupted => None,
    }
}

/// semantics: create
#[tokio::test]
async fn a_new_account_is_one_add_and_then_nothing() {
    let bench = Bench::new();
    let outcome = bench.one(person(1, "ada", &[("title", "Countess")])).await;
    assert_eq!(outcome.result, Conclusion::Done);
    assert_eq!(actions(&outcome), [(Action::Create, true)]);
    assert_eq!(bench.directory.made(), ["add CN=ada,OU=Staff,DC=corp,DC=test"]);
    let entry = bench.directory.entry(&format!("CN=ada,{STAFF}"));
    assert_eq!((entry.value("userAccountControl"), entry.value("title")), (Some("512"), Some("Countess")));
    let made = outcome.link.clone().unwrap();
    assert_eq!((made.guid, made.confirmed, made.usn_changed), (entry.guid, true, entry.usn_changed));
    assert_eq!(outcome.changes[0].guid, Some(entry.guid));

    let again = bench.one(DesiredState { link: Some(made), ..person(1, "ada", &[("title", "Countess")]) }).await;
    assert_eq!((code(&again), again.changes.len()), (Some(Code::RedundantExport), 0));
    assert_eq!(bench.directory.made().len(), 1);
}

/// semantics: password
#[tokio::test]
async fn a_password_is_tried_three_times_and_kept_nowhere() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.weak_passwords = 2);
    let outcome = bench.one(person(1, "ada", &[])).await;
    assert_eq!(actions(&outcome), [(Action::Create, true)], "one log entry, whatever was tried");
    let passwords = bench.directory.set(|inner| std::mem::take(&mut inner.passwords));
    assert_eq!(passwords.len(), 3);
    assert!(passwords.iter().all(|password| password.len() >= 24));
    assert!(passwords[0] != passwords[1] && passwords[1] != passwords[2]);
    let journal = crate::files::read_text(&bench.folder.path().join("journal.jsonl")).unwrap();
    let told = format!("{outcome:?}");
    assert!(passwords.iter().all(|password| !journal.contains(password.as_str()) && !told.contains(password.as_str())));

    bench.directory.set(|inner| inner.weak_passwords = 3);
    let outcome = bench.one(person(2, "bob", &[])).await;
    assert_eq!((code(&outcome), actions(&outcome)), (Some(Code::PasswordRefused), vec![(Action::Create, false)]));
}

/// semantics: create
#[tokio::test]
async fn refused_attributes_are_found_and_left_out() {
    let cases: &[Case] = &[
        (&[("title", true)], &["title"]),
        (&[("title", false)], &["title"]),
        (&[("title", true), ("mail", true)], &["mail", "title"]),
        (&[("title", true), ("mail", false)], &["title", "mail"]),
        // Of two that nobody names one after the other is left out, with the innocents between them.
        (&[("title", false), ("mail", false)], &["department", "mail", "title"]),
        (&[("title", false), ("department", false)], &["department", "title"]),
    ];
    for (guilty, expected) in cases {
        for existing in [false, true] {
            let bench = Bench::new();
            let mut desired = person(1, "ada", &[("title", "x"), ("department", "y"), ("mail", "z")]);
            if existing {
                let held = [("sAMAccountName", "ada"), ("employeeID", "E1")];
                desired.link = Some(link(bench.directory.put(&format!("CN=ada,{STAFF}"), &held)));
            }
            bench.directory.set(|inner| {
                inner.refused = guilty.iter().map(|(name, named)| ((*name).to_owned(), *named)).collect();
            });
            let outcome = bench.one(desired).await;
            let mut found = refused(&outcome);
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{guilty:?}, existing {existing}");
            assert_eq!(outcome.result, Conclusion::Done, "{guilty:?}");
            let warned = outcome.warnings.iter().filter(|warning| warning.code == Code::AttributeRefused).count();
            assert_eq!(warned, expected.len());
            assert!(outcome.changes.len() <= 1 && outcome.changes.iter().all(|change| change.failure.is_none()));
            let entry = bench.directory.entry(&format!("CN=ada,{STAFF}"));
            for name in ["title", "department", "mail"] {
                assert_eq!(entry.value(name).is_none(), expected.contains(&name), "{name} of {guilty:?}");
            }
            let confirmed = outcome.confirmed.unwrap();
            assert!(expected.iter().all(|name| !confirmed.attributes.contains_key(*name)));
        }
    }
}

/// semantics: create
#[tokio::test]
async fn a_refused_mandatory_value_fails_the_person() {
    for named in [true, false] {
        let bench = Bench::new();
        bench.directory.set(|inner| inner.refused.insert("employeeID".to_owned(), named));
        let outcome = bench.one(person(1, "ada", &[("title", "x")])).await;
        assert_eq!(code(&outcome), Some(Code::HybridSynchronizationActiveDirectoryInvalidParameter));
        assert_eq!(actions(&outcome), [(Action::Create, false)]);
        assert!(outcome.refused.is_empty() && bench.directory.made().is_empty());
    }
}

/// semantics: create
#[tokio::test]
async fn a_taken_cn_gives_way_and_a_taken_account_name_does_not() {
    let bench = Bench::new();
    bench.directory.put(&format!("CN=ada,{STAFF}"), &[("sAMAccountName", "another")]);
    let outcome = bench.one(person(1, "ada", &[])).await;
    assert_eq!(actions(&outcome), [(Action::Create, true)]);
    assert_eq!(outcome.dn.as_deref(), Some("CN=ada (E1),OU=Staff,DC=corp,DC=test"));

    // semantics: ldap-errors
    let outcome = bench.one(DesiredState { cn: Some("Ada II".to_owned()), ..person(2, "another", &[]) }).await;
    let Conclusion::Failed(failure) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!((failure.code, failure.attribute.as_deref()), (Code::EntryConflict, Some("sAMAccountName")));
    assert!(failure.reason.contains("CN=ada,OU=Staff,DC=corp,DC=test"), "{}", failure.reason);
}

#[tokio::test]
async fn a_stale_plan_is_made_anew_and_keeps_the_others_edit() {
    let bench = Bench::new();
    let held = [("sAMAccountName", "ada"), ("employeeID", "E1"), ("title", "old")];
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
    let desired = DesiredState { link: Some(link(guid)), ..person(1, "ada", &[("title", "new")]) };
    bench.directory.set(|inner| inner.meddling.push_back(("title".to_owned(), "by hand".to_owned())));
    let outcome = bench.one(desired.clone()).await;
    assert_eq!(actions(&outcome), [(Action::Update, true)], "the stale attempt is no log entry");
    assert_eq!(outcome.changes[0].properties[0].old, ["by hand"]);

    bench.directory.set(|inner| {
        inner.entries[0].attributes.insert("title".to_owned(), vec!["old".to_owned()]);
        inner.meddling = (0..9).map(|at| ("title".to_owned(), format!("by hand {at}"))).collect();
        inner.asked.clear();
    });
    let outcome = bench.one(desired).await;
    assert_eq!((code(&outcome), outcome.changes.len()), (Some(Code::StalePlan), 0));
    assert_eq!(bench.directory.set(|inner| inner.asked.len()), 3);
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_logged_once() {
    for (strike, after_crash) in [(Strike::LoseAfter, true), (Strike::LoseBefore, false)] {
        let bench = Bench::new();
        bench.directory.set(|inner| inner.strikes.push_back(strike.clone()));
        let outcome = bench.one(person(1, "ada", &[])).await;
        assert_eq!(
            (&outcome.result, actions(&outcome)),
            (&Conclusion::Done, vec![(Action::Create, true)]),
            "{strike:?}"
        );
        assert_eq!(outcome.changes[0].confirmed_after_crash, after_crash);
        assert_eq!(bench.directory.made().len(), 1, "never a second account");
        assert!(outcome.link.unwrap().confirmed);

        let held = [("sAMAccountName", "bob"), ("employeeID", "E2"), ("title", "old")];
        let guid = bench.directory.put(&format!("CN=bob,{STAFF}"), &held);
        bench.directory.set(|inner| inner.strikes.push_back(strike.clone()));
        let outcome = bench.one(DesiredState { link: Some(link(guid)), ..person(2, "bob", &[("title", "new")]) }).await;
        assert_eq!(
            (&outcome.result, actions(&outcome)),
            (&Conclusion::Done, vec![(Action::Update, true)]),
            "{strike:?}"
        );
        assert_eq!(outcome.changes[0].confirmed_after_crash, after_crash);
        assert_eq!(bench.directory.made().len(), 2);
    }
}

/// The number of an account stands for what was confirmed: not for what somebody changed before it was read back.
#[tokio::test]
async fn anothers_edit_before_the_read_back_is_not_covered() {
    for (name, is_covered) in [("department", false), ("info", true)] {
        let bench = Bench::new();
        let held = [("sAMAccountName", "ada"), ("employeeID", "E1"), ("title", "old"), ("department", "Sales")];
        let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
        let attributes = [("title", "new"), ("department", "Sales")];
        bench.directory.set(|inner| inner.meddling.push_back((name.to_owned(), "by hand".to_owned())));
        let outcome = bench.one(DesiredState { link: Some(link(guid)), ..person(1, "ada", &attributes) }).await;
        assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Update, true)]));
        assert_eq!(outcome.link.unwrap().usn_changed.is_some(), is_covered, "{name}");
    }
}

/// semantics: enable, password (a job without passwords: what is made disabled stays so, whatever went wrong)
#[tokio::test]
async fn an_account_without_a_password_stays_disabled() {
    let prepare: [fn(&mut Inner); 4] = [
        |_| {},
        |inner| inner.strikes.push_back(Strike::LoseAfter),
        |inner| inner.strikes.push_back(Strike::LoseLate),
        |inner| inner.lost_looks = 1,
    ];
    for (at, prepare) in prepare.into_iter().enumerate() {
        let bench = Bench::new();
        bench.directory.set(prepare);
        let initial_password = rollcall_model::config::InitialPassword::None;
        let outcome = bench.one(DesiredState { initial_password, ..person(1, "ada", &[]) }).await;
        assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Create, true)]), "{at}");
        assert_eq!(outcome.confirmed.unwrap().enabled, None, "{at}");
        assert_eq!(bench.directory.entry(&format!("CN=ada,{STAFF}")).value("userAccountControl"), Some("514"), "{at}");
    }
}

/// semantics: ldap-errors
#[tokio::test]
async fn while_the_directory_is_away_nobody_fails() {
    for bind in [true, false] {
        let bench = Bench::new();
        bench.directory.set(|inner| (inner.refuse_bind, inner.down) = (bind, !bind));
        let directory = bench.directory.clone();
        let condition = bench.domain.watch();
        let healing = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let trouble = condition.borrow().trouble.clone().unwrap();
            assert_eq!(trouble.code, if bind { Code::BindRefused } else { Code::EndpointUnavailable });
            assert!(condition.borrow().controller().is_none());
            directory.set(|inner| (inner.refuse_bind, inner.down) = (false, false));
        });
        let outcome = bench.one(person(1, "ada", &[])).await;
        assert_eq!(outcome.result, Conclusion::Done);
        healing.await.unwrap();
    }
}

/// semantics: disable
#[tokio::test]
async fn a_disable_comes_before_everything_and_is_held_up_by_nothing() {
    let bench = Bench::new();
    let held = [("sAMAccountName", "ada"), ("employeeID", "E1")];
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
    let mut desired = DesiredState { link: Some(link(guid)), ..person(1, "ada", &[("title", "x")]) };
    desired.account = DesiredAccount::Disabled;
    desired.container.mapped = Some(OTHER.to_owned());
    desired.container.may_move = true;
    // Another person stands before, and the person's own record is broken.
    let outcomes = bench
        .work(vec![
            person(2, "bob", &[]),
            DesiredState { failure: Some(Failure::new(Code::ExpressionFailed, None, "broken")), ..desired.clone() },
        ])
        .await;
    assert_eq!(bench.directory.made()[0], "modify userAccountControl", "also before other persons");
    let ada = outcomes.iter().find(|outcome| outcome.person == desired.person).unwrap();
    assert_eq!(actions(ada)[0], (Action::Disable, true));
    assert_eq!(code(ada), Some(Code::ExpressionFailed));
    assert!(bench.directory.entry(&format!("CN=ada,{OTHER}")).is_disabled());
}

#[tokio::test]
async fn after_a_failed_move_the_rest_is_left() {
    let bench = Bench::new();
    let held = [("sAMAccountName", "ada"), ("employeeID", "E1")];
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
    let mut desired = DesiredState { link: Some(link(guid)), ..person(1, "ada", &[("title", "x")]) };
    desired.container.mapped = Some(OTHER.to_owned());
    desired.container.may_move = true;
    bench.directory.set(|inner| inner.strikes.push_back(Strike::Refuse(Code::ContainerNotFound)));
    let outcome = bench.one(desired).await;
    assert_eq!((code(&outcome), actions(&outcome)), (Some(Code::ContainerNotFound), vec![(Action::Move, false)]));
    assert!(bench.directory.made().is_empty());
    assert_eq!(outcome.dn.as_deref(), Some("CN=ada,OU=Staff,DC=corp,DC=test"));
    assert!(outcome.confirmed.is_none());
}

/// semantics: link
#[tokio::test]
async fn matching_accounts_are_claimed_and_dead_links_stay_dead() {
    let held = [("sAMAccountName", "ada"), ("employeeID", "E1")];
    let mut bench = Bench::new();
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
    let outcome = bench.one(person(1, "ada", &[("title", "x")])).await;
    assert_eq!((outcome.link.unwrap().guid, outcome.changes.len()), (guid, 1));

    bench.refuse_claims = true;
    let outcome = bench.one(person(1, "ada", &[("title", "y")])).await;
    assert_eq!((code(&outcome), outcome.changes.len()), (Some(Code::LinkedToAnotherPerson), 0));
    assert!(outcome.link.is_none());

    let gone = ObjectGuid(uuid::Uuid::from_u128(0xDEAD));
    let outcome = bench.one(DesiredState { link: Some(link(gone)), ..person(1, "ada", &[]) }).await;
    assert_eq!(code(&outcome), Some(Code::InvalidAnchor));

    bench.directory.put(&format!("CN=twin,{STAFF}"), &[("employeeID", "e1")]);
    let outcome = bench.one(person(1, "ada", &[])).await;
    assert_eq!(code(&outcome), Some(Code::DuplicateTargetEntries));
    assert_eq!(bench.directory.made().len(), 1);
}

/// semantics: protected
#[tokio::test]
async fn a_protected_account_is_never_written() {
    let bench = Bench::new();
    let held = [("sAMAccountName", "ada"), ("employeeID", "E1"), ("adminCount", "1")];
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &held);
    let outcome = bench
        .one(DesiredState {
            link: Some(link(guid)),
            account: DesiredAccount::Disabled,
            ..person(1, "ada", &[("title", "x")])
        })
        .await;
    assert_eq!((code(&outcome), outcome.changes.len()), (Some(Code::ProtectedAccount), 0));
    assert!(bench.directory.made().is_empty());
}

/// semantics: manager
#[tokio::test]
async fn the_manager_is_a_second_write_or_waits() {
    let manager = |id: &str, guid: Option<ObjectGuid>| {
        let matching = vec![MatchRule { attribute: "employeeID".to_owned(), value: id.to_owned() }];
        Some(DesiredManager { external_id: id.to_owned(), guid, matching, may_write: MayWrite::Yes })
    };
    let bench = Bench::new();
    let boss = format!("CN=boss,{STAFF}");
    let guid = bench.directory.put(&boss, &[("employeeID", "E9")]);
    for (number, guid) in [(1, None), (2, Some(guid)), (3, Some(ObjectGuid(uuid::Uuid::from_u128(0xDEAD))))] {
        let name = format!("p{number}");
        let outcome = bench.one(DesiredState { manager: manager("E9", guid), ..person(number, &name, &[]) }).await;
        assert_eq!(actions(&outcome), [(Action::Create, true), (Action::Update, true)], "{number}");
        assert_eq!(bench.directory.entry(&format!("CN={name},{STAFF}")).value("manager"), Some(boss.as_str()));
        assert_eq!(outcome.confirmed.unwrap().manager.as_deref(), Some("E9"));
    }
    let outcome = bench.one(DesiredState { manager: manager("E404", None), ..person(4, "p4", &[]) }).await;
    assert_eq!((&outcome.result, outcome.waits_for_manager.as_deref()), (&Conclusion::Done, Some("E404")));
    assert_eq!(outcome.warnings[0].code, Code::UnableToResolveReferenceAttributeValue);
}

/// One person whose search is refused does not spoil the batch; two versions of one person are one piece of work.
#[tokio::test]
async fn a_batch_is_many_persons_and_one_outcome_each() {
    let bench = Bench::new();
    let mut items: Vec<DesiredState> = (1..=20).map(|at| person(at, &format!("p{at}"), &[])).collect();
    items.push(DesiredState { version: Version(2), ..person(7, "p7", &[("title", "newer")]) });
    let outcomes = bench.work(items).await;
    assert_eq!((outcomes.len(), bench.directory.made().len()), (20, 20));
    assert_eq!(bench.directory.entry(&format!("CN=p7,{STAFF}")).value("title"), Some("newer"));
}

#[tokio::test]
async fn what_a_crash_left_is_reported_once() {
    let bench = Bench::new();
    let guid = bench.directory.put(&format!("CN=ada,{STAFF}"), &[("employeeID", "E1"), ("title", "new")]);
    let worker = bench.worker();
    let desired = person(1, "ada", &[]);
    let dn = rollcall_model::Dn::from_directory(&format!("CN=ada,{STAFF}"));
    let modify = |name: &str, new: &str| rollcall_model::plan::Write {
        action: Action::Update,
        request: rollcall_model::plan::WriteRequest::Modify {
            guid,
            dn: dn.clone(),
            changes: vec![rollcall_model::plan::AttributeChange {
                name: name.to_owned(),
                old: vec![],
                new: vec![new.to_owned()],
            }],
        },
        redacted: Vec::new(),
    };
    // Of two writes that were about to be made, one reached the directory; so did none of another person's.
    for (number, who, write) in
        [(1, 1, modify("title", "new")), (2, 1, modify("mail", "x")), (3, 2, modify("mail", "y"))]
    {
        let intent = crate::journal::Intent {
            change: rollcall_model::ids::ChangeId(uuid::Uuid::from_u128(number)),
            person: rollcall_model::ids::PersonId(uuid::Uuid::from_u128(who)),
            version: Version(1),
            epoch: Epoch(1),
            guid: Some(guid),
            matching: desired.matching.clone(),
            write,
        };
        worker.shared.journal.append([Record::Intent { intent: Box::new(intent) }]).unwrap();
    }
    worker.shared.journal.note_sent(rollcall_model::ids::ChangeId(uuid::Uuid::from_u128(1)), "invocation-1").unwrap();
    drop(worker);
    let mut worker = bench.worker();
    worker.catch_up().await.unwrap();
    assert!(worker.shared.journal.state().open.is_empty());
    let outcomes = worker.shared.journal.state().outcomes.clone();
    assert_eq!(outcomes.len(), 1);
    assert_eq!((&outcomes[0].result, outcomes[0].changes.len()), (&Conclusion::Interrupted, 1));
    assert!(outcomes[0].changes[0].confirmed_after_crash && outcomes[0].changes[0].properties[0].name == "title");
    // Not acknowledged: the next connection brings the same report, not a new one.
    worker.catch_up().await.unwrap();
    while bench.outcomes.lock().unwrap().len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let told = bench.outcomes.lock().unwrap().clone();
    assert_eq!(told[0].id, told[1].id);
}

/// Of what a crash left only what was noted as sent is ours, whoever made the rest since.
/// Over a restart of the system results may be lost, and everything is looked up.
#[tokio::test]
async fn a_crash_claims_nothing_that_was_not_sent() {
    for (boot, ours) in [("one", 1), ("two", 3)] {
        let bench = Bench::new();
        let journal = Journal::open_in(bench.folder.path(), Some("one")).unwrap();
        for number in 1..=3 {
            let (name, id) = (format!("p{number}"), format!("E{number}"));
            bench.directory.put(&format!("CN={name},{STAFF}"), &[("employeeID", &id)]);
            let desired = person(number, &name, &[]);
            let write = rollcall_model::plan::Write {
                action: Action::Create,
                request: rollcall_model::plan::WriteRequest::Add {
                    container: rollcall_model::Dn::from_directory(STAFF),
                    cn: name,
                    attributes: vec![],
                    enabled: true,
                    must_change_password: false,
                    initial_password: rollcall_model::config::InitialPassword::Generated,
                },
                redacted: Vec::new(),
            };
            let intent = crate::journal::Intent {
                change: rollcall_model::ids::ChangeId(uuid::Uuid::from_u128(number)),
                person: desired.person,
                version: Version(1),
                epoch: Epoch(1),
                guid: None,
                matching: desired.matching,
                write,
            };
            journal.append([Record::Intent { intent: Box::new(intent) }]).unwrap();
        }
        journal.note_sent(rollcall_model::ids::ChangeId(uuid::Uuid::from_u128(1)), "invocation-1").unwrap();
        drop(journal);
        let mut worker = bench.worker_with(Journal::open_in(bench.folder.path(), Some(boot)).unwrap());
        worker.catch_up().await.unwrap();
        assert_eq!(worker.shared.journal.state().outcomes.len(), ours, "{boot}");
        assert_eq!(worker.shared.journal.state().outcomes[0].person, person(1, "p1", &[]).person);
        assert!(worker.shared.journal.state().open.is_empty());
    }
}

/// semantics: create
#[tokio::test]
async fn an_add_that_is_made_late_makes_no_second_account() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.strikes.push_back(Strike::LoseLate));
    let outcome = bench.one(person(1, "ada", &[("title", "x")])).await;
    assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Create, true)]));
    assert!(outcome.changes[0].confirmed_after_crash && outcome.link.unwrap().confirmed);
    assert_eq!(bench.directory.made(), ["add CN=ada,OU=Staff,DC=corp,DC=test"]);

    // The matching value turns up with somebody else's add: that account is claimed, and none is made.
    let held = [("samaccountname", "b2"), ("employeeid", "E2"), ("useraccountcontrol", "512")];
    let held = held.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).into();
    let dn = rollcall_model::Dn::from_directory(&format!("CN=bob,{STAFF}"));
    bench.directory.set(|inner| inner.late.push((dn, held)));
    let outcome = bench.one(person(2, "bob", &[])).await;
    assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Update, true)]));
    assert_eq!(bench.directory.made().len(), 3, "two adds and the account name");
}

#[tokio::test]
async fn a_new_account_that_cannot_be_read_back_is_found_again() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.lost_looks = 1);
    let outcome = bench.one(person(1, "ada", &[("title", "x")])).await;
    assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Create, true)]));
    let link = outcome.link.unwrap();
    assert_eq!((link.confirmed, outcome.changes[0].guid), (true, Some(link.guid)));
    assert!(outcome.confirmed.is_some());
}

#[tokio::test]
async fn one_slow_search_holds_nobody_up_for_ever() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.slow_value = Some("E2".to_owned()));
    let batch = (1..=3).map(|number| person(number, &format!("p{number}"), &[])).collect();
    let work = bench.work(batch);
    let outcomes = tokio::time::timeout(std::time::Duration::from_mins(1), work).await.unwrap();
    for outcome in &outcomes {
        let slow = outcome.person == person(2, "p2", &[]).person;
        assert_eq!(code(outcome), slow.then_some(Code::TimeOut));
    }
    assert_eq!((outcomes.len(), bench.directory.made().len()), (3, 2));
}

/// A clock on which the process sleeps between the second question and the third.
#[derive(Default)]
struct SleepyClock(std::sync::atomic::AtomicI64);

impl crate::fence::LeaseClock for SleepyClock {
    fn now_ms(&self) -> i64 {
        let asked = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // Hello, active, permit; and then the request is about to go out.
        if asked < 3 { 0 } else { 60_000 }
    }
}

#[tokio::test]
async fn a_process_that_slept_after_its_permit_sends_nothing() {
    let mut bench = Bench::new();
    bench.fence = Fence::new(Arc::new(SleepyClock::default()));
    bench.fence.hello();
    bench.fence.activated(Epoch(1), 10_000);
    let work = bench.work(vec![person(1, "ada", &[])]);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(700), work).await.is_err());
    assert!(bench.directory.set(|inner| inner.begun == 0 && inner.made.is_empty()));
}

/// semantics: ldap-errors
#[tokio::test]
async fn binds_that_are_taken_and_writes_that_are_not_are_the_domains_trouble() {
    let bench = Bench::new();
    bench
        .directory
        .set(|inner| inner.strikes.extend([Strike::Refuse(Code::BindRefused), Strike::Refuse(Code::BindRefused)]));
    let mut condition = bench.domain.watch();
    let watching = tokio::spawn(async move {
        let refused = |condition: &crate::controller::Condition| {
            condition.trouble.as_ref().is_some_and(|trouble| trouble.code == Code::BindRefused)
        };
        while !refused(&condition.borrow_and_update()) {
            condition.changed().await.unwrap();
        }
    });
    let outcome = bench.one(person(1, "ada", &[])).await;
    assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Create, true)]));
    tokio::time::timeout(std::time::Duration::from_secs(5), watching).await.unwrap().unwrap();
}
