//! What is to be done, and who it is about.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{JobId, ObjectGuid, PersonId, TenantId, UploadId, Version};
use serde::Serialize;

use super::batch::{batch, ids, texts};
use super::identity::write_audit;
use super::intake::{ORDINARY, URGENT, lane, method};
use super::jobs::operation_state;
use super::person::read_person;
use super::sweep::BACKGROUND;
use super::upload::index;
use super::{Row, SqlStore, outcome};
use crate::{
    Audit, ClaimResult, DuePerson, Error, Fenced, Lease, MergeBatch, OpenOperation, PersonUpdate, RecordBatch,
    RestingPerson, UnchangedBatch, Work,
};

#[derive(Serialize)]
struct JobLane<'a> {
    job: &'a str,
    lane: i64,
}

/// Each job once for each of these lanes, which the indexes keep apart.
fn lanes(jobs: &[JobId], lanes: &[i64]) -> Result<String, Error> {
    let rows: Vec<_> =
        jobs.iter().flat_map(|job| lanes.iter().map(|lane| JobLane { job: job.as_str(), lane: *lane })).collect();
    batch(&rows)
}

/// Lanes of operations.
const ASKED_FOR: [i64; 2] = [URGENT, ORDINARY];
/// Lanes of persons.
const ALL_LANES: [i64; 3] = [URGENT, ORDINARY, BACKGROUND];

fn read_open_operation(row: &Row) -> Result<OpenOperation, Error> {
    let number = row.int("id")?;
    Ok(OpenOperation {
        row: number,
        upload: UploadId(row.uuid("upload")?),
        index: index(number),
        job: JobId::from_text(&row.text("job")?),
        method: method(row)?,
        external_id: row.opt_text("external_id")?,
        person: row.opt_uuid("person")?.map(PersonId),
        version: row.opt_int("version")?.map(Version),
        state: operation_state(row, "state")?,
        urgent: row.int("lane")? == lane(true),
        data: row.opt_half_sha256("data")?,
    })
}

#[async_trait]
impl Work for SqlStore {
    async fn waiting_operations(&self, jobs: &[JobId], limit: i64) -> Result<Vec<OpenOperation>, Error> {
        let sql = sql!("select o.id, u.uuid as upload, j.name as job, o.method, \
                     coalesce(o.external_id, o.folded) as external_id, o.state, o.lane, o.version, o.data, \
                     (select p.uuid from person p where p.id = o.person) as person from "
                 (rows 1: job text, lane int) " r join job j on j.name = r.job "
                 (pick operation as o, "select w.id from operation w where w.job = j.id and w.lane = r.lane \
                     and w.state = 0 order by w.id limit $2")
                 (each upload as u, "u.id = o.id / 1024")
                 "order by o.lane, o.id limit $2");
        let rows = self.db.rows("looking for waiting operations", sql, args![lanes(jobs, &ASKED_FOR)?, limit]).await?;
        rows.iter().map(read_open_operation).collect()
    }

    async fn bodies(&self, uploads: &[UploadId]) -> Result<Vec<(UploadId, Vec<u8>)>, Error> {
        let sql = sql!("select u.uuid, b.bytes from " (rows 1: v blob)
                 " r" then "upload u on u.uuid = r.v" then "upload_body b on b.upload = u.id");
        let rows = self.db.rows("reading bodies", sql, args![ids(uploads.iter().map(|id| id.0))?]).await?;
        rows.iter().map(|row| Ok((UploadId(row.uuid("uuid")?), row.blob("bytes")?))).collect()
    }

    async fn persons_by_key(&self, job: &JobId, keys: &[String]) -> Result<Vec<PersonUpdate>, Error> {
        let sql = sql!("select " person " from " (rows 2: v text)
                 " r" then "job j on j.name = $1" (each person as p, "p.job = j.id and p.folded = r.v"));
        let args = args![job.as_str(), texts(keys.iter().map(String::as_str))?];
        self.db.rows("reading persons", sql, args).await?.iter().map(read_person).collect()
    }

    async fn resting(&self, job: &JobId, keys: &[String]) -> Result<Vec<RestingPerson>, Error> {
        super::resting::resting(&self.db, job, keys).await
    }

    async fn persons_by_id(&self, persons: &[PersonId]) -> Result<Vec<PersonUpdate>, Error> {
        let sql = sql!("select " person " from " (rows 1: v blob)
                 " r" (each person as p, "p.uuid = r.v") then "job j on j.id = p.job");
        let rows = self.db.rows("reading persons", sql, args![ids(persons.iter().map(|id| id.0))?]).await?;
        rows.iter().map(read_person).collect()
    }

    async fn links(&self, job: &JobId, keys: &[String]) -> Result<Vec<(String, ObjectGuid)>, Error> {
        let sql = sql!("select p.folded, p.link_guid from " (rows 2: v text)
                 " r" then "job j on j.name = $1" (each person as p, "p.job = j.id and p.folded = r.v")
                 "where p.link_guid is not null");
        let args = args![job.as_str(), texts(keys.iter().map(String::as_str))?];
        let rows = self.db.rows("reading links", sql, args).await?;
        rows.iter().map(|row| Ok((row.text("folded")?, ObjectGuid(row.uuid("link_guid")?)))).collect()
    }

    async fn linked_to(&self, job: &JobId, guids: &[ObjectGuid]) -> Result<Vec<(ObjectGuid, PersonId)>, Error> {
        let sql = sql!("select p.link_guid, p.uuid from " (rows 2: v blob)
                 " r" then "job j on j.name = $1" (each person as p, "p.job = j.id and p.link_guid = r.v"));
        let args = args![job.as_str(), ids(guids.iter().map(|guid| guid.0))?];
        let rows = self.db.rows("looking whose accounts are", sql, args).await?;
        rows.iter().map(|row| Ok((ObjectGuid(row.uuid("link_guid")?), PersonId(row.uuid("uuid")?)))).collect()
    }

    async fn merge(&self, lease: &Lease, batch: &MergeBatch) -> Result<Fenced<()>, Error> {
        outcome::merge(&self.db, lease, batch).await
    }

    async fn due_persons(&self, jobs: &[JobId], now: Timestamp, limit: i64) -> Result<Vec<DuePerson>, Error> {
        let sql = sql!("select " person " from " (rows 1: job text, lane int) " r join job j on j.name = r.job "
                 (pick person as p, "select w.id from person w where w.job = j.id and w.lane = r.lane \
                     and w.due <= $2 order by w.due, w.id limit $3")
                 " order by p.lane, p.due, p.id limit $3");
        let rows = self.db.rows("looking for due persons", sql, args![lanes(jobs, &ALL_LANES)?, now, limit]).await?;
        rows.iter()
            .map(|row| {
                let PersonUpdate { job, person, attempts, urgent, cause, .. } = read_person(row)?;
                Ok(DuePerson { job, person, attempts, urgent, due: row.time("due")?, cause })
            })
            .collect()
    }

    async fn next_due(&self, jobs: &[JobId]) -> Result<Option<Timestamp>, Error> {
        let sql = sql!("select min(each_due) as due from (select (select min(w.due) from person w \
                     where w.job = j.id and w.lane = r.lane and w.due is not null) as each_due from "
                 (rows 1: job text, lane int) " r join job j on j.name = r.job) as lanes");
        let row = self.db.row("looking for the next due person", sql, args![lanes(jobs, &ALL_LANES)?]).await?;
        row.map_or(Ok(None), |row| row.opt_time("due"))
    }

    async fn claim_links(
        &self,
        lease: &Lease,
        claims: &[(PersonId, ObjectGuid)],
    ) -> Result<Fenced<Vec<ClaimResult>>, Error> {
        super::claim::claim_links(&self.db, lease, claims).await
    }

    async fn open_operations(&self, persons: &[PersonId]) -> Result<Vec<OpenOperation>, Error> {
        let sql = sql!("select o.id, u.uuid as upload, j.name as job, o.method, \
                     coalesce(o.external_id, o.folded) as external_id, o.state, o.lane, o.version, o.data, \
                     p.uuid as person from "
                 (rows 1: v blob) " r" (each person as p, "p.uuid = r.v")
                 (each operation as o, "o.job = p.job and o.person = p.id and o.state > 0 and o.state < 10")
                 (each upload as u, "u.id = o.id / 1024") then "job j on j.id = o.job order by o.id");
        let rows = self.db.rows("reading open operations", sql, args![ids(persons.iter().map(|id| id.0))?]).await?;
        rows.iter().map(read_open_operation).collect()
    }

    async fn record(&self, lease: &Lease, batch: &RecordBatch, now: Timestamp) -> Result<Fenced<()>, Error> {
        outcome::record(&self.db, lease, batch, now).await
    }

    async fn settle_unchanged(&self, lease: &Lease, batch: &UnchangedBatch) -> Result<Fenced<i64>, Error> {
        super::unchanged::settle(&self.db, lease, batch).await
    }

    async fn retry(&self, tenant: TenantId, job: &JobId, now: Timestamp, audit: &Audit) -> Result<i64, Error> {
        let mut tx = self.db.begin("retrying a job's failures").await?;
        // In the order of ids, like everybody: two transactions that lock the same persons never wait for each other.
        let number = tx
            .run(
                sql!("update person set due = $3 where id in (select p.id from person p \
                      join job j on j.id = p.job join tenant t on t.id = j.tenant \
                      where t.uuid = $1 and j.name = $2 and p.last_code is not null \
                      and (p.due is null or p.due > $3) order by p.id" exclusive_p ")"),
                args![tenant.0, job.as_str(), now],
            )
            .await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(number)
    }

    async fn wake_waiting(&self, lease: &Lease, now: Timestamp) -> Result<Fenced<i64>, Error> {
        let mut tx = self.db.begin("waking those who wait for a manager").await?;
        if outcome::held(&mut tx, lease).await?.is_none() {
            return Ok(Fenced::Stale);
        }
        let number = tx
            .run(
                sql!("update person set due = $3 where id in (select p.id from job j \
                      join tenant t on t.id = j.tenant join waiting w on w.job = j.id \
                      join person p on p.id = w.person where t.uuid = $1 and j.domain = $2 \
                      and (p.due is null or p.due > $3) order by p.id" exclusive_p ")"),
                args![lease.tenant.0, lease.domain.to_lowercase(), now],
            )
            .await?;
        tx.commit().await?;
        Ok(Fenced::Done(number))
    }

    async fn person(&self, job: &JobId, key: &str) -> Result<Option<PersonUpdate>, Error> {
        Ok(self.persons_by_key(job, &[key.to_owned()]).await?.into_iter().next())
    }

    async fn break_link(
        &self,
        tenant: TenantId,
        job: &JobId,
        key: &str,
        due: Option<Timestamp>,
        quarantined: Timestamp,
        audit: &Audit,
    ) -> Result<bool, Error> {
        if key.contains('\0') {
            return Ok(false);
        }
        let mut tx = self.db.begin("breaking a link").await?;
        // The version is raised so that an outcome still under way under the old link cannot bring it back.
        let broken = tx
            .run(
                sql!(
                    "update person set link_guid = null, link_confirmed = 0, link_controller = null, \
                          link_usn = null, confirmed = null, quiet = null, unlinked = version, version = version + 1, \
                          due = coalesce($4, due) \
                      where folded = $3 and link_guid is not null and job = (select j.id from job j \
                          join tenant t on t.id = j.tenant where t.uuid = $1 and j.name = $2)"
                ),
                args![tenant.0, job.as_str(), key, due.map(|due| due.0)],
            )
            .await?;
        if broken == 0 {
            return Ok(false);
        }
        super::unique::quarantine_unlinked(&mut tx, tenant, job.as_str(), key, quarantined).await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await?;
        Ok(true)
    }
}
