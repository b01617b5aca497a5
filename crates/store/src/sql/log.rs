//! The provisioning log: rows in, pages out.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rollcall_model::Code;
use rollcall_model::ids::{ChangeId, JobId, LogId, ObjectGuid, PersonId, TenantId, Version};
use rollcall_model::plan::Action;
use serde::Serialize;

use super::batch::{Longs, Place, batch, hex, ids, shown};
use super::filter::Filter;
use super::outcome::Sums;
use super::{Row, SqlStore, Transaction, inconsistent};
use crate::log::LogDetails;
use crate::{Error, LogFilter, LogOrder, LogQuery, LogRow, LogStatus, Logs};

#[derive(Serialize)]
struct LogJson {
    n: usize,
    uuid: String,
    job: String,
    change: String,
    cycle: String,
    at: i64,
    duration_ms: i64,
    action: i16,
    status: i16,
    code: Option<i16>,
    person: Option<String>,
    version: Option<i64>,
    external_id: String,
    source_name: Option<String>,
    guid: Option<String>,
    target_name: Option<String>,
    details: Option<Place>,
}

fn log_json(n: usize, row: &LogRow, longs: &mut Longs) -> Result<LogJson, Error> {
    Ok(LogJson {
        n,
        uuid: hex(row.id.0),
        job: row.job.to_string(),
        change: hex(row.change.0),
        cycle: hex(row.cycle),
        at: row.at.0,
        duration_ms: row.duration_ms,
        action: row.action.number(),
        status: row.status.number(),
        code: row.code.map(Code::number),
        person: row.person.map(|id| hex(id.0)),
        version: row.version.map(|version| version.0),
        external_id: shown(&row.external_id),
        source_name: row.source_name.as_deref().map(shown),
        guid: row.guid.map(|guid| hex(guid.0)),
        target_name: row.target_name.as_deref().map(shown),
        details: (row.details != LogDetails::default()).then(|| longs.push(&row.details)).transpose()?,
    })
}

/// Stores rows whose change is not stored yet, in their order, and counts those. In names that are only shown, NUL
/// becomes the replacement character.
pub(super) async fn write_log(
    tx: &mut Transaction<'_>,
    tenant: TenantId,
    log: &[LogRow],
    sums: &mut Sums,
) -> Result<(), Error> {
    if log.is_empty() {
        return Ok(());
    }
    let mut longs = Longs::default();
    let rows = log.iter().enumerate().map(|(n, row)| log_json(n, row, &mut longs)).collect::<Result<Vec<_>, _>>()?;
    let cycles: BTreeSet<_> = log.iter().map(|row| row.cycle).collect();
    tx.run(
        sql!("insert into cycle (tenant, uuid) select t.id, r.v from " (rows 2: v blob)
             " r cross join tenant t where t.uuid = $1 on conflict (uuid) do nothing"),
        args![tenant.0, ids(cycles)?],
    )
    .await?;
    // An unknown job leaves its column empty, which the table refuses: no row is lost in silence.
    let stored = tx
        .rows(
            sql!("insert into log (tenant, uuid, job, change, cycle, at, duration_ms, action, status, code, person, \
                      version, external_id, source_name, guid, target_name, details) \
                  select j.tenant, r.uuid, j.id, r.change, c.id, r.at, r.duration_ms, r.action, r.status, r.code, \
                      p.id, r.version, r.external_id, r.source_name, r.guid, r.target_name, r.details from "
                  (rows 1, longs 2: n int, uuid blob, job text, change blob, cycle blob, at int, duration_ms int,
                      action int, status int, code int, person blob, version int, external_id text, source_name text,
                      guid blob, target_name text, details long)
                  " r left join job j on j.name = r.job left join cycle c on c.uuid = r.cycle \
                  left join person p on p.uuid = r.person where true order by r.n \
                  on conflict do nothing returning job, action, status"),
            args![batch(&rows)?, longs],
        )
        .await?;
    for row in &stored {
        sums.add_change(row.int("job")?, row.int("action")?, row.int("status")?);
    }
    Ok(())
}

pub(super) fn read_code(row: &Row, column: &'static str) -> Result<Option<Code>, Error> {
    let Some(number) = row.opt_int(column)? else { return Ok(None) };
    i16::try_from(number)
        .ok()
        .and_then(Code::from_number)
        .map(Some)
        .ok_or_else(|| inconsistent(column, "unknown number of a code"))
}

pub(super) fn read_details(row: &Row) -> Result<LogDetails, Error> {
    match row.opt_text("details")? {
        None => Ok(LogDetails::default()),
        Some(text) => serde_json::from_str(&text).map_err(|error| inconsistent("details", &error.to_string())),
    }
}

fn read_row(row: &Row) -> Result<LogRow, Error> {
    let action = Action::from_number(row.small("action")?);
    let status = LogStatus::from_number(row.small("status")?);
    Ok(LogRow {
        id: LogId(row.uuid("uuid")?),
        tenant: TenantId(row.uuid("tenant_uuid")?),
        job: JobId::from_text(&row.text("job_name")?),
        change: ChangeId(row.uuid("change")?),
        cycle: row.uuid("cycle_uuid")?,
        at: row.time("at")?,
        duration_ms: row.int("duration_ms")?,
        action: action.ok_or_else(|| inconsistent("action", "unknown number"))?,
        status: status.ok_or_else(|| inconsistent("status", "unknown number"))?,
        code: read_code(row, "code")?,
        person: row.opt_uuid("person_uuid")?.map(PersonId),
        version: row.opt_int("version")?.map(Version),
        external_id: row.text("external_id")?,
        source_name: row.opt_text("source_name")?,
        guid: row.opt_uuid("guid")?.map(ObjectGuid),
        target_name: row.opt_text("target_name")?,
        details: read_details(row)?,
    })
}

/// Left joins, so that the log's own index on time decides the order in which rows are read.
const SELECT: &str = "select l.uuid, t.uuid as tenant_uuid, j.name as job_name, l.change, c.uuid as cycle_uuid, l.at, \
     l.duration_ms, l.action, l.status, l.code, p.uuid as person_uuid, l.version, l.external_id, l.source_name, l.guid, \
     l.target_name, l.details from log l left join tenant t on t.id = l.tenant left join job j on j.id = l.job \
     left join cycle c on c.id = l.cycle left join person p on p.id = l.person \
     where l.tenant = (select id from tenant where uuid = $1)";

#[async_trait]
impl Logs for SqlStore {
    async fn log(&self, query: &LogQuery) -> Result<Vec<LogRow>, Error> {
        let mut filter = Filter::new(&self.db.pool, args![query.tenant.0]);
        let wanted = match &query.filter {
            Some(wanted) => filter.render(wanted)?,
            None => filter.render(&LogFilter::Constant(true))?,
        };
        let (beyond, direction) = match query.order {
            LogOrder::NewestFirst => ("<", "desc"),
            LogOrder::OldestFirst => (">", "asc"),
        };
        let after = match query.after {
            Some((at, id)) => {
                let (at, id) = (filter.bind(at), filter.bind(id.0));
                format!("and l.at {beyond}= {at} and (l.at {beyond} {at} or l.uuid {beyond} {id})")
            }
            None => String::new(),
        };
        let limit = filter.bind(query.limit);
        let text = format!("{SELECT} and {wanted} {after} order by l.at {direction}, l.uuid {direction} limit {limit}");
        let rows = self.db.rows_of_built("searching the log", text, filter.args).await?;
        rows.iter().map(read_row).collect()
    }
}
