//! A whole feed sent again, beside the best batched read of the same people.

use std::sync::Arc;

use anyhow::bail;

use super::feed::{Record, people};
use super::raw::{Account, Known, Raw, Shape};
use super::report::{Blocks, By, Figure, Goal, Mode, On};
use super::stand::{Stand, check_ends};
use super::{Bench, Stage, usage};
use crate::lab::Kind;
use crate::lab::state::Role;

pub(super) const GOAL: Goal = Goal::new(On::Ratio, By::AtLeast, 1.0);
/// How the service says that nothing had to be written.
const UNCHANGED: &str = "skipped/RedundantExport";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let cores = std::thread::available_parallelism()?.get();
    if cores < 2 {
        bail!("the domain controller gets a core of its own: this machine has {cores}");
    }
    let stand = bench.stand(Kind::Samba, Stage::Shared).await?;
    let number = mode.pick(10_000, 100);
    let numbers = stand.take(number);
    let raw = Raw::open(&stand.lab.shown, 2).await?;
    // Accounts that match: the first upload links them and writes what is missing, which is less work than creating.
    let shape = Shape { connections: 1, outstanding: 4 };
    raw.add(shape, Account::Bare, numbers.clone()).await?;
    let feed = people(numbers.clone());
    stand.run_once(&feed).await?;
    let known = Arc::new(raw.known(numbers).await?);

    pin(stand)?;
    let found = alternate(stand, &raw, &feed, &known, mode).await;
    // What comes after this benchmark has all cores again, whatever became of it.
    usage::pin(&[std::process::id()], &format!("0-{}", cores - 1))?;
    let (ours, limit) = found?;
    Ok(vec![Figure {
        name: "unchanged",
        case: "full feed again".to_owned(),
        value: ours.rate(),
        unit: "records/s",
        limit: Some(limit.rate()),
        goal: Some(GOAL),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: ours.number(),
        runs: ours.runs(),
        spread: ours.spread(),
    }])
}

/// Blocks of the whole feed, raw, ours, ours, raw, and so on.
async fn alternate(
    stand: &mut Stand,
    raw: &Raw,
    feed: &[Record],
    known: &Arc<Vec<Known>>,
    mode: Mode,
) -> anyhow::Result<(Blocks, Blocks)> {
    let number = u32::try_from(feed.len())?;
    let reading = raw.sweep_reads(known, mode).await?;
    // Once without a clock; from here on nothing may be left to write.
    stand.run(feed, UNCHANGED).await?;
    let (mut ours, mut limit) = (Blocks::default(), Blocks::default());
    for round in 0..mode.pick(6, 2) {
        for is_raw in if round % 2 == 0 { [true, false] } else { [false, true] } {
            if is_raw {
                limit.push(number, raw.read(reading, known).await?);
            } else {
                ours.push(number, stand.run(feed, UNCHANGED).await?);
            }
        }
    }
    let (raw_rate, spread) = (limit.rate(), limit.spread());
    eprintln!("unchanged: raw {raw_rate:.0}/s ({reading:?}, spread {spread:.0}), ours {:.0}/s", ours.rate());
    Ok((ours, limit))
}

/// The domain controller on one core, everything else on the other.
fn pin(stand: &Stand) -> anyhow::Result<()> {
    let (mut controllers, mut rest) = (Vec::new(), vec![std::process::id()]);
    for process in &stand.lab.processes {
        let side = if matches!(process.role, Role::Directory(_)) { &mut controllers } else { &mut rest };
        side.push(process.pid);
    }
    usage::pin(&controllers, "0")?;
    usage::pin(&rest, "1")
}

impl Stand {
    /// Sends a feed whatever it changes; nothing may fail.
    async fn run_once(&mut self, feed: &[Record]) -> anyhow::Result<()> {
        let (uploads, _) = self.send(feed).await?;
        let ((), mut ends) = self.finish(&uploads, || Ok(())).await?;
        ends.remove(UNCHANGED);
        check_ends(&ends, "done")
    }
}
