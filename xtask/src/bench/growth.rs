//! What a record costs as more people are stored: CPU time and bytes written.

use std::time::Duration;

use anyhow::bail;

use super::feed::{Draw, Record, people};
use super::report::{By, Figure, Goal, On, spread};
use super::stand::{Stand, check_ends};
use super::usage::Usage;
use super::{Bench, Stage};
use crate::lab::Kind;

/// People of one upload while the directory is filled; the bodies of so many are in memory.
const FILL: u32 = 50_000;
/// Runs that each figure is cut into; nobody is in one run twice, or two records would become one write.
const RUNS: u32 = 4;

/// In which order the records are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Feed,
    Random,
}

/// What the records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Unchanged,
    Changed,
}

const KINDS: [(Content, Order); 4] = [
    (Content::Unchanged, Order::Feed),
    (Content::Unchanged, Order::Random),
    (Content::Changed, Order::Feed),
    (Content::Changed, Order::Random),
];

/// The cost of a record, run by run.
#[derive(Clone, Debug, Default)]
struct Cost {
    cpu_us: Vec<f64>,
    written_bytes: Vec<f64>,
    /// Of the directory, for the reader: not judged.
    directory_us: Vec<f64>,
}

/// The people that are stored, in the order in which they were sent first, and the version of each.
struct Stored {
    people: Vec<Record>,
    draw: Draw,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let mut sizes = mode.pick(bench.stored.clone(), vec![100, 200]);
    sizes.sort_unstable();
    let number = mode.pick(20_000, 100);
    let stand = bench.stand(Kind::Practice, Stage::Fresh).await?;
    let mut stored = Stored { people: Vec::new(), draw: Draw(1) };
    let mut bases: Vec<(f64, f64)> = Vec::new();
    let mut figures = Vec::new();
    for size in sizes {
        stored.fill(stand, size).await?;
        // What is done behind the last operation's end belongs to the filling.
        tokio::time::sleep(mode.pick(Duration::from_secs(3), Duration::ZERO)).await;
        // So do pages that it left to be written, which the next writes carry along: one block is not counted.
        stored.cost(stand, number, Content::Unchanged, Order::Random).await?;
        for (at, (content, order)) in KINDS.into_iter().enumerate() {
            let cost = stored.cost(stand, number, content, order).await?;
            let own = (mean(&cost.cpu_us), mean(&cost.written_bytes));
            let base = bases.get(at).copied();
            if base.is_none() {
                bases.push(own);
            }
            let case = format!("{content:?}, {order:?} order, {size} stored").to_lowercase();
            eprintln!("growth, {case}: the directory's CPU {:.0} us/record", mean(&cost.directory_us));
            let figure = |what: &str, unit, value, base, runs: &[f64]| Figure {
                name: "growth",
                case: format!("{what}, {case}"),
                value,
                unit,
                limit: base,
                goal: base.map(|_| goal(order)),
                directory: Some(stand.directory()),
                store: Some(stand.store.clone()),
                n: number,
                runs: RUNS,
                spread: spread(runs),
            };
            figures.push(figure("cpu", "us/record", own.0, base.map(|base| base.0), &cost.cpu_us));
            figures.push(figure("written", "B/record", own.1, base.map(|base| base.1), &cost.written_bytes));
        }
    }
    Ok(figures)
}

/// Against the cost at the smallest size.
pub(super) fn goal(order: Order) -> Goal {
    Goal::new(On::Ratio, By::AtMost, if order == Order::Feed { 1.1 } else { 1.5 })
}

fn mean(runs: &[f64]) -> f64 {
    let number = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    runs.iter().sum::<f64>() / f64::from(number.max(1))
}

impl Stored {
    /// Creates people through the API until so many are stored.
    async fn fill(&mut self, stand: &mut Stand, size: u32) -> anyhow::Result<()> {
        let mut missing = size.saturating_sub(u32::try_from(self.people.len())?);
        while missing > 0 {
            let number = missing.min(FILL);
            let new = people(stand.take(number));
            let time = stand.run(&new, "done").await?;
            eprintln!("growth: {number} people created in {:.1} s", time.as_secs_f64());
            self.people.extend(new);
            missing -= number;
        }
        Ok(())
    }

    /// Sends `number` records in [`RUNS`] runs, and takes what service and agent used until the last was final.
    async fn cost(&mut self, stand: &mut Stand, number: u32, content: Content, order: Order) -> anyhow::Result<Cost> {
        let expected = if content == Content::Changed { "done" } else { "skipped/RedundantExport" };
        let length = number / RUNS;
        let mut cost = Cost::default();
        for run in 0..RUNS {
            let chosen = self.choose(order, run, length)?;
            if content == Content::Changed {
                for at in &chosen {
                    self.people[*at].version += 1;
                }
            }
            let records: Vec<Record> = chosen.iter().map(|at| self.people[*at]).collect();
            let before = sample(stand)?;
            let (uploads, _) = stand.send(&records).await?;
            let (after, ends) = stand.finish(&uploads, || sample(stand)).await?;
            check_ends(&ends, expected)?;
            let (own, directory) = (after.0.since(before.0), after.1.since(before.1));
            cost.cpu_us.push(each(own.cpu_us, length));
            cost.written_bytes.push(each(own.written_bytes, length));
            cost.directory_us.push(each(directory.cpu_us, length));
        }
        Ok(cost)
    }

    /// Places of people: neighbours in the feed, from a third of it on, or anybody.
    fn choose(&mut self, order: Order, run: u32, length: u32) -> anyhow::Result<Vec<usize>> {
        let (all, length) = (self.people.len(), length as usize);
        if length > all {
            bail!("a run of {length} records needs as many people stored, not {all}");
        }
        if order == Order::Feed {
            let first = all / 3 + run as usize * length;
            return Ok((first..first + length).map(|at| at % all).collect());
        }
        let mut places: Vec<u32> = (0..u32::try_from(all)?).collect();
        self.draw.shuffle(&mut places);
        Ok(places[..length].iter().map(|at| *at as usize).collect())
    }
}

/// Service and agent; the directory.
fn sample(stand: &Stand) -> anyhow::Result<(Usage, Usage)> {
    Ok((stand.usage()?, Usage::of(&stand.lab.shown.pids.directories)?))
}

#[expect(clippy::cast_precision_loss, reason = "sums of microseconds and bytes, far below 2^53")]
fn each(sum: u64, number: u32) -> f64 {
    sum as f64 / f64::from(number.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::feed::Active;

    #[test]
    fn nobody_is_in_a_run_twice() {
        let mut stored = Stored {
            people: (0..100).map(|number| Record { number, version: 0, active: Active::Yes }).collect(),
            draw: Draw(1),
        };
        let first = |run| (100 / 3 + run * 20) % 100;
        for run in 0..RUNS {
            let chosen = stored.choose(Order::Feed, run, 20).unwrap();
            assert_eq!(chosen[0], first(run as usize), "run {run} goes on where the one before it ended");
        }
        for order in [Order::Feed, Order::Random] {
            for run in 0..RUNS {
                let mut chosen = stored.choose(order, run, 60).unwrap();
                let in_order = chosen.windows(2).filter(|two| two[1] == (two[0] + 1) % 100).count();
                assert_eq!(in_order == 59, order == Order::Feed, "{in_order} neighbours");
                chosen.sort_unstable();
                chosen.dedup();
                assert_eq!(chosen.len(), 60, "{order:?}");
            }
            assert!(stored.choose(order, 0, 101).is_err());
        }
    }

    #[test]
    fn costs() {
        assert!((each(1_000, 4) - 250.0).abs() < 1e-9);
        assert!((mean(&[1.0, 2.0, 6.0]) - 3.0).abs() < 1e-9);
        assert!(mean(&[]).abs() < 1e-9);
        assert_eq!(goal(Order::Feed), Goal::new(On::Ratio, By::AtMost, 1.1));
        assert_eq!(goal(Order::Random), Goal::new(On::Ratio, By::AtMost, 1.5));
    }
}
