//! Operations that found everything as it should be: one narrow log row each, and no person is touched.

use serde::Serialize;
use uuid::Uuid;

use rollcall_model::Code;
use rollcall_model::operation::OperationState;
use rollcall_model::plan::Action;

use super::batch::{batch as json, id_rows, ids, shown};
use super::jobs::{CHANGES, FINAL_OPERATIONS};
use super::outcome::{drop_bodies, held};
use super::{Db, Transaction};
use crate::{Error, Fenced, Lease, LogStatus, UnchangedBatch, UnchangedRow};

/// Its ids travel beside it ([`ids_of`]).
#[derive(Serialize)]
struct UnchangedJson {
    id: i64,
    version: i64,
    external_id: String,
    source_name: Option<String>,
    target_name: Option<String>,
}

#[derive(Serialize)]
struct SumJson {
    kind: i64,
    first: i64,
    second: i64,
    n: i64,
}

pub(super) async fn settle(db: &Db, lease: &Lease, batch: &UnchangedBatch) -> Result<Fenced<i64>, Error> {
    let (rows, row_ids) = (rows(batch)?, ids_of(batch));
    let mut tx = db.begin("settling unchanged records").await?;
    let Some(tenant) = held(&mut tx, lease).await? else { return Ok(Fenced::Stale) };
    tx.run(
        sql!("insert into cycle (tenant, uuid) select $1, r.v from " (rows 2: v blob)
             " r where true on conflict (uuid) do nothing"),
        args![tenant, ids([batch.cycle])?],
    )
    .await?;
    let logged = write_rows(&mut tx, tenant, batch, (&rows, &row_ids)).await?;
    // Those whose row was stored, now or before.
    let settled = tx
        .run(
            sql!("update operation set state = $2, code = $3, person = r.person, version = r.version, log = r.log \
                  from (select x.id, l.person, l.version, l.id as log from " (rows 1, ids 5: id int, log id0) " x" then
                  "log l on l.uuid = x.log) r \
                  where operation.id = r.id and operation.state < 10 and operation.tenant = $4"),
            args![rows, OperationState::Skipped.number(), Code::RedundantExport.number(), tenant, row_ids],
        )
        .await?;
    if logged > 0 || settled > 0 {
        count(&mut tx, tenant, batch, (logged, settled)).await?;
        drop_bodies(&mut tx, batch.rows.iter().map(|row| row.operation)).await?;
    }
    tx.commit().await?;
    Ok(Fenced::Done(settled))
}

fn rows(batch: &UnchangedBatch) -> Result<String, Error> {
    let rows: Vec<_> = batch
        .rows
        .iter()
        .map(|row| UnchangedJson {
            id: row.operation,
            version: row.version.0,
            external_id: shown(&row.external_id),
            source_name: row.source_name.as_deref().map(shown),
            target_name: row.target_name.as_deref().map(shown),
        })
        .collect();
    json(&rows)
}

/// Log row, change, person and, nil where there is none, account.
fn ids_of(batch: &UnchangedBatch) -> Vec<u8> {
    let guid = |row: &UnchangedRow| row.guid.map_or(Uuid::nil(), |guid| guid.0);
    id_rows(batch.rows.iter().map(|row| [row.log.0, row.change.0, row.person.0, guid(row)]))
}

/// One row for each operation that is still open; their number. Of persons only the index on their ids is read.
async fn write_rows(
    tx: &mut Transaction<'_>,
    tenant: i64,
    batch: &UnchangedBatch,
    (rows, row_ids): (&str, &[u8]),
) -> Result<i64, Error> {
    tx.run(
        sql!("insert into log (tenant, uuid, job, change, cycle, at, duration_ms, action, status, code, person, \
                  version, external_id, source_name, guid, target_name) \
              select o.tenant, r.log, o.job, r.change, (select c.id from cycle c where c.uuid = $4), $5, 0, $6, $7, \
                  $8, p.id, r.version, r.external_id, r.source_name, r.guid, r.target_name from "
              (rows 1, ids 9: id int, log id0, change id1, person id2, version int, external_id text,
                  source_name text, guid id3, target_name text)
              " r" (each operation as o, "o.id = r.id and o.state < 10 and o.tenant = $2 \
                  and o.job = (select j.id from job j where j.name = $3)") then
              "person p on p.uuid = r.person where true on conflict do nothing"),
        args![
            rows,
            tenant,
            batch.job.as_str(),
            batch.cycle,
            batch.at,
            Action::Other.number(),
            LogStatus::Skipped.number(),
            Code::RedundantExport.number(),
            row_ids,
        ],
    )
    .await
}

async fn count(
    tx: &mut Transaction<'_>,
    tenant: i64,
    batch: &UnchangedBatch,
    (logged, settled): (i64, i64),
) -> Result<(), Error> {
    let (action, status) = (Action::Other.number(), LogStatus::Skipped.number());
    let changes = SumJson { kind: CHANGES, first: action.into(), second: status.into(), n: logged };
    let skipped = OperationState::Skipped.number();
    let finished = SumJson { kind: FINAL_OPERATIONS, first: skipped.into(), second: 0, n: settled };
    tx.run(
        sql!("insert into counter (tenant, job, kind, first, second, n) \
              select j.tenant, j.id, r.kind, r.first, r.second, r.n from "
             (rows 1: kind int, first int, second int, n int)
             " r" then "job j on j.name = $2 and j.tenant + 0 = $3 where r.n > 0 order by r.kind \
             on conflict (job, kind, first, second) do update set n = counter.n + excluded.n"),
        args![json(&[changes, finished])?, batch.job.as_str(), tenant],
    )
    .await
    .map(|_| ())
}
