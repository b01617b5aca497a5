//! A real Active Directory domain: Samba's domain controller, provisioned once, copied for each lab.
//!
//! Provisioning takes five seconds, a copy of the stopped controller's folder milliseconds; it runs elsewhere once its
//! configuration names the new place.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::area;
use super::ca::Pair;
use super::process::{Process, output};
use super::state::Role;

pub(crate) const DOMAIN: &str = "corp.example.test";
pub(crate) const BASE_DN: &str = "DC=corp,DC=example,DC=test";
/// Ports that a controller always takes.
pub(crate) const PORTS: &[u16] = &[88, 389, 464, 636, 3268, 3269];
pub(super) const PROGRAM: &str = "/usr/sbin/samba";
/// Raised when the template's contents change, so that older ones are not used.
pub(super) const TEMPLATE: &str = "samba-4";
/// What a controller without another one runs.
const SERVICES: &str = "ldap, cldap, kdc";
/// Schema id of the class user, for rights on objects of that class.
const USER_CLASS: &str = "bf967aba-0de6-11d0-a285-00aa003049e2";

/// The two passwords of a template.
#[derive(Serialize, Deserialize)]
pub(crate) struct Passwords {
    pub(crate) administrator: String,
    pub(crate) agent: String,
}

/// What a controller's configuration says of its place.
pub(super) struct Place<'a> {
    /// `dc1`, `dc2`.
    pub(super) name: &'a str,
    pub(super) ip: &'a str,
    pub(super) services: &'a str,
    /// Its certificate, and the authority's file.
    pub(super) tls: Option<(&'a Pair, &'a Path)>,
    /// Further lines of the section `[global]`.
    pub(super) settings: &'a [&'a str],
}

/// A controller whose folder is ready.
pub(crate) struct Controller {
    pub(crate) process: Process,
    pub(crate) passwords: Passwords,
}

/// The object of an account below CN=Users.
pub(crate) fn account_dn(name: &str) -> String {
    format!("CN={name},CN=Users,{BASE_DN}")
}

/// Copies the template to `folder` and sets the controller up for `ip`; it is not started yet.
pub(crate) fn restore(folder: &Path, ip: &str, tls: &Pair, ca: &Path, log_dir: &Path) -> anyhow::Result<Controller> {
    let template = area::alone(template)?;
    copy(&template.join("dc"), folder)?;
    let place = Place { name: "dc1", ip, services: SERVICES, tls: Some((tls, ca)), settings: &[] };
    let smb_conf = configure(folder, &place)?;
    let passwords = passwords(&template)?;
    let process = Process::new(Role::Directory(1), Path::new(PROGRAM), log_dir).args(arguments(&smb_conf));
    Ok(Controller { process, passwords })
}

/// Copies a stopped controller's folder.
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    output(Command::new("cp").args(["-a", "--sparse=always"]).arg(from).arg(to)).map(drop)
}

/// Writes the configuration of the controller in `folder`, and gives its path.
pub(super) fn configure(folder: &Path, place: &Place<'_>) -> anyhow::Result<PathBuf> {
    for name in ["pid", "ncalrpc", "log", "ntp", "winbindd", "run"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    let smb_conf = folder.join("etc/smb.conf");
    std::fs::write(&smb_conf, smb_conf_text(folder, place))?;
    Ok(smb_conf)
}

/// How the program is started on a configuration.
pub(super) fn arguments(smb_conf: &Path) -> [String; 6] {
    let smb_conf = smb_conf.display().to_string();
    ["-s", &smb_conf, "--foreground", "--no-process-group", "--model=standard", "--debug-stdout"].map(str::to_owned)
}

/// The passwords of a template.
pub(super) fn passwords(template: &Path) -> anyhow::Result<Passwords> {
    Ok(serde_json::from_str(&std::fs::read_to_string(template.join("passwords.json"))?)?)
}

/// The template's folder, made where it is missing. Call it alone.
pub(super) fn template() -> anyhow::Result<PathBuf> {
    if rustix::process::getuid().as_raw() != 0 {
        bail!("a Samba domain controller needs root; run with sudo, or with --directory practice");
    }
    if !Path::new(PROGRAM).exists() {
        bail!("Samba is not installed; ./check installs it");
    }
    let done = area::base()?.join(TEMPLATE);
    if done.exists() {
        return Ok(done);
    }
    let making = area::base()?.join(format!("{TEMPLATE}.making"));
    if making.exists() {
        std::fs::remove_dir_all(&making)?;
    }
    std::fs::create_dir_all(&making)?;
    eprintln!("lab: provisioning the domain {DOMAIN} (once)");
    let passwords = Passwords { administrator: area::password()?, agent: area::password()? };
    provision(&making.join("dc"), &passwords).context("provisioning")?;
    furnish(&making.join("dc"), &passwords).context("organisational units and the agents' account")?;
    area::write_private(&making.join("passwords.json"), &serde_json::to_string(&passwords)?)?;
    std::fs::rename(&making, &done)?;
    Ok(done)
}

fn provision(dc: &Path, passwords: &Passwords) -> anyhow::Result<()> {
    output(
        Command::new("samba-tool")
            .args(["domain", "provision", "-s", "/dev/null", "--server-role=dc", "--host-name=dc1"])
            .arg(format!("--targetdir={}", dc.display()))
            .args([
                "--realm=CORP.EXAMPLE.TEST",
                "--domain=CORP",
                "--host-ip=127.0.10.1",
                "--dns-backend=SAMBA_INTERNAL",
            ])
            .arg(format!("--adminpass={}", passwords.administrator))
            .args(["--option=interfaces=127.0.10.1/8", "--option=bind interfaces only=yes"])
            .args(["--function-level=2016", "--option=ad dc functional level=2016", "--backend-store=mdb"]),
    )?;
    let place = Place { name: "dc1", ip: "127.0.10.1", services: SERVICES, tls: None, settings: &[] };
    std::fs::write(dc.join("etc/smb.conf"), smb_conf_text(dc, &place))?;
    Ok(())
}

/// The two units, the delegated account with the least rights that suffice, the sight of deleted objects among them,
/// and the index on employeeID; all written to the stopped controller's database.
fn furnish(dc: &Path, passwords: &Passwords) -> anyhow::Result<()> {
    let database = dc.join("private/sam.ldb").display().to_string();
    let conf = dc.join("etc/smb.conf").display().to_string();
    let tool =
        |args: &[&str]| output(Command::new("samba-tool").args(args).args(["-H", &database, "-s", &conf])).map(drop);
    let units = [format!("OU=Staff,{BASE_DN}"), format!("OU=Other,{BASE_DN}")];
    for unit in &units {
        tool(&["ou", "create", unit])?;
    }
    tool(&["user", "create", "svc-rollcall", &passwords.agent])?;
    tool(&["user", "setexpiry", "svc-rollcall", "--noexpiry"])?;
    tool(&["user", "setexpiry", "Administrator", "--noexpiry"])?;
    let found =
        output(Command::new("ldbsearch").args(["-H", &database, "(sAMAccountName=svc-rollcall)", "objectSid"]))?;
    let sid = found.lines().find_map(|line| line.strip_prefix("objectSid: ")).context("the account has no SID")?;
    // Create and delete users here; read, write, reset passwords and delete on users below.
    let rights = format!("(OA;CI;CCDC;{USER_CLASS};;{sid})(OA;CIIO;RPWPCRLCLORCSDDT;;{USER_CLASS};{sid})");
    let trustee = account_dn("svc-rollcall");
    for unit in &units {
        tool(&[
            "dsacl",
            "set",
            "--action=allow",
            &format!("--objectdn={unit}"),
            &format!("--trusteedn={trustee}"),
            &format!("--sddl={rights}"),
        ])?;
    }
    let name = format!("CN=Employee-ID,CN=Schema,CN=Configuration,{BASE_DN}");
    let index = format!("dn: {name}\nchangetype: modify\nreplace: searchFlags\nsearchFlags: 1\n");
    modify(dc, &database, "--option=dsdb:schema update allowed=true", &index).context("the index")?;
    // Tombstones are found by whoever may list this container; samba-tool's dsacl does not find the container itself.
    // SYSTEM and the administrators have what provisioning gave them. sd_flags 4: the DACL alone is written.
    let name = format!("CN=Deleted Objects,{BASE_DN}");
    let sddl = format!("O:SYG:SYD:PAI(A;;CCDCLCSWRPWPSDRCWDWO;;;SY)(A;;LCRP;;;BA)(A;;LCRP;;;{sid})");
    let grant =
        format!("dn: {name}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor: {sddl}\n");
    modify(dc, &database, "--controls=show_deleted:1,sd_flags:1:4", &grant).context("the deleted objects")
}

/// Applies LDIF to the stopped controller's database.
fn modify(dc: &Path, database: &str, option: &str, text: &str) -> anyhow::Result<()> {
    let ldif = dc.join("change.ldif");
    std::fs::write(&ldif, text)?;
    output(Command::new("ldbmodify").args(["-H", database, option]).arg(&ldif))?;
    std::fs::remove_file(&ldif)?;
    Ok(())
}

/// The controller's configuration: few services, no wait for the disk, everything under `dc`.
fn smb_conf_text(dc: &Path, place: &Place<'_>) -> String {
    let dc = dc.display();
    let Place { ip, services, .. } = place;
    let name = place.name.to_uppercase();
    let settings: String = place.settings.iter().flat_map(|line| ["\t", line, "\n"]).collect();
    let tls = place.tls.map_or_else(String::new, |(pair, ca)| {
        format!(
            "\ttls keyfile = {}\n\ttls certfile = {}\n\ttls cafile = {}\n",
            pair.key.display(),
            pair.certificate.display(),
            ca.display()
        )
    });
    format!(
        "[global]
\trealm = CORP.EXAMPLE.TEST
\tworkgroup = CORP
\tnetbios name = {name}
\tserver role = active directory domain controller
\tad dc functional level = 2016
\tserver services = {services}
\tinterfaces = {ip}/8
\tbind interfaces only = Yes
\tldb:nosync = true
{settings}{tls}\tprivate dir = {dc}/private
\tlock directory = {dc}
\tstate directory = {dc}/state
\tcache directory = {dc}/cache
\tbinddns dir = {dc}/bind-dns
\tpid directory = {dc}/pid
\tncalrpc dir = {dc}/ncalrpc
\tlog file = {dc}/log/samba
\tntp signd socket directory = {dc}/ntp
\twinbindd socket directory = {dc}/winbindd

[sysvol]
\tpath = {dc}/state/sysvol
\tread only = No

[netlogon]
\tpath = {dc}/state/sysvol/{DOMAIN}/scripts
\tread only = No
"
    )
}
