//! The agent's ways to a real controller: StartTLS, and Kerberos with a keytab on LDAPS, on StartTLS and on port 389.
//!
//! Names are not resolved here: the URLs have the controller's address, and `kerberos_host` its name. Where the KDC is
//! says a krb5.conf of the test's own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rollcall_tests::collect::LabInfo;
use serde_json::Value;

use super::lab::{Lab, Options, program};
use super::person::person;

const REALM: &str = "CORP.EXAMPLE.TEST";
const HOST: &str = "dc1.corp.example.test";
/// More than one search's worth, so that answers are packed.
const PERSONS: usize = 60;

/// The controller's own tools, the keys made with them, and a configuration of Kerberos.
struct Realm {
    folder: tempfile::TempDir,
    /// The controller's folder.
    controller: PathBuf,
    address: String,
}

impl Realm {
    fn of(lab: &LabInfo) -> anyhow::Result<Self> {
        // The lab remembers how it started the controller; the process itself goes by another name.
        let remembered: serde_json::Value = serde_json::from_slice(&std::fs::read(lab.dir.join("lab.json"))?)?;
        let args = remembered["processes"].as_array().into_iter().flatten().filter_map(|one| one["args"].as_array());
        let smb_conf = args
            .flatten()
            .filter_map(serde_json::Value::as_str)
            .find(|arg| arg.ends_with("etc/smb.conf"))
            .context("no smb.conf")?;
        let controller = Path::new(smb_conf).ancestors().nth(2).context("no folder")?.to_owned();
        let address = lab.ldap.strip_prefix("ldaps://").context("no ldaps URL")?.to_owned();
        let realm = Self { folder: tempfile::tempdir()?, controller, address };
        realm.write_krb5_conf("krb5.conf", &realm.address)?;
        // A controller registers this itself where it runs the task for DNS, which the lab's does not.
        realm.tool(&["spn", "add", &format!("ldap/{HOST}"), "DC1$"])?;
        Ok(realm)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// No default realm, no DNS: the agent needs neither.
    fn write_krb5_conf(&self, name: &str, kdc: &str) -> anyhow::Result<()> {
        let text = format!(
            "[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n udp_preference_limit = 0\n\
             [realms]\n {REALM} = {{\n  kdc = {kdc}\n }}\n"
        );
        Ok(std::fs::write(self.path(name), text)?)
    }

    fn tool(&self, args: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("samba-tool");
        command.args(args).arg("-H").arg(self.database()).arg("-s").arg(self.controller.join("etc/smb.conf"));
        run(&mut command)
    }

    fn database(&self) -> PathBuf {
        self.controller.join("private/sam.ldb")
    }

    fn export(&self, name: &str) -> anyhow::Result<PathBuf> {
        let keytab = self.path(&format!("{name}.keytab"));
        let shown = keytab.display().to_string();
        self.tool(&["domain", "exportkeytab", &shown, &format!("--principal={name}@{REALM}")])?;
        std::fs::set_permissions(&keytab, std::fs::Permissions::from_mode(0o600))?;
        Ok(keytab)
    }

    /// A group managed service account, enabled, and its current key.
    fn managed_account(&self) -> anyhow::Result<PathBuf> {
        self.tool(&["service-account", "create", "--name=gmsa", &format!("--dns-host-name=gmsa.{HOST}")])?;
        let dn = "CN=gmsa,CN=Managed Service Accounts,DC=corp,DC=example,DC=test";
        let ldif = self.path("gmsa.ldif");
        std::fs::write(
            &ldif,
            format!("dn: {dn}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 4096\n"),
        )?;
        run(Command::new("ldbmodify").arg("-H").arg(self.database()).arg(ldif))?;
        self.export("gmsa$")
    }

    fn kerberos(&self, scheme: &str, principal: &str, keytab: &Path) -> toml::Table {
        table(&[
            ("url", format!("{scheme}://{}", self.address).into()),
            ("bind", "kerberos".into()),
            ("principal", format!("{principal}@{REALM}").into()),
            ("keytab", keytab.display().to_string().into()),
            ("kerberos_host", HOST.into()),
        ])
    }

    fn simple(&self, lab: &LabInfo, scheme: &str) -> toml::Table {
        table(&[
            ("url", format!("{scheme}://{}", self.address).into()),
            ("bind_name", lab.agent_bind_dn.as_str().into()),
            ("bind_password_file", lab.dir.join("agents/1/bind.password").display().to_string().into()),
        ])
    }

    /// What `rollcall-agent check --connect` says: `Ok` its output, `Err` its errors.
    fn check(&self, lab: &LabInfo, krb5_conf: &str, directory: toml::Table) -> anyhow::Result<Result<String, String>> {
        let path = self.path("agent.toml");
        write_config(lab, &path, directory)?;
        let mut command = Command::new(program("rollcall-agent")?);
        command.args(["check", "--connect", "--config"]).arg(path).env("KRB5_CONFIG", self.path(krb5_conf));
        let out = command.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) })
    }
}

fn table(pairs: &[(&str, toml::Value)]) -> toml::Table {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn with(mut directory: toml::Table, name: &str, value: impl Into<toml::Value>) -> toml::Table {
    directory.insert(name.to_owned(), value.into());
    directory
}

/// The first agent's configuration with another directory section; the certificates stay.
fn write_config(lab: &LabInfo, path: &Path, directory: toml::Table) -> anyhow::Result<()> {
    let mut text: toml::Table = toml::from_str(&std::fs::read_to_string(lab.dir.join("agents/1/agent.toml"))?)?;
    let ca = lab.ca.display().to_string();
    text.insert("directory".to_owned(), with(directory, "ca", ca).into());
    Ok(std::fs::write(path, toml::to_string(&text)?)?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let out = command.output()?;
    ensure!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

#[tokio::test]
async fn every_way_binds_and_every_refusal_is_explained() -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    let realm = Realm::of(&lab.info)?;
    let (keytab, managed) = (realm.export("svc-rollcall")?, realm.managed_account()?);
    let kerberos = |scheme: &str| realm.kerberos(scheme, "svc-rollcall", &keytab);
    for (name, directory) in [
        ("StartTLS, simple", with(realm.simple(&lab.info, "ldap"), "start_tls", true)),
        ("port 389, Kerberos", kerberos("ldap")),
        ("LDAPS, Kerberos", kerberos("ldaps")),
        ("StartTLS, Kerberos", with(kerberos("ldap"), "start_tls", true)),
        ("port 389, gMSA", realm.kerberos("ldap", "gmsa$", &managed)),
        ("LDAPS, gMSA", realm.kerberos("ldaps", "gmsa$", &managed)),
    ] {
        let said =
            realm.check(&lab.info, "krb5.conf", directory)?.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        ensure!(said.contains(&format!("bound to {HOST} (writable")), "{name}: {said}");
    }

    realm.tool(&["user", "create", "stale", "Old-Pass-1234567"])?;
    let stale = realm.export("stale")?;
    realm.tool(&["user", "setpassword", "stale", "--newpassword=New-Pass-1234567"])?;
    realm.tool(&["user", "create", "off", "Some-Pass-1234567"])?;
    let off = realm.export("off")?;
    realm.tool(&["user", "disable", "off"])?;
    realm.write_krb5_conf("dead.conf", "127.0.0.1:9")?;
    for (krb5_conf, directory, named) in [
        ("krb5.conf", with(kerberos("ldap"), "kerberos_host", "dc9.corp.example.test"), "no service ldap/dc9"),
        ("krb5.conf", with(kerberos("ldaps"), "kerberos_host", "dc9.corp.example.test"), "no service ldap/dc9"),
        ("dead.conf", kerberos("ldap"), "no KDC of CORP.EXAMPLE.TEST answers"),
        ("krb5.conf", realm.kerberos("ldap", "stale", &stale), "export the keytab again"),
        ("krb5.conf", realm.kerberos("ldaps", "off", &off), "off@CORP.EXAMPLE.TEST is disabled"),
        ("krb5.conf", realm.kerberos("ldap", "nobody", &keytab), "it has keys of: svc-rollcall@CORP.EXAMPLE.TEST"),
        ("krb5.conf", realm.kerberos("ldap", "svc-rollcall", Path::new("/nowhere/x.keytab")), "/nowhere/x.keytab"),
    ] {
        match realm.check(&lab.info, krb5_conf, directory)? {
            Err(error) => ensure!(error.contains(named), "{named}: {error}"),
            Ok(said) => bail!("{named}: {said}"),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_simple_bind_in_clear_is_refused_before_anything_is_sent() -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory: "practice", store: "sqlite", agents: 1 }).await?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let realm =
        Realm { folder: tempfile::tempdir()?, controller: PathBuf::new(), address: listener.local_addr()?.to_string() };
    match realm.check(&lab.info, "krb5.conf", realm.simple(&lab.info, "ldap"))? {
        Err(error) => {
            ensure!(error.contains("would send the password in clear") && error.contains("start_tls"), "{error}");
        }
        Ok(said) => bail!("{said}"),
    }
    ensure!(listener.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it connected");
    Ok(())
}

#[tokio::test]
async fn people_are_created_and_changed_over_every_transport() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    let realm = Realm::of(&lab.info)?;
    let keytab = realm.export("svc-rollcall")?;
    let ways = [
        ("StartTls", with(realm.simple(&lab.info, "ldap"), "start_tls", true)),
        ("SealedLdap", realm.kerberos("ldap", "svc-rollcall", &keytab)),
        ("Ldaps", realm.kerberos("ldaps", "svc-rollcall", &keytab)),
    ];
    let krb5_conf = realm.path("krb5.conf").display().to_string();
    for (transport, directory) in ways {
        lab.act("kill", "agent").await?;
        write_config(&lab.info, &lab.info.dir.join("agents/1/agent.toml"), directory)?;
        lab.act_with("start", "agent", &[("KRB5_CONFIG", krb5_conf.as_str())]).await?;
        // The first way creates them; on the others, each with a new title, all are found in batches and changed.
        let people: Vec<Value> = (0..PERSONS).map(|at| titled(&format!("T-{at}"), transport)).collect();
        lab.send(&people[..PERSONS / 2]).await?;
        lab.send(&people[PERSONS / 2..]).await?;
        lab.settle(Duration::from_mins(2)).await.with_context(|| transport.to_owned())?;
        let said = log(&lab)?;
        ensure!(said.contains(&format!("transport={transport}")), "{transport}: {said}");
    }
    // Connections end; the next bind is by the same keytab.
    lab.act("kill", "directory").await?;
    lab.act("start", "directory").await?;
    lab.send(&[titled("T-0", "Again")]).await?;
    lab.settle(Duration::from_mins(1)).await?;
    let began = Instant::now();
    lab.judge().await.with_context(|| format!("after {:?}", began.elapsed()))
}

fn titled(id: &str, title: &str) -> Value {
    let mut person = person(id);
    person["title"] = title.into();
    person
}

/// The agent's log, without colours.
fn log(lab: &Lab) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(lab.info.dir.join("log/agent1.log"))?;
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    Ok(plain)
}
