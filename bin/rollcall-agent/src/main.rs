//! `rollcall-agent`: enrols an agent, and runs it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use rollcall_agent::config::{Config, LogFormat};
use rollcall_agent::enrol::{Enrolment, enrol};
use rollcall_agent::system::{BootClock, SystemClock, SystemRandom};
use rollcall_agent::{Agent, LdapConnector, Options};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

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
    },
    /// Prints a commented configuration to start from.
    Sample,
}

fn main() -> anyhow::Result<()> {
    // Every user of TLS here names its provider; this is for libraries that ask for a default.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    runtime.block_on(async {
        match arguments.command {
            Command::Enroll { config, token, name } => enroll(&load(&config)?, token, name).await,
            Command::Run { config } => run(&load(&config)?).await,
            Command::Check { config } => {
                let config = load(&config)?;
                config.bind_password(|name| std::env::var(name).ok())?;
                println!("the configuration can be used");
                Ok(())
            }
            Command::Sample => {
                print!("{}", Config::sample());
                Ok(())
            }
        }
    })
}

fn load(path: &std::path::Path) -> anyhow::Result<Config> {
    Config::load(path, std::env::vars()).with_context(|| format!("configuration {}", path.display()))
}

async fn enroll(config: &Config, token: String, name: Option<String>) -> anyhow::Result<()> {
    start_log(config)?;
    let identity = enrol(&Enrolment {
        url: config.service.url.clone(),
        ca: config.service.ca.clone(),
        data: config.data.dir.clone(),
        token: token.into(),
        name: name.unwrap_or_else(rollcall_agent::system::host_name),
    })
    .await?;
    println!("enrolled as agent {} of domain {}", identity.agent, identity.domain);
    Ok(())
}

async fn run(config: &Config) -> anyhow::Result<()> {
    start_log(config)?;
    let password = config.bind_password(|name| std::env::var(name).ok())?;
    let agent = Agent::new(Options {
        url: config.service.url.clone(),
        ca: config.service.ca.clone(),
        data: config.data.dir.clone(),
        directory: Arc::new(LdapConnector::new(config, password)?),
        clock: Arc::new(SystemClock),
        lease_clock: Arc::new(BootClock),
        random: Arc::new(SystemRandom),
    });
    let handle = agent.handle();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("the agent stops");
        handle.stop();
    });
    agent.run().await?;
    Ok(())
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let level = config.log.level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(level).context("log.level: write a level such as info")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.init(),
    }
    Ok(())
}
