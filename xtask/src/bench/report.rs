//! What a benchmark found: the JSON line, the table, and whether it is a miss.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    pub(super) on: On,
    pub(super) by: By,
    /// The design's figure.
    pub(super) figure: f64,
}

/// Which number of a line a goal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Value,
    Ratio,
}

/// How a goal is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    AtLeast,
    AtMost,
    Below,
}

impl Goal {
    pub(super) const fn new(on: On, by: By, figure: f64) -> Self {
        Self { on, by, figure }
    }
}

/// Whether figures are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Full sizes, the release build, exit 1 on a miss.
    Full,
    /// Ten seconds, the development build, no thresholds.
    Smoke,
}

impl Mode {
    /// The size for this mode.
    pub(super) fn pick<T>(self, full: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Smoke => smoke,
        }
    }
}

/// What was measured, before it is judged.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// Which of the lines of one name.
    pub(super) case: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) limit: Option<f64>,
    pub(super) goal: Option<Goal>,
    pub(super) directory: Option<&'static str>,
    pub(super) store: Option<String>,
    pub(super) n: u32,
    pub(super) runs: u32,
    pub(super) spread: f64,
}

/// One line of the output.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) case: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// What the ratio is taken against: the raw rate of the same run; in `growth` the cost at the smallest size.
    pub(super) limit: Option<f64>,
    pub(super) target: Option<f64>,
    pub(super) ratio: Option<f64>,
    pub(super) directory: Option<&'static str>,
    pub(super) store: Option<String>,
    /// Records, requests or samples measured.
    pub(super) n: u32,
    pub(super) runs: u32,
    /// Largest minus smallest of the runs; of a percentile, of the samples. In `unit`.
    pub(super) spread: f64,
    /// `null` where nothing is judged.
    pub(super) met: Option<bool>,
}

impl Line {
    /// Judges a figure. A smoke run judges nothing.
    pub(super) fn new(figure: Figure, mode: Mode) -> Self {
        let ratio = figure.limit.and_then(|limit| ratio(figure.value, limit));
        let met = match (mode, figure.goal) {
            (Mode::Full, Some(goal)) => Some(met(goal, figure.value, ratio)),
            _ => None,
        };
        Self {
            name: figure.name,
            case: figure.case,
            value: figure.value,
            unit: figure.unit,
            limit: figure.limit,
            target: figure.goal.map(|goal| goal.figure),
            ratio,
            directory: figure.directory,
            store: figure.store,
            n: figure.n,
            runs: figure.runs,
            spread: figure.spread,
            met,
        }
    }
}

/// `value / limit`; `None` where there is nothing to divide by.
fn ratio(value: f64, limit: f64) -> Option<f64> {
    (limit > 0.0).then(|| value / limit)
}

/// A ratio that could not be taken is a miss: silence is no success.
fn met(goal: Goal, value: f64, ratio: Option<f64>) -> bool {
    let judged = match goal.on {
        On::Value => Some(value),
        On::Ratio => ratio,
    };
    judged.is_some_and(|judged| match goal.by {
        By::AtLeast => judged >= goal.figure,
        By::AtMost => judged <= goal.figure,
        By::Below => judged < goal.figure,
    })
}

/// 1 where a line misses its goal, else 0.
pub(super) fn exit_code(lines: &[Line]) -> u8 {
    u8::from(lines.iter().any(|line| line.met == Some(false)))
}

/// The sample that `percent` of all do not exceed (nearest rank); `None` of no samples.
pub(super) fn percentile(samples: &[Duration], percent: u32) -> Option<Duration> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent as usize).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Largest minus smallest; 0 of fewer than two.
pub(super) fn spread(runs: &[f64]) -> f64 {
    let (least, most) = runs.iter().fold((f64::MAX, f64::MIN), |(least, most), run| (least.min(*run), most.max(*run)));
    if runs.len() < 2 { 0.0 } else { most - least }
}

/// The same of times, in milliseconds.
pub(super) fn spread_ms(samples: &[Duration]) -> f64 {
    spread(&samples.iter().map(|sample| ms(*sample)).collect::<Vec<_>>())
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Number per second; 0 of no time.
pub(super) fn rate(number: u32, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { f64::from(number) / time.as_secs_f64() }
}

/// Timed blocks of one kind: their rate as a whole and of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    number: u32,
    time: Duration,
    rates: Vec<f64>,
}

impl Blocks {
    pub(super) fn push(&mut self, number: u32, time: Duration) {
        self.number += number;
        self.time += time;
        self.rates.push(rate(number, time));
    }

    /// All of it over all the time.
    pub(super) fn rate(&self) -> f64 {
        rate(self.number, self.time)
    }

    pub(super) fn spread(&self) -> f64 {
        spread(&self.rates)
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn runs(&self) -> u32 {
        u32::try_from(self.rates.len()).unwrap_or(u32::MAX)
    }
}

/// The head of the table, as Markdown.
pub(super) const TABLE_HEAD: &str = "\
| name | case | value | unit | raw or base | ratio | target | met | directory | store | n | runs | spread |
|---|---|---:|---|---:|---:|---:|---|---|---|---:|---:|---:|";

/// One row of the table.
pub(super) fn row(line: &Line) -> String {
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), shown);
    let met = match line.met {
        None => "-",
        Some(true) => "yes",
        Some(false) => "NO",
    };
    let mut out = format!("| {} | {} | {} | {} ", line.name, line.case, shown(line.value), line.unit);
    let ratio = line.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    let _ = write!(out, "| {} | {ratio} | {} | {met} ", number(line.limit), number(line.target));
    let (directory, store) = (line.directory.unwrap_or("-"), line.store.as_deref().unwrap_or("-"));
    let _ = write!(out, "| {directory} | {store} | {} | {} | {} |", line.n, line.runs, shown(line.spread));
    out
}

/// As many digits as mean something.
fn shown(number: f64) -> String {
    if number.abs() >= 1_000.0 {
        format!("{number:.0}")
    } else if number.abs() >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

#[cfg(test)]
mod tests;
