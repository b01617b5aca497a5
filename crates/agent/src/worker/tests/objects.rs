//! Other names, deletions, and what the local policy makes of a plan.

use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::desired::{DesiredContainer, Extent};
use rollcall_model::ids::ChangeId;
use rollcall_model::observed::{Observed, ObservedAccount, ObservedManager};
use rollcall_model::plan::{Warning, Write, WriteRequest};

use super::*;
use crate::config::PolicyAction;
use crate::journal::Intent;

fn linked(guid: ObjectGuid, number: u128, name: &str) -> DesiredState {
    let mut desired = person(number, name, &[]);
    desired.link = Some(link(guid));
    desired.cn = Some(name.to_owned());
    desired.rename = Some(MayWrite::Yes);
    // What is written on create only.
    desired.attributes.clear();
    desired
}

fn at(name: &str) -> String {
    format!("CN={name},{STAFF}")
}

fn warned(outcome: &Outcome) -> Vec<Code> {
    outcome.warnings.iter().map(|warning: &Warning| warning.code).collect()
}

/// semantics: move (rename; a taken name gives way)
#[tokio::test]
async fn accounts_are_renamed() {
    let bench = Bench::new();
    let ada = bench.directory.put(&at("ada"), &[]);
    let bob = bench.directory.put(&at("bob"), &[]);
    let outcome = bench.one(linked(ada, 1, "Ada King")).await;
    assert_eq!((actions(&outcome), code(&outcome)), (vec![(Action::Rename, true)], None));
    let names: Vec<&str> = outcome.changes[0].properties.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(names, [target::CN, "distinguishedName"]);
    assert_eq!((outcome.dn.as_deref(), outcome.link.as_ref().unwrap().guid), (Some(at("Ada King").as_str()), ada));
    assert_eq!(outcome.confirmed.unwrap().attributes["cn"], ["Ada King"]);
    let again = bench.one(linked(ada, 1, "Ada King")).await;
    assert_eq!(code(&again), Some(Code::RedundantExport));
    // A taken one gives way, and stays so.
    let outcome = bench.one(linked(bob, 2, "Ada King")).await;
    assert_eq!((actions(&outcome), outcome.dn.as_deref()), (vec![(Action::Rename, true)], Some(&*at("Ada King (E2)"))));
    assert_eq!(outcome.changes[0].properties[0].new, ["Ada King (E2)"]);
    assert_eq!(code(&bench.one(linked(bob, 2, "Ada King")).await), Some(Code::RedundantExport));
}

/// semantics: swap
#[tokio::test]
async fn two_swap_their_names() {
    let bench = Bench::new();
    let ada = bench.directory.put(&at("Ada"), &[]);
    let bob = bench.directory.put(&at("Bob"), &[]);
    let wanted = || {
        let (mut first, second) = (linked(ada, 1, "Bob"), linked(bob, 2, "Ada"));
        first.account = DesiredAccount::Disabled;
        vec![first, second]
    };
    let mut swapped = bench.work(wanted()).await;
    swapped.sort_by_key(|outcome| outcome.person);
    let [first, second] = &swapped[..] else { panic!("{swapped:?}") };
    let aside = format!("move CN=swap-{}", &ada.0.simple().to_string()[..15]);
    assert_eq!(
        bench.directory.made(),
        ["modify userAccountControl", &aside, "move CN=Ada", "move CN=Bob"],
        "the disable waits for nobody"
    );
    assert_eq!(actions(first), [(Action::Disable, true), (Action::Rename, true), (Action::Rename, true)]);
    assert_eq!(actions(second), [(Action::Rename, true)]);
    assert_eq!((bench.directory.entry(&at("Bob")).guid, bench.directory.entry(&at("Ada")).guid), (ada, bob));
    let settled = bench.work(wanted()).await;
    assert!(settled.iter().all(|outcome| code(outcome) == Some(Code::RedundantExport)), "{settled:?}");
    // Somebody stopped half way stands aside, and goes on from there.
    bench.directory.set(|inner| inner.strikes.push_back(Strike::LoseAfter));
    let mut back = bench.work(vec![linked(ada, 1, "Ada"), linked(bob, 2, "Bob")]).await;
    back.sort_by_key(|outcome| outcome.person);
    assert_eq!((bench.directory.entry(&at("Ada")).guid, bench.directory.entry(&at("Bob")).guid), (ada, bob));
    assert_eq!(actions(&back[0]), [(Action::Rename, true), (Action::Rename, true)]);
}

/// semantics: swap (who may not step aside, and one who does not give the name up)
#[tokio::test]
async fn a_name_that_is_not_given_up_is_taken() {
    let bench = Bench::new();
    let ada = bench.directory.put(&at("Ada"), &[]);
    let bob = bench.directory.put(&at("Bob"), &[]);
    bench.directory.put(&at("Cy"), &[]);
    // Bob wants a taken name, gets another one, and so gives up his.
    let outcomes = bench.work(vec![linked(ada, 1, "Bob"), linked(bob, 2, "Cy")]).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.dn.clone().unwrap()).collect();
    assert_eq!(names, [at("Cy (E2)"), at("Bob")]);
    // Bob's write is refused, so he keeps the name.
    bench.directory.set(|inner| inner.strikes.push_back(Strike::Refuse(Code::DirectoryRefused)));
    let outcomes = bench.work(vec![linked(ada, 1, "Cy (E2)"), linked(bob, 2, "Dee")]).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.dn.clone().unwrap()).collect();
    assert_eq!(names, [at("Cy (E2)"), at("Cy (E2) (E1)")]);
}

/// semantics: move (container and name in one request)
#[tokio::test]
async fn accounts_are_moved_and_renamed_at_once() {
    let bench = Bench::new();
    let ada = bench.directory.put(&at("ada"), &[]);
    bench.directory.put(&format!("CN=Ada King,{OTHER}"), &[]);
    let mut desired = linked(ada, 1, "Ada King");
    desired.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true };
    let outcome = bench.one(desired.clone()).await;
    assert_eq!(actions(&outcome), [(Action::Move, true)]);
    assert_eq!(bench.directory.made(), ["move CN=Ada King (E1)"]);
    assert_eq!(outcome.dn, Some(format!("CN=Ada King (E1),{OTHER}")));
    assert_eq!(code(&bench.one(desired).await), Some(Code::RedundantExport));
}

/// The name is taken, so it would have to be another: that takes the right to rename too.
#[tokio::test]
async fn a_move_without_leave_to_rename_keeps_the_name() {
    for (taken, expected) in [(false, None), (true, Some(Code::RefusedByLocalPolicy))] {
        let mut bench = Bench::new();
        bench.policy.actions.retain(|action| *action != PolicyAction::Rename);
        let ada = bench.directory.put(&at("ada"), &[]);
        if taken {
            bench.directory.put(&format!("CN=ada,{OTHER}"), &[]);
        }
        let mut desired = linked(ada, 1, "ada");
        desired.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true };
        let outcome = bench.one(desired).await;
        assert_eq!((code(&outcome), actions(&outcome)), (expected, vec![(Action::Move, !taken)]));
        assert_eq!(bench.directory.made().len(), usize::from(!taken));
    }
}

/// What follows a move under another name is logged of the account that was moved.
#[tokio::test]
async fn writes_after_a_move_are_of_the_moved_account() {
    let bench = Bench::new();
    let ada = bench.directory.put(&at("ada"), &[("title", "old")]);
    bench.directory.put(&format!("CN=ada,{OTHER}"), &[]);
    let mut desired = person(1, "ada", &[("title", "new")]);
    (desired.link, desired.rename) = (Some(link(ada)), Some(MayWrite::Yes));
    desired.attributes.retain(|own| own.name == "title");
    desired.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true };
    let outcome = bench.one(desired).await;
    assert_eq!(actions(&outcome), [(Action::Move, true), (Action::Update, true)]);
    let moved = format!("CN=ada (E1),{OTHER}");
    assert!(outcome.changes.iter().all(|change| change.dn == moved), "{:?}", outcome.changes);
}

/// An answer that is lost is settled by looking: the rename was made, or is made again.
#[tokio::test]
async fn a_rename_without_an_answer_is_looked_up() {
    for (strike, expected) in [(Strike::LoseAfter, 1), (Strike::LoseBefore, 1)] {
        let bench = Bench::new();
        let ada = bench.directory.put(&at("ada"), &[]);
        bench.directory.set(|inner| inner.strikes.push_back(strike));
        let outcome = bench.one(linked(ada, 1, "Ada King")).await;
        assert_eq!((actions(&outcome), bench.directory.made().len()), (vec![(Action::Rename, true)], expected));
        assert_eq!(outcome.dn, Some(at("Ada King")));
    }
}

fn deletion(guid: ObjectGuid) -> DesiredState {
    let mut desired = linked(guid, 1, "ada");
    (desired.account, desired.delete, desired.extent) = (DesiredAccount::Disabled, true, Extent::AccountOnly);
    desired
}

fn may_delete() -> Policy {
    let mut policy = Policy::default();
    policy.actions.push(PolicyAction::Delete);
    policy
}

/// semantics: delete
#[tokio::test]
async fn accounts_are_deleted_where_the_policy_lets_them() {
    let mut bench = Bench::new();
    let ada = bench.directory.put(&at("ada"), &[]);
    let outcome = bench.one(deletion(ada)).await;
    assert_eq!(
        (actions(&outcome), warned(&outcome)),
        (vec![(Action::Disable, true)], vec![Code::DisabledInsteadOfDeleted])
    );
    assert_eq!((outcome.link.map(|link| link.guid), outcome.confirmed.unwrap().enabled), (Some(ada), Some(false)));
    bench.policy = may_delete();
    let outcome = bench.one(deletion(ada)).await;
    assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Delete, true)]));
    let change = &outcome.changes[0];
    assert_eq!((change.guid, change.dn.as_str()), (Some(ada), at("ada").as_str()), "the old identity");
    assert_eq!((outcome.link, outcome.dn, outcome.confirmed), (None, None, None));
    assert_eq!(code(&bench.one(deletion(ada)).await), Some(Code::InvalidAnchor));
    let admin = bench.directory.put(&at("admin"), &[("adminCount", "1")]);
    let outcome = bench.one(deletion(admin)).await;
    assert_eq!((code(&outcome), actions(&outcome)), (Some(Code::ProtectedAccount), vec![]));
}

/// An answer that is lost, and a crash, are settled by looking for the account in the whole domain.
#[tokio::test]
async fn a_deletion_without_an_answer_is_looked_up() {
    for strike in [Strike::LoseAfter, Strike::LoseBefore] {
        let mut bench = Bench::new();
        bench.policy = may_delete();
        let ada = bench.directory.put(&at("ada"), &[]);
        bench.directory.set(|inner| inner.strikes.push_back(strike));
        let outcome = bench.one(deletion(ada)).await;
        assert_eq!((&outcome.result, actions(&outcome)), (&Conclusion::Done, vec![(Action::Delete, true)]));
        assert_eq!((bench.directory.made().len(), outcome.link), (1, None));
    }
    let bench = Bench::new();
    let mut worker = bench.worker();
    let guid = ObjectGuid(uuid::Uuid::from_u128(0xDEAD));
    let intent = Intent {
        change: ChangeId(uuid::Uuid::from_u128(9)),
        person: rollcall_model::ids::PersonId(uuid::Uuid::from_u128(1)),
        version: Version(1),
        epoch: Epoch(1),
        guid: Some(guid),
        matching: vec![],
        write: rollcall_model::plan::Write {
            action: Action::Delete,
            request: rollcall_model::plan::WriteRequest::Delete {
                guid,
                dn: rollcall_model::Dn::from_directory(&at("ada")),
            },
            redacted: Vec::new(),
        },
    };
    worker.shared.journal.append([Record::Intent { intent: Box::new(intent) }]).unwrap();
    worker.shared.journal.note_sent(ChangeId(uuid::Uuid::from_u128(9)), "invocation-1").unwrap();
    worker.shared.journal.sync().await.unwrap();
    worker.catch_up().await.unwrap();
    let outcomes = worker.shared.journal.state().outcomes.clone();
    assert_eq!((outcomes.len(), &outcomes[0].result), (1, &Conclusion::Interrupted));
    assert_eq!(
        (actions(&outcomes[0]), outcomes[0].changes[0].confirmed_after_crash),
        (vec![(Action::Delete, true)], true)
    );
    assert_eq!((outcomes[0].link.clone(), outcomes[0].changes[0].guid), (None, Some(guid)));
}

/// What another controller was sent may still be on its way to this one: here the account comes half a minute later.
#[tokio::test(start_paused = true)]
async fn what_is_not_on_another_controller_yet_is_waited_for() {
    let guid = ObjectGuid(uuid::Uuid::from_u128(0xA001));
    let add = reconcile::plan(
        &person(1, "ada", &[]),
        &Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked },
    );
    let add = add.writes[0].clone();
    let delete = WriteRequest::Delete { guid, dn: rollcall_model::Dn::from_directory(&at("ada")) };
    let delete = Write { action: Action::Delete, request: delete, redacted: Vec::new() };
    for (write, to, expected) in [
        (&add, "invocation-0", Some(Action::Create)),
        (&add, "INVOCATION-1", None),
        (&delete, "invocation-0", None),
        (&delete, "INVOCATION-1", Some(Action::Delete)),
    ] {
        let bench = Bench::new();
        let mut worker = bench.worker();
        let desired = person(1, "ada", &[]);
        let intent = Intent {
            change: ChangeId(uuid::Uuid::from_u128(9)),
            person: desired.person,
            version: Version(1),
            epoch: Epoch(1),
            guid: (write.action == Action::Delete).then_some(guid),
            matching: desired.matching,
            write: write.clone(),
        };
        let change = intent.change;
        worker.shared.journal.append([Record::Intent { intent: Box::new(intent) }]).unwrap();
        worker.shared.journal.note_sent(change, to).unwrap();
        let directory = bench.directory.clone();
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(30)).await;
            assert_eq!(directory.put(&at("ada"), &[("employeeID", "E1")]), guid);
        });
        worker.catch_up().await.unwrap();
        let outcomes = worker.shared.journal.state().outcomes.clone();
        let found = outcomes.first().map(|outcome| outcome.changes[0].action);
        assert_eq!(found, expected, "{:?} to {to}", write.action);
    }
}

/// The rest is applied, and what was left out is not taken for confirmed.
#[tokio::test]
async fn a_denied_attribute_is_left_out() {
    let mut bench = Bench::new();
    bench.policy.attributes_denied = vec!["Title".to_owned(), "manager".to_owned()];
    let boss = bench.directory.put(&at("boss"), &[]);
    let mut desired = person(1, "ada", &[("title", "Countess"), ("info", "i")]);
    desired.manager = Some(DesiredManager {
        external_id: "E9".to_owned(),
        guid: Some(boss),
        matching: vec![],
        may_write: MayWrite::Yes,
    });
    let outcome = bench.one(desired.clone()).await;
    assert_eq!((actions(&outcome), code(&outcome)), (vec![(Action::Create, true)], None));
    assert_eq!(warned(&outcome), [Code::AttributeDeniedByLocalPolicy; 2]);
    let confirmed = outcome.confirmed.unwrap();
    assert!(confirmed.attributes.contains_key("info") && !confirmed.attributes.contains_key("title"), "{confirmed:?}");
    assert_eq!((confirmed.manager, bench.directory.entry(&at("ada")).value("title")), (None, None));
    desired.link = outcome.link;
    let again = bench.one(desired).await;
    assert_eq!((code(&again), actions(&again)), (Some(Code::RedundantExport), vec![]));
    assert_eq!(warned(&again), [Code::AttributeDeniedByLocalPolicy; 2]);
}
