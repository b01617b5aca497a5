mod addresses;
mod applied;
mod turns;
mod values;

use std::collections::BTreeMap;

use rollcall_model::config::{Apply, InitialPassword};
use rollcall_model::desired::{DesiredContainer, DesiredManager, MatchRule};
use rollcall_model::ids::{ObjectGuid, PersonId, Version};
use rollcall_model::outcome::RefusedValue;
use rollcall_model::person::{Confirmed, Link};

use super::*;

const STAFF: &str = "OU=Staff,DC=corp,DC=example";
const OTHER: &str = "OU=Other,DC=corp,DC=example";
const BOSS: &str = "CN=Boss\\, Big,OU=Staff,DC=corp,DC=example";

fn guid() -> ObjectGuid {
    ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap())
}

fn attribute(name: &str, values: &[&str], may_write: MayWrite) -> DesiredAttribute {
    let mandatory = ["employeeID", "sAMAccountName"].contains(&name);
    let apply = if mandatory { Apply::OnCreate } else { Apply::Always };
    let values = values.iter().map(|&value| value.to_owned()).collect();
    DesiredAttribute { name: name.to_owned(), values, apply, may_write, mandatory, redacted: false, owned: Vec::new() }
}

/// A linked, active person of whom everything may be written.
fn desired() -> DesiredState {
    DesiredState {
        person: PersonId("00000000-0000-0000-0000-000000000001".parse().unwrap()),
        external_id: "E-1".to_owned(),
        version: Version(1),
        link: Some(Link { guid: guid(), confirmed: true, invocation_id: None, usn_changed: None }),
        matching: vec![MatchRule { attribute: "employeeID".to_owned(), value: "E-1".to_owned() }],
        account: DesiredAccount::EnabledIfNewOrFirstLink,
        delete: false,
        if_absent: IfAbsent::Create,
        extent: Extent::Everything,
        if_absent_code: None,
        leave_existing: false,
        out_of_scope: false,
        unique: Vec::new(),
        attributes: vec![
            attribute("employeeID", &["E-1"], MayWrite::Yes),
            attribute("sAMAccountName", &["ada"], MayWrite::Yes),
            attribute("title", &["Countess"], MayWrite::Yes),
        ],
        cn: Some("Ada Byron".to_owned()),
        rename: None,
        container: DesiredContainer { mapped: None, default: Some(STAFF.to_owned()), may_move: false },
        manager: None,
        must_change_password: false,
        initial_password: InitialPassword::Generated,
        enable_found_disabled: false,
        last_left_enabled: Some(true),
        failure: None,
        warnings: Vec::new(),
    }
}

fn unlinked() -> DesiredState {
    DesiredState { link: None, last_left_enabled: None, ..desired() }
}

fn entry(attributes: &[(&str, &[&str])]) -> Entry {
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    held.insert("useraccountcontrol".to_owned(), vec!["512".to_owned()]);
    held.insert("title".to_owned(), vec!["Countess".to_owned()]);
    for (name, values) in attributes {
        held.insert((*name).to_lowercase(), values.iter().map(|&value| value.to_owned()).collect());
    }
    let dn = Dn::parse("CN=Ada Byron,OU=Staff,DC=corp,DC=example").unwrap();
    Entry { dn, guid: guid(), attributes: held, usn_changed: None }
}

fn linked(entry: Entry) -> Observed {
    Observed { account: ObservedAccount::Linked(entry), manager: ObservedManager::NotAsked }
}

/// The plan in short: one text a write, then the verdict, then drift and warnings.
fn short(plan: &Plan) -> String {
    let mut parts: Vec<String> = plan.writes.iter().map(write_short).collect();
    match &plan.verdict {
        Verdict::Fulfilled => {}
        Verdict::Skipped(code) => parts.push(format!("skipped {code}")),
        Verdict::Failed(failure) => parts.push(format!("failed {}", failure.code)),
    }
    parts.extend(plan.drift.iter().map(|drift| format!("drift {} {:?}->{:?}", drift.name, drift.old, drift.new)));
    parts.extend(plan.warnings.iter().map(|warning| format!("warning {}", warning.code)));
    parts.join("; ")
}

fn write_short(write: &Write) -> String {
    let changes: Vec<String> =
        properties(write).iter().map(|change| format!("{} {:?}->{:?}", change.name, change.old, change.new)).collect();
    format!("{:?} {}", write.action, changes.join(", "))
}

fn check(desired: &DesiredState, observed: &Observed, expected: &str) {
    assert_eq!(short(&plan(desired, observed)), expected);
}

/// semantics: may-write, comparison (an unchanged account)
#[test]
fn changes_and_drift() {
    check(&desired(), &linked(entry(&[])), "");
    check(&desired(), &linked(entry(&[("title", &["Miss"])])), r#"Update title ["Miss"]->["Countess"]"#);
    check(&desired(), &linked(entry(&[("title", &[])])), r#"Update title []->["Countess"]"#);
    check(&desired(), &linked(entry(&[("title", &["countess"])])), r#"Update title ["countess"]->["Countess"]"#);
    let mut state = desired();
    state.attributes[2].may_write = MayWrite::FirstLinkOnly;
    check(&state, &linked(entry(&[("title", &["Miss"])])), r#"drift title ["Miss"]->["Countess"]"#);
    state.link.as_mut().unwrap().confirmed = false;
    check(&state, &linked(entry(&[("title", &["Miss"])])), r#"Update title ["Miss"]->["Countess"]"#);
    // On create only: what an existing account holds is its own.
    check(&desired(), &linked(entry(&[("sAMAccountName", &["hers"]), ("employeeID", &["7"])])), "");
}

/// semantics: comparison
#[test]
fn values_that_are_the_same() {
    let same = |name: &str, found: &[&str], wanted: &[&str], expected: &str| {
        let mut state = desired();
        state.attributes = vec![attribute(name, wanted, MayWrite::Yes)];
        check(&state, &linked(entry(&[(name, found)])), expected);
    };
    same("accountExpires", &["0"], &["9223372036854775807"], "");
    same("accountExpires", &["9223372036854775807"], &["0"], "");
    same("accountExpires", &["1"], &["0"], r#"Update accountExpires ["1"]->["0"]"#);
    same("countryCode", &["276"], &["0276"], "");
    same("employeeNumber", &["276"], &["0276"], r#"Update employeeNumber ["276"]->["0276"]"#);
    same("otherTelephone", &["a", "b"], &["b", "a"], "");
    same("otherTelephone", &["a", "b"], &["b", "c", "c"], r#"Update otherTelephone ["a"]->["c"]"#);
    same("secretary", &["cn=BOSS\\2c big, ou=staff,dc=corp,dc=example"], &[BOSS], "");
    same("title", &["a"], &["a "], r#"Update title ["a"]->["a "]"#);
}

/// semantics: null-empty
#[test]
fn clearing() {
    let mut state = desired();
    state.attributes = vec![attribute("title", &[], MayWrite::Yes)];
    check(&state, &linked(entry(&[])), r#"Update title ["Countess"]->[]"#);
    check(&state, &linked(entry(&[("title", &[])])), "");
    let matched = Observed { account: ObservedAccount::Matched(entry(&[])), manager: ObservedManager::NotAsked };
    check(&DesiredState { attributes: state.attributes, ..unlinked() }, &matched, r#"drift title ["Countess"]->[]"#);
}

/// semantics: disable, enable
#[test]
fn account_states() {
    use DesiredAccount::{Disabled, Enabled, EnabledIfNew, EnabledIfNewOrFirstLink};
    let check = |account, last_left_enabled, setting, bits: &str, expected: &str| {
        let state = DesiredState { account, last_left_enabled, enable_found_disabled: setting, ..desired() };
        super::tests::check(&state, &linked(entry(&[("userAccountControl", &[bits])])), expected);
    };
    let (off, on) = (r#"Disable accountDisabled ["False"]->["True"]"#, r#"Enable accountDisabled ["True"]->["False"]"#);
    check(Disabled, Some(true), false, "512", off);
    check(Disabled, Some(true), false, "514", "");
    check(Enabled, None, false, "514", on);
    check(Enabled, None, false, "512", "");
    check(EnabledIfNewOrFirstLink, None, false, "514", "");
    check(EnabledIfNewOrFirstLink, Some(false), false, "514", "");
    check(EnabledIfNewOrFirstLink, Some(true), false, "514", "warning AccountFoundDisabled");
    check(EnabledIfNewOrFirstLink, Some(true), true, "514", on);
    check(EnabledIfNew, Some(true), true, "514", "warning AccountFoundDisabled");
    check(EnabledIfNew, None, false, "514", "");
    // The other bits are not ours.
    let state = DesiredState { account: Disabled, ..desired() };
    let planned = plan(&state, &linked(entry(&[("userAccountControl", &["66048"])])));
    let WriteRequest::Modify { changes, .. } = &planned.writes[0].request else { panic!() };
    assert_eq!((changes[0].old[0].as_str(), changes[0].new[0].as_str()), ("66048", "66050"));
    let planned = plan(&state, &linked(entry(&[("userAccountControl", &["-2147483136"])])));
    let WriteRequest::Modify { changes, .. } = &planned.writes[0].request else { panic!() };
    assert_eq!(changes[0].new[0], "-2147483134");
    // First link is a cause, but not for one of whom `active` was never sent.
    let first = |account| DesiredState { account, ..unlinked() };
    let matched = Observed {
        account: ObservedAccount::Matched(entry(&[("userAccountControl", &["514"])])),
        manager: ObservedManager::NotAsked,
    };
    super::tests::check(&first(EnabledIfNewOrFirstLink), &matched, on);
    super::tests::check(&first(EnabledIfNew), &matched, "");
}

/// semantics: disable (first, alone, and whatever else is wrong), enable (last)
#[test]
fn order_of_writes() {
    let mut state = desired();
    state.account = DesiredAccount::Disabled;
    state.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true };
    check(
        &state,
        &linked(entry(&[("title", &["Miss"])])),
        &format!(
            r#"Disable accountDisabled ["False"]->["True"]; Move parentDistinguishedName ["{STAFF}"]->["{OTHER}"]; Update title ["Miss"]->["Countess"]"#
        ),
    );
    state.account = DesiredAccount::Enabled;
    let found = linked(entry(&[("title", &["Miss"]), ("userAccountControl", &["514"])]));
    let actions: Vec<Action> = plan(&state, &found).writes.iter().map(|write| write.action).collect();
    assert_eq!(actions, [Action::Move, Action::Update, Action::Enable]);
    let broken = DesiredState {
        account: DesiredAccount::Disabled,
        extent: Extent::AccountOnly,
        failure: Some(Failure::new(Code::ExpressionFailed, None, "x")),
        ..state
    };
    check(
        &broken,
        &linked(entry(&[("title", &["Miss"])])),
        r#"Disable accountDisabled ["False"]->["True"]; failed ExpressionFailed"#,
    );
}

/// semantics: link, match, protected, inactive-no-account
#[test]
fn accounts_that_are_not_written() {
    let observed = |account| Observed { account, manager: ObservedManager::NotAsked };
    let dn = || Dn::parse(BOSS).unwrap();
    check(&desired(), &observed(ObservedAccount::LinkGone), "failed InvalidAnchor");
    check(&desired(), &observed(ObservedAccount::Absent), "failed InvalidAnchor");
    check(&unlinked(), &observed(ObservedAccount::Several(vec![dn(), dn()])), "failed DuplicateTargetEntries");
    check(&unlinked(), &observed(ObservedAccount::ClaimedByAnother(dn())), "failed LinkedToAnotherPerson");
    let off = DesiredState { account: DesiredAccount::Disabled, if_absent: IfAbsent::Skip, ..unlinked() };
    check(&off, &observed(ObservedAccount::Absent), "skipped InactiveWithoutAccount");
    let broken = DesiredState { failure: Some(Failure::new(Code::ExpressionFailed, None, "x")), ..off.clone() };
    check(&broken, &observed(ObservedAccount::Absent), "failed ExpressionFailed");
    for (name, value) in [("adminCount", "1"), ("isCriticalSystemObject", "TRUE")] {
        check(&off, &observed(ObservedAccount::Matched(entry(&[(name, &[value])]))), "failed ProtectedAccount");
    }
    let blind = linked(entry(&[("userAccountControl", &[])]));
    check(&desired(), &blind, "failed HybridSynchronizationActiveDirectoryInsufficientAccessRights");
}

/// semantics: create
#[test]
fn one_add() {
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let add = format!(
        r#"Create cn []->["Ada Byron"], parentDistinguishedName []->["{STAFF}"], accountDisabled []->["False"], employeeID []->["E-1"], sAMAccountName []->["ada"], title []->["Countess"]"#
    );
    check(&unlinked(), &absent, &add);
    let off = DesiredState { account: DesiredAccount::Disabled, ..unlinked() };
    check(&off, &absent, &add.replace("[\"False\"]", "[\"True\"]"));
    let mapped = DesiredContainer { mapped: Some(OTHER.to_owned()), default: Some(STAFF.to_owned()), may_move: false };
    check(&DesiredState { container: mapped, ..unlinked() }, &absent, &add.replace(STAFF, OTHER));
    let fails = |change: fn(&mut DesiredState), code: Code, attribute: &str| {
        let mut state = unlinked();
        change(&mut state);
        let Verdict::Failed(failure) = plan(&state, &absent).verdict else { panic!("planned") };
        assert_eq!((failure.code, failure.attribute.as_deref()), (code, Some(attribute)));
    };
    fails(|state| state.cn = None, Code::MandatoryFieldsMissing, "cn");
    fails(|state| state.cn = Some(" ".to_owned()), Code::MandatoryFieldsMissing, "cn");
    fails(|state| drop(state.attributes.remove(1)), Code::MandatoryFieldsMissing, "sAMAccountName");
    fails(|state| drop(state.attributes.remove(0)), Code::MandatoryFieldsMissing, "employeeID");
    fails(|state| state.container.default = None, Code::ContainerNotFound, "parentDistinguishedName");
    fails(|state| state.container.default = Some("x".to_owned()), Code::ContainerNotFound, "parentDistinguishedName");
    // An account that exists needs none of them.
    let bare = DesiredState { cn: None, attributes: Vec::new(), ..unlinked() };
    let matched = Observed { account: ObservedAccount::Matched(entry(&[])), manager: ObservedManager::NotAsked };
    check(&bare, &matched, "");
}

/// semantics: move
#[test]
fn moves() {
    let with = |may_move, state: DesiredState| DesiredState {
        container: DesiredContainer { mapped: Some(OTHER.to_owned()), default: Some(STAFF.to_owned()), may_move },
        ..state
    };
    let moved = format!(r#"Move parentDistinguishedName ["{STAFF}"]->["{OTHER}"]"#);
    check(&with(true, desired()), &linked(entry(&[])), &moved);
    check(&with(false, desired()), &linked(entry(&[])), &moved.replace("Move", "drift"));
    let matched = Observed { account: ObservedAccount::Matched(entry(&[])), manager: ObservedManager::NotAsked };
    check(&with(false, unlinked()), &matched, &moved);
    let default_only = DesiredContainer { mapped: None, default: Some(OTHER.to_owned()), may_move: false };
    check(&DesiredState { container: default_only, ..unlinked() }, &matched, "");
    let mut spelled = with(true, desired());
    spelled.container.mapped = Some("ou=staff, dc=CORP,dc=example".to_owned());
    check(&spelled, &linked(entry(&[])), "");
}

/// semantics: move (rename)
#[test]
fn renames() {
    let with = |cn: &str, rename, state: DesiredState| DesiredState { cn: Some(cn.to_owned()), rename, ..state };
    let may = Some(MayWrite::Yes);
    let change = |action: &str, from: &str, to: &str| {
        format!(r#"{action} cn ["{from}"]->["{to}"], distinguishedName ["CN={from},{STAFF}"]->["CN={to},{STAFF}"]"#)
    };
    let at = |name: &str| {
        let dn = Dn::parse(STAFF).unwrap().child("CN", name);
        Entry { dn, ..entry(&[]) }
    };
    let found = linked(at("Ada Byron"));
    check(&with("Ada King", may, desired()), &found, &change("Rename", "Ada Byron", "Ada King"));
    check(&with("ada Byron", may, desired()), &found, &change("Rename", "Ada Byron", "ada Byron"));
    check(&with("Ada Byron", may, desired()), &found, "");
    check(&with("Ada King", None, desired()), &found, "");
    check(&DesiredState { cn: None, rename: may, ..desired() }, &found, "");
    let drift = r#"drift cn ["Ada Byron"]->["Ada King"]"#;
    check(&with("Ada King", Some(MayWrite::FirstLinkOnly), desired()), &found, drift);
    let matched = Observed { account: ObservedAccount::Matched(at("Ada Byron")), manager: ObservedManager::NotAsked };
    let first = with("Ada King", Some(MayWrite::FirstLinkOnly), unlinked());
    check(&first, &matched, &change("Rename", "Ada Byron", "Ada King"));
    // The name that it got because its own was taken stays.
    check(&with("Ada King", may, desired()), &linked(at("Ada King (E-1)")), "");
    check(&with("Ada", may, desired()), &linked(at("Ada King (E-1)")), &change("Rename", "Ada King (E-1)", "Ada"));
    // Move and rename at once are one request.
    let mut both = with("Ada King", may, desired());
    both.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true };
    let planned = plan(&both, &found);
    assert_eq!(
        short(&planned),
        format!(
            "Move parentDistinguishedName [\"{STAFF}\"]->[\"{OTHER}\"], cn [\"Ada Byron\"]->[\"Ada King\"], \
             distinguishedName [\"CN=Ada Byron,{STAFF}\"]->[\"CN=Ada King,{OTHER}\"]"
        )
    );
    assert_eq!(confirmed(&both, &planned, &[], None).attributes["cn"], ["Ada King"]);
    let drifted = with("Ada King", Some(MayWrite::FirstLinkOnly), desired());
    assert!(!confirmed(&drifted, &plan(&drifted, &found), &[], None).attributes.contains_key("cn"));
    assert!(write_short(&with_cn(&planned.writes[0], "Ada King (E-1)")).contains("CN=Ada King (E-1),OU=Other"));
    // A name that is ours may give way in the new container, one that is not may not.
    let mut only_moved = both.clone();
    only_moved.cn = Some("Ada Byron".to_owned());
    let moved = format!(r#"Move parentDistinguishedName ["{STAFF}"]->["{OTHER}"]"#);
    let planned = plan(&only_moved, &found);
    assert_eq!(short(&planned), moved);
    assert!(write_short(&with_cn(&planned.writes[0], "Ada Byron (E-1)")).contains("CN=Ada Byron (E-1),OU=Other"));
    only_moved.rename = None;
    let planned = plan(&only_moved, &found);
    assert_eq!(write_short(&with_cn(&planned.writes[0], "Ada Byron (E-1)")), moved);
    // Characters that a DN must escape.
    let odd = with("King, Ada", may, desired());
    assert!(short(&plan(&odd, &found)).contains(r#"["CN=King\\, Ada,OU=Staff"#));
    check(&odd, &linked(at("King, Ada")), "");
}

/// semantics: delete
#[test]
fn deletes() {
    let delete = DesiredState {
        account: DesiredAccount::Disabled,
        delete: true,
        extent: Extent::AccountOnly,
        if_absent: IfAbsent::Skip,
        ..desired()
    };
    check(&delete, &linked(entry(&[])), &format!(r#"Delete distinguishedName ["CN=Ada Byron,{STAFF}"]->[]"#));
    let off = linked(entry(&[("userAccountControl", &["514"])]));
    check(&delete, &off, &format!(r#"Delete distinguishedName ["CN=Ada Byron,{STAFF}"]->[]"#));
    check(&delete, &linked(entry(&[("adminCount", &["1"])])), "failed ProtectedAccount");
    let observed = |account| Observed { account, manager: ObservedManager::NotAsked };
    check(&delete, &observed(ObservedAccount::LinkGone), "failed InvalidAnchor");
    // Only what is linked; whatever else matches is disabled at most.
    let matched = observed(ObservedAccount::Matched(entry(&[])));
    let unlinked = DesiredState { link: None, ..delete };
    check(&unlinked, &matched, r#"Disable accountDisabled ["False"]->["True"]"#);
}

/// semantics: manager
#[test]
fn managers() {
    let with = |may_write| DesiredState {
        manager: Some(DesiredManager { external_id: "E-2".to_owned(), guid: None, matching: Vec::new(), may_write }),
        ..desired()
    };
    let seen =
        |held: &[&str], manager| Observed { account: ObservedAccount::Linked(entry(&[("manager", held)])), manager };
    let boss = || ObservedManager::Found(Dn::parse(BOSS).unwrap());
    let (yes, first) = (with(MayWrite::Yes), with(MayWrite::FirstLinkOnly));
    let set = format!("Update manager []->[{BOSS:?}]");
    check(&yes, &seen(&[], boss()), &set);
    check(&yes, &seen(&["cn=boss\\, BIG,ou=staff,dc=corp,dc=example"], boss()), "");
    check(&first, &seen(&[], boss()), &set.replace("Update", "drift"));
    check(&yes, &seen(&[], ObservedManager::NotFound), "warning UnableToResolveReferenceAttributeValue");
    let absent = Observed { account: ObservedAccount::Absent, manager: boss() };
    let create = DesiredState { link: None, ..with(MayWrite::Yes) };
    let planned = plan(&create, &absent);
    assert!(planned.warnings.is_empty() && !short(&planned).contains("manager"), "never part of the add");
    let (own, dn) = (Dn::parse("CN=Ada,DC=x").unwrap(), Dn::parse(BOSS).unwrap());
    let second = manager_after_create(&create, guid(), &own, &dn).unwrap();
    assert_eq!(write_short(&second), set);
    assert_eq!(manager_after_create(&create, guid(), &own, &own), None);
    assert_eq!(manager_after_create(&desired(), guid(), &own, &dn), None);
}

#[test]
fn what_is_needed_to_plan() {
    let needed: Vec<String> = attributes_needed(&desired()).into_iter().collect();
    assert_eq!(
        needed,
        [
            "admincount",
            "distinguishedname",
            "employeeid",
            "iscriticalsystemobject",
            "manager",
            "objectclass",
            "pwdlastset",
            "samaccountname",
            "title",
            "useraccountcontrol"
        ]
    );
}

/// semantics: create (the refused attribute is left out, the taken name replaced)
#[test]
fn writes_can_be_reduced_and_renamed() {
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let add = plan(&unlinked(), &absent).writes.remove(0);
    assert!(!write_short(&without(&add, "TITLE").unwrap()).contains("title"));
    for kept in ["sAMAccountName", "employeeid", "unknown"] {
        assert_eq!(without(&add, kept), None, "{kept}");
    }
    assert!(write_short(&with_cn(&add, "Other")).starts_with("Create cn []->[\"Other\"]"));
    let mut state = desired();
    state.attributes.push(attribute("info", &["i"], MayWrite::Yes));
    let modify = plan(&state, &linked(entry(&[("title", &["Miss"])]))).writes.remove(0);
    let rest = without(&modify, "info").unwrap();
    assert_eq!(write_short(&rest), r#"Update title ["Miss"]->["Countess"]"#);
    assert_eq!(without(&rest, "title"), None, "nothing is left");
    for (name, id, expected) in [
        ("Ada Byron".to_owned(), "E-1".to_owned(), "Ada Byron (E-1)".to_owned()),
        ("x".repeat(64), "E-1".to_owned(), format!("{} (E-1)", "x".repeat(58))),
        ("x".repeat(64), "y".repeat(256), format!("x ({})", "y".repeat(60))),
    ] {
        let state = DesiredState { cn: Some(name), external_id: id, ..desired() };
        assert_eq!(fallback_cn(&state), expected);
        assert!(fallback_cn(&state).len() <= 64);
    }
}

/// The value flows, and no log shows it: not of a write, nor of what differs without being ours to write.
#[test]
fn a_redacted_value_is_written_and_not_shown() {
    for (may_write, expected) in [
        (MayWrite::Yes, r#"Update title ["[Redact]"]->["[Redact]"]"#),
        (MayWrite::FirstLinkOnly, r#"drift title ["[Redact]"]->["[Redact]"]"#),
    ] {
        let mut wanted = desired();
        let secret = DesiredAttribute { redacted: true, ..attribute("title", &["Secret"], may_write) };
        wanted.attributes = vec![secret];
        let planned = plan(&wanted, &linked(entry(&[])));
        assert_eq!(short(&planned), expected);
        for write in planned.writes {
            let WriteRequest::Modify { changes, .. } = write.request else { panic!("no modify") };
            assert_eq!(changes[0].new, ["Secret"]);
        }
    }
}

#[test]
fn what_a_crash_left_behind() {
    let change =
        AttributeChange { name: "title".to_owned(), old: vec!["Miss".to_owned()], new: vec!["Countess".to_owned()] };
    let dn = entry(&[]).dn;
    let modify = Write {
        action: Action::Update,
        request: WriteRequest::Modify { guid: guid(), dn: dn.clone(), changes: vec![change] },
        redacted: Vec::new(),
    };
    let container = Dn::parse(OTHER).unwrap();
    let request = WriteRequest::Move { guid: guid(), dn: dn.clone(), container: container.clone(), cn: None };
    let moved = Write { action: Action::Move, request, redacted: Vec::new() };
    let name = |name: &str| WriteRequest::Move {
        guid: guid(),
        dn: dn.clone(),
        container: container.clone(),
        cn: Some(name.to_owned()),
    };
    let named = Write { action: Action::Move, request: name("ADA BYRON"), redacted: Vec::new() };
    let kept = Write { action: Action::Move, request: name("Ada Byron"), redacted: Vec::new() };
    let delete = Write {
        action: Action::Delete,
        request: WriteRequest::Delete { guid: guid(), dn: dn.clone() },
        redacted: Vec::new(),
    };
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let add = plan(&unlinked(), &absent).writes.remove(0);
    let mut elsewhere = entry(&[]);
    elsewhere.dn = Dn::parse("CN=Ada Byron,ou=other,DC=corp,DC=example").unwrap();
    for (write, found, expected) in [
        (&modify, Some(entry(&[])), Happened::Yes),
        (&modify, Some(entry(&[("title", &["Miss"])])), Happened::No),
        (&modify, Some(entry(&[("title", &["Third"])])), Happened::No),
        (&modify, None, Happened::No),
        (&moved, Some(entry(&[])), Happened::No),
        (&moved, Some(elsewhere.clone()), Happened::Yes),
        (&named, Some(elsewhere.clone()), Happened::No),
        (&kept, Some(elsewhere), Happened::Yes),
        (&delete, Some(entry(&[])), Happened::No),
        (&delete, None, Happened::Yes),
        (&add, None, Happened::No),
        (&add, Some(entry(&[])), Happened::Yes),
    ] {
        assert_eq!(happened(write, found.as_ref()), expected, "{} {found:?}", write_short(write));
    }
}

/// semantics: may-write (what is confirmed)
#[test]
fn confirmation() {
    let mut state = desired();
    state.attributes.push(attribute("info", &["i"], MayWrite::FirstLinkOnly));
    state.attributes.push(attribute("l", &["Kiel"], MayWrite::Yes));
    state.container.mapped = Some(OTHER.to_owned());
    let observed = linked(entry(&[("title", &["Miss"]), ("info", &["other"])]));
    let planned = plan(&state, &observed);
    let refused = [RefusedValue {
        attribute: "L".to_owned(),
        values: vec!["Kiel".to_owned()],
        failure: Failure::new(Code::DirectoryRefused, None, "x"),
    }];
    let previous = Confirmed {
        attributes: [("info".to_owned(), vec!["i".to_owned()])].into(),
        container: Some(OTHER.to_owned()),
        enabled: Some(true),
        manager: None,
        in_scope: None,
    };
    let now = confirmed(&state, &planned, &refused, Some(&previous));
    let names: Vec<&str> = now.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["info", "title"], "drift stays as it was, the refused one is not confirmed");
    assert_eq!((now.container.as_deref(), now.enabled), (Some(OTHER), Some(true)));
    let nothing = confirmed(&state, &planned, &refused, None);
    assert!(!nothing.attributes.contains_key("info") && nothing.container.is_none() && nothing.enabled.is_none());
    let off = DesiredState { account: DesiredAccount::Disabled, extent: Extent::AccountOnly, ..state };
    let now = confirmed(&off, &plan(&off, &observed), &[], Some(&previous));
    assert_eq!((now.enabled, now.attributes.len()), (Some(false), 1));
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let now = confirmed(&unlinked(), &plan(&unlinked(), &absent), &[], None);
    assert_eq!(now.enabled, Some(true));
}

/// Job setting `initialPassword: none`: made disabled, and whether it is enabled is for others to say.
#[test]
fn an_account_without_a_password_is_made_disabled() {
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let check = |account: DesiredAccount, initial_password: InitialPassword, made: bool, left: Option<bool>| {
        let state = DesiredState { account, initial_password, ..unlinked() };
        let planned = plan(&state, &absent);
        let WriteRequest::Add { enabled, initial_password: asked, .. } = &planned.writes[0].request else { panic!() };
        assert_eq!((*enabled, *asked), (made, initial_password), "{account:?}");
        assert_eq!(confirmed(&state, &planned, &[], None).enabled, left, "{account:?}");
    };
    check(DesiredAccount::EnabledIfNew, InitialPassword::None, false, None);
    check(DesiredAccount::EnabledIfNewOrFirstLink, InitialPassword::None, false, None);
    check(DesiredAccount::Disabled, InitialPassword::None, false, Some(false));
    check(DesiredAccount::EnabledIfNew, InitialPassword::Generated, true, Some(true));
}

/// semantics: enable (an account that our own add made without a password, found again after a crash)
#[test]
fn a_first_link_enables_no_account_without_a_password() {
    use DesiredAccount::{Enabled, EnabledIfNewOrFirstLink};
    let check = |account, initial_password, set: &[&str], expected: Option<bool>| {
        let found = entry(&[("userAccountControl", &["514"]), ("pwdLastSet", set)]);
        let matched = Observed { account: ObservedAccount::Matched(found.clone()), manager: ObservedManager::NotAsked };
        let unconfirmed = desired().link.map(|link| Link { confirmed: false, ..link });
        for (link, observed) in [(None, matched), (unconfirmed, linked(found))] {
            let state = DesiredState { account, initial_password, link, ..unlinked() };
            let planned = plan(&state, &observed);
            let enables = planned.writes.iter().any(|write| write.action == Action::Enable);
            assert_eq!(enables, expected == Some(true), "{account:?} {initial_password:?} {set:?}");
            assert_eq!(confirmed(&state, &planned, &[], None).enabled, expected, "{account:?} {set:?}");
        }
    };
    check(EnabledIfNewOrFirstLink, InitialPassword::None, &[], None);
    check(EnabledIfNewOrFirstLink, InitialPassword::None, &["0"], None);
    check(EnabledIfNewOrFirstLink, InitialPassword::None, &["134000000000000000"], Some(true));
    check(EnabledIfNewOrFirstLink, InitialPassword::Generated, &["0"], Some(true));
    // False and then true is asked for, whatever became of the password.
    check(Enabled, InitialPassword::None, &["0"], Some(true));
}
