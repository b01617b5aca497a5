//! Tenants, applications, secrets, roles, keys, audit.

use async_trait::async_trait;
use rollcall_model::ids::{AppId, ApplicationId, KeyId, ServicePrincipalId, TenantId};

use super::{Arg, Row, Sql, SqlStore, Transaction};
use crate::{
    Application, Audit, Error, Identity, NewApplication, NewSecret, RoleGrant, SealedKey, Secret, ServicePrincipal,
    Tenant,
};

/// Nodes that start together: one makes the tenant, the others wait and find it.
const BOOTSTRAP_LOCK: Sql = Sql { sqlite: "select 1", postgres: "select pg_advisory_xact_lock(7309460133)::text" };

/// Stores who did what.
pub(super) async fn write_audit(tx: &mut Transaction<'_>, tenant: TenantId, audit: &Audit) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into audit (tenant, uuid, at, actor, action, target, details) \
              select id, $2, $3, $4, $5, $6, $7 from tenant where uuid = $1"
        ),
        args![
            tenant.0,
            audit.id,
            audit.at,
            audit.actor.as_str(),
            audit.action.as_str(),
            audit.target.as_str(),
            audit.details.as_str(),
        ],
    )
    .await
    .map(|_| ())
}

async fn write_application(tx: &mut Transaction<'_>, tenant: TenantId, application: &Application) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into application \
              (tenant, uuid, app_id, service_principal, display_name, enabled, owner, created) \
              select id, $2, $3, $4, $5, $6, $7, $8 from tenant where uuid = $1"
        ),
        args![
            tenant.0,
            application.id.0,
            application.app_id.0,
            application.service_principal.0,
            application.display_name.as_str(),
            application.enabled,
            application.owner.map(|id| id.0),
            application.created,
        ],
    )
    .await
    .map(|_| ())
}

async fn write_secret(tx: &mut Transaction<'_>, application: ApplicationId, secret: &Secret) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into secret (tenant, application, key_id, sha256, display_name, hint, starts, ends) \
              select tenant, id, $2, $3, $4, $5, $6, $7 from application where uuid = $1"
        ),
        args![
            application.0,
            secret.key_id.0,
            secret.sha256.as_slice(),
            secret.display_name.as_str(),
            secret.hint.as_str(),
            secret.starts,
            secret.ends,
        ],
    )
    .await
    .map(|_| ())
}

async fn write_role(tx: &mut Transaction<'_>, tenant: TenantId, grant: &RoleGrant) -> Result<(), Error> {
    tx.run(
        sql!(
            "insert into role_grant (tenant, uuid, principal, role, created) \
              select id, $2, $3, $4, $5 from tenant where uuid = $1 on conflict (principal, role) do nothing"
        ),
        args![tenant.0, grant.id, grant.principal.0, grant.role.as_str(), grant.created],
    )
    .await
    .map(|_| ())
}

fn read_application(row: &Row) -> Result<Application, Error> {
    Ok(Application {
        id: ApplicationId(row.uuid("uuid")?),
        app_id: AppId(row.uuid("app_id")?),
        service_principal: ServicePrincipalId(row.uuid("service_principal")?),
        display_name: row.text("display_name")?,
        enabled: row.flag("enabled")?,
        owner: row.opt_uuid("owner")?.map(ServicePrincipalId),
        created: row.time("created")?,
    })
}

fn read_role(row: &Row) -> Result<RoleGrant, Error> {
    Ok(RoleGrant {
        id: row.uuid("uuid")?,
        principal: ServicePrincipalId(row.uuid("principal")?),
        role: row.text("role")?,
        created: row.time("created")?,
    })
}

impl SqlStore {
    async fn one_application(&self, sql: Sql, args: Vec<Arg>) -> Result<Option<Application>, Error> {
        self.db.row("reading an application", sql, args).await?.as_ref().map(read_application).transpose()
    }
}

#[async_trait]
impl Identity for SqlStore {
    async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        let sql = sql!("select uuid, display_name, created from tenant order by created, id");
        let rows = self.db.rows("reading the tenants", sql, args![]).await?;
        rows.iter()
            .map(|row| {
                Ok(Tenant {
                    id: TenantId(row.uuid("uuid")?),
                    display_name: row.text("display_name")?,
                    created: row.time("created")?,
                })
            })
            .collect()
    }

    async fn bootstrap(
        &self,
        tenant: &Tenant,
        key: &SealedKey,
        application: &Application,
        secret: &Secret,
        roles: &[RoleGrant],
        audit: &Audit,
    ) -> Result<bool, Error> {
        let mut tx = self.db.begin("making the first tenant").await?;
        tx.rows(BOOTSTRAP_LOCK, args![]).await?;
        let made = tx
            .run(
                sql!(
                    "insert into tenant (uuid, display_name, created) \
                      select $1, $2, $3 where not exists (select 1 from tenant)"
                ),
                args![tenant.id.0, tenant.display_name.as_str(), tenant.created],
            )
            .await?;
        if made == 0 {
            return Ok(false);
        }
        tx.run(
            sql!(
                "insert into signing_key (tenant, kid, sealed, public_pem, created) \
                  select id, $2, $3, $4, $5 from tenant where uuid = $1"
            ),
            args![tenant.id.0, key.kid.as_str(), key.sealed.as_slice(), key.public_pem.as_str(), key.created],
        )
        .await?;
        write_application(&mut tx, tenant.id, application).await?;
        write_secret(&mut tx, application.id, secret).await?;
        for grant in roles {
            write_role(&mut tx, tenant.id, grant).await?;
        }
        write_audit(&mut tx, tenant.id, audit).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SealedKey>, Error> {
        let sql = sql!(
            "select k.kid, k.sealed, k.public_pem, k.created from signing_key k \
                        join tenant t on t.id = k.tenant where t.uuid = $1 order by k.created desc, k.id desc"
        );
        let rows = self.db.rows("reading the signing keys", sql, args![tenant.0]).await?;
        rows.iter()
            .map(|row| {
                Ok(SealedKey {
                    kid: row.text("kid")?,
                    sealed: row.blob("sealed")?,
                    public_pem: row.text("public_pem")?,
                    created: row.time("created")?,
                })
            })
            .collect()
    }

    async fn create_application(&self, new: &NewApplication, audit: &Audit) -> Result<(), Error> {
        let mut tx = self.db.begin("storing an application").await?;
        write_application(&mut tx, new.tenant, &new.application).await?;
        if let Some(job) = &new.job {
            super::jobs::write_job(&mut tx, job).await?;
        }
        write_audit(&mut tx, new.tenant, audit).await?;
        tx.commit().await
    }

    async fn application_by_app_id(&self, tenant: TenantId, app_id: AppId) -> Result<Option<Application>, Error> {
        let sql = sql!(
            "select a.* from application a join tenant t on t.id = a.tenant \
                        where t.uuid = $1 and a.app_id = $2"
        );
        self.one_application(sql, args![tenant.0, app_id.0]).await
    }

    async fn application(&self, tenant: TenantId, id: ApplicationId) -> Result<Option<Application>, Error> {
        let sql = sql!(
            "select a.* from application a join tenant t on t.id = a.tenant \
                        where t.uuid = $1 and a.uuid = $2"
        );
        self.one_application(sql, args![tenant.0, id.0]).await
    }

    async fn service_principal(
        &self,
        tenant: TenantId,
        id: ServicePrincipalId,
    ) -> Result<Option<ServicePrincipal>, Error> {
        let sql = sql!(
            "select a.* from application a join tenant t on t.id = a.tenant \
                        where t.uuid = $1 and a.service_principal = $2"
        );
        self.one_application(sql, args![tenant.0, id.0]).await
    }

    async fn applications(&self, tenant: TenantId) -> Result<Vec<Application>, Error> {
        let sql = sql!(
            "select a.* from application a join tenant t on t.id = a.tenant where t.uuid = $1 \
                        order by a.created, a.id"
        );
        let rows = self.db.rows("reading the applications", sql, args![tenant.0]).await?;
        rows.iter().map(read_application).collect()
    }

    async fn add_secret(&self, tenant: TenantId, new: &NewSecret, audit: &Audit) -> Result<(), Error> {
        let mut tx = self.db.begin("storing a secret").await?;
        write_secret(&mut tx, new.application, &new.secret).await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await
    }

    async fn secrets(&self, application: ApplicationId) -> Result<Vec<Secret>, Error> {
        let sql = sql!(
            "select s.key_id, s.sha256, s.display_name, s.hint, s.starts, s.ends from secret s \
                        join application a on a.id = s.application where a.uuid = $1 order by s.id"
        );
        let rows = self.db.rows("reading an application's secrets", sql, args![application.0]).await?;
        rows.iter()
            .map(|row| {
                Ok(Secret {
                    key_id: KeyId(row.uuid("key_id")?),
                    sha256: row.sha256("sha256")?,
                    display_name: row.text("display_name")?,
                    hint: row.text("hint")?,
                    starts: row.time("starts")?,
                    ends: row.time("ends")?,
                })
            })
            .collect()
    }

    async fn grant_role(&self, tenant: TenantId, grant: &RoleGrant, audit: &Audit) -> Result<RoleGrant, Error> {
        let mut tx = self.db.begin("granting a role").await?;
        write_role(&mut tx, tenant, grant).await?;
        let row = tx
            .row(
                sql!("select uuid, principal, role, created from role_grant where principal = $1 and role = $2"),
                args![grant.principal.0, grant.role.as_str()],
            )
            .await?
            .ok_or_else(|| super::inconsistent("role", "the grant was not stored: no such tenant"))?;
        let stored = read_role(&row)?;
        if stored.id == grant.id {
            write_audit(&mut tx, tenant, audit).await?;
        }
        tx.commit().await?;
        Ok(stored)
    }

    async fn roles(&self, principal: ServicePrincipalId) -> Result<Vec<RoleGrant>, Error> {
        let sql = sql!("select uuid, principal, role, created from role_grant where principal = $1 order by id");
        let rows = self.db.rows("reading the roles", sql, args![principal.0]).await?;
        rows.iter().map(read_role).collect()
    }

    async fn note_audit(&self, tenant: TenantId, audit: &Audit) -> Result<(), Error> {
        let mut tx = self.db.begin("writing an audit row").await?;
        write_audit(&mut tx, tenant, audit).await?;
        tx.commit().await
    }

    async fn audit(&self, tenant: TenantId, limit: i64) -> Result<Vec<Audit>, Error> {
        let sql = sql!(
            "select a.* from audit a join tenant t on t.id = a.tenant where t.uuid = $1 \
                        order by a.at desc, a.id desc limit $2"
        );
        let rows = self.db.rows("reading the audit", sql, args![tenant.0, limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(Audit {
                    id: row.uuid("uuid")?,
                    at: row.time("at")?,
                    actor: row.text("actor")?,
                    action: row.text("action")?,
                    target: row.text("target")?,
                    details: row.text("details")?,
                })
            })
            .collect()
    }
}
