//! Records accepted a second, and how long a request waits for its 202.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::drive::{flood, open_loop};
use super::report::{By, Figure, Goal, On, ms, percentile, rate, spread, spread_ms};
use super::stand::Stand;
use super::{Bench, Stage};
use crate::lab::Kind;

pub(super) const RATE: Goal = Goal::new(On::Value, By::AtLeast, 20_000.0);
pub(super) const P99_MS: Goal = Goal::new(On::Value, By::Below, 50.0);
/// Windows of a flood: its runs.
const WINDOWS: u32 = 6;

/// Whether the job works on what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workers {
    Paused,
    Running,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let connections = sweep(bench).await?;
    let mut figures = vec![steady(bench, connections, Workers::Paused).await?];
    let per_s = mode.pick(10_000 / 50, 10);
    let stand = stage(bench, Workers::Paused).await?;
    let first = stand.take(mode.pick(2_000_000, 100_000)).start;
    // Enough connections that a request seldom waits for one, as many senders would have.
    let time = mode.pick(Duration::from_mins(1), Duration::from_secs(1));
    let times = open_loop(&stand.target, 32, per_s, time, first).await?;
    let p99 = percentile(&times, 99).context("no request was sent")?;
    let median = percentile(&times, 50).unwrap_or_default();
    eprintln!("intake open-loop at {} records/s: median {median:?}, p99 {p99:?}", per_s * 50);
    figures.push(Figure {
        name: "intake",
        case: format!("p99 open-loop at {} records/s", per_s * 50),
        value: ms(p99),
        unit: "ms",
        limit: None,
        goal: Some(P99_MS),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: u32::try_from(times.len())?,
        runs: 1,
        spread: spread_ms(&times),
    });
    figures.push(steady(bench, connections, Workers::Running).await?);
    Ok(figures)
}

/// A lab whose job holds nothing yet.
async fn stage(bench: &mut Bench, workers: Workers) -> anyhow::Result<&mut Stand> {
    let stand = bench.stand(Kind::Practice, Stage::Fresh).await?;
    stand.job(if workers == Workers::Paused { "pause" } else { "start" }).await?;
    Ok(stand)
}

/// How many connections are best for the service: the client must not be what is measured.
async fn sweep(bench: &mut Bench) -> anyhow::Result<usize> {
    let mode = bench.mode;
    let stand = stage(bench, Workers::Paused).await?;
    let mut best = (0.0, 1);
    for connections in mode.pick(&[1, 2, 4, 8, 16, 32][..], &[4]) {
        let first = stand.take(mode.pick(500_000, 100_000)).start;
        let time = mode.pick(Duration::from_secs(4), Duration::from_millis(500));
        let found = flood(&stand.target, *connections, time, 1, first).await?;
        let found = rate(found.records, found.time);
        eprintln!("intake sweep, {connections} connections: {found:.0} records/s");
        if found > best.0 {
            best = (found, *connections);
        }
    }
    Ok(best.1)
}

/// As many as go, for a minute.
async fn steady(bench: &mut Bench, connections: usize, workers: Workers) -> anyhow::Result<Figure> {
    let mode = bench.mode;
    let stand = stage(bench, workers).await?;
    let first = stand.take(mode.pick(20_000_000, 100_000)).start;
    let time = mode.pick(Duration::from_mins(1), Duration::from_millis(1_200));
    let found = flood(&stand.target, connections, time, WINDOWS, first).await?;
    if found.records == 0 {
        bail!("nothing was accepted in {time:?}");
    }
    if found.time < time {
        eprintln!("intake {workers:?}: the bucket was full after {:?}; the rate is that of this time", found.time);
    }
    Ok(Figure {
        name: "intake",
        case: match workers {
            Workers::Paused => format!("{connections} connections, workers idle"),
            Workers::Running => format!("{connections} connections, workers running"),
        },
        value: rate(found.records, found.time),
        unit: "records/s",
        limit: None,
        // The design asks for a figure with idle workers, and to see the other.
        goal: (workers == Workers::Paused).then_some(RATE),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: found.records,
        runs: u32::try_from(found.windows.len())?,
        spread: spread(&found.windows),
    })
}
