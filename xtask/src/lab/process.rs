//! Processes that outlive the command that started them.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use super::state::Role;

/// A process, and all that is needed to start it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) role: Role,
    pub(crate) pid: u32,
    /// When the kernel started it, in clock ticks since boot: with the pid it names one process for ever.
    started: u64,
    program: PathBuf,
    args: Vec<String>,
    /// User and group to run as; `None`: ours.
    user: Option<(u32, u32)>,
    log: PathBuf,
}

impl Process {
    /// What will be started; nothing runs yet.
    pub(crate) fn new(role: Role, program: &Path, log_dir: &Path) -> Self {
        Self {
            role,
            pid: 0,
            started: 0,
            program: program.to_owned(),
            args: Vec::new(),
            user: None,
            log: log_dir.join(format!("{role}.log")),
        }
    }

    pub(crate) fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What follows `prefix` in the argument that begins with it.
    pub(crate) fn arg(&self, prefix: &str) -> Option<&str> {
        self.args.iter().find_map(|arg| arg.strip_prefix(prefix))
    }

    pub(crate) fn user(mut self, user: Option<(u32, u32)>) -> Self {
        self.user = user;
        self
    }

    /// Starts it in a session of its own, with the environment of this command, its output appended to its log.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        // setsid(1) replaces itself by the program, so the pid stays.
        let mut command = Command::new("setsid");
        command.arg(&self.program).args(&self.args).current_dir("/");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let child = command.spawn().with_context(|| format!("{} cannot be started", self.program.display()))?;
        self.pid = child.id();
        self.started = started(self.pid).with_context(|| self.died())?;
        Ok(())
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.pid != 0 && started(self.pid) == Some(self.started)
    }

    /// The end of its log, for an error's text.
    pub(crate) fn died(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{} ended; the end of {}:\n{tail}", self.role, self.log.display())
    }

    /// Sends a signal to it and to the children in its group.
    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { bail!("no pid") };
        // Samba's tasks are children in its group. PostgreSQL's leave the group and end with their parent.
        match kill_process_group(pid, signal).or_else(|_| kill_process(pid, signal)) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends it at once and waits until it is gone.
    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(5))
    }

    /// Asks it to end, and ends it where it does not.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        // INT is PostgreSQL's fast shutdown; the others take TERM.
        self.signal(if self.role == Role::Postgres { Signal::INT } else { Signal::TERM })?;
        if self.wait(Duration::from_secs(5)).is_err() {
            self.kill()?;
        }
        Ok(())
    }

    fn wait(&self, time_max: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.is_alive() {
            if start.elapsed() > time_max {
                bail!("{} (pid {}) does not end", self.role, self.pid);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Start time of a live process; `None` where there is none, or only its exit status.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets: fields count from behind its last bracket (proc(5)).
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Runs a program to its end and gives its output; a failure shows what it said.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let shown = format!("{shown} {}", command.get_args().next().map(|arg| arg.to_string_lossy()).unwrap_or_default());
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("{shown} cannot be started"))?;
    if !out.status.success() {
        let said = [&out.stderr[..], &out.stdout[..]].concat();
        let how = out.status.signal().map_or_else(|| out.status.to_string(), |signal| format!("signal {signal}"));
        bail!("{shown} failed ({how}): {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
