use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rollcall_engine::default_mapping::default_mapping;
use rollcall_model::config::{Apply, Mapping, MappingSource, target};
use rollcall_model::desired::UniqueAttribute;
use rollcall_model::ids::JobId;
use rollcall_model::operation::Method;
use rollcall_model::person::Link;
use rollcall_model::plan::{Action, PropertyChange};
use rollcall_store::conformance::World;
use rollcall_wire::link::PlannedWrite;
use rollcall_wire::rollcall::PreviewPerson;
use rollcall_wire::scim::BulkOperation;
use serde_json::{Value, json};

use super::*;
use crate::system::SystemRandom;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn change(name: &str, old: &[&str], new: &[&str]) -> PropertyChange {
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    PropertyChange { name: name.to_owned(), old: texts(old), new: texts(new) }
}

fn planned(desired: &DesiredState) -> Planned {
    Planned {
        person: desired.person,
        guid: None,
        dn: None,
        is_claim: false,
        writes: vec![],
        result: Conclusion::Skipped(Code::RedundantExport),
        warnings: vec![],
        drift: vec![],
        free: vec![],
    }
}

/// An account made with what is desired.
fn created(desired: &DesiredState) -> Planned {
    let cn = desired.cn.clone().unwrap_or_default();
    let value = |name: &str| {
        let own = desired.attributes.iter().find(|own| own.name == name)?;
        Some(PropertyChange { name: name.to_owned(), old: vec![], new: own.values.clone() })
    };
    let mut properties = vec![change(target::CN, &[], &[&cn])];
    properties.extend(["sAMAccountName", "userPrincipalName", "title"].into_iter().filter_map(value));
    let dn = format!("CN={cn},OU=Staff,DC=corp,DC=test");
    let write = PlannedWrite { action: Action::Create, dn, properties };
    Planned { writes: vec![write], result: Conclusion::Done, warnings: desired.warnings.clone(), ..planned(desired) }
}

struct Bench {
    store: Arc<dyn Store>,
    world: World,
    job: Job,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = rollcall_store::open("sqlite", folder.path()).await.unwrap();
        let world = World::new(&*store, 1).await;
        let mut job = store.job(world.tenant, &world.job).await.unwrap().unwrap();
        job.config.mappings = default_mapping();
        job.config.domain = Some("corp.test".to_owned());
        Self { store, world, job, asked: Arc::default(), _folder: folder }
    }

    fn asker(&self, plan: fn(&DesiredState) -> Planned, known: &[(ObjectGuid, i64)]) -> Asker {
        let asked = Arc::clone(&self.asked);
        let plan = move |desired: DesiredState| {
            asked.lock().unwrap().push(desired.external_id.clone());
            plan(&desired)
        };
        Asker::of(plan, known.iter().copied().collect())
    }

    async fn subjects(&self, data: &[Value]) -> Vec<Subject> {
        let operations: Vec<_> = data.iter().map(|data| (operation(data), [7; 16])).collect();
        of_operations(&*self.store, &self.job, &operations, "dc1", &SystemRandom, NOW).await.unwrap()
    }

    async fn run(&self, asker: &Asker, subjects: Vec<Subject>, taken: Taken, mappings: Mappings) -> PreviewAnswer {
        let prepared = Prepared::new(&self.job.config, 1, "corp.test").unwrap();
        let preview = Preview {
            store: &*self.store,
            tenant: self.world.tenant,
            job: &self.job,
            config: &self.job.config,
            prepared: &prepared,
            secret: [0; 32],
            asker,
            now: NOW,
            mappings,
        };
        preview.run(subjects, taken, Shown::Everybody).await.unwrap()
    }
}

fn operation(data: &Value) -> BulkOperation {
    let external_id = data["externalId"].as_str().map(str::to_owned);
    BulkOperation { method: Method::Post, bulk_id: None, external_id, urgent: false, data: data.clone() }
}

fn record(id: &str, name: &str) -> Value {
    json!({ "externalId": id, "userName": format!("{name}@corp.test"), "displayName": name, "active": true })
}

/// Outcome, action and name of each, on a line.
fn shown(person: &PreviewPerson) -> String {
    let changes: Vec<String> =
        person.changes.iter().map(|change| format!(" {} {}", change.action, change.dn)).collect();
    let error = person.error.as_ref().map_or_else(String::new, |error| format!(" {}", error.code));
    format!("{}{}{error}", person.outcome, changes.join(""))
}

#[tokio::test]
async fn operations_are_merged_in_memory_and_nothing_is_stored() {
    let bench = Bench::new().await;
    let mut second = record("e-1", "Ada");
    second["title"] = json!("Lead");
    let data =
        [record("E-1", "Ada"), json!({ "userName": "x" }), second, json!({ "externalId": "E-2", "active": "maybe" })];
    let subjects = bench.subjects(&data).await;
    let asker = bench.asker(created, &[]);
    let answer = bench.run(&asker, subjects, Taken::default(), Mappings::Own).await;
    let operations: Vec<&[usize]> = answer.value.iter().map(|person| person.operations.as_slice()).collect();
    assert_eq!(operations, [&[0, 2][..], &[1], &[3]]);
    let [first, broken, wrong] = &answer.value[..] else { panic!("{answer:?}") };
    assert_eq!(shown(first), "done create CN=Ada,OU=Staff,DC=corp,DC=test");
    let title = first.changes[0].properties.iter().find(|one| one.name == "title").unwrap();
    assert_eq!((&title.new, &*title.rule.as_ref().unwrap().mapping), (&vec!["Lead".to_owned()], "[title]"));
    assert_eq!(
        (shown(broken), shown(wrong)),
        ("failed AttributeValidationFailed".into(), "failed AttributeValidationFailed".into())
    );
    assert_eq!(answer.counts, [("create".to_owned(), 1), ("failed".to_owned(), 2)].into());
    assert!(bench.store.person(&bench.world.job, "e-1").await.unwrap().is_none());
    assert!(bench.store.audit(bench.world.tenant, 10).await.unwrap().iter().all(|row| !row.action.contains("person")));
}

#[tokio::test]
async fn who_rests_is_not_read_while_the_account_stands() {
    let bench = Bench::new().await;
    let guid = ObjectGuid(bench.world.id());
    let check = async |case: &str, known: i64, mappings, data: [u8; 16], expected: &[&str]| {
        let mut stored = bench.world.person("E-1");
        let link = Link { guid, confirmed: true, invocation_id: Some("dc1".to_owned()), usn_changed: Some(5) };
        stored.person.link = Some(link);
        stored.person.record = record("E-1", "Ada").as_object().unwrap().clone();
        stored.person.pending = rollcall_model::person::Pending::default();
        (stored.due, stored.quiet, stored.data) = (None, Some(bench.job.schema_version), Some([7; 16]));
        let known_persons = [("e-1".to_owned(), stored)];
        let operations = [(operation(&record("E-1", "Ada")), data)];
        let subjects = subjects::merged(&bench.job, &operations, &known_persons.into(), "dc1", &SystemRandom, NOW);
        let asker = bench.asker(planned, &[(guid, known)]);
        let answer = bench.run(&asker, subjects, Taken::default(), mappings).await;
        assert_eq!(shown(&answer.value[0]), "unchanged", "{case}");
        assert_eq!(std::mem::take(&mut *bench.asked.lock().unwrap()), expected, "{case}");
    };
    check("at rest", 5, Mappings::Own, [7; 16], &[]).await;
    check("the account has changed", 6, Mappings::Own, [7; 16], &["E-1"]).await;
    check("other data", 5, Mappings::Own, [8; 16], &["E-1"]).await;
    check("other mappings", 5, Mappings::Tried, [7; 16], &["E-1"]).await;
}

#[tokio::test]
async fn an_account_of_another_person_is_refused() {
    fn claim(desired: &DesiredState) -> Planned {
        let guid = ObjectGuid(uuid::Uuid::from_u128(77));
        Planned { guid: Some(guid), is_claim: true, dn: Some("CN=Ada".to_owned()), ..created(desired) }
    }
    let bench = Bench::new().await;
    let asker = bench.asker(claim, &[]);
    let subjects = bench.subjects(&[record("E-1", "Ada"), record("E-2", "Ada2")]).await;
    let answer = bench.run(&asker, subjects.clone(), Taken::default(), Mappings::Own).await;
    assert_eq!(answer.value.iter().map(shown).filter(|text| text == "failed LinkedToAnotherPerson").count(), 1);
    let owner = bench.world.person("E-9");
    bench.world.merge(&*bench.store, std::slice::from_ref(&owner)).await;
    let guid = ObjectGuid(uuid::Uuid::from_u128(77));
    let _ = bench.store.claim_links(&bench.world.lease, &[(owner.person.id, guid)]).await.unwrap();
    let answer = bench.run(&asker, subjects, Taken::default(), Mappings::Own).await;
    assert!(answer.value.iter().all(|person| shown(person) == "failed LinkedToAnotherPerson"), "{answer:?}");
}

#[tokio::test]
async fn names_go_to_who_comes_first() {
    let bench = Bench::new().await;
    let asker = bench.asker(created, &[]);
    let data = [
        record("E-1", "Ada"),
        record("E-2", "Ada"),
        json!({ "externalId": "E-3", "userName": "ADA@other.test",
        "displayName": "Ada", "active": true }),
    ];
    let subjects = bench.subjects(&data).await;
    let answer = bench.run(&asker, subjects, Taken::default(), Mappings::Own).await;
    let lines: Vec<String> = answer.value.iter().map(shown).collect();
    assert_eq!(lines[0], "done create CN=Ada,OU=Staff,DC=corp,DC=test");
    assert!(lines[1].starts_with("failed ") && lines[2].starts_with("failed EntryConflict"), "{lines:?}");
    let again = bench.subjects(&[record("E-4", "Ada")]).await;
    let answer = bench.run(&asker, again, Taken::new(&answer.taken), Mappings::Own).await;
    assert_eq!(shown(&answer.value[0]), "failed EntryConflict", "an earlier request gave it away");
}

#[test]
fn candidates_and_containers() {
    let desired = |id: &str| {
        let mut person = Person::new(PersonId(uuid::Uuid::from_u128(1)), id);
        person.record = record(id, "Ada").as_object().unwrap().clone();
        let config = rollcall_model::config::JobConfig::new(default_mapping());
        let prepared = Prepared::new(&config, 1, "corp.test").unwrap();
        let reserved = BTreeMap::new();
        let around = Surroundings { now: NOW, manager_link: None, secret: &[0; 32], reserved: &reserved };
        match evaluate::evaluate(&prepared, &person, &around).evaluation {
            Evaluation::Send(desired) => desired,
            other => panic!("{other:?}"),
        }
    };
    let stage = |id: &str, first: &str| {
        let desired = desired(id);
        let mut plan = created(&desired);
        plan.writes[0].properties = vec![change("cn", &[], &["Ada"]), change("sAMAccountName", &[], &[first])];
        let candidates = ["ada", "ada2", "ada3"].map(str::to_owned).to_vec();
        plan.free = vec![UniqueAttribute { name: "sAMAccountName".to_owned(), candidates, redacted: false }];
        Stage::Planned(desired, Box::new(plan))
    };
    let mut stages: Vec<Stage> = ["E-1", "E-2", "E-3", "E-4"].into_iter().map(|id| stage(id, "ada")).collect();
    Taken::default().settle(&mut stages);
    let told: Vec<String> = stages
        .iter()
        .map(|stage| match stage {
            Stage::Planned(_, plan) => match &plan.result {
                Conclusion::Failed(failure) => failure.code.to_string(),
                _ => format!("{} {}", plan.writes[0].dn, plan.writes[0].properties[1].new[0]),
            },
            _ => "?".to_owned(),
        })
        .collect();
    let at = |cn: &str| format!("CN={cn},OU=Staff,DC=corp,DC=test");
    let expected = [
        format!("{} ada", at("Ada")),
        format!("{} ada2", at("Ada (E-2)")),
        format!("{} ada3", at("Ada (E-3)")),
        "NoUniqueValueLeft".to_owned(),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_manager_who_is_made_too_is_set_and_secrets_are_not_shown() {
    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    fn waiting(desired: &DesiredState) -> Planned {
        let mut plan = created(desired);
        if desired.manager.is_some() {
            plan.warnings.push(Warning {
                code: Code::UnableToResolveReferenceAttributeValue,
                attribute: Some("manager".to_owned()),
                text: "waits".to_owned(),
            });
        }
        plan
    }
    let bench = Bench::new().await;
    let asker = bench.asker(waiting, &[]);
    let mut ada = record("E-1", "Ada");
    ada[ENTERPRISE] = json!({ "manager": { "value": "E-2" } });
    let subjects = bench.subjects(&[ada, record("E-2", "Bob")]).await;
    let answer = bench.run(&asker, subjects, Taken::default(), Mappings::Own).await;
    let set = &answer.value[0].changes[1];
    assert_eq!((&*set.action, &set.properties[0].new), ("update", &vec!["CN=Bob,OU=Staff,DC=corp,DC=test".to_owned()]));
    assert!(answer.value[0].warnings.is_empty(), "{answer:?}");

    let mut stage = Box::new(match answer.value.first() {
        Some(_) => DesiredState::clone(&desired_of(&bench).await),
        None => panic!(),
    });
    stage.attributes.iter_mut().for_each(|own| own.redacted = own.name == "title");
    let mut plan = planned(&stage);
    let secret = change("title", &["Old"], &["New"]);
    plan.writes = vec![PlannedWrite { action: Action::Update, dn: String::new(), properties: vec![secret.clone()] }];
    plan.drift = vec![secret];
    let subjects = bench.subjects(&[record("E-1", "Ada")]).await;
    let stages = [Stage::Planned(stage, Box::new(plan))];
    let answer = show::answer(&bench.job.config, &subjects, &stages, Taken::default(), Shown::Changed);
    let text = serde_json::to_string(&answer).unwrap();
    assert!(!text.contains("Old") && !text.contains("New") && text.contains("[Redact]"), "{text}");
}

async fn desired_of(bench: &Bench) -> DesiredState {
    let mut data = record("E-1", "Ada");
    data["title"] = json!("New");
    let subjects = bench.subjects(&[data]).await;
    let prepared = Prepared::new(&bench.job.config, 1, "corp.test").unwrap();
    let reserved = BTreeMap::new();
    let around = Surroundings { now: NOW, manager_link: None, secret: &[0; 32], reserved: &reserved };
    match evaluate::evaluate(&prepared, subjects[0].person().unwrap(), &around).evaluation {
        Evaluation::Send(desired) => *desired,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn stored_persons_by_name_and_by_page() {
    let bench = Bench::new().await;
    let persons: Vec<_> = ["E-1", "E-2", "E-3"]
        .into_iter()
        .map(|id| {
            let mut stored = bench.world.person(id);
            stored.person.record = record(id, id).as_object().unwrap().clone();
            stored
        })
        .collect();
    bench.world.merge(&*bench.store, &persons).await;
    let names = ["e-2".to_owned(), "E-9".to_owned()];
    let subjects = of_persons(&*bench.store, &bench.job, &names, "dc1").await.unwrap();
    assert_eq!(subjects[0].external_id.as_deref(), Some("E-2"));
    assert_eq!(subjects[1].failure().code, Code::ImportSkipped);
    let (first, next) = page(&*bench.store, &bench.job, 0, 2, "dc1").await.unwrap();
    let (rest, end) = page(&*bench.store, &bench.job, next.unwrap(), 2, "dc1").await.unwrap();
    let ids: Vec<_> = first.iter().chain(&rest).filter_map(|subject| subject.external_id.clone()).collect();
    assert_eq!((ids, end), (vec!["E-1".to_owned(), "E-2".to_owned(), "E-3".to_owned()], None));
    assert!(
        page(&*bench.store, &Job { id: JobId::from_text("x"), ..bench.job.clone() }, 0, 2, "dc1")
            .await
            .unwrap()
            .0
            .is_empty()
    );
}

/// semantics: unique
#[tokio::test]
async fn many_namesakes_are_offered_as_many_as_the_work_offers() {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    /// A directory that holds the first three hundred names.
    fn numbered(desired: &DesiredState) -> Planned {
        let mut plan = created(desired);
        let [unique] = desired.unique.as_slice() else { panic!("{desired:?}") };
        MOST.fetch_max(unique.candidates.len(), Ordering::Relaxed);
        let number = |value: &String| value.trim_start_matches("ada").parse().unwrap_or(1);
        let free = unique.candidates.iter().filter(|value| number(value) > 300).cloned().collect::<Vec<_>>();
        match free.first() {
            Some(first) => {
                plan.writes[0].properties.retain(|one| one.name != target::SAM_ACCOUNT_NAME);
                plan.writes[0].properties.push(change(target::SAM_ACCOUNT_NAME, &[], &[first]));
            }
            None => fail(&mut plan, Failure::new(Code::NoUniqueValueLeft, None, "none")),
        }
        plan.free = vec![UniqueAttribute { candidates: free, ..unique.clone() }];
        plan
    }
    let mut bench = Bench::new().await;
    bench.job.config.mappings.retain(|mapping| mapping.target != target::SAM_ACCOUNT_NAME);
    let source = MappingSource::Expression("SelectNumberedValue(\"ada\")".to_owned());
    let name = Mapping { apply: Apply::OnCreate, ..Mapping::new(target::SAM_ACCOUNT_NAME, source) };
    bench.job.config.mappings.push(name);
    let data: Vec<Value> = (1..=300).map(|n| record(&format!("E-{n}"), &format!("ada.{n}"))).collect();
    let (asker, subjects) = (bench.asker(numbered, &[]), bench.subjects(&data).await);
    let answer = bench.run(&asker, subjects, Taken::default(), Mappings::Own).await;
    assert_eq!(answer.counts, [("create".to_owned(), 300)].into(), "{:?}", answer.value.last());
    let name = |person: &PreviewPerson| {
        let made = person.changes[0].properties.iter().find(|one| one.name == target::SAM_ACCOUNT_NAME);
        made.unwrap().new[0].clone()
    };
    let names: Vec<String> = answer.value.iter().map(name).collect();
    let expected: Vec<String> = (301..=600).map(|n| format!("ada{n}")).collect();
    assert_eq!(names, expected);
    assert_eq!(MOST.load(Ordering::Relaxed), limits::UNIQUE_CANDIDATES_SENT_MAX);
}
