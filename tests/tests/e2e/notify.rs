//! What the built agent tells a service manager, on a socket of the test's own (sd_notify(3)).

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::lab::{Lab, Options, program};

/// The agent, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything said until `enough`, or until the time is over.
fn hear(socket: &UnixDatagram, wait_max: Duration, enough: impl Fn(&[String]) -> bool) -> anyhow::Result<Vec<String>> {
    let (deadline, mut heard, mut buffer) = (Instant::now() + wait_max, Vec::new(), [0; 4096]);
    while !enough(&heard) {
        ensure!(Instant::now() < deadline, "heard only {heard:?}");
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
    }
    Ok(heard)
}

#[tokio::test]
async fn ready_watchdog_and_stopping() -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory: "practice", store: "sqlite", agents: 1 }).await?;
    lab.stop("agent").await?;
    let path = lab.info.dir.join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let start = || -> anyhow::Result<Running> {
        let mut command = Command::new(program("rollcall-agent")?);
        command.args(["run", "--config"]).arg(lab.info.dir.join("agents/1/agent.toml"));
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1500000").stderr(Stdio::null());
        Ok(Running(command.spawn()?))
    };
    let mut agent = start()?;

    let all = |heard: &[String]| {
        heard.iter().any(|line| line == "READY=1") && heard.iter().filter(|line| *line == "WATCHDOG=1").count() > 3
    };
    let heard = hear(&socket, Duration::from_secs(30), all)?;
    let before_ready = heard.iter().take_while(|line| *line != "READY=1");
    let states: Vec<&String> = before_ready.filter(|line| line.starts_with("STATUS=")).collect();
    ensure!(states.last().is_some_and(|line| line.contains("linked to the service; bound at")), "{heard:?}");
    ensure!(heard.iter().filter(|line| *line == "READY=1").count() == 1, "{heard:?}");

    // A process that does not run is not alive; one that runs again is.
    let pid = i32::try_from(agent.0.id()).ok().and_then(Pid::from_raw).context("no pid")?;
    kill_process(pid, Signal::STOP)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    while socket.recv(&mut [0; 64]).is_ok() {}
    let silent = Instant::now();
    while silent.elapsed() < Duration::from_secs(2) {
        ensure!(socket.recv(&mut [0; 64]).is_err(), "a stopped process said something");
    }
    kill_process(pid, Signal::CONT)?;
    hear(&socket, Duration::from_secs(10), |heard| heard.iter().any(|line| line == "WATCHDOG=1"))?;

    // Without a directory it waits, lives, and says so.
    let directory = lab.pid("directory")?;
    kill_process(directory, Signal::STOP)?;
    let lost =
        |heard: &[String]| heard.iter().any(|line| line.starts_with("STATUS=") && line.contains("; directory: "));
    let heard = hear(&socket, Duration::from_mins(1), lost);
    let alive = hear(&socket, Duration::from_secs(10), |heard| heard.iter().any(|line| line == "WATCHDOG=1"));
    kill_process(directory, Signal::CONT)?;
    heard?;
    alive?;

    kill_process(pid, Signal::TERM)?;
    let heard = hear(&socket, Duration::from_secs(20), |heard| heard.iter().any(|line| line == "STOPPING=1"))?;
    ensure!(agent.0.wait()?.success(), "{heard:?}");

    // Nothing is ready that the service does not know.
    lab.act("kill", "service").await?;
    let _again = start()?;
    let unlinked = |heard: &[String]| heard.iter().filter(|line| *line == "WATCHDOG=1").count() > 2;
    let heard = hear(&socket, Duration::from_secs(20), unlinked)?;
    ensure!(!heard.iter().any(|line| line == "READY=1"), "{heard:?}");
    Ok(())
}
