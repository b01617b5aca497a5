//! `./bench`: the product's speed, beside what the directory does at most where that is the limit.
//!
//! Each benchmark is a file of its own; `docs/performance.md` has their definitions. Rates of the raw drivers come of a
//! sweep that is printed, and are taken in the same run, in blocks that alternate with ours.

mod create;
mod drive;
mod evaluate;
mod feed;
mod growth;
mod intake;
mod memory;
mod raw;
mod report;
mod soak;
mod stand;
mod start;
mod unchanged;
mod urgent;
mod usage;

use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};

use crate::lab::Kind;
use report::{Figure, Line, Mode, TABLE_HEAD, exit_code, row};
pub(crate) use soak::{SoakArgs, soak};
use stand::Stand;

#[derive(Parser)]
pub(crate) struct Args {
    /// Which benchmark.
    #[arg(value_enum)]
    name: Name,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// `postgres`: a cluster of the lab's own, on disk.
    #[arg(long, default_value = "sqlite", value_parser = STORES)]
    store: String,
    /// Small sizes, the development build, no thresholds: does it run at all?
    #[arg(long)]
    smoke: bool,
    /// Sizes that `growth` compares; the smallest is what the others are held against.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    stored: Vec<u32>,
}

const STORES: [&str; 2] = ["sqlite", "postgres"];

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Intake,
    Evaluate,
    Create,
    Unchanged,
    Growth,
    Memory,
    Urgent,
    Start,
    /// Every one of them, and the machine.
    All,
}

/// In the order in which a shared lab serves them all: what leaves work behind comes last.
const ALL: [Name; 8] = [
    Name::Evaluate,
    Name::Create,
    Name::Unchanged,
    Name::Urgent,
    Name::Growth,
    Name::Memory,
    Name::Start,
    Name::Intake,
];

/// Whether a benchmark may use a lab that another one used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Shared,
    /// A new one; a smoke run shares all the same, as nobody looks at its figures.
    Fresh,
}

/// One run of the command: its settings, and the labs that are up.
struct Bench {
    mode: Mode,
    store: String,
    stored: Vec<u32>,
    samba: Option<Stand>,
    practice: Option<Stand>,
}

/// Runs what was asked for. 0: every target is met, 1: one is missed, or a benchmark could not run.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut bench = Bench {
            mode: if args.smoke { Mode::Smoke } else { Mode::Full },
            store: args.store.clone(),
            stored: args.stored.clone(),
            samba: None,
            practice: None,
        };
        let names = if args.name == Name::All { &ALL[..] } else { std::slice::from_ref(&args.name) };
        if !args.json {
            println!("{}\n\n{TABLE_HEAD}", machine());
        }
        let (mut lines, mut errors) = (Vec::new(), Vec::new());
        for name in names {
            let result = bench.one(*name).await;
            if result.is_err() {
                // Nobody knows what state they are in.
                bench.end(Kind::Samba)?;
                bench.end(Kind::Practice)?;
            }
            match result {
                Ok(figures) => {
                    for figure in figures {
                        let line = Line::new(figure, bench.mode);
                        println!("{}", if args.json { serde_json::to_string(&line)? } else { row(&line) });
                        lines.push(line);
                    }
                }
                Err(error) => {
                    eprintln!("bench {name:?}: {error:#}");
                    errors.push(name);
                }
            }
        }
        bench.end(Kind::Samba)?;
        bench.end(Kind::Practice)?;
        Ok(if errors.is_empty() { ExitCode::from(exit_code(&lines)) } else { ExitCode::FAILURE })
    })
}

impl Bench {
    async fn one(&mut self, name: Name) -> anyhow::Result<Vec<Figure>> {
        match name {
            Name::Intake => intake::run(self).await,
            Name::Evaluate => evaluate::run(self.mode),
            Name::Create => create::run(self).await,
            Name::Unchanged => unchanged::run(self).await,
            Name::Growth => growth::run(self).await,
            Name::Memory => memory::run(self).await,
            Name::Urgent => urgent::run(self).await,
            Name::Start => start::run(self).await,
            Name::All => Ok(Vec::new()),
        }
    }

    /// A lab with this directory. A full run gives each benchmark one of its own, but where it says that it shares.
    async fn stand(&mut self, kind: Kind, stage: Stage) -> anyhow::Result<&mut Stand> {
        if stage == Stage::Fresh && self.mode == Mode::Full {
            self.end(kind)?;
        }
        let store = self.store.clone();
        let place = match kind {
            Kind::Samba => &mut self.samba,
            Kind::Practice => &mut self.practice,
        };
        match place {
            Some(stand) => Ok(stand),
            empty => Ok(empty.insert(Stand::up(kind, &store).await?)),
        }
    }

    /// Ends a lab, if it is up.
    fn end(&mut self, kind: Kind) -> anyhow::Result<()> {
        let place = match kind {
            Kind::Samba => &mut self.samba,
            Kind::Practice => &mut self.practice,
        };
        place.take().map_or(Ok(()), |stand| stand.down())
    }
}

/// What the figures were measured on.
fn machine() -> String {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let behind = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let version = |program: &str| {
        let out = Command::new(program).arg("--version").output().ok();
        let text = out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
        text.unwrap_or_else(|| format!("no {program}"))
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "development" } else { "release" };
    format!(
        "{} x {}, {} of memory, Linux {}; {}; {}; {build} build",
        cores,
        behind(&file("/proc/cpuinfo"), "model name"),
        behind(&file("/proc/meminfo"), "MemTotal"),
        file("/proc/sys/kernel/osrelease").trim(),
        version("samba"),
        version("psql"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_every_name() {
        for name in Name::value_variants() {
            assert_eq!(ALL.contains(name), *name != Name::All, "{name:?}");
        }
        assert_eq!(ALL.len() + 1, Name::value_variants().len());
    }

    /// The page's targets are those that figures are held against.
    #[test]
    fn the_page_tells_the_targets() {
        let told = |goal: report::Goal, unit: &str| {
            let by = match goal.by {
                report::By::AtLeast => "≥",
                report::By::AtMost => "≤",
                report::By::Below => "<",
            };
            match goal.on {
                report::On::Value => {
                    let figure: u64 = format!("{}", goal.figure).parse().unwrap();
                    format!("{by} {}{unit}", crate::generate::grouped(figure))
                }
                report::On::Ratio => format!("ratio {by} {:.2}", goal.figure),
            }
        };
        let (feed, random) = (growth::goal(growth::Order::Feed), growth::goal(growth::Order::Random));
        let expected = [
            ("intake", vec![told(intake::RATE, "/s"), told(intake::P99_MS, " ms"), "shown".to_owned()]),
            ("evaluate", vec![told(evaluate::GOAL, "/s")]),
            ("create", vec![told(create::WITH_PASSWORD, ""), told(create::DISABLED, ""), told(create::PRACTICE, "/s")]),
            ("unchanged", vec![told(unchanged::GOAL, "")]),
            ("growth", vec![format!("feed order {}, random {}", told(feed, ""), told(random, ""))]),
            ("memory", vec![format!("{}, {}", told(memory::SERVICE, " MiB"), told(memory::AGENT, " MiB"))]),
            ("urgent", vec![told(urgent::GOAL, " ms")]),
            ("start", vec![told(start::GOAL, " ms")]),
        ];
        let page = include_str!("../../../docs/performance.md");
        let (_, rest) = page.split_once("| name | what is measured | target |\n|---|---|---|\n").unwrap();
        let mut found: Vec<(&str, Vec<String>)> = Vec::new();
        for row in rest.lines().map_while(|line| line.strip_prefix('|')?.strip_suffix(" |")) {
            let (name, row) = row.split_once('|').unwrap();
            // A row without a name is one more line of the benchmark above.
            if let Some(name) = name.trim().strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
                found.push((name, Vec::new()));
            }
            found.last_mut().unwrap().1.push(row.rsplit_once(" | ").unwrap().1.to_owned());
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn the_command_line() {
        let args = Args::try_parse_from(["bench", "growth", "--stored", "10000,1000000", "--json"]).unwrap();
        assert_eq!((args.name, args.json, args.smoke), (Name::Growth, true, false));
        assert_eq!((args.stored, args.store.as_str()), (vec![10_000, 1_000_000], "sqlite"));
        assert!(Args::try_parse_from(["bench", "nothing"]).is_err());
        assert!(Args::try_parse_from(["bench"]).is_err());
    }
}
