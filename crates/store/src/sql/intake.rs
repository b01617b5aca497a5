//! Accepting uploads.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::fold;
use rollcall_model::ids::{JobId, TenantId, UploadId};
use rollcall_model::operation::Method;
use serde::Serialize;
use uuid::Uuid;

use super::batch::{batch, hex, key};
use super::identity::write_audit;
use super::{Pace, Row, Sql, SqlStore, Transaction, inconsistent};
use crate::{Accepted, Error, Intake, NewUpload, Upload};

/// An operation's id is its upload's id times this, plus its index.
pub(super) const OPERATIONS_PER_UPLOAD: i64 = 1024;

/// Share of a job's free room that this process fills before it counts the open operations again; other processes
/// fill it too.
const ROOM_SHARE: i64 = 8;

pub(super) const URGENT: i64 = 0;
pub(super) const ORDINARY: i64 = 1;

/// 0 comes before 1.
pub(super) fn lane(urgent: bool) -> i64 {
    if urgent { URGENT } else { ORDINARY }
}

pub(super) fn method_number(method: Method) -> i64 {
    match method {
        Method::Post => 0,
        Method::Delete => 1,
    }
}

pub(super) fn method(row: &Row) -> Result<Method, Error> {
    match row.int("method")? {
        0 => Ok(Method::Post),
        1 => Ok(Method::Delete),
        _ => Err(inconsistent("method", "unknown number")),
    }
}

/// The text as sent, where it differs from its folded form.
pub(super) fn as_sent(text: &str, folded: &str) -> Option<String> {
    (text != folded).then(|| text.to_owned())
}

#[derive(Serialize)]
struct OperationJson<'a> {
    at: i64,
    method: i64,
    lane: i64,
    folded: Option<String>,
    external_id: Option<String>,
    bulk_id: Option<&'a str>,
    data: String,
}

fn operations_json(upload: &NewUpload) -> Result<String, Error> {
    let rows: Result<Vec<_>, Error> = upload
        .operations
        .iter()
        .map(|operation| {
            if !(0..OPERATIONS_PER_UPLOAD).contains(&i64::from(operation.index)) {
                return Err(Error::Unstorable(format!("an operation's index {} is out of range", operation.index)));
            }
            let folded = operation.external_id.as_deref().map(|text| key(&fold(text)));
            Ok(OperationJson {
                at: operation.index.into(),
                method: method_number(operation.method),
                lane: lane(operation.urgent || upload.urgent),
                external_id: operation
                    .external_id
                    .as_deref()
                    .zip(folded.as_deref())
                    .and_then(|(text, folded)| as_sent(text, folded)),
                folded,
                bulk_id: operation.bulk_id.as_deref(),
                data: hex(Uuid::from_bytes(operation.data)),
            })
        })
        .collect();
    batch(&rows?)
}

#[async_trait]
impl Intake for SqlStore {
    async fn accept(&self, upload: &NewUpload, waiting_max: i64, keys_since: Timestamp) -> Result<Accepted, Error> {
        let operations = operations_json(upload)?;
        let mut tx = self.db.begin_at("storing an upload", Pace::Shared).await?;
        if let Some(answer) = take_key(&mut tx, upload, keys_since).await? {
            return Ok(answer);
        }
        let room = self.room.take(&upload.job, wanted(upload));
        if room == Taken::Nothing && !self.find_room(&mut tx, upload, waiting_max).await? {
            return Ok(Accepted::Full);
        }
        let stored = tx
            .row(
                sql!(
                    "insert into upload (tenant, uuid, job, sender, received) \
                      select j.tenant, $3, j.id, $4, $5 from job j join tenant t on t.id = j.tenant \
                      where t.uuid = $1 and j.name = $2 returning id"
                ),
                args![upload.tenant.0, upload.job.as_str(), upload.id.0, upload.sender.0, upload.received],
            )
            .await?
            .ok_or_else(|| no_job(&upload.job))?;
        let id = stored.int("id")?;
        if !upload.operations.is_empty() {
            write_operations(&mut tx, upload, id, operations).await?;
        }
        if let Some(audit) = &upload.audit {
            write_audit(&mut tx, upload.tenant, audit).await?;
        }
        tx.commit().await?;
        if room == Taken::AndCountAgain {
            // It is on disk whatever becomes of the count; whoever finds the room used up counts for themselves.
            let counted = self.db.row("counting open operations", OPEN, args![upload.job.as_str()]).await;
            let open = counted.ok().flatten().and_then(|row| row.int("n").ok());
            self.room.counted(&upload.job, open.map(|open| waiting_max.saturating_sub(open)));
        }
        Ok(Accepted::New)
    }

    async fn upload(&self, tenant: TenantId, id: UploadId) -> Result<Option<Upload>, Error> {
        self.read_upload(tenant, id).await
    }
}

fn no_job(job: &JobId) -> Error {
    Error::Inconsistent { table: "job", column: "name", row: job.to_string(), why: "there is no such job".to_owned() }
}

/// Claims the idempotency key; an answer where it was claimed before.
async fn take_key(
    tx: &mut Transaction<'_>,
    upload: &NewUpload,
    keys_since: Timestamp,
) -> Result<Option<Accepted>, Error> {
    let Some((key, sha256)) = &upload.idempotency else { return Ok(None) };
    let claimed = tx
        .run(
            sql!(
                "insert into idempotency (tenant, job, sender, key, sha256, upload, at) \
                  select j.tenant, j.id, $3, $4, $5, $6, $7 from job j join tenant t on t.id = j.tenant \
                  where t.uuid = $1 and j.name = $2 \
                  on conflict (job, sender, key) do update set \
                      sha256 = excluded.sha256, upload = excluded.upload, at = excluded.at \
                  where idempotency.at < $8"
            ),
            args![
                upload.tenant.0,
                upload.job.as_str(),
                upload.sender.0,
                key.as_str(),
                sha256.as_slice(),
                upload.id.0,
                upload.received,
                keys_since,
            ],
        )
        .await?;
    if claimed > 0 {
        return Ok(None);
    }
    let row = tx
        .row(
            sql!(
                "select i.sha256, i.upload from idempotency i join job j on j.id = i.job \
                  where j.name = $1 and i.sender = $2 and i.key = $3"
            ),
            args![upload.job.as_str(), upload.sender.0, key.as_str()],
        )
        .await?
        .ok_or_else(|| no_job(&upload.job))?;
    let same = row.sha256("sha256")? == *sha256;
    Ok(Some(if same { Accepted::Replay(UploadId(row.uuid("upload")?)) } else { Accepted::KeyReused }))
}

async fn write_operations(
    tx: &mut Transaction<'_>,
    upload: &NewUpload,
    id: i64,
    operations: String,
) -> Result<(), Error> {
    tx.run(
        sql!("insert into upload_body (upload, tenant, bytes) select id, tenant, $2 from upload where id = $1"),
        args![id, upload.body.as_slice()],
    )
    .await?;
    tx.run(
        sql!("insert into operation (id, tenant, job, method, lane, state, folded, external_id, bulk_id, \
                  data) \
              select $1 * 1024 + r.at, u.tenant, u.job, r.method, r.lane, 0, r.folded, r.external_id, r.bulk_id, \
                  r.data from "
              (rows 2: at int, method int, lane int, folded text, external_id text, bulk_id text,
                  data blob)
              " r cross join upload u where u.id = $1"),
        args![id, operations],
    )
    .await?;
    if upload.urgent || upload.operations.iter().any(|operation| operation.urgent) {
        // Older operations of the same people come along, so that none is overtaken.
        tx.run(
            sql!(
                "update operation set lane = 0 where id in ( \
                      select older.id from operation urgent \
                      join operation older on older.job = urgent.job and older.folded = urgent.folded \
                      where urgent.id >= $1 * 1024 and urgent.id < ($1 + 1) * 1024 and urgent.lane = 0 \
                      and older.state = 0 and older.lane > 0 and older.id < urgent.id)"
            ),
            args![id],
        )
        .await?;
    }
    Ok(())
}

/// Operations of a job that have no final state.
const OPEN: Sql = sql!(
    "select (select count(*) from operation o where o.job = j.id and o.state = 0) \
          + (select count(*) from operation o where o.job = j.id and o.state > 0 and o.state < 10) as n \
      from job j where j.name = $1"
);

fn wanted(upload: &NewUpload) -> i64 {
    i64::try_from(upload.operations.len()).unwrap_or(i64::MAX)
}

impl SqlStore {
    /// Counts the job's open operations, in line behind everybody else who found the room used up: where the first of
    /// them finds some, the others need not count.
    async fn find_room(&self, tx: &mut Transaction<'_>, upload: &NewUpload, waiting_max: i64) -> Result<bool, Error> {
        let _turn = self.room.turn.lock().await;
        let wanted = wanted(upload);
        if self.room.take(&upload.job, wanted) != Taken::Nothing {
            return Ok(true);
        }
        let row = tx.row(OPEN, args![upload.job.as_str()]).await?.ok_or_else(|| no_job(&upload.job))?;
        let free = waiting_max.saturating_sub(row.int("n")?);
        if free < wanted {
            return Ok(false);
        }
        self.room.counted(&upload.job, Some(free - wanted));
        Ok(true)
    }
}

/// How many more operations of each job this process may accept before it counts the open ones again: counting
/// millions of rows at every request would be what limits intake.
#[derive(Debug, Default)]
pub(crate) struct Room {
    jobs: Mutex<HashMap<JobId, Share>>,
    /// One request counts at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Share {
    granted: i64,
    left: i64,
    is_counting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Nothing,
    Room,
    /// Half of the share is gone: who took this counts again, while others take from the other half.
    AndCountAgain,
}

impl Room {
    fn take(&self, job: &JobId, wanted: i64) -> Taken {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(share) = jobs.get_mut(job).filter(|share| share.left >= wanted) else { return Taken::Nothing };
        share.left -= wanted;
        if share.is_counting || share.left > share.granted / 2 {
            return Taken::Room;
        }
        share.is_counting = true;
        Taken::AndCountAgain
    }

    /// What a count found free; `None` where it failed.
    fn counted(&self, job: &JobId, free: Option<i64>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match free {
            Some(free) => {
                let granted = free / ROOM_SHARE;
                jobs.insert(job.clone(), Share { granted, left: granted, is_counting: false });
            }
            None => {
                jobs.remove(job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_counts_again_when_half_is_gone() {
        let (room, job) = (Room::default(), JobId::from_text("a"));
        assert_eq!(room.take(&job, 1), Taken::Nothing);
        room.counted(&job, Some(10 * ROOM_SHARE));
        let taken = [4, 1, 1, 5, 4].map(|wanted| room.take(&job, wanted));
        assert_eq!(taken, [Taken::Room, Taken::AndCountAgain, Taken::Room, Taken::Nothing, Taken::Room]);
        room.counted(&job, Some(10 * ROOM_SHARE));
        assert_eq!(room.take(&job, 5), Taken::AndCountAgain);
        room.counted(&job, None);
        assert_eq!(room.take(&job, 1), Taken::Nothing);
    }
}
