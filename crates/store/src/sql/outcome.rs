//! Merges and outcomes: persons, operations, log rows, waits and counters, all or nothing.
//!
//! Persons are locked in the order of their ids before anything is changed, so that no two transactions wait for each
//! other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_model::Timestamp;
use rollcall_model::ids::PersonId;
use serde::Serialize;

use super::batch::{One, batch as json, hex, ids, key};
use super::intake::OPERATIONS_PER_UPLOAD;
use super::jobs::{CHANGES, FINAL_OPERATIONS};
use super::log::write_log;
use super::person::PersonJson;
use super::{Db, Transaction};
use crate::{Error, Fenced, FinishedOperation, Lease, LogRow, MergeBatch, PersonUpdate, RecordBatch};

/// Whether the lease is still the newest of its domain; it stays so until the transaction ends. The tenant's number.
pub(super) async fn held(tx: &mut Transaction<'_>, lease: &Lease) -> Result<Option<i64>, Error> {
    let row = tx
        .row(
            sql!("select l.tenant from lease l join tenant t on t.id = l.tenant \
                  where t.uuid = $1 and l.domain = $2 and l.epoch = $3" share),
            args![lease.tenant.0, lease.domain.to_lowercase(), lease.epoch.0],
        )
        .await?;
    row.map(|row| row.int("tenant")).transpose()
}

#[derive(Serialize)]
struct JobKey<'a> {
    job: &'a str,
    v: &'a str,
}

fn linked_json(batch: &RecordBatch) -> Result<String, Error> {
    let rows: Vec<_> = batch.linked.iter().map(|(job, key)| JobKey { job: job.as_str(), v: key }).collect();
    json(&rows)
}

/// Locks the persons of a batch and those who wait for somebody in it.
pub(super) async fn lock_persons(
    tx: &mut Transaction<'_>,
    persons: impl Iterator<Item = PersonId>,
    linked: &str,
) -> Result<(), Error> {
    if !tx.is_postgres() {
        // One writer: there is nobody to lock out.
        return Ok(());
    }
    tx.rows(
        sql!("select p.id from person p where p.id in ( \
                  select q.id from " (rows 1: v blob) " r" (each person as q, "q.uuid = r.v")
                  "union select w.person from " (rows 2: job text, v text)
                  " r join job j on j.name = r.job" (each waiting as w, "w.job = j.id and w.manager = r.v") ") \
              order by p.id" exclusive_p),
        args![ids(persons.map(|id| id.0))?, linked],
    )
    .await
    .map(|_| ())
}

pub(super) async fn merge(db: &Db, lease: &Lease, batch: &MergeBatch) -> Result<Fenced<()>, Error> {
    let mut tx = db.begin("storing merged persons").await?;
    let Some(tenant) = held(&mut tx, lease).await? else { return Ok(Fenced::Stale) };
    if !batch.persons.is_empty() {
        lock_persons(&mut tx, batch.persons.iter().map(|update| update.person.id), "[]").await?;
        merge_persons(&mut tx, tenant, batch).await?;
    }
    let mut sums = Sums::default();
    write_log(&mut tx, lease.tenant, &batch.log, &mut sums).await?;
    finish(&mut tx, tenant, &batch.operations, &batch.log, &mut sums).await?;
    sums.write(&mut tx).await?;
    tx.commit().await?;
    Ok(Fenced::Done(()))
}

/// New persons whole; of known ones what a merge changes. Their link and what is known of their account belong to
/// outcomes and claims, which may have come since this merge read them.
///
/// `tenant + 0`: a condition on the row, not a reason to begin with all jobs of the tenant.
async fn merge_persons(tx: &mut Transaction<'_>, tenant: i64, batch: &MergeBatch) -> Result<(), Error> {
    let persons = &batch.persons;
    let (rows, longs) = PersonJson::batch(persons, &batch.made_from)?;
    let stored = tx
        .run(
            sql!("insert into person (tenant, uuid, job, folded, external_id, version, due, lane, attempts, last_code, \
                      link_guid, link_confirmed, link_controller, link_usn, record, pending, confirmed, refused, \
                      data, display_name, cause) \
                  select j.tenant, r.uuid, j.id, r.folded, r.external_id, r.version, r.due, r.lane, r.attempts, \
                      r.last_code, r.link_guid, r.link_confirmed, r.link_controller, r.link_usn, r.record, r.pending, \
                      r.confirmed, r.refused, r.data, r.display_name, r.cause from "
                  (rows 1, longs 3: job text, uuid blob, folded text, external_id text, version int, due int, lane int,
                      attempts int, last_code int, link_guid blob, link_confirmed int, link_controller text,
                      link_usn int, record long, pending long, confirmed long, refused long, data blob,
                      display_name text, cause int, made_from int)
                  " r join job j on j.name = r.job and j.tenant + 0 = $2 where r.made_from is null \
                      or r.made_from = (select p.version from person p where p.uuid = r.uuid) \
                  on conflict (uuid) do update set external_id = excluded.external_id, version = excluded.version, \
                      due = excluded.due, lane = excluded.lane, attempts = excluded.attempts, \
                      last_code = excluded.last_code, record = excluded.record, pending = excluded.pending, \
                      cause = excluded.cause, \
                      data = excluded.data, display_name = excluded.display_name, quiet = null \
                  where person.version < excluded.version"),
            args![rows, tenant, longs],
        )
        .await?;
    if usize::try_from(stored) == Ok(persons.len()) {
        return Ok(());
    }
    Err(Error::Inconsistent {
        table: "person",
        column: "version",
        row: format!("one of {}", persons.len()),
        why: "it changed since this merge read it, or its job is unknown".to_owned(),
    })
}

pub(super) async fn record(db: &Db, lease: &Lease, batch: &RecordBatch, now: Timestamp) -> Result<Fenced<()>, Error> {
    let mut tx = db.begin("recording outcomes").await?;
    let tenant = held(&mut tx, lease).await?;
    let mut sums = Sums::default();
    let Some(tenant) = tenant else {
        write_log(&mut tx, lease.tenant, &batch.log, &mut sums).await?;
        sums.write(&mut tx).await?;
        tx.commit().await?;
        return Ok(Fenced::Stale);
    };
    let linked = linked_json(batch)?;
    if !batch.persons.is_empty() || !batch.linked.is_empty() {
        lock_persons(&mut tx, batch.persons.iter().map(|update| update.person.id), &linked).await?;
    }
    write_log(&mut tx, lease.tenant, &batch.log, &mut sums).await?;
    if !batch.persons.is_empty() {
        record_persons(&mut tx, tenant, &batch.persons).await?;
    }
    if !batch.unlinked.is_empty() {
        unlink(&mut tx, tenant, &batch.unlinked).await?;
    }
    super::unique::record(&mut tx, tenant, batch, &linked).await?;
    finish(&mut tx, tenant, &batch.operations, &batch.log, &mut sums).await?;
    sums.write(&mut tx).await?;
    write_waits(&mut tx, tenant, batch).await?;
    if !batch.linked.is_empty() {
        // After the persons, so that one who was put to rest in this very batch is woken too.
        tx.run(
            sql!("update person set due = $2 where (due is null or due > $2) and tenant = $3 and id in ( \
                      select w.person from " (rows 1: job text, v text)
                  " r join job j on j.name = r.job" (each waiting as w, "w.job = j.id and w.manager = r.v") ")"),
            args![linked, now, tenant],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(Fenced::Done(()))
}

/// Links persons to accounts, or breaks their links. Where the link was broken since the outcome's version, the outcome
/// does not bring it back; an account that another person of the job has is not linked again.
///
/// A statement of its own: SQLite writes the index of accounts, whose places are random, for every row whose account
/// an update names, changed or not; hardly any outcome changes one.
async fn link_persons(tx: &mut Transaction<'_>, tenant: i64, rows: &str) -> Result<(), Error> {
    tx.run(
        sql!("update person set link_guid = r.link_guid \
              from (select q.id as number, x.link_guid from "
              (rows 1: uuid blob, version int, link_guid blob)
              " x join person q on q.uuid = x.uuid and q.tenant = $2 \
                left join person o on o.job = q.job and o.link_guid = x.link_guid and o.id <> q.id \
                where q.link_guid is distinct from x.link_guid and o.id is null \
                    and (q.unlinked is null or x.version > q.unlinked)) r \
              where person.id = r.number"),
        args![rows, tenant],
    )
    .await
    .map(|_| ())
}

/// Stores what outcomes change. Where a merge came since the outcome's version, record, pending and due time stay the
/// merge's. What was seen of an account counts where it is the person's. Quiet is only who was left so by the whole of
/// the outcome.
async fn record_persons(tx: &mut Transaction<'_>, tenant: i64, persons: &[PersonUpdate]) -> Result<(), Error> {
    let (rows, longs) = PersonJson::batch(persons, &BTreeMap::new())?;
    link_persons(tx, tenant, &rows).await?;
    tx.run(
        sql!("update person set \
                  external_id = case when r.newest = 1 then r.external_id else person.external_id end, \
                  version = case when r.newest = 1 then r.version else person.version end, \
                  due = case when r.newest = 1 then r.due else person.due end, \
                  lane = case when r.newest = 1 then r.lane else person.lane end, \
                  record = case when r.newest = 1 then r.record else person.record end, \
                  pending = case when r.newest = 1 then r.pending else person.pending end, \
                  look = case when r.newest = 1 then r.look else person.look end, \
                  cause = case when r.newest = 1 then r.cause else person.cause end, \
                  attempts = r.attempts, last_code = r.last_code, refused = r.refused, \
                  link_confirmed = case when r.links = 1 then r.link_confirmed else person.link_confirmed end, \
                  link_controller = case when r.links = 1 then r.link_controller else person.link_controller end, \
                  link_usn = case when r.links = 1 then r.link_usn else person.link_usn end, \
                  confirmed = case when r.links = 1 then r.confirmed else person.confirmed end, \
                  quiet = case when r.newest = 1 and r.links = 1 then r.quiet end \
              from (select q.id as number, x.*, case when q.version > x.version then 0 else 1 end as newest, \
                        case when q.link_guid is not distinct from x.link_guid \
                            and (q.unlinked is null or x.version > q.unlinked) then 1 else 0 end as links from "
              (rows 1, longs 3: uuid blob, external_id text, version int, due int, lane int, attempts int,
                  last_code int, link_guid blob, link_confirmed int, link_controller text,
                  link_usn int, record long, pending long, confirmed long, refused long, quiet int, look int, cause int)
              " x join person q on q.uuid = x.uuid and q.tenant = $2) r \
              where person.id = r.number"),
        args![rows, tenant, longs],
    )
    .await
    .map(|_| ())
}

#[derive(Serialize)]
struct UnlinkedJson {
    person: String,
    version: i64,
}

/// Remembers under which version persons lost their account.
async fn unlink(
    tx: &mut Transaction<'_>,
    tenant: i64,
    unlinked: &[(PersonId, rollcall_model::ids::Version)],
) -> Result<(), Error> {
    let rows: Vec<_> =
        unlinked.iter().map(|(person, version)| UnlinkedJson { person: hex(person.0), version: version.0 }).collect();
    tx.run(
        sql!("update person set unlinked = r.version, quiet = null from (select p.id as number, x.version from "
             (rows 1: person blob, version int) " x join person p on p.uuid = x.person and p.tenant = $2) r \
             where person.id = r.number and person.link_guid is null"),
        args![json(&rows)?, tenant],
    )
    .await
    .map(|_| ())
}

#[derive(Serialize)]
struct FinishedJson {
    id: i64,
    state: i16,
    code: Option<i16>,
    person: Option<String>,
    version: Option<i64>,
    merged_into: Option<i64>,
    log: Option<String>,
    change: Option<String>,
}

/// Moves operations on; those that are final stay as they are. Drops the bodies that nobody needs any more.
async fn finish(
    tx: &mut Transaction<'_>,
    tenant: i64,
    operations: &[FinishedOperation],
    log: &[LogRow],
    sums: &mut Sums,
) -> Result<(), Error> {
    if operations.is_empty() {
        return Ok(());
    }
    // A log row that was stored before under another id is found by its change.
    let changes: HashMap<_, _> = log.iter().map(|row| (row.id, row.change)).collect();
    let rows: Vec<_> = operations
        .iter()
        .map(|operation| FinishedJson {
            id: operation.row,
            state: operation.state.number(),
            code: operation.code.map(rollcall_model::Code::number),
            person: operation.person.map(|id| hex(id.0)),
            version: operation.version.map(|version| version.0),
            merged_into: operation.merged_into,
            log: operation.log.map(|id| hex(id.0)),
            change: operation.log.and_then(|id| changes.get(&id)).map(|id| hex(id.0)),
        })
        .collect();
    let rows = json(&rows)?;
    let moved = tx
        .rows(
            sql!("update operation set state = r.state, code = r.code, person = coalesce(r.number, operation.person), \
                      version = coalesce(r.version, operation.version), \
                      merged_into = coalesce(r.merged_into, operation.merged_into), \
                      log = coalesce((select l.id from log l where l.change = r.change and l.job = operation.job), \
                          (select l.id from log l where l.uuid = r.log), operation.log) \
                  from (select x.id, x.state, x.code, p.id as number, x.version, x.merged_into, x.log, x.change from "
                  (rows 1: id int, state int, code int, person blob, version int, merged_into int, log blob,
                      change blob)
                  " x left join person p on p.uuid = x.person) r \
                  where operation.id = r.id and operation.state < 10 and operation.tenant = $2 \
                  returning operation.job as job, operation.state as state"),
            args![rows, tenant],
        )
        .await?;
    let mut any_final = false;
    for row in &moved {
        let state = row.int("state")?;
        if state >= 10 {
            any_final = true;
            sums.add(row.int("job")?, FINAL_OPERATIONS, state, 0);
        }
    }
    if any_final { drop_bodies(tx, operations.iter().map(|operation| operation.row)).await } else { Ok(()) }
}

/// Drops the bodies of these operations' uploads that have no open operation left.
pub(super) async fn drop_bodies(tx: &mut Transaction<'_>, operations: impl Iterator<Item = i64>) -> Result<(), Error> {
    let uploads: BTreeSet<i64> = operations.map(|operation| operation.div_euclid(OPERATIONS_PER_UPLOAD)).collect();
    let uploads = json(&uploads.into_iter().map(|v| One { v }).collect::<Vec<_>>())?;
    if tx.is_postgres() {
        // Of two transactions that end an upload's last operations, the second sees what the first did.
        tx.rows(
            sql!("select b.upload from upload_body b where b.upload in (select r.v from "
                 (rows 1: v int) " r) order by b.upload for update of b"),
            args![uploads.as_str()],
        )
        .await?;
    }
    tx.run(
        sql!("delete from upload_body where upload in (select r.v from " (rows 1: v int) " r) \
              and not exists (select 1 from operation o where o.id >= upload_body.upload * 1024 \
                  and o.id < (upload_body.upload + 1) * 1024 and o.state < 10)"),
        args![uploads],
    )
    .await
    .map(|_| ())
}

#[derive(Serialize)]
struct WaitJson {
    person: String,
    manager: String,
}

async fn write_waits(tx: &mut Transaction<'_>, tenant: i64, batch: &RecordBatch) -> Result<(), Error> {
    if !batch.waits_ended.is_empty() {
        tx.run(
            sql!("delete from waiting where tenant = $2 and person in (select p.id from " (rows 1: v blob)
                 " r join person p on p.uuid = r.v)"),
            args![ids(batch.waits_ended.iter().map(|id| id.0))?, tenant],
        )
        .await?;
    }
    if batch.waits.is_empty() {
        return Ok(());
    }
    let latest: BTreeMap<PersonId, &str> = batch.waits.iter().map(|(id, manager)| (*id, manager.as_str())).collect();
    let rows: Vec<_> =
        latest.into_iter().map(|(id, manager)| WaitJson { person: hex(id.0), manager: key(manager) }).collect();
    tx.run(
        sql!("insert into waiting (person, tenant, job, manager) select p.id, p.tenant, p.job, r.manager from "
             (rows 1: person blob, manager text)
             " r join person p on p.uuid = r.person and p.tenant = $2 where true \
             on conflict (person) do update set manager = excluded.manager"),
        args![json(&rows)?, tenant],
    )
    .await
    .map(|_| ())
}

/// Counters of a batch, by (job, kind, first, second).
#[derive(Default)]
pub(super) struct Sums(BTreeMap<(i64, i64, i64, i64), i64>);

#[derive(Serialize)]
struct SumJson {
    job: i64,
    kind: i64,
    first: i64,
    second: i64,
    n: i64,
}

impl Sums {
    fn add(&mut self, job: i64, kind: i64, first: i64, second: i64) {
        *self.0.entry((job, kind, first, second)).or_default() += 1;
    }

    /// A log row that was really stored.
    pub(super) fn add_change(&mut self, job: i64, action: i64, status: i64) {
        self.add(job, CHANGES, action, status);
    }

    async fn write(self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> =
            self.0.into_iter().map(|((job, kind, first, second), n)| SumJson { job, kind, first, second, n }).collect();
        tx.run(
            sql!("insert into counter (tenant, job, kind, first, second, n) \
                  select j.tenant, j.id, r.kind, r.first, r.second, r.n from "
                 (rows 1: job int, kind int, first int, second int, n int) " r" then
                 "job j on j.id = r.job order by r.job, r.kind, r.first, r.second \
                 on conflict (job, kind, first, second) do update set n = counter.n + excluded.n"),
            args![json(&rows)?],
        )
        .await
        .map(|_| ())
    }
}
