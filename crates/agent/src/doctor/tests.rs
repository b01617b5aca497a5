//! Needs, what is missing of them and what is more than them: one list, seen from three sides.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rollcall_directory::security::{Ace, AceKind, Descriptor, Sid, known};
use rollcall_model::schema::{Attribute, Class, Schema, Syntax};
use uuid::Uuid;

use super::excess::Holder;
use super::needs::{Need, Needs, Removal};
use super::{Options, Trial, Verdict, examine};
use crate::LdapConnector;
use crate::config::Config;
use crate::config::PolicyAction::{self, Create, Delete, Disable, Enable, Move, Rename, Update};
use crate::testing::{TestClock, TestRandom};

const US: &str = "S-1-5-21-1-2-3-1104";
const TITLE: Uuid = Uuid::from_u128(101);
const PERSONAL: Uuid = Uuid::from_u128(201);

/// Every attribute of the default mapping, `title` in a property set, and one that nobody writes.
fn schema() -> Schema {
    let names = rollcall_engine::default_mapping::default_mapping().into_iter().map(|row| row.target);
    let names = names.chain(["userAccountControl", "pwdLastSet", "name", "info"].map(str::to_owned));
    let attribute = |(at, name): (usize, String)| {
        let id = if name == "title" { TITLE } else { Uuid::from_u128(1_000 + at as u128) };
        let property_set = (name == "title").then_some(PERSONAL);
        let attribute = Attribute {
            name: name.clone(),
            syntax: Syntax::Text,
            single_valued: true,
            range_upper: None,
            system_only: false,
            search_flags: 0,
            link_id: None,
            id: Some(id),
            property_set,
        };
        (name.to_lowercase(), attribute)
    };
    let attributes: std::collections::BTreeMap<_, _> = names.enumerate().map(attribute).collect();
    let own = attributes.values().map(|attribute| attribute.name.clone()).collect();
    let user =
        Class { name: "user".to_owned(), id: Some(known::USER), superior: None, auxiliary: vec![], attributes: own };
    Schema { attributes, classes: [("user".to_owned(), user)].into() }
}

fn needs(removal: Removal) -> Needs {
    let mut actions = vec![Create, Update, Rename, Disable, Enable];
    actions.extend((removal != Removal::Never).then_some(Move));
    actions.extend((removal == Removal::Deletes).then_some(Delete));
    Needs::new(&schema(), &actions, &[], |_| true)
}

fn granted(needs: &Needs) -> Vec<Ace> {
    let us: Sid = US.parse().unwrap();
    needs.list.iter().map(|need| need.ace(&us)).collect()
}

fn token() -> BTreeSet<Sid> {
    [US, "S-1-5-11"].iter().map(|sid| sid.parse().unwrap()).collect()
}

fn missing(needs: &Needs, dacl: Vec<Ace>) -> Vec<String> {
    let descriptor = Descriptor { dacl: Some(dacl), ..Descriptor::default() };
    needs.missing(&descriptor, &token()).into_iter().map(Need::text).collect()
}

fn excess(needs: &Needs, dacl: Vec<Ace>) -> Vec<String> {
    let (schema, token, us) = (schema(), token(), US.parse::<Sid>().unwrap());
    let holder = Holder { own: [us.clone()].into(), token: &token, schema: &schema };
    let descriptor = Descriptor { dacl: Some(dacl), ..Descriptor::default() };
    holder.excess(&descriptor, needs, &us).into_iter().map(|excess| excess.text).collect()
}

#[test]
fn what_the_script_grants_is_enough_and_no_more() {
    for removal in [Removal::Never, Removal::Moves, Removal::Deletes] {
        let needs = needs(removal);
        let all = granted(&needs);
        assert_eq!(missing(&needs, all.clone()), [] as [String; 0]);
        assert_eq!(excess(&needs, all.clone()), [] as [String; 0]);
        for at in 0..all.len() {
            let mut rest = all.clone();
            rest.remove(at);
            assert_eq!(missing(&needs, rest), [needs.list[at].text()]);
        }
    }
    assert!(needs(Removal::Never).unknown.is_empty());
}

#[test]
fn what_meets_a_need_otherwise() {
    let needs = needs(Removal::Moves);
    let check = |replaced: &str, by: &str, expected: &[&str]| {
        let mut list = granted(&needs);
        let at = needs.list.iter().position(|need| need.text() == replaced).unwrap();
        list[at] = by.replace("{user}", &known::USER.to_string()).replace("{us}", US).parse().unwrap();
        assert_eq!(missing(&needs, list), expected, "{by}");
    };
    let (write, remove) = ("write title of users", "move users out (AD asks for the right to delete them)");
    check(write, &format!("(OA;CIIO;WP;{PERSONAL};{{user}};{{us}})"), &[]);
    check(write, "(A;CI;GA;;;S-1-5-11)", &[]);
    // Not for what is below; for another class; for somebody else.
    check(write, &format!("(OA;;WP;{TITLE};;{{us}})"), &[write]);
    check(write, &format!("(OA;CIIO;WP;{TITLE};{TITLE};{{us}})"), &[write]);
    check(write, &format!("(OA;CIIO;WP;{TITLE};{{user}};S-1-5-21-1-2-3-1105)"), &[write]);
    check(remove, "(OA;CIIO;SD;;{user};{us})", &[]);
    check(remove, "(A;;DC;;;{us})", &[]);
    check("create users", "(OA;CIIO;CC;{user};;{us})", &["create users"]);
}

#[test]
fn a_denial_takes_away() {
    let needs = needs(Removal::Never);
    let denied: Ace = format!("(OD;CIIO;WP;{TITLE};{};{US})", known::USER).parse().unwrap();
    let list = std::iter::once(denied).chain(granted(&needs)).collect();
    assert_eq!(missing(&needs, list), ["write title of users"]);
}

#[test]
fn what_is_too_much() {
    let check = |removal, ace: &str, expected: &[&str]| {
        let ace = ace.replace("{user}", &known::USER.to_string()).replace("{us}", US).parse().unwrap();
        assert_eq!(excess(&needs(removal), vec![ace]), expected);
    };
    let never = Removal::Never;
    check(never, "(A;CI;RPLCLORC;;;{us})", &[]);
    check(never, "(A;;GA;;;{us})", &["full control of the object itself"]);
    check(never, "(A;CI;GA;;;{us})", &["full control of the object itself, full control of all objects below"]);
    check(
        never,
        "(A;;WDWO;;;{us})",
        &["change the permissions of the object itself, take ownership of the object itself"],
    );
    check(never, "(OA;CIIO;WP;;{user};{us})", &["write every attribute of user objects below"]);
    check(
        never,
        &format!("(OA;CIIO;WP;{PERSONAL};{{user}};{{us}})"),
        &["write the property set of title and 0 more attributes of user objects below"],
    );
    check(never, &format!("(OA;CIIO;WP;{TITLE};;{{us}})"), &["write title of all objects below"]);
    check(never, "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;;{us})", &["set passwords on all objects below"]);
    check(never, "(OA;;DC;{user};;{us})", &["delete user objects from the object itself"]);
    check(Removal::Moves, "(OA;;DC;{user};;{us})", &[]);
    check(never, "(OA;CIIO;SD;;{user};{us})", &["delete user objects below"]);
    check(never, "(A;;CC;;;{us})", &["create objects of every class in the object itself"]);
    // Where nothing is needed, as on the domain, neither of these is.
    let nowhere = |ace: &str, expected: &[&str]| {
        let ace = ace.replace("{user}", &known::USER.to_string()).replace("{us}", US).parse().unwrap();
        assert_eq!(excess(&Needs::default(), vec![ace]), expected);
    };
    let reset = "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;{user};{us})";
    check(never, reset, &[]);
    nowhere(reset, &["set passwords on user objects below"]);
    let create = "(OA;CIIO;CC;{user};;{us})";
    check(never, create, &[]);
    nowhere(create, &["create user objects in all objects below"]);
    nowhere("(OA;;CC;{user};;{us})", &["create user objects in the object itself"]);
    nowhere("(A;CI;RPLCLORC;;;{us})", &[]);
    // A denial gives nothing; somebody else's rights are not ours.
    check(never, "(D;;GA;;;{us})", &[]);
    check(never, "(A;;GA;;;S-1-5-21-1-2-3-1105)", &[]);
    // Of what everybody may, only what is dangerous.
    check(never, "(OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;S-1-5-11)", &[]);
    check(never, "(A;;WD;;;S-1-5-11)", &["change the permissions of the object itself"]);
}

#[test]
fn the_policy_and_the_job_decide_what_is_written() {
    let schema = schema();
    let needs =
        Needs::new(&schema, &[Update, Disable], &["info".to_owned(), "shoeSize".to_owned()], |name| name != "title");
    let names: Vec<&str> = needs.targets().map(|target| target.name.as_str()).collect();
    assert!(names.contains(&"info") && !names.contains(&"title") && names.contains(&"userAccountControl"), "{names:?}");
    assert!(!names.contains(&"accountDisabled"));
    assert_eq!(needs.unknown, ["shoesize"]);
}

/// What an action takes beside the mapped attributes, of which `title` alone may be written here.
#[test]
fn the_actions_decide_what_is_granted() {
    let check = |actions: &[PolicyAction], expected: &[&str]| {
        let needs = Needs::new(&schema(), actions, &[], |name| name == "title");
        let texts: Vec<String> = needs.list.iter().map(Need::text).collect();
        assert_eq!(texts[0], Need::Read.text());
        assert_eq!(texts[1..], *expected, "{actions:?}");
        assert_eq!(excess(&needs, granted(&needs)), [] as [String; 0]);
    };
    let (title, control) = ("write title of users", "write userAccountControl of users");
    let (cn, name) = ("write cn of users", "write name of users");
    let (moves, deletes) = ("move users out (AD asks for the right to delete them)", "delete users, and move them out");
    let (create, password, expiry) = ("create users", "set passwords of users", "write pwdLastSet of users");
    check(&[], &[]);
    check(&[Update], &[title]);
    check(&[Disable], &[control]);
    check(&[Update, Enable], &[title, control]);
    check(&[Create], &[create, password, expiry, title, control]);
    check(&[Rename], &[cn, name]);
    // Be there one container or several: policies name subtrees.
    check(&[Move], &[moves, cn, name]);
    check(&[Delete], &[deletes]);
    check(&[Delete, Move], &[deletes, cn, name]);
}

/// The bind password is root's alone, and somebody else asks: that is a finding, with the rest of the report.
#[tokio::test]
async fn a_password_that_cannot_be_read_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::parse(Config::sample(), []).unwrap();
    config.directory.bind_password_file = Some(folder.path().join("none"));
    config.directory.url = "ldaps://".to_owned();
    config.service.url = "nowhere".to_owned();
    let report = examine(&Options {
        proxy: None,
        directory: LdapConnector::new(&config, |_| None),
        config: &config,
        containers: vec![],
        attributes: vec![],
        matching: vec![],
        trial: Trial::Computed,
        clock: &TestClock::default(),
        random: &TestRandom::default(),
    })
    .await;
    let checks: Vec<_> = report.checks.iter().map(|check| (check.name.as_str(), check.verdict)).collect();
    let (service, directory) = ("service: configuration", "directory: configuration");
    assert_eq!(checks, [service, directory, directory].map(|name| (name, Verdict::Fail)));
    assert!(report.checks[1].found.contains("none") && report.checks[1].remedy.as_ref().unwrap().contains("root"));
}

proptest! {
    /// Whatever stands in a list: looking at it never panics, and what denies is never excess.
    #[test]
    fn arbitrary_lists(rows in prop::collection::vec((any::<bool>(), any::<u8>(), any::<u32>(), any::<bool>(), any::<u128>()), 0..8)) {
        let us: Sid = US.parse().unwrap();
        let dacl: Vec<Ace> = rows.into_iter().map(|(deny, flags, mask, typed, id)| Ace {
            kind: if deny { AceKind::Deny } else { AceKind::Allow },
            flags,
            mask,
            object_type: typed.then_some(Uuid::from_u128(id)),
            inherited_type: None,
            trustee: us.clone(),
        }).collect();
        let denials = dacl.iter().filter(|ace| ace.kind == AceKind::Deny).count();
        let (needs, count) = (needs(Removal::Moves), dacl.len());
        let _ = missing(&needs, dacl.clone());
        prop_assert!(excess(&needs, dacl).len() <= count - denials);
    }
}
