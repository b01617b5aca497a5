//! The schemas that jobs have had.

use rollcall_model::config::{DeleteAction, JobConfig, JobState, Mapping, MappingSource};
use rollcall_model::ids::{JobId, TenantId};
use rollcall_model::limits::SCHEMA_VERSIONS_KEPT_MAX;

use super::world::{START, World, config};
use crate::{Audit, Job, NewSchema, SchemaOrigin, SchemaSaved, Store, TargetCheck};

fn schema(config: &JobConfig) -> NewSchema<'_> {
    NewSchema {
        config,
        document: Some("{\"id\":\"é\"}"),
        tests: None,
        origin: SchemaOrigin::Saved,
        note: None,
        targets: &TargetCheck::Pending,
        based_on: None,
    }
}

pub(super) async fn every_version_is_kept(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = store.schema(&world.job, None).await.unwrap().unwrap();
    assert_eq!((first.row.version, first.row.origin), (1, SchemaOrigin::Default));
    assert_eq!((first.config, first.document, first.tests.as_str()), (config(), None, "[]"));

    let changed = JobConfig { delete_action: DeleteAction::Off, ..config() };
    let tests = "[{\"name\":\"a\"}]";
    let new = NewSchema { tests: Some(tests), note: Some("no deletes"), ..schema(&changed) };
    let at = START.plus_ms(5);
    let audit = Audit { at, ..world.audit("schema.put") };
    assert_eq!(store.save_schema(world.tenant, &world.job, &new, &audit).await.unwrap(), SchemaSaved::Saved(2));
    let job = store.job(world.tenant, &world.job).await.unwrap().unwrap();
    assert_eq!((job.schema_version, &job.config), (2, &changed));
    assert_eq!(store.audit(world.tenant, 1).await.unwrap()[0].action, "schema.put");

    let restored = NewSchema { origin: SchemaOrigin::Restored(1), document: None, ..schema(&changed) };
    let saved = store.save_schema(world.tenant, &world.job, &restored, &world.audit("schema.restore")).await;
    assert_eq!(saved.unwrap(), SchemaSaved::Saved(3));
    let second = store.schema(&world.job, Some(2)).await.unwrap().unwrap();
    assert_eq!((second.row.at, second.row.note.as_deref(), second.row.actor), (at, Some("no deletes"), audit.actor));
    assert_eq!((second.config, second.document.as_deref()), (changed, Some("{\"id\":\"é\"}")));
    let third = store.schema(&world.job, None).await.unwrap().unwrap();
    assert_eq!((third.row.version, third.row.origin, third.document), (3, SchemaOrigin::Restored(1), None));
    assert_eq!(third.tests, tests, "they stay until others are saved");

    let versions = async |before, limit| {
        let rows = store.schema_history(&world.job, before, limit).await.unwrap();
        rows.into_iter().map(|row| row.version).collect::<Vec<_>>()
    };
    assert_eq!(versions(None, 9).await, [3, 2, 1]);
    assert_eq!(versions(Some(3), 1).await, [2]);
    assert!(store.schema(&world.job, Some(4)).await.unwrap().is_none());
    assert!(store.schema(&JobId::from_text("API2AD.no.such"), None).await.unwrap().is_none());

    for found in [TargetCheck::Failed("[1]".to_owned()), TargetCheck::Passed, TargetCheck::Pending] {
        store.note_target_check(&world.job, 2, &found).await.unwrap();
        assert_eq!(store.schema(&world.job, Some(2)).await.unwrap().unwrap().row.targets, found);
    }
}

pub(super) async fn versions_are_found_by_a_word(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let other = Job { id: JobId::new(world.tenant, world.id()), ..world.job_of(JobState::Active) };
    store.create_job(&other, &world.audit("job.create")).await.unwrap();
    let with = |text: &str| {
        let source = MappingSource::Expression(text.to_owned());
        JobConfig { mappings: vec![Mapping::new("title", source)], ..config() }
    };
    let (first, second, third) = (with("ReDact([a])"), with("[a]"), with("Redact([b])"));
    for config in [&first, &second, &third, &second] {
        let saved = store.save_schema(world.tenant, &world.job, &schema(config), &world.audit("schema.put")).await;
        assert!(matches!(saved.unwrap(), SchemaSaved::Saved(_)));
    }
    let found = async |job: &JobId, word: &str| store.configs_holding(job, word).await.unwrap();
    assert_eq!(found(&world.job, "redact").await, [third, first]);
    assert_eq!(found(&world.job, "reDACT([A])").await.len(), 1);
    assert_eq!(found(&world.job, "no such word").await, []);
    assert_eq!(found(&other.id, "redact").await, [], "of this job only");
}

pub(super) async fn a_save_names_what_it_was_made_from(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (config, audits) = (config(), store.audit(world.tenant, 100).await.unwrap().len());
    let based_on = |version| NewSchema { based_on: Some(version), ..schema(&config) };
    let jobs = store.jobs_version().await.unwrap();
    for (wanted, job, tenant, expected) in [
        (2, world.job.clone(), world.tenant, SchemaSaved::Conflict(1)),
        (1, JobId::from_text("API2AD.no.such"), world.tenant, SchemaSaved::UnknownJob),
        (1, world.job.clone(), TenantId(world.id()), SchemaSaved::UnknownJob),
    ] {
        let saved = store.save_schema(tenant, &job, &based_on(wanted), &world.audit("schema.put")).await.unwrap();
        assert_eq!(saved, expected);
    }
    let job = store.job(world.tenant, &world.job).await.unwrap().unwrap();
    assert_eq!((job.schema_version, job.changed), (1, START), "nothing done");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits, "nothing audited");
    assert_eq!(store.jobs_version().await.unwrap(), jobs, "nobody told");
    let saved = store.save_schema(world.tenant, &world.job, &based_on(1), &world.audit("schema.put")).await.unwrap();
    assert_eq!(saved, SchemaSaved::Saved(2));
}

pub(super) async fn old_versions_go(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let config = config();
    let kept = i64::try_from(SCHEMA_VERSIONS_KEPT_MAX).unwrap();
    for _ in 0..=kept {
        let saved = store.save_schema(world.tenant, &world.job, &schema(&config), &world.audit("schema.put")).await;
        assert!(matches!(saved.unwrap(), SchemaSaved::Saved(_)));
    }
    let rows = store.schema_history(&world.job, None, 10 * kept).await.unwrap();
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    assert_eq!(versions, (3..=kept + 2).rev().collect::<Vec<_>>());
}
