//! `rollcall practice`: the practice directory as a process of its own, for the quick start and for tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use rollcall_practice::{Account, Dialect, Options, Practice};
use rollcall_service::system::{SystemClock, SystemRandom};

/// What a practice directory is started with.
#[derive(Args)]
pub(crate) struct PracticeArgs {
    /// Address to listen on (LDAPS)
    #[arg(long, default_value = "127.0.0.1:6360")]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// DN of the domain
    #[arg(long, value_name = "DN")]
    base_dn: String,
    /// Password of the account Administrator
    #[arg(long, value_name = "FILE")]
    admin_password_file: PathBuf,
    /// Password of the account svc-rollcall, for the agent
    #[arg(long, value_name = "FILE")]
    agent_password_file: PathBuf,
    /// Whose answers to give where Samba's and Microsoft's differ
    #[arg(long, value_enum, default_value_t = DialectArg::Samba)]
    dialect: DialectArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum DialectArg {
    Samba,
    Microsoft,
}

/// Serves until `stop` ends. The data lives in memory and goes with the process.
pub(crate) async fn run(arguments: PracticeArgs, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let options = Options {
        listen: arguments.listen,
        certificate_pem: read(&arguments.certificate)?,
        key_pem: read(&arguments.key)?,
        base_dn: arguments.base_dn,
        accounts: vec![
            account("Administrator", &arguments.admin_password_file)?,
            account("svc-rollcall", &arguments.agent_password_file)?,
        ],
        dialect: match arguments.dialect {
            DialectArg::Samba => Dialect::Samba,
            DialectArg::Microsoft => Dialect::Microsoft,
        },
        faults: Vec::new(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let practice = Practice::bind(options).await?;
    let (shutdown, told) = tokio::sync::watch::channel(false);
    let serving = practice.run(told);
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        () = stop => {
            shutdown.send_replace(true);
            serving.await;
        }
    }
    Ok(())
}

fn account(name: &str, file: &Path) -> anyhow::Result<Account> {
    let text = String::from_utf8(read(file)?).with_context(|| format!("{} is no UTF-8", file.display()))?;
    let password = text.lines().next().unwrap_or_default().to_owned().into();
    Ok(Account { name: name.to_owned(), password })
}

#[expect(clippy::disallowed_methods, reason = "the main reads the files it is given; their path is in the error")]
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}
