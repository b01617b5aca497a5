//! A PostgreSQL cluster of the lab's own.

use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::area;
use super::process::{Process, output};
use super::state::Role;

/// A cluster that is made and configured, not started yet.
pub(crate) struct Cluster {
    pub(crate) process: Process,
    pub(crate) url: String,
    port: u16,
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    On,
    /// A lab's data need not outlive the machine's uptime.
    Off,
}

/// Makes a cluster in `folder`.
pub(crate) fn create(folder: &Path, log_dir: &Path, sync: Sync) -> anyhow::Result<Cluster> {
    let bin = programs()?;
    std::fs::create_dir_all(folder)?;
    // It refuses to run as root.
    let user = if rustix::process::getuid().as_raw() == 0 {
        let user = area::user(&["postgres", "nobody"]).context("no user to run PostgreSQL as")?;
        std::os::unix::fs::chown(folder, Some(user.0), Some(user.1))?;
        Some(user)
    } else {
        None
    };
    let data = folder.join("data");
    let mut init = Command::new(bin.join("initdb"));
    init.args(["--auth=trust", "--username=rollcall", "--no-sync", "--no-locale", "--encoding=UTF8", "--pgdata"]);
    init.arg(&data).current_dir("/");
    if let Some((uid, gid)) = user {
        init.uid(uid).gid(gid);
    }
    output(&mut init)?;
    let port = area::port()?;
    let sync = if sync == Sync::On { "on" } else { "off" };
    let process = Process::new(Role::Postgres, &bin.join("postgres"), log_dir).user(user).args([
        "-D".to_owned(),
        data.display().to_string(),
        format!("-cfsync={sync}"),
        format!("-cfull_page_writes={sync}"),
        "-clisten_addresses=127.0.0.1".to_owned(),
        format!("-cport={port}"),
        format!("-cunix_socket_directories={}", folder.display()),
        "-cmax_connections=200".to_owned(),
    ]);
    Ok(Cluster { process, url: format!("postgres://rollcall@127.0.0.1:{port}/postgres"), port })
}

impl Cluster {
    /// Starts it and waits until it takes connections.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.process.spawn()?;
        wait(&self.process, self.port).await
    }
}

/// Starts a cluster that was killed. Its children end a moment after it, and until then it refuses to start.
pub(crate) async fn start_again(process: &mut Process) -> anyhow::Result<()> {
    let port = process.arg("-cport=").and_then(|port| port.parse().ok()).context("no port")?;
    let mut tries = 1;
    loop {
        process.spawn()?;
        match wait(process, port).await {
            Err(_) if tries < 20 => tries += 1,
            result => return result,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn wait(process: &Process, port: u16) -> anyhow::Result<()> {
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        if !process.is_alive() {
            bail!("{}", process.died());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("PostgreSQL does not answer on port {port}")
}

/// The folder of the newest version's programs, as Debian lays them out.
fn programs() -> anyhow::Result<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed; ./check installs it")?;
    let newest = versions
        .filter_map(|entry| {
            let version: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let bin = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
            bin.join("initdb").exists().then_some((version, bin))
        })
        .max();
    newest.map(|(_, bin)| bin).context("PostgreSQL's server is not installed; ./check installs it")
}
