use rollcall_model::desired::DesiredAccount;
use rollcall_model::ids::Version;
use rollcall_model::person::Link;

use super::*;
use crate::config::{Policy, PolicyAction};
use crate::testing::{BASE, FakeDirectory, OTHER, STAFF, person};

fn at(name: &str) -> String {
    format!("CN={name},{STAFF}")
}

fn linked(guid: ObjectGuid, number: u128, name: &str, attributes: &[(&str, &str)]) -> DesiredState {
    let link = Link { guid, confirmed: true, invocation_id: None, usn_changed: None };
    DesiredState { link: Some(link), version: Version(2), ..person(number, name, attributes) }
}

/// A directory with both containers, in the staff one of which users may be made.
fn directory() -> FakeDirectory {
    let directory = FakeDirectory::default();
    let classes = [("allowedChildClasses", "user"), ("allowedChildClassesEffective", "user")];
    directory.put(STAFF, &classes);
    directory.put(OTHER, &classes[..1]);
    directory
}

/// An account whose person is known by the number.
fn account(directory: &FakeDirectory, number: u128, name: &str, attributes: &[(&str, &str)]) -> ObjectGuid {
    let id = format!("E{number}");
    let own = [("cn", name), ("sAMAccountName", name), ("employeeID", &id)];
    directory.put(&at(name), &[&own, attributes].concat())
}

async fn preview(directory: &FakeDirectory, policy: &Policy, states: Vec<DesiredState>) -> Vec<Planned> {
    let (domain, rules, replication) = (Dn::from_directory(BASE), Rules::new(policy), Awaited::default());
    let viewer = Viewer {
        read: directory,
        domain: &domain,
        controller: "invocation-1",
        rules: &rules,
        replication: &replication,
    };
    let planned = viewer.preview(states).await.unwrap();
    assert!(directory.made().is_empty() && directory.set(|inner| inner.asked.is_empty()), "nothing was written");
    planned
}

fn everything() -> Policy {
    let actions = vec![
        PolicyAction::Create,
        PolicyAction::Update,
        PolicyAction::Move,
        PolicyAction::Rename,
        PolicyAction::Disable,
        PolicyAction::Enable,
        PolicyAction::Delete,
    ];
    Policy { actions, ..Policy::default() }
}

/// Writes and how it would end, on one line.
fn shown(planned: &Planned) -> String {
    let writes: Vec<String> = planned
        .writes
        .iter()
        .map(|write| {
            let names: Vec<&str> = write.properties.iter().map(|change| change.name.as_str()).collect();
            format!("{:?} {}: {}", write.action, write.dn, names.join(" "))
        })
        .collect();
    let result = match &planned.result {
        Conclusion::Failed(failure) => format!("{} {}", failure.code, failure.attribute.as_deref().unwrap_or("-")),
        other => format!("{other:?}"),
    };
    format!("{} => {result}", writes.join(", "))
}

type Case = (&'static str, fn(&FakeDirectory) -> DesiredState, String);

/// Properties of a new account.
const ADD: &str = "cn parentDistinguishedName accountDisabled sAMAccountName employeeID";
const REFUSED: &str = "HybridSynchronizationActiveDirectoryInsufficientAccessRights";

fn plans() -> Vec<Case> {
    vec![
        ("a new account", |_| person(1, "Ada", &[]), format!("Create {}: {ADD} => Done", at("Ada"))),
        (
            "nothing to do",
            |fake| linked(account(fake, 1, "Ada", &[("title", "Dev")]), 1, "Ada", &[("title", "Dev")]),
            " => Skipped(RedundantExport)".to_owned(),
        ),
        (
            "another value",
            |fake| linked(account(fake, 1, "Ada", &[("title", "Dev")]), 1, "Ada", &[("title", "Lead")]),
            format!("Update {}: title => Done", at("Ada")),
        ),
        (
            "a disable and a move",
            |fake| {
                let mut desired = linked(account(fake, 1, "Ada", &[]), 1, "Ada", &[]);
                desired.account = DesiredAccount::Disabled;
                desired.container.mapped = Some(format!("OU=Left,{STAFF}"));
                desired.container.may_move = true;
                fake.put(&format!("OU=Left,{STAFF}"), &[]);
                desired
            },
            format!(
                "Disable {}: accountDisabled, Move CN=Ada,OU=Left,{STAFF}: parentDistinguishedName => Done",
                at("Ada")
            ),
        ),
    ]
}

fn containers_and_rights() -> Vec<Case> {
    vec![
        (
            "a container that is not there",
            |_| {
                let mut desired = person(1, "Ada", &[]);
                desired.container.mapped = Some(format!("OU=Nowhere,{STAFF}"));
                desired
            },
            " => ContainerNotFound parentDistinguishedName".to_owned(),
        ),
        (
            "a container where no users may be made",
            |_| {
                let mut desired = person(1, "Ada", &[]);
                desired.container.mapped = Some(OTHER.to_owned());
                desired
            },
            format!(" => {REFUSED} parentDistinguishedName"),
        ),
        (
            "an attribute that may not be written",
            |fake| {
                let rights = [("allowedAttributesEffective", "department")];
                linked(account(fake, 1, "Ada", &rights), 1, "Ada", &[("title", "Lead")])
            },
            format!(" => {REFUSED} title"),
        ),
        (
            "an attribute that may",
            |fake| {
                let rights = [("allowedAttributesEffective", "Title")];
                linked(account(fake, 1, "Ada", &rights), 1, "Ada", &[("title", "Lead")])
            },
            format!("Update {}: title => Done", at("Ada")),
        ),
    ]
}

fn names() -> Vec<Case> {
    vec![
        (
            "two accounts that match",
            |fake| {
                account(fake, 1, "Ada", &[]);
                account(fake, 1, "Ada2", &[]);
                person(1, "Ada", &[])
            },
            " => DuplicateTargetEntries employeeID".to_owned(),
        ),
        (
            "a taken account name",
            |fake| {
                fake.put(&format!("CN=Other,{STAFF}"), &[("sAMAccountName", "Ada")]);
                person(1, "Ada", &[])
            },
            " => EntryConflict sAMAccountName".to_owned(),
        ),
        (
            "a name that gives way",
            |fake| {
                fake.put(&at("Ada"), &[("cn", "Ada"), ("sAMAccountName", "other")]);
                person(1, "Ada", &[])
            },
            format!("Create {}: {ADD} => Done", at("Ada (E1)")),
        ),
        (
            "a link that is gone",
            |_| linked(ObjectGuid(uuid::Uuid::from_u128(7)), 1, "Ada", &[]),
            " => InvalidAnchor -".to_owned(),
        ),
        (
            "the first free candidate",
            |fake| {
                fake.put(&at("x"), &[("sAMAccountName", "ada")]);
                let mut desired = person(1, "Ada", &[]);
                desired.attributes.retain(|own| own.name != "sAMAccountName");
                let candidates = ["ada", "ada2", "ada3"].map(str::to_owned).to_vec();
                desired.unique =
                    vec![UniqueAttribute { name: "sAMAccountName".to_owned(), candidates, redacted: false }];
                desired
            },
            format!(
                "Create {}: cn parentDistinguishedName accountDisabled employeeID sAMAccountName => Done",
                at("Ada")
            ),
        ),
        (
            "no candidate is free",
            |fake| {
                fake.put(&at("x"), &[("sAMAccountName", "ada")]);
                let mut desired = person(1, "Ada", &[]);
                let candidates = vec!["ADA".to_owned()];
                desired.unique =
                    vec![UniqueAttribute { name: "sAMAccountName".to_owned(), candidates, redacted: false }];
                desired
            },
            " => NoUniqueValueLeft sAMAccountName".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn what_would_be_done_and_what_the_directory_would_say() {
    for (case, prepare, expected) in plans().into_iter().chain(containers_and_rights()).chain(names()) {
        let directory = directory();
        let desired = prepare(&directory);
        let planned = preview(&directory, &everything(), vec![desired]).await;
        assert_eq!(shown(&planned[0]), expected, "{case}");
    }
}

#[tokio::test]
async fn the_policy_and_the_manager_are_heeded() {
    let directory = directory();
    let boss = account(&directory, 9, "Boss", &[]);
    let mut desired = person(1, "Ada", &[("title", "Dev")]);
    desired.manager = Some(rollcall_model::desired::DesiredManager {
        external_id: "E9".to_owned(),
        guid: Some(boss),
        matching: vec![],
        may_write: MayWrite::Yes,
    });
    let planned = preview(&directory, &everything(), vec![desired.clone()]).await;
    assert!(shown(&planned[0]).ends_with(&format!("Update {}: manager => Done", at("Ada"))), "{planned:?}");
    let denied = Policy { attributes_denied: vec!["title".to_owned()], ..everything() };
    let planned = preview(&directory, &denied, vec![desired.clone()]).await;
    assert_eq!(planned[0].warnings[0].code, Code::AttributeDeniedByLocalPolicy);
    let none = Policy { actions: vec![PolicyAction::Update], ..everything() };
    let planned = preview(&directory, &none, vec![desired]).await;
    assert_eq!(shown(&planned[0]), " => RefusedByLocalPolicy -");
}

#[tokio::test]
async fn a_swap_of_names_is_no_conflict_and_a_claim_is_told() {
    let directory = directory();
    let (ada, bob) = (account(&directory, 1, "Ada", &[]), account(&directory, 2, "Bob", &[]));
    let renamed = |guid, number, name: &str| {
        let mut desired = linked(guid, number, name, &[]);
        desired.attributes.clear();
        DesiredState { rename: Some(MayWrite::Yes), ..desired }
    };
    let planned = preview(&directory, &everything(), vec![renamed(ada, 1, "Bob"), renamed(bob, 2, "Ada")]).await;
    assert!(planned.iter().all(|one| one.result == Conclusion::Done && !one.is_claim), "{planned:?}");
    assert_eq!(planned[0].writes[0].dn, at("Bob"));
    let planned = preview(&directory, &everything(), vec![person(1, "Ada", &[])]).await;
    assert_eq!((planned[0].guid, planned[0].is_claim), (Some(ada), true));
}

#[tokio::test]
async fn one_value_that_spoils_the_search_of_all_fails_alone() {
    let directory = directory();
    directory.set(|inner| inner.down = true);
    let (domain, rules, replication) = (Dn::from_directory(BASE), Rules::new(&everything()), Awaited::default());
    let viewer =
        Viewer { read: &directory, domain: &domain, controller: "x", rules: &rules, replication: &replication };
    assert_eq!(viewer.preview(vec![person(1, "Ada", &[])]).await.unwrap_err().code, Code::EndpointUnavailable);
    let many = (0..=limits::PREVIEW_BATCH_PERSONS_MAX as u128).map(|number| person(number, "a", &[])).collect();
    assert_eq!(viewer.preview(many).await.unwrap_err().code, Code::InternalError);
}

/// Invariant 6: what a preview is made of names nothing that writes.
#[test]
fn nothing_here_can_write() {
    let sources = [include_str!("../preview.rs"), include_str!("names.rs"), include_str!("rights.rs")];
    for source in sources {
        for word in ["dyn Write", "directory::Write", "Session", "Writer", ".directory", "LdapDirectory", "journal"] {
            assert!(!source.contains(word), "{word}");
        }
        let imports = source.split("use rollcall_directory::").skip(1).filter_map(|rest| rest.split(';').next());
        assert!(imports.into_iter().all(|names| !names.contains("Write")));
    }
}
