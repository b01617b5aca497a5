//! Agents and leases.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};

use super::identity::write_audit;
use super::{Arg, Row, Sql, SqlStore};
use crate::{Agent, Agents, Audit, ControllerBefore, Draining, Error, Fenced, Lease, LeaseHolder, NewEnrolment};

fn read_agent(row: &Row) -> Result<Agent, Error> {
    Ok(Agent {
        id: AgentId(row.uuid("uuid")?),
        tenant: TenantId(row.uuid("tenant_uuid")?),
        name: row.text("name")?,
        domain: row.text("domain")?,
        public_key: row.blob("public_key")?,
        enrolled: row.time("enrolled")?,
        last_seen: row.opt_time("last_seen")?,
        node: row.opt_uuid("node")?.map(NodeId),
        controller: row.opt_text("controller")?,
        trouble: row.opt_text("trouble")?,
        version: row.opt_text("version")?,
        draining: if row.int("draining")? == 0 { Draining::No } else { Draining::Yes },
        log_filter: row.opt_text("log_filter")?,
        rotate_key_wanted: row.opt_time("rotate_key_wanted")?,
        new_public_key: row.opt_blob("new_public_key")?,
    })
}

fn read_holder(tenant: TenantId, domain: &str, row: &Row) -> Result<LeaseHolder, Error> {
    Ok(LeaseHolder {
        lease: Lease { tenant, domain: domain.to_owned(), epoch: Epoch(row.int("epoch")?) },
        node: NodeId(row.uuid("node")?),
        agent: AgentId(row.uuid("agent")?),
        agent_since: Epoch(row.int("agent_since")?),
        writing_controller: row.opt_text("controller")?,
        until: row.time("until")?,
        before: read_before(row)?,
    })
}

fn read_before(row: &Row) -> Result<Option<ControllerBefore>, Error> {
    let Some(controller) = row.opt_text("controller_before")? else { return Ok(None) };
    Ok(Some(ControllerBefore { controller, usn: row.opt_int("usn_before")?, until: row.time("before_until")? }))
}

impl SqlStore {
    /// One statement on one agent, whose tenant it returns, and the audit of it; whether there was such an agent.
    async fn change_agent(&self, doing: &'static str, sql: Sql, args: Vec<Arg>, audit: &Audit) -> Result<bool, Error> {
        let mut tx = self.db.begin(doing).await?;
        let Some(agent) = tx.row(sql, args).await? else { return Ok(false) };
        let tenant = tx.row(sql!("select uuid from tenant where id = $1"), args![agent.int("tenant")?]).await?;
        if let Some(tenant) = tenant {
            write_audit(&mut tx, TenantId(tenant.uuid("uuid")?), audit).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

#[async_trait]
impl Agents for SqlStore {
    async fn create_enrolment(&self, new: &NewEnrolment, audit: &Audit) -> Result<(), Error> {
        let mut tx = self.db.begin("storing an enrolment token").await?;
        tx.run(
            sql!(
                "insert into enrolment (tenant, token_sha256, domain, expires) \
                  select id, $2, $3, $4 from tenant where uuid = $1"
            ),
            args![new.tenant.0, new.token_sha256.as_slice(), new.domain.to_lowercase(), new.expires],
        )
        .await?;
        write_audit(&mut tx, new.tenant, audit).await?;
        tx.commit().await
    }

    async fn enroll(&self, token_sha256: &[u8; 32], agent: &Agent, audit: &Audit) -> Result<Option<String>, Error> {
        let mut tx = self.db.begin("enrolling an agent").await?;
        let used = tx
            .row(
                sql!(
                    "update enrolment set used = $2 where token_sha256 = $1 and used is null and expires > $2 \
                      returning tenant, domain"
                ),
                args![token_sha256.as_slice(), agent.enrolled],
            )
            .await?;
        let Some(used) = used else { return Ok(None) };
        let domain = used.text("domain")?;
        tx.run(
            sql!(
                "insert into agent (tenant, uuid, name, domain, public_key, enrolled, last_seen, node, controller, \
                      trouble) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
            ),
            args![
                used.int("tenant")?,
                agent.id.0,
                agent.name.as_str(),
                domain.as_str(),
                agent.public_key.as_slice(),
                agent.enrolled,
                agent.last_seen.map(|time| time.0),
                agent.node.map(|node| node.0),
                agent.controller.as_deref(),
                agent.trouble.as_deref(),
            ],
        )
        .await?;
        let tenant = tx.row(sql!("select uuid from tenant where id = $1"), args![used.int("tenant")?]).await?;
        if let Some(tenant) = tenant {
            write_audit(&mut tx, TenantId(tenant.uuid("uuid")?), audit).await?;
        }
        tx.commit().await?;
        Ok(Some(domain))
    }

    async fn agent(&self, id: AgentId) -> Result<Option<Agent>, Error> {
        let sql = sql!(
            "select a.*, t.uuid as tenant_uuid from agent a join tenant t on t.id = a.tenant \
                        where a.uuid = $1"
        );
        self.db.row("reading an agent", sql, args![id.0]).await?.as_ref().map(read_agent).transpose()
    }

    async fn agents(&self, tenant: TenantId) -> Result<Vec<Agent>, Error> {
        let sql = sql!(
            "select a.*, t.uuid as tenant_uuid from agent a join tenant t on t.id = a.tenant \
                        where t.uuid = $1 order by a.enrolled, a.id"
        );
        self.db.rows("reading the agents", sql, args![tenant.0]).await?.iter().map(read_agent).collect()
    }

    async fn note_agent(
        &self,
        id: AgentId,
        node: Option<NodeId>,
        seen: Timestamp,
        controller: Option<&str>,
        trouble: Option<&str>,
    ) -> Result<(), Error> {
        let mut tx = self.db.begin("noting an agent").await?;
        tx.run(
            sql!(
                "update agent set node = $2, last_seen = $3, controller = coalesce($4, controller), trouble = $5 \
                  where uuid = $1"
            ),
            args![id.0, node.map(|node| node.0), seen, controller, trouble],
        )
        .await?;
        tx.commit().await
    }

    async fn note_agent_version(&self, id: AgentId, version: &str) -> Result<(), Error> {
        let mut tx = self.db.begin("noting an agent's version").await?;
        tx.run(sql!("update agent set version = $2 where uuid = $1"), args![id.0, version]).await?;
        tx.commit().await
    }

    async fn set_agent_draining(
        &self,
        tenant: TenantId,
        agent: AgentId,
        draining: Draining,
        audit: &Audit,
    ) -> Result<bool, Error> {
        let sql = sql!(
            "update agent set draining = $3 where uuid = $2 and tenant = (select id from tenant where uuid = $1) \
              returning tenant"
        );
        let args = args![tenant.0, agent.0, i64::from(draining == Draining::Yes)];
        self.change_agent("draining an agent", sql, args, audit).await
    }

    async fn set_agent_log_filter(
        &self,
        tenant: TenantId,
        agent: AgentId,
        filter: Option<&str>,
        audit: &Audit,
    ) -> Result<bool, Error> {
        let sql = sql!(
            "update agent set log_filter = $3 where uuid = $2 and tenant = (select id from tenant where uuid = $1) \
              returning tenant"
        );
        self.change_agent("setting an agent's log level", sql, args![tenant.0, agent.0, filter], audit).await
    }

    async fn want_agent_key(
        &self,
        tenant: TenantId,
        agent: AgentId,
        now: Timestamp,
        audit: &Audit,
    ) -> Result<bool, Error> {
        let sql = sql!(
            "update agent set rotate_key_wanted = coalesce(rotate_key_wanted, $3) where uuid = $2 \
              and tenant = (select id from tenant where uuid = $1) returning tenant"
        );
        self.change_agent("wishing for an agent's key", sql, args![tenant.0, agent.0, now], audit).await
    }

    async fn add_agent_key(&self, agent: AgentId, public_key: &[u8], audit: &Audit) -> Result<bool, Error> {
        let sql = sql!(
            "update agent set new_public_key = $2, rotate_key_wanted = null where uuid = $1 and public_key <> $2 \
              returning tenant"
        );
        self.change_agent("storing an agent's new key", sql, args![agent.0, public_key], audit).await
    }

    async fn promote_agent_key(&self, agent: AgentId, public_key: &[u8], audit: &Audit) -> Result<bool, Error> {
        let sql = sql!(
            "update agent set public_key = new_public_key, new_public_key = null where uuid = $1 \
              and new_public_key = $2 returning tenant"
        );
        self.change_agent("taking an agent's new key", sql, args![agent.0, public_key], audit).await
    }

    async fn acquire_lease(
        &self,
        tenant: TenantId,
        domain: &str,
        node: NodeId,
        agent: AgentId,
        controller: Option<&str>,
        now: Timestamp,
        lease_ms: i64,
        grace_ms: i64,
    ) -> Result<Option<LeaseHolder>, Error> {
        let domain = domain.to_lowercase();
        let mut tx = self.db.begin("taking a lease").await?;
        let row = tx
            .row(
                sql!(
                    "insert into lease (tenant, domain, epoch, node, agent, controller, until, released) \
                      select id, $2, 1, $3, $4, $5, $6, 0 from tenant where uuid = $1 \
                      on conflict (tenant, domain) do update set epoch = lease.epoch + 1, node = excluded.node, \
                          agent_since = case when lease.agent = excluded.agent then lease.agent_since \
                              else lease.epoch + 1 end, \
                          agent = excluded.agent, controller = coalesce(lease.controller, excluded.controller), \
                          until = excluded.until, released = 0 \
                      where lease.released = 1 or lease.until < $7 \
                          or (lease.node = excluded.node and lease.agent = excluded.agent) \
                      returning epoch, node, agent, agent_since, controller, until, controller_before, usn_before, before_until"
                ),
                args![
                    tenant.0,
                    domain.as_str(),
                    node.0,
                    agent.0,
                    controller,
                    now.plus_ms(lease_ms),
                    now.plus_ms(grace_ms.saturating_neg()),
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let holder = read_holder(tenant, &domain, &row)?;
        tx.commit().await?;
        Ok(Some(holder))
    }

    async fn renew_lease(&self, lease: &Lease, now: Timestamp, lease_ms: i64) -> Result<bool, Error> {
        let mut tx = self.db.begin("renewing a lease").await?;
        let renewed = tx
            .run(
                sql!(
                    "update lease set until = $5 where domain = $2 and epoch = $3 and until >= $4 and released = 0 \
                      and tenant = (select id from tenant where uuid = $1)"
                ),
                args![lease.tenant.0, lease.domain.to_lowercase(), lease.epoch.0, now, now.plus_ms(lease_ms)],
            )
            .await?;
        tx.commit().await?;
        Ok(renewed == 1)
    }

    async fn switch_controller(&self, lease: &Lease, to: &str, before: &ControllerBefore) -> Result<Fenced<()>, Error> {
        let mut tx = self.db.begin("naming another writing controller").await?;
        let named = tx
            .run(
                sql!(
                    "update lease set controller = $4, controller_before = $5, usn_before = $6, before_until = $7 \
                      where domain = $2 and epoch = $3 and tenant = (select id from tenant where uuid = $1)"
                ),
                args![
                    lease.tenant.0,
                    lease.domain.to_lowercase(),
                    lease.epoch.0,
                    to,
                    before.controller.as_str(),
                    before.usn,
                    before.until,
                ],
            )
            .await?;
        tx.commit().await?;
        Ok(if named == 1 { Fenced::Done(()) } else { Fenced::Stale })
    }

    async fn release_lease(&self, lease: &Lease, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.db.begin("giving up a lease").await?;
        tx.run(
            sql!(
                "update lease set released = 1, until = $4 where domain = $2 and epoch = $3 \
                  and tenant = (select id from tenant where uuid = $1)"
            ),
            args![lease.tenant.0, lease.domain.to_lowercase(), lease.epoch.0, now],
        )
        .await?;
        tx.commit().await
    }

    async fn lease(&self, tenant: TenantId, domain: &str) -> Result<Option<LeaseHolder>, Error> {
        let domain = domain.to_lowercase();
        let sql = sql!(
            "select l.epoch, l.node, l.agent, l.agent_since, l.controller, l.until, l.controller_before, \
                        l.usn_before, l.before_until from lease l \
                        join tenant t on t.id = l.tenant where t.uuid = $1 and l.domain = $2"
        );
        let row = self.db.row("reading a lease", sql, args![tenant.0, domain.as_str()]).await?;
        row.as_ref().map(|row| read_holder(tenant, &domain, row)).transpose()
    }
}
