//! A lab for one test: started by the lab's own program, ended when it is dropped.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex as StdMutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rollcall_tests::checker::{self, History, Sent};
use rollcall_tests::collect::{Answer, Api, Directory, LabInfo};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// Which directory and store a test runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// `samba` or `practice`.
    pub(crate) directory: &'static str,
    /// `sqlite` or `postgres`.
    pub(crate) store: &'static str,
    pub(crate) agents: u8,
}

/// A lab that is up, and all that was sent to it.
pub(crate) struct Lab {
    pub(crate) info: LabInfo,
    pub(crate) api: Api,
    pub(crate) directory: Directory,
    sent: StdMutex<Vec<Sent>>,
    began: Instant,
    /// Persons whose accounts were there before, folded.
    by_hand: BTreeSet<String>,
    folder: TempDir,
    // Labs are timed, and the machine may have two cores: one at a time.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::const_new(());

impl Lab {
    /// Starts a lab of its own folder, port and address.
    pub(crate) async fn up(options: Options) -> anyhow::Result<Self> {
        Self::up_with_controllers(options, 1).await
    }

    /// As [`Lab::up`], with one or two domain controllers; with two the second agent has the second one.
    pub(crate) async fn up_with_controllers(options: Options, controllers: u8) -> anyhow::Result<Self> {
        let turn = TURN.lock().await;
        // The first of a process installs it; for the others it is there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program("xtask")?);
        command.args(["lab", "up", "--json", "--port=0", "--dir"]).arg(folder.path());
        command.args([format!("--directory={}", options.directory), format!("--store={}", options.store)]);
        command.arg(format!("--agents={}", options.agents));
        command.arg(format!("--domain-controllers={controllers}"));
        let out = tokio::task::spawn_blocking(move || command.output()).await??;
        if !out.status.success() {
            bail!("lab up {options:?}: {}", String::from_utf8_lossy(&out.stderr));
        }
        let info: LabInfo = serde_json::from_slice(&out.stdout).context("what lab up printed")?;
        let (api, directory) = (Api::connect(&info).await?, Directory::connect(&info).await?);
        Ok(Self {
            info,
            api,
            directory,
            sent: StdMutex::default(),
            began: Instant::now(),
            by_hand: BTreeSet::new(),
            folder,
            _turn: turn,
        })
    }

    /// Sends records in one request; it must be accepted. Gives the upload's id.
    pub(crate) async fn send(&self, records: &[Value]) -> anyhow::Result<String> {
        self.send_by(&self.api, records).await
    }

    /// As [`Lab::send`], by another node's API.
    pub(crate) async fn send_by(&self, api: &Api, records: &[Value]) -> anyhow::Result<String> {
        let began = self.tick();
        let answer = api.bulk_upload(bulk(records), None).await?;
        self.accepted(began, records, answer)
    }

    /// Sends records in one request as a client does that survives the service's death: again, under the same key,
    /// until there is a 202.
    pub(crate) async fn send_until_accepted(&self, records: &[Value], wait_max: Duration) -> anyhow::Result<String> {
        let (began, deadline) = (self.tick(), Instant::now() + wait_max);
        let key = format!("e2e-{began}");
        loop {
            match self.api.bulk_upload(bulk(records), Some(&key)).await {
                Ok(answer) if answer.status.is_success() => return self.accepted(began, records, answer),
                Ok(answer) if !answer.status.is_server_error() => bail!("bulkUpload: {answer:?}"),
                missed if Instant::now() > deadline => bail!("not accepted after {wait_max:?}: {missed:?}"),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Keeps what was accepted, and gives the upload's id.
    pub(crate) fn accepted(&self, began: u64, records: &[Value], answer: Answer) -> anyhow::Result<String> {
        if answer.status != 202 {
            bail!("bulkUpload: {answer:?}");
        }
        let upload = answer.upload.context("no rollcall-upload-id")?;
        let sent = Sent { upload: upload.clone(), began, accepted: self.tick(), records: records.to_vec() };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        Ok(upload)
    }

    /// Microseconds since the lab was asked for.
    pub(crate) fn tick(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Everything that was accepted, in the order of the answers.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until every operation that was accepted is final.
    pub(crate) async fn settle(&self, wait_max: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + wait_max;
        for sent in self.sent() {
            let left = deadline.saturating_duration_since(Instant::now());
            self.api.wait_until_final(&sent.upload, left).await?;
        }
        Ok(())
    }

    /// Kills or starts one process: `kill`, `service`.
    pub(crate) async fn act(&self, verb: &str, what: &str) -> anyhow::Result<()> {
        self.act_with(verb, what, &[]).await
    }

    /// As [`Lab::act`], with variables that the process inherits.
    pub(crate) async fn act_with(&self, verb: &str, what: &str, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut command = Command::new(program("xtask")?);
        command.args(["lab", verb, what, "--dir"]).arg(self.folder.path()).envs(variables.iter().copied());
        let out = tokio::task::spawn_blocking(move || command.output()).await??;
        if !out.status.success() {
            bail!("lab {verb} {what}: {}", String::from_utf8_lossy(&out.stderr));
        }
        Ok(())
    }

    /// The process that `what` is now: after a start it is another than when the lab went up.
    pub(crate) fn pid(&self, what: &str) -> anyhow::Result<Pid> {
        let text = std::fs::read_to_string(self.folder.path().join("lab.json"))?;
        let pids = serde_json::from_str::<Value>(&text)?["shown"]["pids"].take();
        let pid = match what {
            "service" => &pids["service"],
            "agent" => &pids["agents"][0],
            "agent2" => &pids["agents"][1],
            "directory" => &pids["directories"][0],
            "directory2" => &pids["directories"][1],
            other => bail!("no process '{other}'"),
        };
        let pid = pid.as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        pid.with_context(|| format!("no pid of {what}"))
    }

    /// Ends one process as a service manager does, and waits until it is gone.
    pub(crate) async fn stop(&self, what: &str) -> anyhow::Result<()> {
        let pid = self.pid(what)?;
        kill_process(pid, Signal::TERM)?;
        wait_until_dead(pid, Duration::from_secs(20)).await.with_context(|| format!("{what} does not stop"))
    }

    /// A fresh connection to a domain controller, as they count from 1.
    pub(crate) async fn controller(&self, number: usize) -> anyhow::Result<Directory> {
        let url = number.checked_sub(1).and_then(|at| self.info.ldap_urls.get(at));
        let ldap = url.with_context(|| format!("no controller {number}"))?.clone();
        Directory::connect(&LabInfo { ldap, ..self.info.clone() }).await
    }

    /// All that is known of one person, for an error's text.
    pub(crate) async fn story(&self, person: &str) -> anyhow::Result<String> {
        let history = self.told().await?;
        Ok(evidence(&format!("all that is known of {:?}", person.to_lowercase()), &history))
    }

    /// What was sent, and what the service says of it.
    async fn told(&self) -> anyhow::Result<History> {
        let mut history = History { sent: self.sent(), ..History::default() };
        for sent in &history.sent {
            history.uploads.push(self.api.upload(&sent.upload).await?);
        }
        history.log = self.api.log().await?;
        Ok(history)
    }

    /// Makes a disabled account by hand.
    pub(crate) async fn add_by_hand(&mut self, person: &str) -> anyhow::Result<()> {
        self.by_hand.insert(person.to_lowercase());
        self.directory.add_account(&self.info.users_ou, person).await
    }

    /// Lets the outside checker judge everything that was sent to this lab.
    pub(crate) async fn judge(&mut self) -> anyhow::Result<()> {
        // The connection of before may have ended with a killed directory.
        self.directory = Directory::connect(&self.info).await?;
        let mut history = self.told().await?;
        history.by_hand.clone_from(&self.by_hand);
        history.objects = self.directory.objects().await?;
        let broken = checker::check(&history);
        if broken.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!(evidence(&format!("broken promises: {broken:#?}"), &history)))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let Ok(program) = program("xtask") else { return };
        let out = Command::new(program).args(["lab", "down", "--dir"]).arg(self.folder.path()).output();
        if !out.as_ref().is_ok_and(|out| out.status.success()) {
            eprintln!("lab down: {out:?}");
        }
    }
}

/// A headline, and all that is known of the persons whose quoted ids stand in it.
fn evidence(headline: &str, history: &History) -> String {
    let mut out = headline.to_owned();
    let named = |person: &str| headline.contains(&format!("{:?}", person.to_lowercase()));
    let mut lines = Vec::new();
    for (sent, upload) in history.sent.iter().zip(&history.uploads) {
        let operations = sent.records.iter().zip(&upload.operations);
        let theirs = operations.filter(|(record, _)| record["externalId"].as_str().is_some_and(named));
        lines.extend(theirs.map(|(record, operation)| format!("sent {}: {record} {operation:?}", sent.began)));
    }
    let rows = history.log.iter().rev().filter(|row| named(&row.external_id));
    lines.extend(rows.map(|row| format!("{row:?}")));
    for line in lines {
        out.push('\n');
        out.push_str(&line);
    }
    out
}

/// The bulk request that holds these records.
pub(crate) fn bulk(records: &[Value]) -> String {
    let operations: Vec<Value> = records
        .iter()
        .enumerate()
        .map(|(at, data)| json!({"method": "POST", "bulkId": at.to_string(), "path": "/Users", "data": data}))
        .collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations, "failOnErrors": null,
    });
    body.to_string()
}

/// Whether a process still runs; one that only waits for its parent does not.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Waits until a process is gone.
pub(crate) async fn wait_until_dead(pid: Pid, wait_max: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + wait_max;
    while is_alive(pid) {
        if Instant::now() > deadline {
            bail!("process {} lives after {wait_max:?}", pid.as_raw_nonzero());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// One of the workspace's programs. The workspace's programs are built first, once: a test of old ones would prove nothing.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let out = build.output().map_err(|error| error.to_string())?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        // target/debug/deps/e2e-...
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let folder = own.parent().and_then(|deps| deps.parent()).ok_or("no target folder")?;
        Ok(folder.to_owned())
    });
    built.clone().map(|folder| folder.join(name)).map_err(|error| anyhow::anyhow!("building the programs: {error}"))
}
