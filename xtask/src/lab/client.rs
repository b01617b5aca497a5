//! The product's own client, run as a program: the lab sets a service up as an administrator would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::process::output;

/// Every application role of the wire contract (1.11).
const ROLES: &[&str] = &[
    "SynchronizationData-User.Upload",
    "SynchronizationData-User.Upload.OwnedBy",
    "ProvisioningLog.Read.All",
    "AuditLog.Read.All",
    "Synchronization.Read.All",
    "Synchronization.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "Application.Read.All",
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
];

/// Where the client finds its service, and as whom.
pub(crate) struct Client {
    pub(crate) rollcall: PathBuf,
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) job: Option<String>,
}

/// A provisioning application, its job, and a client with every role.
pub(crate) struct Application {
    pub(crate) app_id: String,
    pub(crate) service_principal: String,
    pub(crate) job: String,
    pub(crate) secret: String,
}

impl Client {
    /// The administrating client that the first start made.
    pub(crate) fn administrator(rollcall: &Path, url: &str, ca: &Path, data: &Path) -> anyhow::Result<Self> {
        let path = data.join("admin-client.json");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let value: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Self {
            rollcall: rollcall.to_owned(),
            url: url.to_owned(),
            ca: ca.to_owned(),
            tenant: text_at(&value, "tenant")?,
            id: text_at(&value, "clientId")?,
            secret: text_at(&value, "clientSecret")?,
            job: None,
        })
    }

    /// The client program with this service's settings in its environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.rollcall);
        command
            .env("ROLLCALL_URL", &self.url)
            .env("ROLLCALL_TENANT", &self.tenant)
            .env("ROLLCALL_CLIENT_ID", &self.id)
            .env("ROLLCALL_CLIENT_SECRET", &self.secret)
            .env("ROLLCALL_CA", &self.ca);
        match &self.job {
            Some(job) => command.env("ROLLCALL_JOB", job),
            None => command.env_remove("ROLLCALL_JOB"),
        };
        command
    }

    /// Runs one command and reads the JSON it prints.
    fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let text = output(self.command().args(args).arg("--json"))?;
        serde_json::from_str(&text).with_context(|| format!("rollcall {} printed no JSON: {text}", args.join(" ")))
    }

    /// `app create`, `app grant` of every role, `app secret add`.
    pub(crate) fn create_application(&self, name: &str) -> anyhow::Result<Application> {
        let made = self.json(&["app", "create", name])?;
        let app_id = text_at(&made, "appId")?;
        self.json(&[&["app", "grant", &app_id], ROLES].concat())?;
        let secret = self.json(&["app", "secret", "add", &app_id])?;
        Ok(Application {
            service_principal: text_at(&made, "servicePrincipal")?,
            job: text_at(&made, "job")?,
            secret: text_at(&secret, "secretText")?,
            app_id,
        })
    }

    /// `job set` with the lab's mapping: people move by division.
    pub(crate) fn set_job(&self, domain: &str, users_ou: &str, other_ou: &str) -> anyhow::Result<()> {
        let division = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division";
        let parent = format!("Switch([{division}], \"{users_ou}\", \"Other\", \"{other_ou}\")");
        let set = ["job", "set", "--domain", domain, "--container", users_ou, "--upn-suffix", domain];
        let map = ["--parent", &parent, "--cn", "create", "--delete", "disable", "--match", "externalId=employeeID"];
        self.json(&[&set[..], &map[..]].concat()).map(drop)
    }

    /// `job start`.
    pub(crate) fn start_job(&self) -> anyhow::Result<()> {
        self.json(&["job", "start"]).map(drop)
    }

    /// `agent token`.
    pub(crate) fn agent_token(&self, domain: &str) -> anyhow::Result<String> {
        text_at(&self.json(&["agent", "token", "--domain", domain])?, "token")
    }

    /// Waits until `number` agents are connected and one of them is active.
    pub(crate) async fn wait_for_agents(
        &self,
        number: usize,
        alive: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let list = self.json(&["agent", "list"])?;
            let rows = list["value"].as_array().or(list.as_array());
            let states: Vec<&str> = rows.into_iter().flatten().filter_map(|agent| agent["state"].as_str()).collect();
            let connected = states.iter().filter(|state| matches!(**state, "active" | "standby")).count();
            if connected >= number && states.contains(&"active") {
                return Ok(());
            }
            alive()?;
            if tokio::time::Instant::now() > deadline {
                bail!("no active agent among {number}: {list}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn text_at(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("no '{name}' in what the client printed"))
}
