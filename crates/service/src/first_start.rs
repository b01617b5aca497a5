//! What the first start makes: the master key's file, the tenant, its signing key, and a client that may do everything.

use rollcall_model::config::JobConfig;
use rollcall_model::ids::{AppId, ApplicationId, KeyId, ServicePrincipalId, TenantId};
use rollcall_model::{Clock, Random, Timestamp};
use rollcall_store::{Application, Audit, RoleGrant, SealedKey, Secret, Store, Tenant};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::files::{self, Mode};
use crate::roles::Role;
use crate::seal::MasterKey;
use crate::{Error, tokens};

/// Name of the administrating client.
const ADMINISTRATOR: &str = "Rollcall administration";
/// How long its secret is good for.
const SECRET_LIFE_MS: i64 = 10 * 365 * 86_400_000;

/// The master key, made where there is none yet. A database that has a tenant without its key is refused later, when
/// the signing key does not open.
pub(crate) fn master_key(config: &Config, random: &dyn Random) -> Result<MasterKey, Error> {
    let path = config.master_key_file();
    if let Some(bytes) = files::read(&path)? {
        let bytes = Zeroizing::new(bytes);
        return MasterKey::from_text(&String::from_utf8_lossy(&bytes));
    }
    let key = MasterKey::generate(random);
    files::write(&path, key.to_text().as_bytes(), Mode::Secret)?;
    tracing::info!(path = %path.display(), "made the master key; keep a copy apart from the database's");
    Ok(key)
}

/// Makes tenant, key and client where the database has none, and returns every tenant's signing keys.
pub(crate) async fn identity(
    config: &Config,
    store: &dyn Store,
    master: &MasterKey,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vec<(TenantId, SealedKey)>, Error> {
    if store.tenants().await?.is_empty() {
        make(config, store, master, clock.now(), random).await?;
    }
    let mut keys = Vec::new();
    for tenant in store.tenants().await? {
        keys.extend(store.signing_keys(tenant.id).await?.into_iter().map(|key| (tenant.id, key)));
    }
    Ok(keys)
}

async fn make(
    config: &Config,
    store: &dyn Store,
    master: &MasterKey,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(), Error> {
    let tenant = Tenant { id: TenantId(random.uuid_v4()), display_name: "Rollcall".to_owned(), created: now };
    let key = tokens::make_key(master, random, now)?;
    let application = Application {
        id: ApplicationId(random.uuid_v4()),
        app_id: AppId(random.uuid_v4()),
        service_principal: ServicePrincipalId(random.uuid_v4()),
        display_name: ADMINISTRATOR.to_owned(),
        enabled: true,
        owner: None,
        created: now,
    };
    let text = secret_text(random);
    let secret = secret(&text, "first start", now, now.plus_ms(SECRET_LIFE_MS), random);
    let roles: Vec<RoleGrant> = Role::ALL
        .iter()
        .map(|role| RoleGrant {
            id: random.uuid_v4(),
            principal: application.service_principal,
            role: role.value().to_owned(),
            created: now,
        })
        .collect();
    let audit = Audit {
        id: random.uuid_v7(now),
        at: now,
        actor: "system".to_owned(),
        action: "tenant.create".to_owned(),
        target: tenant.id.to_string(),
        details: serde_json::json!({ "appId": application.app_id, "roles": Role::ALL.len() }).to_string(),
    };
    let path = config.data.dir.join("admin-client.json");
    let content = Zeroizing::new(format!(
        "{:#}\n",
        serde_json::json!({ "tenant": tenant.id, "clientId": application.app_id, "clientSecret": text.as_str() })
    ));
    // The file first: a crash in between leaves a file that the next start replaces, never a database without its client.
    files::write(&path, content.as_bytes(), Mode::Secret)?;
    if !store.bootstrap(&tenant, &key, &application, &secret, &roles, &audit).await? {
        return files::remove(&path);
    }
    tracing::info!(path = %path.display(), tenant = %tenant.id, "first start: the administrating client is in this file");
    Ok(())
}

/// A client secret: 256 random bits, base64url.
#[must_use]
pub(crate) fn secret_text(random: &dyn Random) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    random.fill(bytes.as_mut_slice());
    Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(bytes.as_slice()))
}

/// A secret as the store keeps it.
#[must_use]
pub(crate) fn secret(text: &str, name: &str, starts: Timestamp, ends: Timestamp, random: &dyn Random) -> Secret {
    Secret {
        key_id: KeyId(random.uuid_v4()),
        sha256: Sha256::digest(text.as_bytes()).into(),
        display_name: name.to_owned(),
        hint: text.chars().take(3).collect(),
        starts,
        ends,
    }
}

/// What a new job is set to do: the default mapping, and nothing that only the customer can know.
#[must_use]
pub(crate) fn new_job_config() -> JobConfig {
    JobConfig::new(rollcall_engine::default_mapping::default_mapping())
}
