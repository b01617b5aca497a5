//! `./bench soak`: a steady feed for a long time; do memory and open descriptors of service and agent stay flat?

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::feed::{Active, OPERATIONS, Record, people};
use super::stand::Stand;
use super::usage;
use crate::lab::Kind;

/// People of the feed; all are there before the clock starts.
const PEOPLE: u32 = 2_000;
/// Times that everybody is changed at full speed before the clock starts: heaps and page caches have their highest
/// level behind them then, and what grows is what is kept of each record.
const WARM_ROUNDS: u32 = 10;
const SAMPLE: Duration = Duration::from_secs(10);
/// What a figure may grow by over the last two thirds, as a share of its mean, and still be called flat.
const GROWTH_SHARE_MAX: f64 = 0.05;

#[derive(Parser)]
pub(crate) struct SoakArgs {
    #[arg(long, default_value_t = 30)]
    minutes: u32,
    /// Changed records a second, in requests of fifty.
    #[arg(long, default_value_t = 50)]
    rate: u32,
    #[arg(long, value_enum, default_value = "samba")]
    directory: Kind,
    #[arg(long, default_value = "sqlite", value_parser = super::STORES)]
    store: String,
}

/// Samples of one figure of one process.
struct Series {
    name: String,
    values: Vec<f64>,
}

/// Runs it. 0: everything is flat.
pub(crate) fn soak(args: &SoakArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut stand = Stand::up(args.directory, &args.store).await?;
        let result = run(&mut stand, args).await;
        stand.down()?;
        let flat = result?;
        println!("{}", if flat { "flat" } else { "NOT flat" });
        Ok(if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
async fn run(stand: &mut Stand, args: &SoakArgs) -> anyhow::Result<bool> {
    let numbers = stand.take(PEOPLE);
    stand.run(&people(numbers.clone()), "done").await?;
    for version in 1..=WARM_ROUNDS {
        let changed: Vec<Record> =
            numbers.clone().map(|number| Record { number, version, active: Active::Yes }).collect();
        stand.run(&changed, "done").await?;
    }
    let pids: Vec<(&str, u32)> = ["service", "agent"].into_iter().zip(stand.pids()).collect();
    let figures = ["KiB", "descriptors"];
    let names = pids.iter().flat_map(|(what, _)| figures.map(|figure| format!("{what} {figure}")));
    let mut all: Vec<Series> = names.map(|name| Series { name, values: Vec::new() }).collect();
    println!("seconds  open  {}", all.iter().map(|series| series.name.as_str()).collect::<Vec<_>>().join("  "));
    let (start, end) = (Instant::now(), Duration::from_secs(u64::from(args.minutes) * 60));
    let period = Duration::from_secs_f64(OPERATIONS as f64 / f64::from(args.rate.max(1)));
    let (mut beat, mut sampled) = (interval(period), Duration::ZERO);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut next, mut version, mut uploads) = (numbers.start, WARM_ROUNDS + 1, Vec::new());
    while start.elapsed() < end {
        beat.tick().await;
        let until = numbers.end.min(next + u32::try_from(OPERATIONS)?);
        let records: Vec<Record> =
            (next..until).map(|number| Record { number, version, active: Active::Yes }).collect();
        uploads.extend(stand.send(&records).await?.0);
        (next, version) = if until == numbers.end { (numbers.start, version % 9_999 + 1) } else { (until, version) };
        if start.elapsed() >= sampled {
            let mut values = Vec::new();
            for (_, pid) in &pids {
                values.extend([usage::resident_kib(*pid)? as f64, usage::descriptors(*pid)? as f64]);
            }
            let shown: Vec<String> = values.iter().map(|value| format!("{value:.0}")).collect();
            println!("{}  {}  {}", start.elapsed().as_secs(), stand.open_operations().await?, shown.join("  "));
            for (series, value) in all.iter_mut().zip(values) {
                series.values.push(value);
            }
            sampled += SAMPLE;
        }
    }
    let ((), ends) = stand.finish(&uploads, || Ok(())).await?;
    println!("operations: {ends:?}");
    super::stand::check_ends(&ends, "done")?;
    // Each is printed, whatever the one before was.
    let flat: Vec<bool> = all.iter().map(verdict).collect();
    Ok(flat.into_iter().all(|one| one))
}

/// Prints what the last two thirds grew by, and whether that is flat.
#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
fn verdict(series: &Series) -> bool {
    let last = &series.values[series.values.len() / 3..];
    let mean = last.iter().sum::<f64>() / last.len().max(1) as f64;
    let growth = slope(last) * last.len().saturating_sub(1) as f64;
    let share = if mean > 0.0 { growth / mean } else { 0.0 };
    let flat = share <= GROWTH_SHARE_MAX;
    println!("{}: mean {mean:.0}, growth {growth:+.1} ({:+.2} %) over the last two thirds", series.name, share * 100.0);
    flat
}

/// Least squares: growth from one sample to the next.
#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^53")]
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (x_mean, y_mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count.max(1.0));
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in values.iter().enumerate() {
        above += (x as f64 - x_mean) * (y - y_mean);
        below += (x as f64 - x_mean).powi(2);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_noise() {
        let check = |name: &str, value: fn(u32) -> f64, flat: bool| {
            let values = (0..180).map(value).collect();
            assert_eq!(verdict(&Series { name: name.to_owned(), values }), flat, "{name}");
        };
        check("level", |_| 1_000.0, true);
        check("noise", |at| 1_000.0 + f64::from(at * 7_919 % 13), true);
        check("a warm start", |at| if at < 60 { f64::from(at) } else { 1_000.0 }, true);
        check("a leak", |at| 1_000.0 + f64::from(at), false);
        check("a leaked descriptor a minute", |at| 40.0 + f64::from(at / 6), false);
        assert!((slope(&[1.0, 3.0, 5.0]) - 2.0).abs() < 1e-9);
    }
}
