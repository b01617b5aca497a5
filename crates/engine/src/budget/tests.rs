use rollcall_model::config::{Apply, InitialPassword};
use rollcall_model::desired::{DesiredAttribute, DesiredContainer, IfAbsent, MatchRule};
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid, PersonId, Version};
use rollcall_model::outcome::Conclusion;
use rollcall_model::person::Link;
use rollcall_model::plan::{Failure, PropertyChange};
use rollcall_model::{Code, Timestamp};

use super::*;

fn id<T>(make: impl Fn(uuid::Uuid) -> T) -> T {
    make(uuid::Uuid::from_u128(1))
}

/// A linked, active person of whom nothing budgeted is wanted.
fn desired() -> DesiredState {
    DesiredState {
        person: id(PersonId),
        external_id: "E-1".to_owned(),
        version: Version(1),
        link: Some(Link { guid: id(ObjectGuid), confirmed: true, invocation_id: None, usn_changed: None }),
        matching: vec![MatchRule { attribute: "employeeID".to_owned(), value: "E-1".to_owned() }],
        account: DesiredAccount::EnabledIfNewOrFirstLink,
        delete: false,
        if_absent: IfAbsent::Create,
        extent: Extent::Everything,
        if_absent_code: None,
        leave_existing: false,
        out_of_scope: false,
        unique: Vec::new(),
        attributes: vec![attribute(&["x"], MayWrite::Yes)],
        cn: Some("Ada".to_owned()),
        rename: Some(MayWrite::Yes),
        container: DesiredContainer { mapped: Some("OU=A,DC=x".to_owned()), default: None, may_move: false },
        manager: None,
        must_change_password: false,
        initial_password: InitialPassword::Generated,
        enable_found_disabled: false,
        last_left_enabled: Some(true),
        failure: None,
        warnings: Vec::new(),
    }
}

fn attribute(values: &[&str], may_write: MayWrite) -> DesiredAttribute {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    DesiredAttribute {
        name: "title".to_owned(),
        values,
        apply: Apply::Always,
        may_write,
        mandatory: false,
        redacted: false,
        owned: vec![],
    }
}

/// semantics: budget (what a desired state may cost)
#[test]
fn costs() {
    let check = |what: &str, expected: u32, change: fn(&mut DesiredState)| {
        let mut state = desired();
        change(&mut state);
        assert_eq!(cost(&state), expected, "{what}");
    };
    check("nothing", 0, |_| {});
    check("a disable", 1, |state| state.account = DesiredAccount::Disabled);
    check("left enabled or not, nobody knows", 1, |state| {
        (state.account, state.last_left_enabled) = (DesiredAccount::Disabled, None);
    });
    check("left disabled, and perhaps enabled by hand", 1, |state| {
        (state.account, state.last_left_enabled) = (DesiredAccount::Disabled, Some(false));
    });
    check("an enable", 0, |state| state.account = DesiredAccount::Enabled);
    check("a delete, or the disable in its place", 1, |state| {
        (state.account, state.delete) = (DesiredAccount::Disabled, true);
    });
    check("a delete of an account that we left disabled", 1, |state| {
        (state.delete, state.last_left_enabled) = (true, Some(false));
    });
    check("a move", 1, |state| state.container.may_move = true);
    check("a move at a link that is not confirmed", 1, |state| state.link.as_mut().unwrap().confirmed = false);
    check("a move at the first link", 0, |state| {
        (state.link, state.container.may_move) = (None, true);
    });
    check("a container that is not mapped", 0, |state| {
        (state.container.mapped, state.container.may_move) = (None, true);
    });
    check("a rename", 0, |state| state.cn = Some("Ada King".to_owned()));
    check("clears", 2, |state| state.attributes = vec![attribute(&[], MayWrite::Yes); 2]);
    check("drift", 0, |state| state.attributes = vec![attribute(&[], MayWrite::FirstLinkOnly)]);
    check("clears at a first link", 0, |state| {
        (state.link, state.attributes) = (None, vec![attribute(&[], MayWrite::Yes)]);
    });
    check("all at once", 3, |state| {
        (state.account, state.container.may_move) = (DesiredAccount::Disabled, true);
        state.attributes.push(attribute(&[], MayWrite::Yes));
    });
    check("disabled and moved on leaving the scope", 2, |state| {
        (state.account, state.container.may_move) = (DesiredAccount::Disabled, true);
        (state.extent, state.out_of_scope) = (Extent::AccountAndContainer, true);
    });
    check("all at once of a broken record", 1, |state| {
        (state.account, state.container.may_move) = (DesiredAccount::Disabled, true);
        state.extent = Extent::AccountOnly;
        state.attributes.push(attribute(&[], MayWrite::Yes));
    });
}

fn change(action: Action, old: &[&str], new: &[&str]) -> AppliedChange {
    let own = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
    AppliedChange {
        id: id(ChangeId),
        action,
        at: Timestamp(0),
        duration_ms: 0,
        guid: None,
        dn: String::new(),
        properties: vec![PropertyChange { name: "title".to_owned(), old: own(old), new: own(new) }],
        failure: None,
        confirmed_after_crash: false,
    }
}

/// semantics: budget (what an outcome has used)
#[test]
fn uses() {
    let check = |changes: Vec<AppliedChange>, expected: u32| {
        let outcome = Outcome {
            id: id(ChangeId),
            person: id(PersonId),
            version: Version(1),
            epoch: Epoch(1),
            ended: Timestamp(0),
            result: Conclusion::Done,
            changes,
            link: None,
            dn: None,
            confirmed: None,
            refused: Vec::new(),
            warnings: Vec::new(),
            drift: Vec::new(),
            waits_for_manager: None,
        };
        assert_eq!(used(&outcome), expected, "{:?}", outcome.changes);
    };
    check(vec![], 0);
    for (action, expected) in [
        (Action::Create, 0),
        (Action::Update, 0),
        (Action::Disable, 1),
        (Action::Enable, 0),
        (Action::Move, 1),
        (Action::Rename, 0),
        (Action::Delete, 1),
        (Action::Other, 0),
    ] {
        check(vec![change(action, &["a"], &["b"])], expected);
    }
    check(vec![change(Action::Update, &["a"], &[])], 1);
    check(vec![change(Action::Update, &["a", "b"], &["b"])], 0);
    check(vec![change(Action::Disable, &[], &[]), change(Action::Move, &[], &[])], 2);
    let failed = AppliedChange {
        failure: Some(Failure::new(Code::DirectoryRefused, None, "x")),
        ..change(Action::Disable, &[], &[])
    };
    check(vec![failed], 0);
}
