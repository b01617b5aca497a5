//! From the start of a service that was killed to the first `/readyz` that says 200.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use super::drive::{Connection, Target};
use super::feed::people;
use super::report::{By, Figure, Goal, On, ms, spread_ms};
use super::{Bench, Stage};
use crate::lab::Kind;

pub(super) const GOAL: Goal = Goal::new(On::Value, By::Below, 1_000.0);
/// How often the service is asked; a refused connection costs next to nothing.
const POLL: Duration = Duration::from_millis(2);
const READY_MAX: Duration = Duration::from_mins(1);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let number: u32 = mode.pick(100_000, 200);
    let stand = bench.stand(Kind::Practice, Stage::Shared).await?;
    // In `all` the people of another benchmark may be there already; more are no easier.
    let missing = number.saturating_sub(u32::try_from(stand.persons().await?)?);
    if missing > 0 {
        let records = people(stand.take(missing));
        let time = stand.run(&records, "done").await?;
        eprintln!("start: {missing} people created in {:.1} s", time.as_secs_f64());
    }
    let mut times = Vec::new();
    for _ in 0..mode.pick(5, 2) {
        let start = stand.restart_service()?;
        times.push(ready(&stand.target, start).await?);
    }
    stand.reconnect().await?;
    eprintln!("start: {times:?}");
    let slowest = times.iter().max().copied().unwrap_or_default();
    Ok(vec![Figure {
        name: "start",
        case: "slowest, exec to /readyz 200".to_owned(),
        value: ms(slowest),
        unit: "ms",
        limit: None,
        goal: Some(GOAL),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: number,
        runs: u32::try_from(times.len())?,
        spread: spread_ms(&times),
    }])
}

/// Time from `start` to the first 200.
async fn ready(target: &Target, start: Instant) -> anyhow::Result<Duration> {
    loop {
        if let Ok(mut connection) = Connection::open(target).await
            && connection.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
        {
            return Ok(start.elapsed());
        }
        if start.elapsed() > READY_MAX {
            bail!("the service is not ready after {READY_MAX:?}");
        }
        tokio::time::sleep(POLL).await;
    }
}
