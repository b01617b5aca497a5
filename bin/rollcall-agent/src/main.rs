//! `rollcall-agent`: enrols an agent, and runs it.

mod ask;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use rollcall_agent::config::Config;

use work::{begin_again_for_kerberos, variable};

/// Many small texts are made and dropped for each person; the system's allocator takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Makes what Rollcall decides so in one Active Directory domain.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes this agent known to the service, with a one-time token of `rollcall agent token`.
    Enroll {
        #[arg(long)]
        config: PathBuf,
        /// The one-time token.
        // One in sixty-four begins with a hyphen.
        #[arg(long, env = "ROLLCALL_AGENT_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
        token: String,
        /// A name for lists; the host's name where it is not given.
        #[arg(long)]
        name: Option<String>,
    },
    /// Works until it is told to stop (SIGTERM, SIGINT).
    Run {
        #[arg(long)]
        config: PathBuf,
    },
    /// Reads and checks a configuration, and touches nothing.
    Check {
        #[arg(long)]
        config: PathBuf,
        /// Also connects to the directory, binds, and says which controller answers.
        #[arg(long)]
        connect: bool,
    },
    /// Looks at everything the agent needs and says what is wrong, missing or too much, each with the remedy.
    Doctor(ask::Doctor),
    /// What its account has to be allowed in the directory.
    Rights {
        #[command(subcommand)]
        command: ask::Rights,
    },
    /// Prints a commented configuration to start from.
    Sample,
}

impl Command {
    /// The configuration of a command that connects to the directory.
    fn connects_by(&self) -> Option<&PathBuf> {
        match self {
            Self::Run { config } | Self::Check { config, connect: true } => Some(config),
            Self::Doctor(doctor) => Some(&doctor.config),
            Self::Rights { command: ask::Rights::Script(script) } => Some(&script.config),
            Self::Enroll { .. } | Self::Check { .. } | Self::Sample => None,
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    // The allocator asks for huge pages, and the kernel would make 2 MiB resident, minutes later, where a few KiB are used.
    // A kernel without them refuses, and gives none either.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // Every user of TLS here names its provider; this is for libraries that ask for a default.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Arguments::parse();
    if let Some(config) = arguments.command.connects_by() {
        begin_again_for_kerberos(&load(config)?)?;
    }
    // The allocator keeps a heap for each thread, with a high-water mark of its own, and the agent waits for others far
    // more than it computes: a second worker costs memory and hand-overs, and wins nothing.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        match arguments.command {
            Command::Enroll { config, token, name } => work::enroll(&load(&config)?, token, name).await?,
            Command::Run { config } => work::run(&load(&config)?).await?,
            Command::Check { config, connect } => work::check(&load(&config)?, connect).await?,
            Command::Doctor(doctor) => {
                let config = load(&doctor.config)?;
                return doctor.run(&config).await;
            }
            Command::Rights { command: ask::Rights::Script(script) } => {
                let config = load(&script.config)?;
                return script.run(&config).await;
            }
            Command::Sample => print!("{}", Config::sample()),
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn load(path: &std::path::Path) -> anyhow::Result<Config> {
    Config::load(path, std::env::vars()).with_context(|| format!("configuration {}", path.display()))
}
