//! `rollcall`: the service, and the client's commands.

mod practice;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use rollcall_service::config::{Config, Log, LogFormat};
use rollcall_service::system::{SystemClock, SystemRandom};
use rollcall_service::{Options, Service};
use tracing_subscriber::EnvFilter;

/// Many small texts are made and dropped for each person; the system's allocator takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns an HR feed into Active Directory accounts.
#[derive(Parser)]
#[command(name = "rollcall", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve {
        /// Configuration file
        #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE")]
        config: PathBuf,
    },
    /// The service's configuration and description
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Run the practice directory: an AD-like LDAP server in memory
    Practice(practice::PracticeArgs),
    #[command(flatten)]
    Client(Box<rollcall_cli::Command>),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check a file, with the variables that overlay it
    Check {
        /// Configuration file
        #[arg(long, env = "ROLLCALL_CONFIG", value_name = "FILE")]
        config: PathBuf,
    },
    /// Print a commented file with every default
    Sample,
    /// Print the file's JSON schema
    Schema,
    /// Print the API's OpenAPI document
    Openapi,
}

fn main() -> ExitCode {
    // The allocator asks for huge pages, and the kernel would make 2 MiB resident, minutes later, where a few KiB are used.
    // A kernel without them refuses, and gives none either.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let arguments = Arguments::parse();
    // One crypto provider for everything: whatever builds its TLS without naming one gets this.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rollcall: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Serve { config } => runtime.block_on(serve(&load(&config)?)),
        Command::Config { command } => {
            match command {
                ConfigCommand::Check { config } => {
                    load(&config)?;
                    println!("{} is valid", config.display());
                }
                ConfigCommand::Sample => print!("{}", Config::sample()),
                ConfigCommand::Schema => print!("{}", Config::schema()),
                ConfigCommand::Openapi => print!("{}", rollcall_service::openapi_document()),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Practice(arguments) => {
            runtime.block_on(async { practice::run(arguments, stop_signal()?).await })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Client(command) => {
            let context = rollcall_cli::Context::system(Arc::new(SystemClock), Arc::new(SystemRandom));
            Ok(ExitCode::from(runtime.block_on(command.run(context)).code()))
        }
    }
}

fn load(path: &std::path::Path) -> anyhow::Result<Config> {
    Ok(Config::load(path, std::env::vars())?)
}

async fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    log_to_stderr(&config.log)?;
    let options = Options { config: config.clone(), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let service = Service::open(options).await?;
    service.run(stop_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

fn log_to_stderr(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level)
        .with_context(|| format!("configuration: log.level '{}' is no level and no filter", log.level))?;
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match log.format {
        LogFormat::Json => subscriber.json().init(),
        LogFormat::Text => subscriber.init(),
    }
    Ok(())
}

/// Ends at SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
