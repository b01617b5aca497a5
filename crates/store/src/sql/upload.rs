//! Reading an upload back.

use std::collections::HashMap;

use rollcall_model::ids::{JobId, LogId, PersonId, ServicePrincipalId, TenantId, UploadId, Version};

use super::intake::OPERATIONS_PER_UPLOAD;
use super::jobs::operation_state;
use super::log::{read_code, read_details};
use super::{Row, SqlStore};
use crate::{Error, OperationRow, Upload};

impl SqlStore {
    pub(super) async fn read_upload(&self, tenant: TenantId, id: UploadId) -> Result<Option<Upload>, Error> {
        let doing = "reading an upload";
        let sql = sql!(
            "select u.id, j.name as job, u.sender, u.received from upload u \
                        join job j on j.id = u.job join tenant t on t.id = u.tenant \
                        where u.uuid = $1 and t.uuid = $2"
        );
        let Some(head) = self.db.row(doing, sql, args![id.0, tenant.0]).await? else { return Ok(None) };
        let number = head.int("id")?;
        let operations = sql!(
            "select o.id, o.bulk_id, coalesce(o.external_id, o.folded) as external_id, o.state, \
                     o.code, o.version, o.merged_into, m.uuid as merged_upload, p.uuid as person, \
                     l.details, l.code as log_code \
                 from operation o"
            (maybe person as p, "p.id = o.person") (maybe log as l, "l.id = o.log")
            (maybe upload as m, "m.id = o.merged_into / 1024")
            "where o.id >= $1 * 1024 and o.id < ($1 + 1) * 1024 order by o.id"
        );
        let rows = self.db.rows(doing, operations, args![number]).await?;
        let mut logs = self.logs_of(number).await?;
        let operations = rows
            .iter()
            .map(|row| {
                let row_number = row.int("id")?;
                read_operation(row, logs.remove(&row_number).unwrap_or_default())
            })
            .collect::<Result<_, Error>>()?;
        Ok(Some(Upload {
            id,
            tenant,
            job: JobId::from_text(&head.text("job")?),
            sender: ServicePrincipalId(head.uuid("sender")?),
            received: head.time("received")?,
            operations,
        }))
    }

    /// Log rows by operation, in the order in which they were stored. Of those that say that nothing was to be done
    /// (code 1; its index leaves them out) only the one that the operation names.
    async fn logs_of(&self, upload: i64) -> Result<HashMap<i64, Vec<LogId>>, Error> {
        let sql = sql!(
            "select o.id as operation, l.id, l.uuid from operation o"
            (each log as l, "l.person = o.person and l.version = o.version and l.code is distinct from 1")
            "where o.id >= $1 * 1024 and o.id < ($1 + 1) * 1024 \
                 union select o.id as operation, l.id, l.uuid from operation o"
            (each log as l, "l.id = o.log")
            "where o.id >= $1 * 1024 and o.id < ($1 + 1) * 1024 order by 1, 2"
        );
        let mut logs: HashMap<i64, Vec<LogId>> = HashMap::new();
        for row in self.db.rows("reading an upload's log rows", sql, args![upload]).await? {
            logs.entry(row.int("operation")?).or_default().push(LogId(row.uuid("uuid")?));
        }
        Ok(logs)
    }
}

/// Index of an operation in its upload.
pub(super) fn index(operation: i64) -> i32 {
    i32::try_from(operation.rem_euclid(OPERATIONS_PER_UPLOAD)).unwrap_or(0)
}

fn read_operation(row: &Row, logs: Vec<LogId>) -> Result<OperationRow, Error> {
    let code = read_code(row, "code")?;
    let details = read_details(row)?;
    // The failure's own sentence, or that of the warning which the code names.
    let reason = details.failure.map(|failure| failure.reason).or_else(|| {
        let named = details.warnings.iter().find(|warning| Some(warning.code) == code);
        named.or(details.warnings.first()).map(|warning| warning.text.clone())
    });
    let merged_into = row.opt_int("merged_into")?.zip(row.opt_uuid("merged_upload")?);
    Ok(OperationRow {
        index: index(row.int("id")?),
        bulk_id: row.opt_text("bulk_id")?,
        external_id: row.opt_text("external_id")?,
        state: operation_state(row, "state")?,
        code,
        reason,
        logs,
        merged_into: merged_into.map(|(operation, upload)| (UploadId(upload), index(operation))),
        person: row.opt_uuid("person")?.map(PersonId),
        version: row.opt_int("version")?.map(Version),
    })
}
