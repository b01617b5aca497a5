//! The commands that work: `run`, `enroll`, `check`.

use std::os::unix::process::CommandExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use rollcall_agent::config::{Config, LogFormat};
use rollcall_agent::enrol::{Enrolment, enrol};
use rollcall_agent::host::Systemd;
use rollcall_agent::system::{BootClock, SystemClock, SystemRandom};
use rollcall_agent::{Agent, LdapConnector, LogLevel, Options, Proxy};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

/// The Kerberos library reads from the environment where the key is, and a process cannot safely change its own: where
/// it was not started with what the configuration asks for, it starts itself again, once, under the same process id.
pub(crate) fn begin_again_for_kerberos(config: &Config) -> anyhow::Result<()> {
    let wanted = config.environment();
    if wanted.iter().all(|(name, value)| std::env::var_os(name).as_ref() == Some(value)) {
        return Ok(());
    }
    let program = std::env::current_exe().context("this program's own path")?;
    let failed = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(wanted).exec();
    Err(failed).context("starting again with the keytab in the environment")
}

pub(crate) async fn check(config: &Config, connect: bool) -> anyhow::Result<()> {
    let directory = LdapConnector::new(config, variable)?;
    Proxy::of(&config.service, variable)?;
    println!("the configuration can be used");
    if connect {
        let root = directory.probe().await?;
        let (controller, invocation_id) = (root.dns_host_name, root.invocation_id);
        let writable = if root.writable { "writable" } else { "READ-ONLY: it cannot be used" };
        println!("bound to {controller} ({writable}, invocationId {invocation_id})");
    }
    Ok(())
}

pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) async fn enroll(config: &Config, token: String, name: Option<String>) -> anyhow::Result<()> {
    start_log(config)?;
    let identity = enrol(&Enrolment {
        url: config.service.url.clone(),
        ca: config.service.ca.clone(),
        proxy: Proxy::of(&config.service, variable)?,
        data: config.data.dir.clone(),
        token: token.into(),
        name: name.unwrap_or_else(rollcall_agent::system::host_name),
    })
    .await?;
    println!("enrolled as agent {} of domain {}", identity.agent, identity.domain);
    Ok(())
}

pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let log_level = start_log(config)?;
    let agent = Agent::new(Options {
        url: config.service.url.clone(),
        ca: config.service.ca.clone(),
        proxy: Proxy::of(&config.service, variable)?,
        data: config.data.dir.clone(),
        directory: Arc::new(LdapConnector::new(config, variable)?),
        policy: config.policy.clone(),
        log_level,
        clock: Arc::new(SystemClock),
        lease_clock: Arc::new(BootClock),
        random: Arc::new(SystemRandom),
    });
    let agent = agent.under(Arc::new(Systemd::from_environment()));
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

/// Starts the log as the configuration says, and returns what sets another level.
fn start_log(config: &Config) -> anyhow::Result<LogLevel> {
    let level = config.log.level.clone().unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&level).context("log.level: write a level such as info")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    Ok(match config.log.format {
        LogFormat::Json => {
            let log = log.json().with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            obeying(handle, level)
        }
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            obeying(handle, level)
        }
    })
}

fn obeying<S: 'static>(handle: Handle<EnvFilter, S>, configured: String) -> LogLevel {
    Arc::new(move |wanted| {
        let filter = EnvFilter::try_new(wanted.unwrap_or(&configured)).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}
