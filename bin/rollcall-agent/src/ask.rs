//! The commands of a person who asks: `doctor`, `rights script`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use rollcall_agent::config::Config;
use rollcall_agent::doctor::{self, Format, Options, Removal, Script, Trial};
use rollcall_agent::system::{SystemClock, SystemRandom};
use rollcall_agent::{LdapConnector, Proxy};
use rollcall_model::Dn;

use crate::variable;

/// What `doctor` is given.
#[derive(Args)]
pub(crate) struct Doctor {
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// A container that accounts live in, as DN; may be given several times. Those of the local policy where it is not given.
    #[arg(long, value_parser = dn)]
    container: Vec<Dn>,
    /// An attribute that a job maps beside the default mapping; may be given several times.
    #[arg(long)]
    attribute: Vec<String>,
    /// An attribute that a job matches by, to be looked at for an index; may be given several times. Those of the
    /// default mapping where it is not given.
    #[arg(long)]
    matching: Vec<String>,
    /// Try the rights with a disabled account of the doctor's own, which is deleted again.
    #[arg(long)]
    write: bool,
}

/// What can be asked about rights.
#[derive(Subcommand)]
pub(crate) enum Rights {
    /// Prints the least rights that suffice, as commands to read and run.
    Script(RightsScript),
}

/// What `rights script` is given.
#[derive(Args)]
pub(crate) struct RightsScript {
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// A container that accounts live in, as DN; may be given several times. Those of the local policy where it is not given.
    #[arg(long, value_parser = dn)]
    container: Vec<Dn>,
    /// sAMAccountName of the agent's account; the one that the configuration binds as where it is not given.
    #[arg(long)]
    account: Option<String>,
    /// An attribute that a job maps beside the default mapping; may be given several times.
    #[arg(long)]
    attribute: Vec<String>,
    /// Grant deleting too, though the local policy does not let it be done.
    #[arg(long)]
    with_delete: bool,
    #[arg(long, value_enum, default_value = "dsacls")]
    format: Tool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Tool {
    Dsacls,
    Sddl,
    #[value(name = "samba-tool")]
    Samba,
}

fn dn(text: &str) -> Result<Dn, String> {
    Dn::parse(text).map_err(|error| error.to_string())
}

impl Doctor {
    /// Prints what was found; 1 where something has to be mended.
    pub(crate) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let report = doctor::examine(&Options {
            config,
            proxy: Proxy::of(&config.service, variable)?,
            directory: LdapConnector::new(config, variable),
            containers: self.container,
            attributes: self.attribute,
            matching: self.matching,
            trial: if self.write { Trial::Real } else { Trial::Computed },
            clock: &SystemClock,
            random: &SystemRandom,
        })
        .await;
        if self.json {
            println!("{}", report.json());
        } else {
            print!("{}", report.text());
        }
        Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl RightsScript {
    pub(crate) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let directory = LdapConnector::new(config, variable)?;
        let script = Script {
            config,
            directory: &directory,
            containers: self.container,
            account: self.account,
            attributes: self.attribute,
            removal: self.with_delete.then_some(Removal::Deletes),
            format: match self.format {
                Tool::Dsacls => Format::Dsacls,
                Tool::Sddl => Format::Sddl,
                Tool::Samba => Format::SambaTool,
            },
        };
        print!("{}", doctor::print(&script).await.context("rights script")?);
        Ok(ExitCode::SUCCESS)
    }
}
