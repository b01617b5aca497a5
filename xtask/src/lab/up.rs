//! The order in which a lab is built, broken and taken down.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use ldap3::exop::Exop;

use super::ca::{Authority, Pair};
use super::client::{Application, Client};
use super::connect::{Directory, wait_until_bound};
use super::process::{Process, output};
use super::samba::{self, BASE_DN, DOMAIN, account_dn};
use super::service::{self, Agent, Service};
use super::state::{Lab, Pids, Role, Shown};
use super::{Kind, area, pair, postgres, practice};

/// What a lab should be.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Absolute.
    pub(crate) dir: PathBuf,
    /// 0: any free one.
    pub(crate) port: u16,
    pub(crate) directory: Kind,
    /// `sqlite`, `postgres` or a URL.
    pub(crate) store: String,
    /// Whether PostgreSQL's cluster is on disk and waits for it, as an administrator's does.
    pub(crate) durable: bool,
    pub(crate) agents: u8,
    /// 1 or 2.
    pub(crate) domain_controllers: u8,
}

/// Places that every step needs.
struct Site {
    programs: PathBuf,
    dir: PathBuf,
    logs: PathBuf,
    area: PathBuf,
    authority: Authority,
}

/// The directory, started and furnished.
struct Standing {
    /// Of every controller; at least one.
    urls: Vec<String>,
    passwords: samba::Passwords,
}

/// Starts a lab. Where a step fails, what was started is ended again.
pub(crate) async fn up(options: &Options) -> anyhow::Result<Lab> {
    if let Some(old) = Lab::read(&options.dir)? {
        if old.processes.iter().any(Process::is_alive) {
            bail!("a lab is up in {}; end it with ./lab down", options.dir.display());
        }
        down(&options.dir)?;
    }
    let mut started = Vec::new();
    let result = build(options, &mut started).await;
    if result.is_err() {
        for process in started.iter().rev() {
            process.stop()?;
        }
        area::clear(&options.dir)?;
    }
    result
}

async fn build(options: &Options, started: &mut Vec<Process>) -> anyhow::Result<Lab> {
    let dir = &options.dir;
    for name in ["service", "agents", "directory", "tls", "log", "postgres"] {
        let folder = dir.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
    }
    let logs = dir.join("log");
    std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
    let site = Site {
        programs: service::programs()?,
        dir: dir.clone(),
        logs,
        area: area::fresh(dir)?,
        authority: Authority::create(&dir.join("tls"))?,
    };
    let standing = start_directory(options, &site, started).await.context("the directory")?;
    let store = start_store(options, &site, started).await.context("the store")?;
    let (url, config) = start_service(options, &site, &store, started).await.context("the service")?;
    let (client, application) = set_up(&site, &url).context("setting the service up")?;
    start_agents(options, &site, &url, &standing, &client, started).await.context("the agents")?;

    let mut lab = Lab {
        directory: options.directory,
        processes: started.clone(),
        areas: vec![site.area.clone()],
        shown: Shown {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            auth: url.clone(),
            graph: url,
            scim: None,
            portal: None,
            ca: site.authority.certificate.clone(),
            tenant: client.tenant.clone(),
            client: application.app_id,
            secret: application.secret,
            service_principal: application.service_principal,
            job: application.job,
            ldap: standing.urls[0].clone(),
            ldap_urls: standing.urls,
            base_dn: BASE_DN.to_owned(),
            users_ou: format!("OU=Staff,{BASE_DN}"),
            other_ou: format!("OU=Other,{BASE_DN}"),
            bind_dn: account_dn("Administrator"),
            bind_password: standing.passwords.administrator,
            agent_bind_dn: account_dn("svc-rollcall"),
            pids: Pids::default(),
            config,
            dir: dir.clone(),
        },
    };
    lab.write()?;
    Ok(lab)
}

async fn start_directory(options: &Options, site: &Site, started: &mut Vec<Process>) -> anyhow::Result<Standing> {
    let samba = options.directory == Kind::Samba;
    let may_bind_low = TcpListener::bind(("127.0.10.1", 636)).is_ok() || rustix::process::getuid().is_root();
    let port = if samba || may_bind_low { 636 } else { 10_636 };
    let ports = if samba { samba::PORTS } else { &[port][..] };
    let ports = if options.domain_controllers > 1 { pair::PORTS } else { ports };
    // Until the directory listens, no other lab may find the addresses free.
    let addresses = area::alone(|| area::addresses(&site.dir, options.domain_controllers, ports))?;
    let mut certificates = Vec::new();
    for (number, (ip, name)) in (1..).zip(addresses.iter().zip(pair::NAMES)) {
        let subjects = [&format!("{name}.{DOMAIN}"), "localhost", ip];
        certificates.push(site.authority.issue(&Role::Directory(number).to_string(), &subjects)?);
    }
    let (mut processes, passwords) = prepare_directory(options, site, &addresses, port, &certificates)?;
    for process in &mut processes {
        process.spawn()?;
        started.push(process.clone());
    }
    let url = |ip: &String| if port == 636 { format!("ldaps://{ip}") } else { format!("ldaps://{ip}:{port}") };
    let urls: Vec<String> = addresses.iter().map(url).collect();
    let (ca, administrator) = (&site.authority.certificate, account_dn("Administrator"));
    let mut directories = Vec::new();
    for (url, process) in urls.iter().zip(&processes) {
        let alive = || if process.is_alive() { Ok(()) } else { bail!("{}", process.died()) };
        directories.push(wait_until_bound(url, ca, &administrator, &passwords.administrator, alive).await?);
    }
    furnish(&mut directories[0]).await?;
    if directories.len() > 1 {
        pair::prove(&mut directories, &processes).await.context("replication")?;
    }
    Ok(Standing { urls, passwords })
}

/// The processes of the directory, ready to start.
fn prepare_directory(
    options: &Options,
    site: &Site,
    addresses: &[String],
    port: u16,
    certificates: &[Pair],
) -> anyhow::Result<(Vec<Process>, samba::Passwords)> {
    let (folder, ca) = (site.area.join("directory"), &site.authority.certificate);
    let controller = match options.directory {
        Kind::Samba if options.domain_controllers > 1 => {
            return pair::restore(&site.area, addresses, certificates, ca, &site.logs);
        }
        Kind::Samba => samba::restore(&folder, &addresses[0], &certificates[0], ca, &site.logs)?,
        Kind::Practice => {
            let listen = format!("{}:{port}", addresses[0]);
            practice::prepare(&folder, &site.programs.join("rollcall"), &listen, &certificates[0], &site.logs)?
        }
    };
    Ok((vec![controller.process], controller.passwords))
}

/// Makes the two units where the directory does not bring them.
async fn furnish(directory: &mut Directory) -> anyhow::Result<()> {
    for name in ["Staff", "Other"] {
        let attributes = vec![("objectClass", ["organizationalUnit"].into()), ("ou", [name].into())];
        let answer = directory.0.add(&format!("OU={name},{BASE_DN}"), attributes).await?;
        // 68: it is there already.
        if answer.rc != 68 {
            answer.success().with_context(|| format!("OU={name}"))?;
        }
    }
    Ok(())
}

async fn start_store(options: &Options, site: &Site, started: &mut Vec<Process>) -> anyhow::Result<String> {
    if options.store != "postgres" {
        return Ok(options.store.clone());
    }
    let (parent, sync) =
        if options.durable { (&site.dir, postgres::Sync::On) } else { (&site.area, postgres::Sync::Off) };
    let mut cluster = postgres::create(&parent.join("postgres"), &site.logs, sync)?;
    let result = cluster.start().await;
    started.push(cluster.process);
    result.map(|()| cluster.url)
}

async fn start_service(
    options: &Options,
    site: &Site,
    store: &str,
    started: &mut Vec<Process>,
) -> anyhow::Result<(String, PathBuf)> {
    let port = if options.port == 0 { area::port()? } else { options.port };
    // A lab on any port is one of several; 443 belongs to the one that a person works with.
    let optional: &[&str] = if options.port == 0 { &[] } else { &["127.0.0.1:443"] };
    let names = ["localhost", "login.microsoftonline.com", "graph.microsoft.com", "127.0.0.1"];
    let tls = site.authority.issue("service", &names)?;
    let folder = site.dir.join("service");
    let service = Service { folder: &folder, port, optional, tls: &tls, store };
    let (mut process, config) = service.prepare(&site.programs.join("rollcall"), &site.logs)?;
    process.spawn()?;
    started.push(process.clone());
    let url = format!("https://localhost:{port}");
    service::wait_until_ready(&url, &site.authority.certificate, &process).await?;
    Ok((url, config))
}

/// Application, secret, roles, job.
fn set_up(site: &Site, url: &str) -> anyhow::Result<(Client, Application)> {
    let rollcall = site.programs.join("rollcall");
    let data = site.dir.join("service/data");
    let mut client = Client::administrator(&rollcall, url, &site.authority.certificate, &data)?;
    let application = client.create_application("HR to Active Directory")?;
    client.job = Some(application.job.clone());
    client.set_job(DOMAIN, &format!("OU=Staff,{BASE_DN}"), &format!("OU=Other,{BASE_DN}"))?;
    client.start_job()?;
    Ok((client, application))
}

async fn start_agents(
    options: &Options,
    site: &Site,
    url: &str,
    standing: &Standing,
    client: &Client,
    started: &mut Vec<Process>,
) -> anyhow::Result<()> {
    let program = site.programs.join("rollcall-agent");
    let bind_dn = account_dn("svc-rollcall");
    for number in 1..=options.agents {
        let folder = site.dir.join(format!("agents/{number}"));
        let agent = Agent {
            number,
            folder: &folder,
            service_url: url,
            ca: &site.authority.certificate,
            // In turn: the death of one controller leaves an agent with the other.
            ldap: &standing.urls[usize::from(number - 1) % standing.urls.len()],
            bind_dn: &bind_dn,
            bind_password: &standing.passwords.agent,
        };
        let (mut process, config) = agent.prepare(&program, &site.logs)?;
        let token = client.agent_token(DOMAIN)?;
        output(Command::new(&program).args(["enroll", "--token", &token, "--config"]).arg(config))?;
        process.spawn()?;
        started.push(process);
        // One after the other, so that the first is the active one.
        let agents: Vec<Process> = started.clone();
        let alive = || match agents.iter().find(|process| !process.is_alive()) {
            Some(dead) => bail!("{}", dead.died()),
            None => Ok(()),
        };
        client.wait_for_agents(usize::from(number), alive).await?;
    }
    Ok(())
}

/// `./lab kill`: the process is gone when this returns. The practice directory keeps its data in memory: it drops all
/// connections instead.
pub(super) async fn kill(dir: &Path, role: &Role) -> anyhow::Result<()> {
    let mut lab = standing_lab(dir)?;
    let Lab { directory, shown, .. } = lab.clone();
    let process = lab.process_mut(*role)?;
    if matches!(role, Role::Directory(_)) && directory == Kind::Practice {
        let mut client = Directory::bind(&shown.ldap, &shown.ca, &shown.bind_dn, &shown.bind_password).await?;
        let drop_all = Exop { name: Some(rollcall_practice::CONTROL_OID.to_owned()), val: Some(b"drop".to_vec()) };
        // The answer, if there is one, comes over a connection that is being dropped.
        let _ = client.0.extended(drop_all).await;
        return Ok(());
    }
    process.kill()
}

/// `./lab start`: starts what does not run. What others connect to answers when this returns; an agent is on its way.
pub(super) async fn start(dir: &Path, role: &Role) -> anyhow::Result<()> {
    let mut lab = standing_lab(dir)?;
    let process = lab.process_mut(*role)?;
    if !process.is_alive() {
        match role {
            Role::Postgres => postgres::start_again(process).await?,
            Role::Service | Role::Agent(_) | Role::Directory(_) => process.spawn()?,
        }
    }
    let process = process.clone();
    lab.write()?;
    let shown = &lab.shown;
    match role {
        Role::Service => service::wait_until_ready(&shown.graph, &shown.ca, &process).await,
        Role::Directory(number) => {
            let alive = || if process.is_alive() { Ok(()) } else { bail!("{}", process.died()) };
            let url = lab.ldap_url(*number)?;
            let found = wait_until_bound(url, &shown.ca, &shown.bind_dn, &shown.bind_password, alive).await;
            furnish(&mut found?).await
        }
        Role::Agent(_) | Role::Postgres => Ok(()),
    }
}

fn standing_lab(dir: &Path) -> anyhow::Result<Lab> {
    Lab::read(dir)?.with_context(|| format!("no lab is up in {}", dir.display()))
}

/// `./lab down`: ends what `up` started, last first, and removes its data; logs stay.
pub(crate) fn down(dir: &Path) -> anyhow::Result<()> {
    let Some(lab) = Lab::read(dir)? else { return Ok(()) };
    for process in lab.processes.iter().rev() {
        process.stop()?;
    }
    for area in lab.areas.iter().filter(|area| area.exists()) {
        std::fs::remove_dir_all(area).with_context(|| area.display().to_string())?;
    }
    for name in ["service", "agents"] {
        let folder = lab.shown.dir.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
    }
    std::fs::remove_file(lab.shown.dir.join("lab.json"))?;
    Ok(())
}
