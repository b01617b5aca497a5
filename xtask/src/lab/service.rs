//! The service and the agents: their configuration files and how they are started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::ca::Pair;
use super::process::Process;
use super::state::Role;

/// The folder of our built programs: where this one is.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("no folder")?;
    for name in ["rollcall", "rollcall-agent"] {
        if !folder.join(name).exists() {
            bail!("{} is not built; run `cargo build --workspace`", folder.join(name).display());
        }
    }
    Ok(folder.to_owned())
}

/// What the service's configuration says.
pub(crate) struct Service<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    /// Where it listens too, if it may.
    pub(crate) optional: &'a [&'a str],
    pub(crate) tls: &'a Pair,
    pub(crate) store: &'a str,
}

impl Service<'_> {
    /// Writes `service.toml` and gives the process that will read it.
    pub(crate) fn prepare(&self, rollcall: &Path, log_dir: &Path) -> anyhow::Result<(Process, PathBuf)> {
        let data = self.folder.join("data");
        std::fs::create_dir_all(&data)?;
        let config = self.folder.join("service.toml");
        let mut text = toml::toml! {
            [server]
            [data]
            [tls]
            [store]
            [log]
            level = "info"
        };
        let mut set = |section: &str, name: &str, value: toml::Value| {
            if let Some(toml::Value::Table(table)) = text.get_mut(section) {
                table.insert(name.to_owned(), value);
            }
        };
        set("server", "listen", vec![format!("127.0.0.1:{}", self.port)].into());
        set("server", "optional_listen", self.optional.to_vec().into());
        set("server", "public_url", format!("https://localhost:{}", self.port).into());
        set("data", "dir", path(&data));
        set("tls", "certificate", path(&self.tls.certificate));
        set("tls", "key", path(&self.tls.key));
        set("store", "url", self.store.into());
        // The store's URL may hold a password.
        super::area::write_private(&config, &toml::to_string(&text)?)?;
        let process =
            Process::new(Role::Service, rollcall, log_dir).args(["serve", "--config", &config.display().to_string()]);
        Ok((process, config))
    }
}

/// What an agent's configuration says.
pub(crate) struct Agent<'a> {
    pub(crate) number: u8,
    pub(crate) folder: &'a Path,
    pub(crate) service_url: &'a str,
    pub(crate) ca: &'a Path,
    pub(crate) ldap: &'a str,
    pub(crate) bind_dn: &'a str,
    pub(crate) bind_password: &'a str,
}

impl Agent<'_> {
    /// Writes `agent.toml` and gives the process that will read it.
    pub(crate) fn prepare(&self, rollcall_agent: &Path, log_dir: &Path) -> anyhow::Result<(Process, PathBuf)> {
        let data = self.folder.join("data");
        std::fs::create_dir_all(&data)?;
        let password = self.folder.join("bind.password");
        super::area::write_private(&password, self.bind_password)?;
        let mut text = toml::Table::new();
        let section = |pairs: &[(&str, toml::Value)]| {
            toml::Value::Table(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let service = section(&[("url", self.service_url.into()), ("ca", path(self.ca))]);
        let directory = section(&[
            ("url", self.ldap.into()),
            ("ca", path(self.ca)),
            ("bind_name", self.bind_dn.into()),
            ("bind_password_file", path(&password)),
        ]);
        text.insert("service".to_owned(), service);
        text.insert("data".to_owned(), section(&[("dir", path(&data))]));
        text.insert("directory".to_owned(), directory);
        let config = self.folder.join("agent.toml");
        super::area::write_private(&config, &toml::to_string(&text)?)?;
        let process = Process::new(Role::Agent(self.number), rollcall_agent, log_dir).args([
            "run",
            "--config",
            &config.display().to_string(),
        ]);
        Ok((process, config))
    }
}

fn path(path: &Path) -> toml::Value {
    path.display().to_string().into()
}

/// Asks `/readyz` until it says 200, `process` ends, or the time is over.
pub(crate) async fn wait_until_ready(url: &str, ca: &Path, process: &Process) -> anyhow::Result<()> {
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(ca)?)?;
    let http =
        reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().timeout(Duration::from_secs(2)).build()?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer = http.get(format!("{url}/readyz")).send().await;
        if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if !process.is_alive() {
            bail!("{}", process.died());
        }
        if tokio::time::Instant::now() > deadline {
            bail!("{url}/readyz does not say 200: {answer:?}\n{}", process.died());
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
