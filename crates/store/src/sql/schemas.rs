//! The schemas that jobs have had.

use async_trait::async_trait;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::{JobId, TenantId};
use rollcall_model::{Timestamp, limits};

use super::budget::unstage;
use super::identity::write_audit;
use super::jobs::{config_of, config_text, domain, raise_version};
use super::{Row, SqlStore, Transaction, inconsistent, sweep};
use crate::{Audit, Cause, Error, NewSchema, SchemaOrigin, SchemaRow, SchemaSaved, Schemas, StoredSchema, TargetCheck};

fn origin_numbers(origin: SchemaOrigin) -> (i64, Option<i64>) {
    match origin {
        SchemaOrigin::Default => (0, None),
        SchemaOrigin::Saved => (1, None),
        SchemaOrigin::Restored(version) => (2, Some(version)),
        SchemaOrigin::Settings => (3, None),
    }
}

fn target_columns(targets: &TargetCheck) -> (i64, Option<&str>) {
    match targets {
        TargetCheck::Pending => (0, None),
        TargetCheck::Passed => (1, None),
        TargetCheck::Failed(problems) => (1, Some(problems)),
    }
}

fn read_row(row: &Row) -> Result<SchemaRow, Error> {
    let origin = match (row.int("origin")?, row.opt_int("restored")?) {
        (0, _) => SchemaOrigin::Default,
        (1, _) => SchemaOrigin::Saved,
        (2, Some(version)) => SchemaOrigin::Restored(version),
        (3, _) => SchemaOrigin::Settings,
        _ => return Err(inconsistent("origin", "unknown number")),
    };
    let targets = match (row.int("checked")?, row.opt_text("problems")?) {
        (0, _) => TargetCheck::Pending,
        (_, None) => TargetCheck::Passed,
        (_, Some(problems)) => TargetCheck::Failed(problems),
    };
    Ok(SchemaRow {
        version: row.int("version")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        origin,
        note: row.opt_text("note")?,
        targets,
    })
}

fn read_config(row: &Row, job: &JobId) -> Result<JobConfig, Error> {
    serde_json::from_str(&row.text("config")?).map_err(|error| Error::Inconsistent {
        table: "job_schema",
        column: "config",
        row: job.as_str().to_owned(),
        why: error.to_string(),
    })
}

/// What a version is stored with beside its place.
pub(super) struct Version<'a> {
    pub(super) number: i64,
    pub(super) at: Timestamp,
    pub(super) actor: &'a str,
    pub(super) schema: &'a NewSchema<'a>,
}

/// Stores one version, with the tests of the one before where it brings none, and lets the oldest go.
pub(super) async fn write_version(tx: &mut Transaction<'_>, job: &JobId, version: &Version<'_>) -> Result<(), Error> {
    let Version { number, at, actor, schema } = version;
    let (origin, restored) = origin_numbers(schema.origin);
    let (checked, problems) = target_columns(schema.targets);
    tx.run(
        sql!(
            "insert into job_schema (tenant, job, version, at, actor, origin, restored, note, checked, problems, config, \
              document, tests) \
              select j.tenant, j.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12, \
              (select b.tests from job_schema b where b.job = j.id order by b.version desc limit 1), '[]') \
              from job j where j.name = $1"
        ),
        args![
            job.as_str(),
            *number,
            *at,
            *actor,
            origin,
            restored,
            schema.note,
            checked,
            problems,
            config_text(schema.config)?,
            schema.document,
            schema.tests,
        ],
    )
    .await?;
    let kept = i64::try_from(limits::SCHEMA_VERSIONS_KEPT_MAX).unwrap_or(i64::MAX);
    let sql = sql!("delete from job_schema where job = (select id from job where name = $1) and version <= $2");
    tx.run(sql, args![job.as_str(), number - kept]).await.map(|_| ())
}

#[async_trait]
impl Schemas for SqlStore {
    async fn save_schema(
        &self,
        tenant: TenantId,
        job: &JobId,
        schema: &NewSchema<'_>,
        audit: &Audit,
    ) -> Result<SchemaSaved, Error> {
        let mut tx = self.db.begin("saving a job's schema").await?;
        let before = config_of(&mut tx, job).await?;
        let row = tx
            .row(
                sql!(
                    "update job set config = $3, domain = $4, changed = $5, schema_version = schema_version + 1 \
                      where name = $2 and tenant = (select id from tenant where uuid = $1) \
                      returning schema_version"
                ),
                args![tenant.0, job.as_str(), config_text(schema.config)?, domain(schema.config), audit.at],
            )
            .await?;
        let Some(row) = row else { return Ok(SchemaSaved::UnknownJob) };
        let number = row.int("schema_version")?;
        // Not committed: what was changed above is undone.
        if schema.based_on.is_some_and(|based_on| based_on != number - 1) {
            return Ok(SchemaSaved::Conflict(number - 1));
        }
        let version = Version { number, at: audit.at, actor: &audit.actor, schema };
        write_version(&mut tx, job, &version).await?;
        raise_version(&mut tx).await?;
        if let Some((number, before)) = before {
            if before.budget != schema.config.budget {
                unstage(&mut tx, number, audit.at).await?;
            }
            if sweep::can_matter(&before, schema.config) {
                sweep::begin(&mut tx, number, Cause::Schema, sweep::Asked::ByASave, audit.at).await?;
            }
        }
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(SchemaSaved::Saved(number))
    }

    async fn schema(&self, job: &JobId, version: Option<i64>) -> Result<Option<StoredSchema>, Error> {
        let sql = sql!(
            "select s.* from job_schema s join job j on j.id = s.job \
              where j.name = $1 and s.version = coalesce($2, j.schema_version)"
        );
        let Some(row) = self.db.row("reading a schema", sql, args![job.as_str(), version]).await? else {
            return Ok(None);
        };
        let (document, tests) = (row.opt_text("document")?, row.text("tests")?);
        Ok(Some(StoredSchema { row: read_row(&row)?, config: read_config(&row, job)?, document, tests }))
    }

    async fn configs_holding(&self, job: &JobId, word: &str) -> Result<Vec<JobConfig>, Error> {
        let sql = sql!(
            "select s.config from job_schema s join job j on j.id = s.job \
              where j.name = $1 and lower(s.config) like $2 order by s.version desc"
        );
        let args = args![job.as_str(), format!("%{}%", word.to_lowercase())];
        let rows = self.db.rows("looking through a job's schemas", sql, args).await?;
        rows.iter().map(|row| read_config(row, job)).collect()
    }

    async fn schema_history(&self, job: &JobId, before: Option<i64>, limit: i64) -> Result<Vec<SchemaRow>, Error> {
        let sql = sql!(
            "select s.version, s.at, s.actor, s.origin, s.restored, s.note, s.checked, s.problems \
              from job_schema s join job j on j.id = s.job where j.name = $1 and s.version < $2 \
              order by s.version desc limit $3"
        );
        let args = args![job.as_str(), before.unwrap_or(i64::MAX), limit];
        self.db.rows("reading a job's schemas", sql, args).await?.iter().map(read_row).collect()
    }

    async fn note_target_check(&self, job: &JobId, version: i64, targets: &TargetCheck) -> Result<(), Error> {
        let (checked, problems) = target_columns(targets);
        let mut tx = self.db.begin("noting what a schema's check found").await?;
        let sql = sql!(
            "update job_schema set checked = $3, problems = $4 \
              where job = (select id from job where name = $1) and version = $2"
        );
        tx.run(sql, args![job.as_str(), version, checked, problems]).await?;
        tx.commit().await
    }
}
