use std::collections::BTreeMap;

use rollcall_model::config::{Apply, JobConfig, Mapping, MappingSource, OnScopeExit, target};
use rollcall_model::ids::{ObjectGuid, PersonId, Version};
use rollcall_model::person::Link;
use rollcall_model::{Code, SourceName, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::evaluate::{Prepared, Surroundings, evaluate};

fn direct(to: &str, from: &str) -> Mapping {
    Mapping { apply: Apply::Always, ..Mapping::new(to, MappingSource::Direct(SourceName::new(from))) }
}

fn config() -> JobConfig {
    let matching = Mapping { matching_priority: 1, ..direct("employeeID", "externalId") };
    let parent = Mapping::new(target::PARENT, MappingSource::Constant("OU=Staff,DC=corp".to_owned()));
    let mappings = vec![matching, direct("title", "title"), direct("department", "title"), parent];
    JobConfig { container: Some("OU=Staff,DC=corp".to_owned()), ..JobConfig::new(mappings) }
}

/// Linked, enabled, and as the mappings want them.
fn settled() -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(1)), "E-1");
    person.version = Version(1);
    let record = json!({ "externalId": "E-1", "title": "Buyer", "active": true });
    person.record = record.as_object().unwrap().clone();
    let guid = ObjectGuid(Uuid::from_u128(2));
    person.link = Some(Link { guid, confirmed: true, invocation_id: None, usn_changed: None });
    let all = [("employeeid", "E-1"), ("title", "Buyer"), ("department", "Buyer")];
    person.confirmed = Some(Confirmed {
        attributes: all.into_iter().map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).collect(),
        container: Some("OU=Staff,DC=corp".to_owned()),
        enabled: Some(true),
        manager: None,
        in_scope: Some(true),
    });
    person
}

fn of(config: &JobConfig, person: &Person) -> Impact {
    let prepared = Prepared::new(config, 1, "corp.test").unwrap();
    let (now, reserved) = (Timestamp(1_767_225_600_000_000), BTreeMap::new());
    let surroundings = Surroundings { now, manager_link: None, secret: &[7; 32], reserved: &reserved };
    impact(person, &evaluate(&prepared, person, &surroundings).evaluation)
}

/// Attributes and effects.
fn writes(attributes: &[&str], effects: &[Effect]) -> Impact {
    let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
    Impact::Writes(Writes { attributes, effects: effects.to_vec() })
}

/// semantics: may-write
#[test]
fn only_what_differs_from_the_confirmed_outcome_counts() {
    let check = |case: &str, change: fn(&mut JobConfig, &mut Person), expected: Impact| {
        let (mut config, mut person) = (config(), settled());
        change(&mut config, &mut person);
        assert_eq!(of(&config, &person), expected, "{case}");
    };
    check("nothing", |_, _| {}, Impact::Nothing);
    check(
        "another value",
        |config, _| config.mappings[2] = direct("department", "externalId"),
        writes(&["department"], &[]),
    );
    check("a new mapping", |config, _| config.mappings.push(direct("info", "title")), writes(&["info"], &[]));
    check(
        "a new mapping without a value",
        |config, _| config.mappings.push(direct("info", "nickName")),
        Impact::Nothing,
    );
    check("a mapping less", |config, _| drop(config.mappings.remove(1)), Impact::Nothing);
    check(
        "on create only",
        |config, _| config.mappings.push(Mapping { apply: Apply::OnCreate, ..direct("info", "title") }),
        Impact::Nothing,
    );
    check(
        "sent and confirmed since",
        |_, person| person.pending.touched = ["title".to_owned()].into(),
        Impact::Nothing,
    );
    check(
        "another container",
        |config, _| config.mappings[3].source = MappingSource::Constant("OU=Other,DC=corp".to_owned()),
        writes(&[], &[Effect::Move]),
    );
    check(
        "a leaver",
        |_, person| drop(person.record.insert("active".to_owned(), json!(false))),
        writes(&[], &[Effect::Disable]),
    );
    check(
        "left disabled, active by now",
        |_, person| person.confirmed.as_mut().unwrap().enabled = Some(false),
        writes(&[], &[Effect::Enable]),
    );
    check(
        "never linked",
        |_, person| (person.link, person.confirmed) = (None, None),
        writes(&[], &[Effect::CreateOrLink]),
    );
    check(
        "inactive and no account",
        |_, person| {
            (person.link, person.confirmed) = (None, None);
            person.record.insert("active".to_owned(), json!(false));
        },
        Impact::Nothing,
    );
}

/// semantics: may-write (of whom nothing is confirmed)
#[test]
fn of_whom_nothing_is_confirmed() {
    let check = |case: &str, change: fn(&mut JobConfig, &mut Person), expected: Impact| {
        let (mut config, mut person) = (config(), settled());
        change(&mut config, &mut person);
        assert_eq!(of(&config, &person), expected, "{case}");
    };
    check(
        "claimed, and nothing is known",
        |_, person| {
            person.link.as_mut().unwrap().confirmed = false;
        },
        writes(&[], &[Effect::CreateOrLink]),
    );
    check(
        "out of scope and left alone",
        |config, person| {
            config.enabled = false;
            config.on_scope_exit = OnScopeExit::Nothing;
            person.confirmed = None;
        },
        Impact::Nothing,
    );
}

#[test]
fn a_desired_state_is_held_against_what_was_confirmed() {
    let check = |case: &str, change: fn(&mut DesiredState, &mut Confirmed), expected: Impact| {
        let mut person = settled();
        let prepared = Prepared::new(&config(), 1, "corp.test").unwrap();
        let (now, reserved) = (Timestamp(0), BTreeMap::new());
        let surroundings = Surroundings { now, manager_link: None, secret: &[7; 32], reserved: &reserved };
        let Evaluation::Send(mut desired) = evaluate(&prepared, &person, &surroundings).evaluation else { panic!() };
        change(&mut desired, person.confirmed.as_mut().unwrap());
        assert_eq!(impact(&person, &Evaluation::Send(desired)), expected, "{case}");
    };
    check("as it was", |_, _| {}, Impact::Nothing);
    check(
        "cleared",
        |desired, _| {
            let title = desired.attributes.iter_mut().find(|one| one.name == "title").unwrap();
            (title.values, title.may_write) = (Vec::new(), MayWrite::Yes);
        },
        writes(&["title"], &[Effect::Clear]),
    );
    check(
        "renamed",
        |desired, _| (desired.cn, desired.rename) = (Some("Ada".to_owned()), Some(MayWrite::Yes)),
        writes(&[], &[Effect::Rename]),
    );
    check(
        "a name that may not be written",
        |desired, _| (desired.cn, desired.rename) = (Some("Ada".to_owned()), Some(MayWrite::FirstLinkOnly)),
        Impact::Nothing,
    );
    check(
        "leaves the scope",
        |desired, _| (desired.out_of_scope, desired.account) = (true, DesiredAccount::Disabled),
        writes(&[], &[Effect::Disable, Effect::LeaveScope]),
    );
    check(
        "comes back",
        |desired, confirmed| {
            (confirmed.in_scope, confirmed.enabled) = (Some(false), Some(false));
            desired.account = DesiredAccount::Enabled;
        },
        writes(&[], &[Effect::Enable, Effect::EnterScope]),
    );
    check(
        "a job that leaves accounts alone",
        |desired, confirmed| {
            desired.leave_existing = true;
            confirmed.attributes.clear();
        },
        Impact::Nothing,
    );
    let broken = || Failure::new(Code::ExpressionFailed, None, "broken");
    check(
        "broken, and made so before",
        |desired, _| {
            desired.extent = Extent::AccountOnly;
            desired.failure = Some(Failure::new(Code::ExpressionFailed, None, "broken"));
        },
        Impact::Fails(broken()),
    );
}
