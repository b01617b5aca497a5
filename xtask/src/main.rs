//! The project's own tools: `cargo xtask tidy|walls|generate|fuzz|lab|quickstart|bench|record`.

mod bench;
mod fuzz;
mod generate;
mod lab;
mod quickstart;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// As the service has: what is measured here should run as it does there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "xtask", about = "Tools of the Rollcall workspace")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks what the compiler does not: walls, file sizes, names, pages, licences, generated files.
    Tidy,
    /// Prints the table of rooms and walls.
    Walls,
    /// Writes the generated files.
    Generate,
    /// Feeds the parsers with damaged and arbitrary input.
    Fuzz(fuzz::Args),
    /// Starts, breaks and ends a service, its agents and a directory on this machine.
    Lab(lab::Args),
    /// Uploads an HR file of 1,000 people into a practice directory.
    Quickstart(quickstart::Args),
    /// Measures the product's speed.
    Bench(bench::Args),
    /// Feeds a lab steadily for a long time: do memory and descriptors stay flat?
    Soak(bench::SoakArgs),
    /// Records the practice directory's transcripts from a real domain.
    Record(xtask::record::Args),
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    // Two providers would make the first handshake fail; there is one, and it is named here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Args::parse().command {
        Command::Bench(args) => return bench::run(&args),
        Command::Soak(args) => return bench::soak(&args),
        Command::Tidy => tidy::run(root())?,
        Command::Walls => print!("{}", tidy::walls::table()),
        Command::Generate => generate::write_all(root())?,
        Command::Fuzz(args) => fuzz::run(&args)?,
        Command::Lab(args) => lab::run(args)?,
        Command::Quickstart(args) => quickstart::run(&args)?,
        Command::Record(args) => tokio::runtime::Runtime::new()?.block_on(xtask::record::record(args))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The workspace's folder.
fn root() -> &'static Path {
    static ROOT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.parent().unwrap_or(here).to_owned()
    })
}
