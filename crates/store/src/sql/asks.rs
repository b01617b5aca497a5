//! Questions that another node answers.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::TenantId;
use uuid::Uuid;

use super::{Row, SqlStore};
use crate::{Ask, Asks, Error, Lease};

/// Taken at once; the rest with the next look.
const TAKEN_AT_ONCE_MAX: i64 = 16;

fn read(row: &Row) -> Result<Ask, Error> {
    Ok(Ask { id: row.uuid("uuid")?, at: row.time("at")?, question: row.blob("question")? })
}

#[async_trait]
impl Asks for SqlStore {
    async fn put_ask(
        &self,
        tenant: TenantId,
        domain: &str,
        ask: &Ask,
        waiting_max: i64,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.db.begin("storing a question").await?;
        tx.run(sql!("delete from ask where at < $1"), args![since]).await?;
        let domain = domain.to_lowercase();
        let stored = tx
            .run(
                sql!(
                    "insert into ask (tenant, uuid, domain, at, question) select t.id, $2, $3, $4, $5 from tenant t \
                     where t.uuid = $1 \
                         and (select count(*) from ask a where a.tenant = t.id and a.domain = $3 and a.taken = 0) < $6"
                ),
                args![tenant.0, ask.id, domain.as_str(), ask.at, ask.question.as_slice(), waiting_max],
            )
            .await?;
        tx.commit().await?;
        Ok(stored == 1)
    }

    async fn take_asks(&self, lease: &Lease, since: Timestamp) -> Result<Vec<Ask>, Error> {
        let domain = lease.domain.to_lowercase();
        let waiting = sql!(
            "select a.uuid from ask a join tenant t on t.id = a.tenant where t.uuid = $1 and a.domain = $2 \
             and a.taken = 0 and a.at >= $3 limit 1"
        );
        // Looked for often, and seldom there: a read before any write.
        if self.db.row("looking for questions", waiting, args![lease.tenant.0, domain.as_str(), since]).await?.is_none()
        {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin("taking questions").await?;
        let rows = tx
            .rows(
                sql!(
                    "update ask set taken = 1 where taken = 0 and id in (select a.id from ask a \
                         join tenant t on t.id = a.tenant join lease l on l.tenant = t.id and l.domain = a.domain \
                         where t.uuid = $1 and a.domain = $2 and l.epoch = $3 and a.taken = 0 and a.at >= $4 \
                         order by a.id limit $5) returning uuid, at, question"
                ),
                args![lease.tenant.0, domain.as_str(), lease.epoch.0, since, TAKEN_AT_ONCE_MAX],
            )
            .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }

    async fn answer_ask(&self, id: Uuid, answer: &[u8]) -> Result<(), Error> {
        let mut tx = self.db.begin("storing an answer").await?;
        tx.run(sql!("update ask set answer = $2 where uuid = $1"), args![id, answer]).await?;
        tx.commit().await
    }

    async fn ask_answer(&self, id: Uuid) -> Result<Option<Vec<u8>>, Error> {
        let row =
            self.db.row("looking for an answer", sql!("select answer from ask where uuid = $1"), args![id]).await?;
        row.map_or(Ok(None), |row| row.opt_blob("answer"))
    }

    async fn drop_ask(&self, id: Uuid) -> Result<(), Error> {
        let mut tx = self.db.begin("dropping a question").await?;
        tx.run(sql!("delete from ask where uuid = $1"), args![id]).await?;
        tx.commit().await
    }
}
