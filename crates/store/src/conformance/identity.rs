//! Tenants, applications, roles, audit, jobs.

use rollcall_model::Timestamp;
use rollcall_model::config::{DeleteAction, JobState};
use rollcall_model::ids::{JobId, TenantId};

use super::world::{START, World, config};
use crate::{Audit, NewApplication, NewSecret, RoleGrant, Store};

pub(super) async fn the_first_start_happens_once(store: &dyn Store) {
    assert!(store.tenants().await.unwrap().is_empty());
    let world = World::new(store, 1).await;
    assert!(!world.bootstrap(store).await, "a second first start");
    let tenants = store.tenants().await.unwrap();
    assert_eq!(tenants.len(), 1);
    assert_eq!(tenants[0].id, world.tenant);
    let keys = store.signing_keys(world.tenant).await.unwrap();
    assert_eq!((keys.len(), keys[0].sealed.as_slice()), (1, [0_u8, 255].as_slice()));
    let applications = store.applications(world.tenant).await.unwrap();
    assert_eq!(applications.len(), 1);
    assert_eq!(store.secrets(applications[0].id).await.unwrap().len(), 1);
    assert_eq!(store.roles(world.principal).await.unwrap().len(), 1);
}

pub(super) async fn applications_are_found_in_their_tenant_only(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let application = world.application("HR feed");
    let mut job = world.job_of(JobState::NotRun);
    job.id = JobId::new(world.tenant, world.id());
    job.service_principal = application.service_principal;
    let new = NewApplication { tenant: world.tenant, application: application.clone(), job: Some(job.clone()) };
    store.create_application(&new, &world.audit("application.create")).await.unwrap();
    let other = TenantId(world.id());
    let found = store.application_by_app_id(world.tenant, application.app_id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&application));
    assert_eq!(store.application_by_app_id(other, application.app_id).await.unwrap(), None);
    assert_eq!(store.application(world.tenant, application.id).await.unwrap().as_ref(), Some(&application));
    assert_eq!(store.application(other, application.id).await.unwrap(), None);
    let principal = application.service_principal;
    assert_eq!(store.service_principal(world.tenant, principal).await.unwrap().as_ref(), Some(&application));
    assert_eq!(store.service_principal(other, principal).await.unwrap(), None);
    assert_eq!(store.jobs_of(world.tenant, principal).await.unwrap(), [job.clone()]);
    assert!(store.jobs(world.tenant).await.unwrap().contains(&job));
    assert_eq!(store.jobs(other).await.unwrap(), []);

    let secret = world.secret();
    let new = NewSecret { application: application.id, secret: secret.clone() };
    store.add_secret(world.tenant, &new, &world.audit("secret.add")).await.unwrap();
    assert_eq!(store.secrets(application.id).await.unwrap(), [secret]);
}

pub(super) async fn roles_are_granted_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let grant =
        |role: &str| RoleGrant { id: world.id(), principal: world.principal, role: role.to_owned(), created: START };
    let first = grant("AuditLog.Read.All");
    let audit = world.audit("role.grant");
    assert_eq!(store.grant_role(world.tenant, &first, &audit).await.unwrap(), first);
    let again = grant("AuditLog.Read.All");
    assert_eq!(store.grant_role(world.tenant, &again, &world.audit("role.grant")).await.unwrap(), first);
    let roles: Vec<_> = store.roles(world.principal).await.unwrap().into_iter().map(|role| role.role).collect();
    assert_eq!(roles, ["Synchronization.ReadWrite.All", "AuditLog.Read.All"]);
}

pub(super) async fn the_audit_is_newest_first(store: &dyn Store) {
    let world = World::new(store, 1).await;
    for (second, action) in [(2, "b"), (1, "a"), (3, "c")] {
        let audit = Audit { at: Timestamp(START.0 + second), ..world.audit(action) };
        store.set_job_state(world.tenant, &world.job, JobState::Paused, &audit).await.unwrap();
    }
    let actions: Vec<_> = store.audit(world.tenant, 3).await.unwrap().into_iter().map(|audit| audit.action).collect();
    assert_eq!(actions, ["c", "b", "a"]);
    assert!(store.audit(TenantId(world.id()), 9).await.unwrap().is_empty());
}

pub(super) async fn jobs_round_trip_and_count_their_versions(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    let mut job = world.job_of(JobState::Active);
    assert_eq!(store.job(world.tenant, &world.job).await.unwrap().as_ref(), Some(&job));
    assert_eq!(store.job(TenantId(world.id()), &world.job).await.unwrap(), None);

    let mut changed = config();
    changed.delete_action = DeleteAction::Off;
    changed.domain = Some("other.test".to_owned());
    let later = Audit { at: START.plus_ms(1), ..world.audit("job.set") };
    let version = store.set_job_config(world.tenant, &world.job, &changed, &later).await.unwrap();
    assert_eq!(version, Some(2));
    let state_set = store.set_job_state(world.tenant, &world.job, JobState::Paused, &world.audit("job.pause")).await;
    assert!(state_set.unwrap());
    job.config = changed.clone();
    job.state = JobState::Paused;
    job.schema_version = 2;
    assert_eq!(store.job(world.tenant, &world.job).await.unwrap(), Some(job.clone()));
    assert_eq!(store.jobs_of_domain(world.tenant, "Other.Test").await.unwrap(), [job]);
    assert!(store.jobs_of_domain(world.tenant, "corp.test").await.unwrap().is_empty());

    let unknown = JobId::from_text("API2AD.no.such");
    let audit = world.audit("job.set");
    assert_eq!(store.set_job_config(world.tenant, &unknown, &changed, &audit).await.unwrap(), None);
    let paused = store.set_job_state(world.tenant, &unknown, JobState::Paused, &world.audit("job.pause")).await;
    assert!(!paused.unwrap());
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 2, "nothing done, nothing audited");
}
