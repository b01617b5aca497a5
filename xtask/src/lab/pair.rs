//! Two controllers of one domain that replicate to each other: joined once, copied for each lab.
//!
//! They look for each other by names that no DNS server of this machine knows, and Samba reads them from nowhere but
//! the C library. So each controller runs in a mount namespace where `/etc/hosts` is the lab's own file; the machine's
//! stays as it is.

use std::collections::HashSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ldap3::Mod;

use super::area;
use super::ca::Pair as Certificate;
use super::connect::Directory;
use super::process::{Process, output};
use super::samba::{self, BASE_DN, DOMAIN, Passwords, Place, TEMPLATE};
use super::state::Role;

/// Ports that each of two controllers takes: those of one, the KDC's and the endpoint mapper's.
pub(crate) const PORTS: &[u16] = &[88, 135, 389, 464, 636, 3268, 3269];
pub(crate) const NAMES: [&str; 2] = ["dc1", "dc2"];
/// Replication is RPC, authenticated by Kerberos.
const SERVICES: &str = "ldap, cldap, kdc, rpc, drepl";
/// Changes are told to the other within a second; one that was away is asked again every five.
const SETTINGS: &[&str] = &[
    "dreplsrv:periodic_startup_interval = 0",
    "dreplsrv:periodic_interval = 5",
    "dreplsrv:notify_interval = 1",
    "kccsrv:periodic_startup_interval = 1",
    "kccsrv:periodic_interval = 5",
];
/// `$1`: the hosts file, `$2`: the Kerberos configuration, then the program. Every step replaces the one before, so the
/// pid stays.
const IN_NAMESPACE: &str = r#"mount --bind "$1" /etc/hosts; export KRB5_CONFIG="$2"; shift 2; exec "$@""#;
const SETTLE_WAIT_MAX: Duration = Duration::from_mins(1);
/// A change must be on the other controller within this time, or the lab does not come up.
const REPLICATION_WAIT_MAX: Duration = Duration::from_secs(30);

/// Where one of the two stands.
struct Seat<'a> {
    number: u8,
    folder: &'a Path,
    /// Both addresses, in the order of the names.
    ips: &'a [String],
    /// objectGUID of each controller's NTDS settings: their names in replication.
    guids: &'a [String],
    services: &'a str,
    tls: Option<(&'a Certificate, &'a Path)>,
    log_dir: &'a Path,
}

impl Seat<'_> {
    fn at(&self) -> usize {
        usize::from(self.number) - 1
    }

    fn configure(&self) -> anyhow::Result<PathBuf> {
        let place = Place {
            name: NAMES[self.at()],
            ip: &self.ips[self.at()],
            services: self.services,
            tls: self.tls,
            settings: SETTINGS,
        };
        samba::configure(self.folder, &place)
    }

    /// Writes what the controller reads, and gives the process, not started yet.
    fn prepare(&self) -> anyhow::Result<Process> {
        let smb_conf = self.configure()?;
        let hosts = self.folder.join("etc/hosts");
        let mut lines = vec!["127.0.0.1 localhost".to_owned()];
        for ((ip, guid), name) in self.ips.iter().zip(self.guids).zip(NAMES) {
            lines.push(format!("{ip} {name}.{DOMAIN} {name} {guid}._msdcs.{DOMAIN}"));
        }
        std::fs::write(&hosts, lines.join("\n") + "\n")?;
        let krb5 = self.folder.join("etc/krb5.conf");
        // Its own KDC first: the other may be dead.
        let (own, other) = (&self.ips[self.at()], &self.ips[1 - self.at()]);
        std::fs::write(&krb5, krb5_text(own, other))?;
        let paths = [&hosts, &krb5].map(|path| path.display().to_string());
        Ok(Process::new(Role::Directory(self.number), Path::new("unshare"), self.log_dir)
            .args(["--mount", "sh", "-ec", IN_NAMESPACE, "sh"])
            .args(paths)
            .args([samba::PROGRAM])
            .args(samba::arguments(&smb_conf)))
    }
}

fn krb5_text(own: &str, other: &str) -> String {
    let realm = DOMAIN.to_uppercase();
    format!(
        "[libdefaults]
\tdefault_realm = {realm}
\tdns_lookup_realm = false
\tdns_lookup_kdc = false

[realms]
{realm} = {{
\tkdc = {own}
\tkdc = {other}
}}

[domain_realm]
\t.{DOMAIN} = {realm}
\t{DOMAIN} = {realm}
"
    )
}

/// Copies the template below `area` and sets the two controllers up for their addresses; they are not started yet.
pub(crate) fn restore(
    area: &Path,
    ips: &[String],
    tls: &[Certificate],
    ca: &Path,
    log_dir: &Path,
) -> anyhow::Result<(Vec<Process>, Passwords)> {
    let template = area::alone(template)?;
    let guids: Vec<String> = serde_json::from_str(&std::fs::read_to_string(template.join("guids.json"))?)?;
    let mut processes = Vec::new();
    for ((number, name), tls) in (1..).zip(NAMES).zip(tls) {
        let folder = area.join(name);
        samba::copy(&template.join(name), &folder)?;
        let seat =
            Seat { number, folder: &folder, ips, guids: &guids, services: SERVICES, tls: Some((tls, ca)), log_dir };
        processes.push(seat.prepare()?);
    }
    Ok((processes, samba::passwords(&template)?))
}

/// The folder of the two joined controllers, made where it is missing. Call it alone.
fn template() -> anyhow::Result<PathBuf> {
    let single = samba::template()?;
    let done = area::base()?.join(format!("{TEMPLATE}-pair"));
    if done.exists() {
        return Ok(done);
    }
    let making = area::base()?.join(format!("{TEMPLATE}-pair.making"));
    if making.exists() {
        std::fs::remove_dir_all(&making)?;
    }
    std::fs::create_dir_all(making.join("log"))?;
    eprintln!("lab: joining a second controller to the domain {DOMAIN} (once)");
    samba::copy(&single.join("dc"), &making.join(NAMES[0]))?;
    std::fs::copy(single.join("passwords.json"), making.join("passwords.json"))?;
    let mut started = Vec::new();
    let made = make(&making, &mut started);
    for process in started.iter().rev() {
        process.stop()?;
    }
    std::fs::write(making.join("guids.json"), serde_json::to_string(&made?)?)?;
    std::fs::rename(&making, &done)?;
    Ok(done)
}

/// Joins the second controller to the first and lets both run until each has pulled from the other. Gives their GUIDs.
fn make(making: &Path, started: &mut Vec<Process>) -> anyhow::Result<Vec<String>> {
    let ips = area::addresses(making, 2, PORTS)?;
    let logs = making.join("log");
    let folders = NAMES.map(|name| making.join(name));
    let seat = |number: u8, guids| {
        let (folder, services) = (&folders[usize::from(number) - 1], "ldap, cldap, kdc, rpc, drepl, kcc");
        Seat { number, folder, ips: &ips, guids, services, tls: None, log_dir: &logs }
    };
    let names = |conf: &Path| output(Command::new("samba_spnupdate").arg("-s").arg(conf)).map(drop);

    // Kerberos knows a controller by the names that this writes; the join carries the first one's to the second.
    let conf = seat(1, &[]).configure()?;
    names(&conf).context("the first controller's names")?;
    let mut first = Process::new(Role::Directory(1), Path::new(samba::PROGRAM), &logs).args(samba::arguments(&conf));
    first.spawn()?;
    started.push(first.clone());
    wait_for_ports(&first, &ips[0])?;
    join(&folders[1], &ips, &samba::passwords(making)?.administrator).context("joining")?;
    first.stop()?;

    let guids = NAMES.iter().map(|name| guid(&folders[0], name)).collect::<anyhow::Result<Vec<_>>>()?;
    names(&seat(2, &guids).configure()?).context("the second controller's names")?;
    for number in [1, 2] {
        let mut process = seat(number, &guids).prepare()?;
        process.spawn()?;
        started.push(process);
    }
    settle(&folders, &started[1..])?;
    Ok(guids)
}

fn wait_for_ports(process: &Process, ip: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    while ![88, 135, 389].iter().all(|port| TcpStream::connect((ip, *port)).is_ok()) {
        ensure!(process.is_alive() && start.elapsed() < SETTLE_WAIT_MAX, "{}", process.died());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The zones come along, though nobody serves them: the topology's maker stumbles where they are missing.
fn join(folder: &Path, ips: &[String], password: &str) -> anyhow::Result<()> {
    let mut command = Command::new("samba-tool");
    command.args(["domain", "join", DOMAIN, "DC", "-s", "/dev/null", "-U", "CORP\\administrator"]);
    command.arg(format!("--password={password}")).arg(format!("--server={}", ips[0]));
    command.arg(format!("--targetdir={}", folder.display())).arg(format!("--option=interfaces={}/8", ips[1]));
    command.args(["--option=bind interfaces only=yes", "--option=netbios name=DC2"]);
    command.args(["--option=ad dc functional level=2016", "--dns-backend=SAMBA_INTERNAL", "--backend-store=mdb"]);
    output(&mut command).map(drop)
}

/// objectGUID of a controller's NTDS settings.
fn guid(folder: &Path, name: &str) -> anyhow::Result<String> {
    let (database, name) = (folder.join("private/sam.ldb"), name.to_uppercase());
    let servers = format!("CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,{BASE_DN}");
    let base = format!("CN=NTDS Settings,CN={name},{servers}");
    let found =
        output(Command::new("ldbsearch").arg("-H").arg(database).args(["-b", &base, "-s", "base", "objectGUID"]))?;
    let guid = found.lines().find_map(|line| line.strip_prefix("objectGUID: "));
    guid.map(str::to_owned).with_context(|| format!("{name} has no GUID"))
}

/// Waits until each controller has pulled the domain and its configuration from the other, and tells it of changes.
fn settle(folders: &[PathBuf; 2], processes: &[Process]) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let mut missing = Vec::new();
        for folder in folders {
            for base in [BASE_DN.to_owned(), format!("CN=Configuration,{BASE_DN}")] {
                let mut command = Command::new("ldbsearch");
                command.arg("-H").arg(folder.join("private/sam.ldb")).args(["-b", &base, "-s", "base"]);
                let found = output(command.args(["--show-binary", "repsFrom", "repsTo"]))?;
                if !is_settled(&found) {
                    missing.push(format!("{}: {base}", folder.display()));
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(dead) = processes.iter().find(|process| !process.is_alive()) {
            bail!("{}", dead.died());
        }
        ensure!(start.elapsed() < SETTLE_WAIT_MAX, "no replication of {missing:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether a partition has a source from which it was pulled once, and a destination.
fn is_settled(shown: &str) -> bool {
    let mut records = shown.split("\nreps").skip(1);
    let is_pulled = |record: &str| record.contains("WERR_OK") && !record.contains("NTTIME(0)");
    records.clone().any(|record| record.starts_with("From:") && is_pulled(record))
        && records.any(|record| record.starts_with("To:"))
}

/// Writes on each controller and waits until the other shows it.
pub(crate) async fn prove(directories: &mut [Directory], processes: &[Process]) -> anyhow::Result<()> {
    let object = |name: &str| format!("CN={},OU=Domain Controllers,{BASE_DN}", name.to_uppercase());
    let mark = |process: &Process| format!("up as process {}", process.pid);
    for ((directory, process), name) in directories.iter_mut().zip(processes).zip(NAMES) {
        let change = Mod::Replace("description".to_owned(), HashSet::from([mark(process)]));
        directory.0.modify(&object(name), vec![change]).await?.success().context("the mark")?;
    }
    let deadline = tokio::time::Instant::now() + REPLICATION_WAIT_MAX;
    for ((directory, process), name) in directories.iter_mut().rev().zip(processes).zip(NAMES) {
        let (base, filter) = (object(name), format!("(description={})", mark(process)));
        while directory.search(&base, &filter, &["description"]).await?.is_empty() {
            if tokio::time::Instant::now() > deadline {
                bail!("what is written on {name} does not reach the other controller");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_is_pulled_once_and_telling() {
        let from = |result: &str, success: &str| {
            format!("dn: x\nrepsFrom:     NDR\n last_success : {success}\n result_last_attempt : {result}\n")
        };
        let to = "repsTo:     NDR\n last_success : NTTIME(0)\n result_last_attempt : WERR_OK\n";
        let check = |shown: String, expected: bool| assert_eq!(is_settled(&shown), expected, "{shown}");
        check(from("WERR_OK", "Mon Nov 23 12:12:57 2026 UTC") + to, true);
        check(from("WERR_OK", "Mon Nov 23 12:12:57 2026 UTC"), false);
        check(from("WERR_OK", "NTTIME(0)") + to, false);
        check(from("WERR_FILE_NOT_FOUND", "Mon Nov 23 12:12:57 2026 UTC") + to, false);
        check(format!("dn: x\n{to}"), false);
    }
}
