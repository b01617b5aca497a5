//! Jobs and their sums.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rollcall_model::Code;
use rollcall_model::code::Kind;
use rollcall_model::config::{JobConfig, JobState};
use rollcall_model::ids::{JobId, ServicePrincipalId, TenantId};
use rollcall_model::operation::OperationState;

use super::batch::{One, batch};
use super::identity::write_audit;
use super::schemas::{Version, write_version};
use super::{Arg, Row, Sql, SqlStore, Transaction, inconsistent};
use crate::{Audit, Error, Job, JobCounts, Jobs, NewSchema, SchemaOrigin, SchemaSaved, Schemas as _, TargetCheck};

/// [`counter.kind`](../../migrations): log rows by (action, status).
pub(super) const CHANGES: i64 = 1;
/// Final operations by (state, 0).
pub(super) const FINAL_OPERATIONS: i64 = 2;

fn state_number(state: JobState) -> i64 {
    match state {
        JobState::NotRun => 0,
        JobState::Active => 1,
        JobState::Paused => 2,
    }
}

fn state_from_number(number: i64) -> Option<JobState> {
    [JobState::NotRun, JobState::Active, JobState::Paused].into_iter().find(|state| state_number(*state) == number)
}

pub(super) fn config_text(config: &JobConfig) -> Result<String, Error> {
    serde_json::to_string(config).map_err(|error| Error::Unstorable(format!("a job's configuration: {error}")))
}

pub(super) fn domain(config: &JobConfig) -> Option<String> {
    config.domain.as_ref().map(|domain| domain.to_lowercase())
}

/// Tells every node that jobs have changed.
pub(super) async fn raise_version(tx: &mut Transaction<'_>) -> Result<(), Error> {
    tx.run(sql!("update job_change set n = n + 1"), args![]).await.map(|_| ())
}

pub(super) async fn write_job(tx: &mut Transaction<'_>, job: &Job) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into job \
              (tenant, name, service_principal, state, config, domain, schema_version, created, changed) \
              select id, $2, $3, $4, $5, $6, $7, $8, $9 from tenant where uuid = $1"
        ),
        args![
            job.tenant.0,
            job.id.as_str(),
            job.service_principal.0,
            state_number(job.state),
            config_text(&job.config)?,
            domain(&job.config),
            job.schema_version,
            job.created,
            job.changed,
        ],
    )
    .await?;
    raise_version(tx).await
}

fn read_config(row: &Row, name: &str) -> Result<JobConfig, Error> {
    let broken = |why| Error::Inconsistent { table: "job", column: "config", row: name.to_owned(), why };
    serde_json::from_str(&row.text("config")?).map_err(|error| broken(error.to_string()))
}

/// A job's number and its budget, which stays as it is until the transaction ends.
pub(super) async fn budget_of(tx: &mut Transaction<'_>, job: &JobId) -> Result<Option<(i64, Option<u32>)>, Error> {
    Ok(config_of(tx, job).await?.map(|(number, config)| (number, config.budget)))
}

/// A job's number and what it is set to do, which stays as it is until the transaction ends.
pub(super) async fn config_of(tx: &mut Transaction<'_>, job: &JobId) -> Result<Option<(i64, JobConfig)>, Error> {
    let sql = sql!("select j.id, j.config from job j where j.name = $1" exclusive_j);
    let row = tx.row(sql, args![job.as_str()]).await?;
    row.map(|row| Ok((row.int("id")?, read_config(&row, job.as_str())?))).transpose()
}

fn read_job(row: &Row) -> Result<Job, Error> {
    let name = row.text("name")?;
    let broken = |column, why: String| Error::Inconsistent { table: "job", column, row: name.clone(), why };
    let config = read_config(row, &name)?;
    let state = state_from_number(row.int("state")?).ok_or_else(|| broken("state", "unknown number".to_owned()))?;
    Ok(Job {
        id: JobId::from_text(&name),
        tenant: TenantId(row.uuid("tenant_uuid")?),
        service_principal: ServicePrincipalId(row.uuid("service_principal")?),
        state,
        config,
        schema_version: row.int("schema_version")?,
        created: row.time("created")?,
        changed: row.time("changed")?,
    })
}

impl SqlStore {
    async fn read_jobs(&self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Job>, Error> {
        self.db.rows("reading jobs", sql, args).await?.iter().map(read_job).collect()
    }
}

#[async_trait]
impl Jobs for SqlStore {
    async fn create_job(&self, job: &Job, audit: &Audit) -> Result<(), Error> {
        let mut tx = self.db.begin("storing a job").await?;
        write_job(&mut tx, job).await?;
        let schema = NewSchema {
            config: &job.config,
            document: None,
            tests: None,
            origin: SchemaOrigin::Default,
            note: None,
            targets: &TargetCheck::Passed,
            based_on: None,
        };
        let version = Version { number: job.schema_version, at: audit.at, actor: &audit.actor, schema: &schema };
        write_version(&mut tx, &job.id, &version).await?;
        write_audit(&mut tx, job.tenant, audit).await?;
        tx.commit().await
    }

    async fn job(&self, tenant: TenantId, id: &JobId) -> Result<Option<Job>, Error> {
        if id.as_str().contains('\0') {
            return Ok(None);
        }
        let sql = sql!(
            "select j.*, t.uuid as tenant_uuid from job j join tenant t on t.id = j.tenant \
                        where t.uuid = $1 and j.name = $2"
        );
        Ok(self.read_jobs(sql, args![tenant.0, id.as_str()]).await?.into_iter().next())
    }

    async fn jobs(&self, tenant: TenantId) -> Result<Vec<Job>, Error> {
        let sql = sql!(
            "select j.*, t.uuid as tenant_uuid from job j join tenant t on t.id = j.tenant \
                        where t.uuid = $1 order by j.id"
        );
        self.read_jobs(sql, args![tenant.0]).await
    }

    async fn jobs_of(&self, tenant: TenantId, principal: ServicePrincipalId) -> Result<Vec<Job>, Error> {
        let sql = sql!(
            "select j.*, t.uuid as tenant_uuid from job j join tenant t on t.id = j.tenant \
                        where t.uuid = $1 and j.service_principal = $2 order by j.id"
        );
        self.read_jobs(sql, args![tenant.0, principal.0]).await
    }

    async fn jobs_of_domain(&self, tenant: TenantId, domain: &str) -> Result<Vec<Job>, Error> {
        let sql = sql!(
            "select j.*, t.uuid as tenant_uuid from job j join tenant t on t.id = j.tenant \
                        where t.uuid = $1 and j.domain = $2 order by j.id"
        );
        self.read_jobs(sql, args![tenant.0, domain.to_lowercase()]).await
    }

    async fn set_job_config(
        &self,
        tenant: TenantId,
        id: &JobId,
        config: &JobConfig,
        audit: &Audit,
    ) -> Result<Option<i64>, Error> {
        let schema = NewSchema {
            config,
            document: None,
            tests: None,
            origin: SchemaOrigin::Settings,
            note: None,
            targets: &TargetCheck::Passed,
            based_on: None,
        };
        match self.save_schema(tenant, id, &schema, audit).await? {
            SchemaSaved::Saved(version) => Ok(Some(version)),
            SchemaSaved::Conflict(_) | SchemaSaved::UnknownJob => Ok(None),
        }
    }

    async fn set_job_state(&self, tenant: TenantId, id: &JobId, state: JobState, audit: &Audit) -> Result<bool, Error> {
        let mut tx = self.db.begin("changing a job's state").await?;
        let changed = tx
            .run(
                sql!(
                    "update job set state = $3, changed = $4 \
                      where name = $2 and tenant = (select id from tenant where uuid = $1)"
                ),
                args![tenant.0, id.as_str(), state_number(state), audit.at],
            )
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        raise_version(&mut tx).await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn jobs_version(&self) -> Result<i64, Error> {
        let row = self.db.row("asking whether jobs have changed", sql!("select n from job_change"), args![]).await?;
        row.map_or(Ok(0), |row| row.int("n"))
    }

    async fn open_operation_count(&self) -> Result<i64, Error> {
        let sql = sql!(
            "select (select count(*) from operation where state = 0) \
             + (select count(*) from operation where state > 0 and state < 10) as n"
        );
        self.db.row("counting operations", sql, args![]).await?.map_or(Ok(0), |row| row.int("n"))
    }

    async fn job_counts(&self, id: &JobId) -> Result<JobCounts, Error> {
        let doing = "summing up a job";
        let mut counts = JobCounts::default();
        let permanent: Vec<One<i16>> = Code::ALL
            .iter()
            .filter(|code| code.kind() == Kind::Permanent)
            .map(|code| One { v: code.number() })
            .collect();
        // Each from an index that holds nothing but what it counts; no person is read.
        let persons = sql!("select (select count(*) from person p where p.job = j.id) as persons, \
                 (select count(*) from person p where p.job = j.id and p.link_guid is not null) as linked, \
                 (select count(*) from person p where p.job = j.id and p.due is not null) as due, \
                 (select count(*) from person p where p.job = j.id and p.last_code is not null \
                     and p.last_code in (select v from " (rows 2: v int) " r)) as failed \
             from job j where j.name = $1");
        if let Some(row) = self.db.row(doing, persons, args![id.as_str(), batch(&permanent)?]).await? {
            counts.persons = row.int("persons")?;
            counts.linked = row.int("linked")?;
            counts.due = row.int("due")?;
            counts.failed = row.int("failed")?;
        }
        let open = sql!(
            "select o.state, count(*) as n from job j join operation o on o.job = j.id and o.state = 0 \
                 where j.name = $1 group by o.state \
                 union all select o.state, count(*) as n from job j \
                 join operation o on o.job = j.id and o.state > 0 and o.state < 10 \
                 where j.name = $1 group by o.state"
        );
        for row in self.db.rows(doing, open, args![id.as_str()]).await? {
            add(&mut counts.operations, operation_state(&row, "state")?, row.int("n")?);
        }
        let summed = sql!(
            "select c.kind, c.first, c.second, cast(sum(c.n) as bigint) as n \
                           from counter c join job j on j.id = c.job where j.name = $1 \
                           group by c.kind, c.first, c.second"
        );
        for row in self.db.rows(doing, summed, args![id.as_str()]).await? {
            match row.int("kind")? {
                CHANGES => add(&mut counts.changes, (row.small("first")?, row.small("second")?), row.int("n")?),
                _ => add(&mut counts.operations, operation_state(&row, "first")?, row.int("n")?),
            }
        }
        Ok(counts)
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, i64>, key: K, n: i64) {
    *sums.entry(key).or_default() += n;
}

pub(super) fn operation_state(row: &Row, column: &'static str) -> Result<OperationState, Error> {
    OperationState::from_number(row.small(column)?).ok_or_else(|| inconsistent(column, "unknown number of a state"))
}
