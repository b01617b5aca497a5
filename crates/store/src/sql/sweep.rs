//! Walks over a job's persons, and looks of a day.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::{JobId, TenantId};
use serde::Serialize;

use super::batch::{Longs, Place, batch, hex, texts};
use super::identity::write_audit;
use super::intake::URGENT;
use super::jobs::raise_version;
use super::outcome::{held, lock_persons};
use super::person::read_person;
use super::{Row, SqlStore, Transaction, inconsistent};
use crate::{Audit, Cause, Error, Fenced, Lease, LookedAt, PersonUpdate, Slice, Sweep, SweepState, Sweeps};

/// Behind the urgent and the ordinary ones.
pub(super) const BACKGROUND: i64 = 2;

fn read_sweep(row: &Row) -> Result<Sweep, Error> {
    Ok(Sweep {
        job: JobId::from_text(&row.text("job")?),
        cause: Cause::from_number(row.small("cause")?).ok_or_else(|| inconsistent("cause", "unknown number"))?,
        schema_version: row.int("schema_version")?,
        state: SweepState::from_number(row.small("state")?).ok_or_else(|| inconsistent("state", "unknown number"))?,
        position: row.int("position")?,
        walked: row.int("walked")?,
        touched: row.int("touched")?,
        failed: row.int("failed")?,
        total: row.int("total")?,
        started: row.time("started")?,
        changed: row.time("changed")?,
    })
}

/// Who wants a walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    ByName,
    ByASave,
}

/// Whether a change of a job's configuration can change what is wanted of anybody. What is done at creation only, and
/// what holds work back, cannot.
pub(super) fn can_matter(before: &JobConfig, after: &JobConfig) -> bool {
    let decisive = |config: &JobConfig| JobConfig {
        budget: None,
        must_change_password: false,
        initial_password: rollcall_model::config::InitialPassword::default(),
        enable_found_disabled: false,
        ..config.clone()
    };
    decisive(before) != decisive(after)
}

/// Begins a walk with the mappings that the job has within this transaction.
///
/// One that was under way is taken in: where it writes everything, so does the new one; and a change of the mappings
/// does not wake what an administrator has paused. Who asks for a walk by name means it to go.
pub(super) async fn begin(
    tx: &mut Transaction<'_>,
    job: i64,
    cause: Cause,
    asked: Asked,
    now: Timestamp,
) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into sweep (job, tenant, cause, schema_version, state, position, walked, touched, failed, total, \
                  started, changed) \
              select j.id, j.tenant, $2, j.schema_version, \
                  case when exists (select 1 from person p where p.job = j.id) then $3 else $5 end, 0, 0, 0, 0, \
                  (select count(*) from person p where p.job = j.id), $4, $4 from job j where j.id = $1 \
              on conflict (job) do update set schema_version = excluded.schema_version, \
                  cause = case when sweep.state in ($3, $6) and sweep.cause = $7 then sweep.cause \
                      else excluded.cause end, \
                  state = case when sweep.state = $6 and excluded.state = $3 and $8 = 1 then sweep.state \
                      else excluded.state end, position = 0, walked = 0, touched = 0, failed = 0, total = excluded.total, \
                  started = excluded.started, changed = excluded.changed"
        ),
        args![
            job,
            cause.number(),
            SweepState::Running.number(),
            now,
            SweepState::Done.number(),
            SweepState::Paused.number(),
            Cause::Reevaluation.number(),
            i64::from(asked == Asked::ByASave),
        ],
    )
    .await
    .map(|_| ())
}

#[derive(Serialize)]
struct LookedAtJson {
    person: String,
    version: i64,
    cause: Option<i16>,
    look: Option<i64>,
    lane: i64,
    pending: Option<Place>,
}

/// Stores looks at persons whose version is still the one looked at. Their number.
async fn store(tx: &mut Transaction<'_>, tenant: i64, looked_at: &[LookedAt], now: Timestamp) -> Result<i64, Error> {
    if looked_at.is_empty() {
        return Ok(0);
    }
    lock_persons(tx, looked_at.iter().map(|one| one.person), "[]").await?;
    let mut longs = Longs::default();
    let rows = looked_at
        .iter()
        .map(|one| {
            Ok(LookedAtJson {
                person: hex(one.person.0),
                version: one.version.0,
                cause: one.due.map(Cause::number),
                look: one.look.map(|look| look.0),
                lane: if one.urgent { URGENT } else { BACKGROUND },
                pending: one.pending.as_ref().map(|pending| longs.push(pending)).transpose()?,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    tx.run(
        sql!("update person set look = r.look, \
                      cause = case when r.wakes = 1 then r.cause else person.cause end, \
                      lane = case when r.wakes = 1 or r.lane = $4 then r.lane else person.lane end, \
                      due = case when r.wakes = 1 or r.pending is not null then $3 else person.due end, \
                      quiet = case when r.wakes = 1 or r.pending is not null then null else person.quiet end, \
                      version = case when r.pending is not null then person.version + 1 else person.version end, \
                      pending = coalesce(r.pending, person.pending) \
                  from (select p.id as number, x.cause, x.look, x.lane, x.pending, \
                            case when x.cause is not null and p.due is null then 1 else 0 end as wakes from "
                  (rows 1, longs 5: person blob, version int, cause int, look int, lane int, pending long)
                  " x join person p on p.uuid = x.person and p.tenant = $2 and p.version = x.version) r \
                  where person.id = r.number"),
        args![batch(&rows)?, tenant, now, URGENT, longs],
    )
    .await
}

#[async_trait]
impl Sweeps for SqlStore {
    async fn sweeps(&self, jobs: &[JobId]) -> Result<Vec<Sweep>, Error> {
        let sql = sql!("select j.name as job, s.cause, s.schema_version, s.state, s.position, s.walked, s.touched, \
                     s.failed, s.total, s.started, s.changed from " (rows 1: v text)
                 " r" then "job j on j.name = r.v" then "sweep s on s.job = j.id");
        let args = args![texts(jobs.iter().map(JobId::as_str))?];
        self.db.rows("reading walks over persons", sql, args).await?.iter().map(read_sweep).collect()
    }

    async fn begin_sweep(&self, tenant: TenantId, job: &JobId, cause: Cause, audit: &Audit) -> Result<bool, Error> {
        let mut tx = self.db.begin("beginning a walk over persons").await?;
        let sql = sql!("select j.id from job j join tenant t on t.id = j.tenant where t.uuid = $1 and j.name = $2");
        let Some(row) = tx.row(sql, args![tenant.0, job.as_str()]).await? else { return Ok(false) };
        begin(&mut tx, row.int("id")?, cause, Asked::ByName, audit.at).await?;
        raise_version(&mut tx).await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn set_sweep_state(
        &self,
        tenant: TenantId,
        job: &JobId,
        state: SweepState,
        audit: &Audit,
    ) -> Result<bool, Error> {
        let mut tx = self.db.begin("pausing or ending a walk over persons").await?;
        let changed = tx
            .run(
                sql!(
                    "update sweep set state = $3, changed = $4 where state in (1, 2) and job = (select j.id from job j \
                      join tenant t on t.id = j.tenant where t.uuid = $1 and j.name = $2)"
                ),
                args![tenant.0, job.as_str(), state.number(), audit.at],
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

    async fn persons_after(&self, job: &JobId, after: i64, limit: i64) -> Result<Vec<(i64, PersonUpdate)>, Error> {
        // In the order of the table, as it grew: `+` keeps the engines from sorting the job's index for each slice.
        let sql = sql!("select p.id as number, " person " from (select cast($1 as text) as name) j" then "person p on \
                 +p.job = (select w.id from job w where w.name = $1) and p.id > $2 order by p.id limit $3");
        let rows = self.db.rows("reading a slice of persons", sql, args![job.as_str(), after, limit]).await?;
        rows.iter().map(|row| Ok((row.int("number")?, read_person(row)?))).collect()
    }

    async fn looks_due(&self, jobs: &[JobId], now: Timestamp, limit: i64) -> Result<Vec<PersonUpdate>, Error> {
        let sql = sql!("select " person " from " (rows 1: v text) " r join job j on j.name = r.v "
                 (pick person as p, "select w.id from person w where w.job = j.id and w.look <= $2 \
                     order by w.look, w.id limit $3")
                 " order by p.look, p.id limit $3");
        let args = args![texts(jobs.iter().map(JobId::as_str))?, now, limit];
        self.db.rows("looking for whom the day changes", sql, args).await?.iter().map(read_person).collect()
    }

    async fn walk(&self, lease: &Lease, slice: &Slice, now: Timestamp) -> Result<Fenced<bool>, Error> {
        let mut tx = self.db.begin("storing a slice of a walk").await?;
        let Some(tenant) = held(&mut tx, lease).await? else { return Ok(Fenced::Stale) };
        let sweep = &slice.sweep;
        let state = if slice.is_last { SweepState::Done } else { SweepState::Running };
        // First the walk's row: whoever pauses it waits for the slice, or the slice finds it paused.
        let walked = tx
            .run(
                sql!(
                    "update sweep set position = $2, walked = walked + $3, failed = failed + $4, state = $5, \
                          changed = $6, touched = touched + $12 \
                      where job = (select j.id from job j where j.name = $1) and tenant = $7 and state = $8 \
                          and position = $9 and schema_version = $10 and started = $11"
                ),
                args![
                    sweep.job.as_str(),
                    slice.to,
                    slice.walked,
                    slice.failed,
                    state.number(),
                    now,
                    tenant,
                    SweepState::Running.number(),
                    sweep.position,
                    sweep.schema_version,
                    sweep.started,
                    slice.touched,
                ],
            )
            .await?;
        if walked == 0 {
            return Ok(Fenced::Done(false));
        }
        store(&mut tx, tenant, &slice.looked_at, now).await?;
        tx.commit().await?;
        Ok(Fenced::Done(true))
    }

    async fn looked(&self, lease: &Lease, looked_at: &[LookedAt], now: Timestamp) -> Result<Fenced<()>, Error> {
        let mut tx = self.db.begin("storing looks of a day").await?;
        let Some(tenant) = held(&mut tx, lease).await? else { return Ok(Fenced::Stale) };
        store(&mut tx, tenant, looked_at, now).await?;
        tx.commit().await?;
        Ok(Fenced::Done(()))
    }

    async fn reevaluate(&self, tenant: TenantId, looked_at: &LookedAt, audit: &Audit) -> Result<bool, Error> {
        let mut tx = self.db.begin("re-evaluating a person").await?;
        let sql = sql!("select id from tenant where uuid = $1");
        let Some(row) = tx.row(sql, args![tenant.0]).await? else { return Ok(false) };
        if store(&mut tx, row.int("id")?, std::slice::from_ref(looked_at), audit.at).await? == 0 {
            return Ok(false);
        }
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(true)
    }
}
