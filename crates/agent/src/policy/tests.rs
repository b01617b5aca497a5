use std::collections::BTreeMap;

use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::ObservedManager;
use rollcall_model::plan::{AddAttribute, AttributeChange};

use super::*;

const STAFF: &str = "OU=Staff,DC=corp,DC=test";
const OTHER: &str = "OU=Other,DC=corp,DC=test";

fn guid() -> ObjectGuid {
    ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap())
}

fn dn(container: &str) -> Dn {
    Dn::from_directory(&format!("CN=a,{container}"))
}

fn modify(action: Action, attributes: &[&str]) -> Write {
    let change = |name: &&str| AttributeChange { name: (*name).to_owned(), old: vec![], new: vec!["x".to_owned()] };
    let changes = attributes.iter().map(change).collect();
    Write { action, request: WriteRequest::Modify { guid: guid(), dn: dn(STAFF), changes }, redacted: Vec::new() }
}

fn add(container: &str, attributes: &[&str]) -> Write {
    let own = |name: &&str| AddAttribute {
        name: (*name).to_owned(),
        values: vec!["x".to_owned()],
        mandatory: *name == "sAMAccountName",
    };
    let request = WriteRequest::Add {
        container: Dn::from_directory(container),
        cn: "a".to_owned(),
        attributes: attributes.iter().map(own).collect(),
        enabled: true,
        must_change_password: false,
        initial_password: rollcall_model::config::InitialPassword::Generated,
    };
    Write { action: Action::Create, request, redacted: Vec::new() }
}

fn moved(action: Action, from: &str, to: &str, cn: Option<&str>) -> Write {
    let container = Dn::from_directory(to);
    Write {
        action,
        request: WriteRequest::Move { guid: guid(), dn: dn(from), container, cn: cn.map(str::to_owned) },
        redacted: Vec::new(),
    }
}

fn delete() -> Write {
    Write {
        action: Action::Delete,
        request: WriteRequest::Delete { guid: guid(), dn: dn(STAFF) },
        redacted: Vec::new(),
    }
}

fn entry(held: &[(&str, &str)]) -> Entry {
    let attributes: BTreeMap<_, _> =
        held.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    Entry { dn: dn(STAFF), guid: guid(), attributes, usn_changed: None }
}

fn policy(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::default();
    change(&mut policy);
    policy
}

/// What is left of a write: the code of its refusal, the names that were left out.
fn left(policy: &Policy, write: Write, account: Option<&Entry>) -> (Option<Code>, Vec<String>) {
    let restricted = Rules::new(policy).apply(write, account);
    let code = restricted.refusal.map(|failure| {
        assert!(failure.reason.contains("policy") || failure.reason.contains("never") || failure.code != REFUSED);
        failure.code
    });
    (code, restricted.left_out.into_iter().map(|change| change.name).collect())
}

const REFUSED: Code = Code::RefusedByLocalPolicy;

/// semantics: protected
#[test]
fn protected_accounts_and_privileged_attributes() {
    let shipped = Policy::default();
    let open = policy(|policy| policy.allow_protected = true);
    let check = |action, attribute: &str, held: &[(&str, &str)], expected: Option<Code>| {
        assert_eq!(
            left(&shipped, modify(action, &[attribute]), Some(&entry(held))).0,
            expected,
            "{attribute} {held:?}"
        );
    };
    check(Action::Update, "title", &[], None);
    check(Action::Update, "title", &[("admincount", "0")], None);
    for action in [Action::Update, Action::Disable, Action::Enable] {
        for held in [("admincount", "1"), ("iscriticalsystemobject", "TRUE")] {
            check(action, "title", &[held], Some(Code::ProtectedAccount));
            assert_eq!(left(&open, modify(action, &["title"]), Some(&entry(&[held]))).0, None);
        }
    }
    check(Action::Other, "title", &[], Some(REFUSED));
    let never = ["adminCount", "unicodePwd", "member", "nTSecurityDescriptor", "useraccountcontrol", "sIDHistory"];
    let other_spellings = ["1.2.840.113556.1.4.90", "oid.2.5.4.12", "title;binary", "title ", "", "1title"];
    for name in never.into_iter().chain(["pwdLastSet", "objectClass", "primaryGroupID"]).chain(other_spellings) {
        check(Action::Update, name, &[], Some(REFUSED));
        assert_eq!(left(&open, modify(Action::Update, &["title", name]), None).0, Some(REFUSED));
        assert_eq!(left(&shipped, add(STAFF, &["title", name]), None).0, Some(REFUSED));
    }
    check(Action::Disable, "userAccountControl", &[], None);
    check(Action::Enable, "pwdLastSet", &[], Some(REFUSED));
    let seen =
        |account: Entry| Observed { account: ObservedAccount::Linked(account), manager: ObservedManager::NotAsked };
    let marked = seen(entry(&[("admincount", "1"), ("title", "x")]));
    assert_eq!(Rules::new(&shipped).unmarked(&marked), marked);
    assert_eq!(Rules::new(&open).unmarked(&marked), seen(entry(&[("title", "x")])));
}

/// semantics: delete (the policy ships without it)
#[test]
fn actions() {
    let shipped = Policy::default();
    let only = |actions: &[PolicyAction]| policy(|policy| policy.actions = actions.to_vec());
    let writes = || {
        vec![
            (PolicyAction::Create, add(STAFF, &["title"])),
            (PolicyAction::Update, modify(Action::Update, &["title"])),
            (PolicyAction::Disable, modify(Action::Disable, &["userAccountControl"])),
            (PolicyAction::Enable, modify(Action::Enable, &["userAccountControl"])),
            (PolicyAction::Move, moved(Action::Move, STAFF, OTHER, None)),
            (PolicyAction::Move, moved(Action::Move, STAFF, OTHER, Some("a"))),
            (PolicyAction::Rename, moved(Action::Rename, STAFF, STAFF, Some("b"))),
            (PolicyAction::Delete, delete()),
        ]
    };
    for (needed, write) in writes() {
        let expected = (needed == PolicyAction::Delete).then_some(REFUSED);
        assert_eq!(left(&shipped, write.clone(), None).0, expected, "{needed:?} as shipped");
        assert_eq!(left(&only(&[needed]), write.clone(), None).0, None, "{needed:?} alone");
        assert_eq!(left(&only(&[]), write, None).0, Some(REFUSED), "{needed:?} without it");
    }
    let both = || moved(Action::Move, STAFF, OTHER, Some("b"));
    assert_eq!(left(&only(&[PolicyAction::Move]), both(), None).0, Some(REFUSED));
    assert_eq!(left(&only(&[PolicyAction::Rename]), both(), None).0, Some(REFUSED));
    assert_eq!(left(&only(&[PolicyAction::Rename, PolicyAction::Move]), both(), None).0, None);
    let warning = Rules::new(&shipped).instead_of_delete().unwrap();
    assert!(warning.text.contains("policy"), "{}", warning.text);
    assert_eq!(Rules::new(&only(&[PolicyAction::Delete])).instead_of_delete(), None);
}

#[test]
fn containers() {
    let staff = policy(|policy| policy.containers = vec!["ou=STAFF, dc=corp,dc=test".to_owned()]);
    let deeper = format!("OU=A,{STAFF}");
    for (write, expected) in [
        (add(STAFF, &[]), None),
        (add(&deeper, &[]), None),
        (add(OTHER, &[]), Some(REFUSED)),
        (add("DC=corp,DC=test", &[]), Some(REFUSED)),
        (modify(Action::Disable, &["userAccountControl"]), None),
        (moved(Action::Move, STAFF, &deeper, None), None),
        (moved(Action::Move, STAFF, OTHER, None), Some(REFUSED)),
        (moved(Action::Move, OTHER, STAFF, None), Some(REFUSED)),
        (moved(Action::Rename, OTHER, OTHER, Some("b")), Some(REFUSED)),
    ] {
        assert_eq!(left(&staff, write.clone(), None).0, expected, "{write:?}");
    }
    let refusal = Rules::new(&staff).apply(add(OTHER, &[]), None).refusal.unwrap();
    assert_eq!(refusal.attribute.as_deref(), Some("parentDistinguishedName"));
    assert!(refusal.reason.contains("[policy] containers"), "{}", refusal.reason);
}

#[test]
fn attributes() {
    let check = |allowed: &[&str], denied: &[&str], write: Write, code: Option<Code>, out: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let rules = policy(|policy| {
            (policy.attributes_allowed, policy.attributes_denied) = (owned(allowed), owned(denied));
        });
        let out: Vec<String> = out.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(left(&rules, write.clone(), None), (code, out), "{allowed:?} {denied:?} {write:?}");
    };
    let update = |names: &[&str]| modify(Action::Update, names);
    check(&[], &[], update(&["title", "info"]), None, &[]);
    check(&[], &["TITLE"], update(&["title", "info"]), None, &["title"]);
    check(&["Info"], &[], update(&["title", "info"]), None, &["title"]);
    check(&["info", "title"], &["info"], update(&["title", "info"]), None, &["info"]);
    check(&["title"], &[], add(STAFF, &["sAMAccountName", "title"]), Some(REFUSED), &[]);
    check(&["title", "samaccountname"], &[], add(STAFF, &["sAMAccountName", "title", "info"]), None, &["info"]);
    check(&[], &["sAMAccountName"], add(STAFF, &["sAMAccountName"]), Some(REFUSED), &[]);
    // The account's state is an action, not an attribute.
    check(&["title"], &["userAccountControl"], modify(Action::Disable, &["userAccountControl"]), None, &[]);
    let rules = Rules::new(&policy(|policy| policy.attributes_denied = vec!["title".to_owned()]));
    let nothing = rules.apply(update(&["title"]), None);
    assert_eq!((nothing.write, nothing.refusal, nothing.left_out.len()), (None, None, 1));
}

#[test]
fn a_plan_ends_at_the_first_refusal() {
    let no_move = policy(|policy| policy.actions.retain(|action| *action != PolicyAction::Move));
    let mut plan = Plan {
        writes: vec![
            modify(Action::Disable, &["userAccountControl"]),
            moved(Action::Move, STAFF, OTHER, None),
            modify(Action::Update, &["title"]),
        ],
        verdict: Verdict::Fulfilled,
        warnings: vec![],
        drift: vec![],
    };
    Rules::new(&no_move).restrict(&mut plan, None);
    assert_eq!(plan.writes.iter().map(|write| write.action).collect::<Vec<_>>(), [Action::Disable]);
    let Verdict::Failed(failure) = plan.verdict else { panic!("{:?}", plan.verdict) };
    assert!(failure.code == REFUSED && failure.reason.contains("'move'"), "{failure:?}");
}
