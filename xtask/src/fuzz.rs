//! Arbitrary and damaged input for every parser: what it makes of it does not matter, that it comes back does.
//!
//! Inputs are made from a seed, so that a failure can be had again; the tests run each target briefly.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rollcall_engine::expression::{Context, FunctionInfo, compile, functions, record_of, tree, vectors};
use rollcall_model::Timestamp;
use rollcall_syntax::{Limits, Span, attribute, moment, odata, render_caret};
use serde_json::{Map, Value};

/// `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to feed; every target where none is named
    target: Option<Target>,
    /// Inputs for each target
    #[arg(long, default_value_t = 100_000)]
    executions: u64,
    /// Where the inputs come from: the same seed makes the same ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Parsing, compiling and evaluating a mapping expression, on damaged values
    Expression,
    /// Regular expressions and replacement templates
    Pattern,
    /// Dates and date formats
    Date,
    /// Names of source attributes
    Attribute,
    /// `$filter` and `$orderby` of the log
    Filter,
}

/// An evaluation that takes longer is a finding too.
const LONGEST: Duration = Duration::from_secs(2);

/// Runs the targets and prints what was done.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let targets = args.target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target]);
    for target in targets {
        let report = feed(target, args.executions, args.seed, execute)?;
        println!(
            "{target:?}: {} executions with seed {} in {:.1} s, {} of them accepted, the slowest took {} ms",
            args.executions,
            args.seed,
            report.took.as_secs_f64(),
            report.accepted,
            report.slowest.as_millis()
        );
    }
    Ok(())
}

#[derive(Default)]
struct Report {
    took: Duration,
    accepted: u64,
    slowest: Duration,
}

/// Feeds `executor`, which is [`execute`] but in tests. Errors: it panicked, or took too long.
fn feed(
    target: Target,
    executions: u64,
    seed: u64,
    executor: impl Fn(Target, &str, &str) -> bool,
) -> anyhow::Result<Report> {
    let corpus = corpus(target);
    let mut dice = Dice(seed);
    let mut report = Report::default();
    let start = Instant::now();
    for execution in 1..=executions {
        let (text, other) = (input(&corpus, &mut dice), input(&corpus, &mut dice));
        let finding = |execution| format!("execution {execution} with seed {seed}: {text:?} with {other:?}");
        let begun = Instant::now();
        let accepted = catch_unwind(AssertUnwindSafe(|| executor(target, &text, &other)));
        let took = begun.elapsed();
        report.slowest = report.slowest.max(took);
        match accepted {
            Ok(accepted) => report.accepted += u64::from(accepted),
            Err(_) => anyhow::bail!("{target:?} panics on {}", finding(execution)),
        }
        anyhow::ensure!(took < LONGEST, "{target:?} takes {took:?} on {}", finding(execution));
    }
    report.took = start.elapsed();
    Ok(report)
}

/// Whether the input was accepted.
fn execute(target: Target, text: &str, other: &str) -> bool {
    let limits = Limits { chars_max: 4_096, depth_max: 32 };
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match target {
        Target::Expression => evaluate(text, other),
        Target::Pattern => evaluate(&format!("Replace([a], , {}, , {}, , )", quoted(text), quoted(other)), other),
        Target::Date => {
            let _ = moment::parse_us(text);
            evaluate(&format!("FormatDateTime([a], , {}, {})", quoted(text), quoted(other)), text)
                | evaluate("CDate([a])", text)
        }
        Target::Attribute => attribute::parse(text).is_ok(),
        Target::Filter => odata::parse_filter(text, limits).is_ok() | odata::parse_order(text, limits).is_ok(),
    }
}

fn evaluate(text: &str, value: &str) -> bool {
    let _ = tree(text);
    let compiled = match compile(text) {
        Ok(compiled) => compiled,
        Err(unusable) => {
            let _ = render_caret(text, unusable.at, &unusable.message, unusable.hint.as_deref());
            return false;
        }
    };
    let values: Map<String, Value> = compiled
        .sources
        .iter()
        .map(|path| (path.name.clone(), Value::from(value)))
        .chain([("a".to_owned(), Value::from(value))])
        .collect();
    let record = record_of(&values);
    let context = Context {
        record: &record,
        now: Timestamp(vectors::NOW_US),
        default_domain: vectors::DEFAULT_DOMAIN,
        seed: [7; 32],
        taken: &|value| value.len() < 8,
    };
    if let Err(fault) = compiled.evaluate(&context) {
        let Span { start, end } = fault.at;
        assert!(text.get(start..end).is_some(), "a fault outside of the text: {fault:?}");
    }
    true
}

/// What inputs are made of.
fn corpus(target: Target) -> Vec<String> {
    let examples = || functions().flat_map(FunctionInfo::examples).chain(vectors::composite());
    let quoted = |text: &str| -> Vec<String> { text.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    match target {
        Target::Expression => examples().map(|example| example.expression.to_owned()).collect(),
        Target::Pattern => {
            let of_replace = |text: &&str| text.starts_with("Replace") || text.starts_with("IsMatch");
            let texts = examples().map(|example| example.expression).filter(of_replace);
            texts.flat_map(|text| quoted(&text.replace("\\\\", "\\"))).collect()
        }
        Target::Date => examples()
            .filter(|example| ["Date", "Now"].iter().any(|word| example.expression.contains(word)))
            .flat_map(|example| quoted(example.expression).into_iter().chain(quoted(example.input)))
            .collect(),
        Target::Attribute => [
            "userName",
            "name.givenName",
            "emails[type eq \"work\"].value",
            "addresses[primary eq true].locality",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        ]
        .map(str::to_owned)
        .to_vec(),
        Target::Filter => [
            "activityDateTime ge 2026-01-01T00:00:00Z and provisioningStatusInfo/status eq 'failure'",
            "not (jobId eq 'x') or contains(sourceIdentity/id, 'E-''1')",
            "activityDateTime desc,id asc",
            "startswith(targetIdentity/displayName,'A') and durationInMilliseconds gt -5",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

/// A text of the corpus, damaged; now and then arbitrary bytes.
fn input(corpus: &[String], dice: &mut Dice) -> String {
    if dice.below(16) == 0 {
        let bytes: Vec<u8> = (0..dice.below(64)).map(|_| dice.byte()).collect();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let pick = |dice: &mut Dice| corpus.get(dice.below(corpus.len())).map_or(&[][..], String::as_bytes).to_vec();
    let mut bytes = pick(dice);
    for _ in 0..dice.below(5) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(12)).min(bytes.len());
        match dice.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.insert(at, dice.byte()),
            2 => bytes
                .splice(at..at, b"\"[](),\\<>=&$.{}*+?^|-:/".iter().copied().skip(dice.below(22)).take(1))
                .for_each(drop),
            3 => {
                let part = bytes[at..end].repeat(1 + dice.below(20));
                bytes.splice(at..end, part).for_each(drop);
            }
            4 => {
                let other = pick(dice);
                let from = dice.below(other.len() + 1);
                bytes.splice(at..end, other.into_iter().skip(from)).for_each(drop);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes.truncate(8_192);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// SplitMix64: enough to make inputs, and the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn every_target_survives_a_while() {
        for target in Target::value_variants() {
            let report = feed(*target, 2_000, 7, execute).unwrap();
            assert!(report.accepted > 0, "{target:?} is never given anything it accepts");
        }
    }

    #[test]
    fn a_panic_is_reported_with_what_led_to_it() {
        for target in Target::value_variants() {
            let last = RefCell::new((0, String::new(), String::new()));
            let panics_at_13 = |_: Target, text: &str, other: &str| {
                let count = last.borrow().0 + 1;
                last.replace((count, text.to_owned(), other.to_owned()));
                assert_ne!(count, 13, "broken");
                true
            };
            let report = feed(*target, 50, 7, panics_at_13).err().map(|error| error.to_string());
            let (count, text, other) = last.into_inner();
            assert_eq!(count, 13, "{target:?} goes on after a panic");
            let expected = format!("{target:?} panics on execution 13 with seed 7: {text:?} with {other:?}");
            assert_eq!(report, Some(expected));
        }
    }
}
