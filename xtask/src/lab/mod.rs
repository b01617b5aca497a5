//! A service, its agents and a directory as separate processes on this machine.
//!
//! `up` returns when an upload would be applied; `kill` and `start` act on one process; `down` ends what `up` started
//! and nothing else. Everything a lab needs is under one folder (`--dir`), but for the directory's and PostgreSQL's
//! data, which are in memory where the machine has a memory file system.

mod area;
mod ca;
mod client;
mod connect;
mod pair;
mod postgres;
mod practice;
mod process;
mod samba;
mod service;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod up;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

pub(crate) use connect::Directory as DirectoryClient;
pub(crate) use service::programs;
pub(crate) use up::{Options, down, up};

/// Where a lab lives when `--dir` is not given, from the workspace's folder.
pub(crate) const DIR_DEFAULT: &str = ".rollcall/lab";
pub(crate) const PORT_DEFAULT: u16 = 8443;

#[derive(Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything and returns when an upload would be applied.
    Up(UpArgs),
    /// Ends one process at once (SIGKILL); the practice directory drops all connections and keeps its data.
    Kill(OneArgs),
    /// Starts one process again.
    Start(OneArgs),
    /// Ends what `up` started.
    Down(DirArgs),
}

#[derive(Parser)]
struct UpArgs {
    /// Print one JSON object that says where everything is.
    #[arg(long)]
    json: bool,
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The service's port on 127.0.0.1; 0: any free one.
    #[arg(long, default_value_t = PORT_DEFAULT)]
    port: u16,
    #[arg(long, value_enum, default_value = "samba")]
    directory: Kind,
    /// `sqlite`, `postgres` (a cluster of the lab's own) or a URL.
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// With two controllers the second agent points at the second one, and so on in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    agents: u8,
    /// Samba only; two replicate to each other.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    domain_controllers: u8,
}

#[derive(Parser)]
struct DirArgs {
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Parser)]
struct OneArgs {
    /// `service`, `agent`, `agent2`, `directory`, `postgres`...
    what: state::Role,
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Which directory a lab has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Kind {
    Samba,
    Practice,
}

/// Runs one command of the lab.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match args.command {
            Command::Up(args) => {
                if args.domain_controllers > 1 && args.directory == Kind::Practice {
                    anyhow::bail!("--domain-controllers {}: the practice directory is one", args.domain_controllers);
                }
                let options = Options {
                    dir: dir(args.dir)?,
                    port: args.port,
                    directory: args.directory,
                    store: args.store,
                    agents: args.agents,
                    durable: false,
                    domain_controllers: args.domain_controllers,
                };
                let lab = up(&options).await?;
                if args.json {
                    println!("{}", serde_json::to_string(&lab.shown)?);
                } else {
                    println!("{}", serde_json::to_string_pretty(&lab.shown)?);
                }
                Ok(())
            }
            Command::Kill(args) => up::kill(&dir(args.dir)?, &args.what).await,
            Command::Start(args) => up::start(&dir(args.dir)?, &args.what).await,
            Command::Down(args) => down(&dir(args.dir)?),
        }
    })
}

/// The lab's folder as an absolute path.
fn dir(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let dir = given.unwrap_or_else(|| crate::root().join(DIR_DEFAULT));
    Ok(std::path::absolute(dir)?)
}
