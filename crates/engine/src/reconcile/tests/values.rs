//! Flow types, lists, and what is never written.

use super::*;

fn of(name: &str, apply: Apply, values: &[&str]) -> DesiredState {
    let own = DesiredAttribute { apply, ..attribute(name, values, MayWrite::Yes) };
    DesiredState { attributes: vec![own], ..desired() }
}

fn found(name: &str, held: &[&str]) -> Observed {
    linked(entry(&[(name, held)]))
}

/// semantics: comparison (flow types)
#[test]
fn flow_types() {
    let check = |apply, held: &[&str], wanted: &[&str], expected: &str| {
        check(&of("otherTelephone", apply, wanted), &found("otherTelephone", held), expected);
    };
    for apply in [Apply::MultiValueAddOnly, Apply::ValueAddOnly] {
        check(apply, &[], &["a"], r#"Update otherTelephone []->["a"]"#);
        check(apply, &["a", "b"], &["c", "a"], r#"Update otherTelephone []->["c"]"#);
        check(apply, &["a", "b"], &["A"], "");
        check(apply, &["a"], &["b", "B"], r#"Update otherTelephone []->["b"]"#);
        check(apply, &["a"], &[], "");
    }
    check(Apply::AttributeAddOnly, &[], &["a"], r#"Update otherTelephone []->["a"]"#);
    check(Apply::AttributeAddOnly, &["b"], &["a"], "");
    check(Apply::AttributeAddOnly, &["b"], &[], "");
    check(Apply::OnCreate, &["b"], &["a"], "");
    check(Apply::Always, &["a", "b"], &["B", "c"], r#"Update otherTelephone ["a", "b"]->["B", "c"]"#);
    check(Apply::Always, &["a"], &["b", "B"], r#"Update otherTelephone ["a"]->["b"]"#);
    check(Apply::Always, &["A"], &["a", "A"], r#"Update otherTelephone ["A"]->["a"]"#);
}

/// semantics: addresses (the change is by value)
#[test]
fn addresses_are_added_and_taken_away_one_by_one() {
    let mut state = of("ProxyAddresses", Apply::Always, &["SMTP:b@x"]);
    state.attributes[0].owned = vec!["SMTP:a@x".to_owned(), "smtp:c@x".to_owned()];
    let held = found("proxyAddresses", &["SMTP:a@x", "smtp:c@x", "smtp:d@x", "X500:/o=a"]);
    let expected = r#"Update ProxyAddresses ["SMTP:a@x", "smtp:c@x"]->["SMTP:b@x", "smtp:a@x"]"#;
    check(&state, &held, expected);
    state.attributes[0].apply = Apply::ValueAddOnly;
    check(&state, &held, r#"Update ProxyAddresses ["SMTP:a@x"]->["SMTP:b@x", "smtp:a@x"]"#);
    state.attributes[0].apply = Apply::AttributeAddOnly;
    check(&state, &held, "");
    state.attributes[0].apply = Apply::Always;
    state.attributes[0].may_write = MayWrite::FirstLinkOnly;
    assert_eq!(plan(&state, &held).drift.len(), 1);
    let two = of("proxyAddresses", Apply::Always, &["SMTP:a@x", "SMTP:b@x"]);
    let expected = r#"Update proxyAddresses []->["SMTP:a@x", "smtp:b@x"]; warning SeveralValuesOfOneType"#;
    check(&two, &found("proxyAddresses", &[]), expected);
}

/// semantics: kept
#[test]
fn what_the_directory_keeps_is_never_written() {
    for name in ["directReports", "memberOf", "MANAGEDOBJECTS", "canonicalName", "msDS-PrincipalName", "tokenGroups"] {
        let state = of(name, Apply::Always, &["x"]);
        check(&state, &found(name, &["y"]), "warning AttributeRefused");
        let mut new = DesiredState { link: None, ..state };
        new.attributes.extend(desired().attributes);
        let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
        let planned = plan(&new, &absent);
        assert!(!short(&planned).contains(name) && planned.warnings.len() == 1, "{name}");
    }
}

/// semantics: manager (in circles, and never oneself)
#[test]
fn managers_of_each_other() {
    let wants = |external_id: &str| DesiredState {
        attributes: Vec::new(),
        manager: Some(DesiredManager {
            external_id: external_id.to_owned(),
            guid: None,
            matching: Vec::new(),
            may_write: MayWrite::Yes,
        }),
        ..desired()
    };
    let at = |name: &str, managed_by: Option<&str>| {
        let dn = |name: &str| Dn::parse(STAFF).unwrap().child("CN", name);
        let manager = managed_by.map_or(ObservedManager::NotAsked, |name| ObservedManager::Found(dn(name)));
        Observed { account: ObservedAccount::Linked(Entry { dn: dn(name), ..entry(&[]) }), manager }
    };
    check(&wants("B"), &at("A", Some("B")), &format!(r#"Update manager []->["CN=B,{STAFF}"]"#));
    check(&wants("A"), &at("B", Some("A")), &format!(r#"Update manager []->["CN=A,{STAFF}"]"#));
    check(&wants("A"), &at("A", Some("a")), "warning SelfReference");
}

/// What a person's scope and the job's actions leave to do.
#[test]
fn frozen_and_out_of_scope() {
    let observed = linked(entry(&[("title", &["Miss"])]));
    let frozen = DesiredState { leave_existing: true, ..desired() };
    check(&frozen, &observed, "skipped UpdateOff");
    assert_eq!(confirmed(&frozen, &plan(&frozen, &observed), &[], None).attributes.len(), 0);
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let nobody =
        DesiredState { if_absent: IfAbsent::Skip, if_absent_code: Some(Code::NotEffectivelyEntitled), ..unlinked() };
    check(&nobody, &absent, "skipped NotEffectivelyEntitled");
    let left = DesiredState {
        account: DesiredAccount::Disabled,
        extent: Extent::AccountAndContainer,
        out_of_scope: true,
        container: DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true },
        ..desired()
    };
    let expected = format!(
        r#"Disable accountDisabled ["False"]->["True"]; Move parentDistinguishedName ["{STAFF}"]->["{OTHER}"]"#
    );
    check(&left, &observed, &expected);
    let now = confirmed(&left, &plan(&left, &observed), &[], None);
    assert_eq!((now.in_scope, now.container.as_deref(), now.enabled), (Some(false), Some(OTHER), Some(false)));
}
