//! The most memory that service and agent ever held while a large feed came in and was worked off.

use super::feed::people;
use super::report::{By, Figure, Goal, On};
use super::{Bench, Stage, usage};
use crate::lab::Kind;

/// In MiB.
pub(super) const SERVICE: Goal = Goal::new(On::Value, By::AtMost, 256.0);
pub(super) const AGENT: Goal = Goal::new(On::Value, By::AtMost, 64.0);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let number = bench.mode.pick(100_000, 300);
    let stand = bench.stand(Kind::Practice, Stage::Fresh).await?;
    let time = {
        let records = people(stand.take(number));
        stand.run(&records, "done").await?
    };
    eprintln!("memory: {number} people uploaded and created in {:.1} s", time.as_secs_f64());
    let pids = stand.lab.shown.pids.clone();
    let agents = pids.agents.iter().map(|pid| ("agent", *pid, AGENT));
    let mut figures = Vec::new();
    for (what, pid, goal) in std::iter::once(("service", pids.service, SERVICE)).chain(agents) {
        figures.push(Figure {
            name: "memory",
            case: what.to_owned(),
            value: mib(usage::peak_kib(pid)?),
            unit: "MiB",
            limit: None,
            goal: Some(goal),
            directory: Some(stand.directory()),
            store: Some(stand.store.clone()),
            n: number,
            runs: 1,
            spread: 0.0,
        });
    }
    Ok(figures)
}

#[expect(clippy::cast_precision_loss, reason = "a size in KiB is far below 2^53")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
