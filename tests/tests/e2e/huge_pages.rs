//! Memory that is used sparsely is not made resident whole, which grows a process by megabytes long after its start.

use anyhow::{Context as _, ensure};

use super::lab::{Lab, Options};

#[tokio::test]
async fn service_and_agent_run_without() -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory: "practice", store: "sqlite", agents: 1 }).await?;
    for what in ["service", "agent"] {
        // proc_pid_status(5), THP_enabled.
        let path = format!("/proc/{}/status", lab.pid(what)?.as_raw_nonzero());
        let status = std::fs::read_to_string(&path).context(path)?;
        ensure!(status.lines().any(|line| line == "THP_enabled:\t0"), "{what}: {status}");
    }
    Ok(())
}
