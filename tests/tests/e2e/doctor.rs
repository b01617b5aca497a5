//! `rollcall-agent doctor` and `rights script` on a real domain: what the script grants is enough and no more, what is
//! taken away is missed, what is added is excess.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use ldap3::Mod;
use ldap3::controls::RawControl;
use rollcall_directory::ldap::{LdapDirectory, LdapOptions};
use rollcall_directory::schema;
use rollcall_directory::security::{Ace, Descriptor, Sid};
use rollcall_model::schema::Syntax;
use rollcall_tests::collect::LabInfo;
use serde_json::Value;

use super::lab::{Lab, Options, program};

const PASSWORD: &str = "Doctor-Probe-2041-xyz";
const ACCOUNT: &str = "svc-doctor";

/// A fresh account and two fresh containers in which nobody but administrators has any right.
struct Ward {
    lab: Lab,
    containers: [String; 2],
    account: String,
    config: PathBuf,
    program: PathBuf,
}

impl Ward {
    async fn open() -> anyhow::Result<Self> {
        let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
        let base = lab.info.base_dn.clone();
        let containers = ["Ward A", "Ward B"].map(|name| format!("OU={name},{base}"));
        for dn in &containers {
            let class = vec![("objectClass", HashSet::from(["organizationalUnit"]))];
            lab.directory.ldap.add(dn, class).await?.success()?;
        }
        let account = format!("CN={ACCOUNT},CN=Users,{base}");
        let password: Vec<u8> = format!("\"{PASSWORD}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)> = [
            ("objectClass", b"user".to_vec()),
            ("sAMAccountName", ACCOUNT.into()),
            ("userPrincipalName", format!("{ACCOUNT}@corp.example.test").into_bytes()),
            ("userAccountControl", b"66048".to_vec()),
            ("unicodePwd", password),
        ]
        .map(|(name, value)| (name.as_bytes().to_vec(), HashSet::from([value])))
        .into();
        lab.directory.ldap.add(&account, attributes).await?.success()?;
        let config = lab.info.dir.join("doctor.toml");
        std::fs::write(lab.info.dir.join("doctor.password"), PASSWORD)?;
        std::fs::write(&config, config_text(&lab.info))?;
        Ok(Self { lab, containers, account, config, program: program("rollcall-agent")? })
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(&self.config);
        for container in &self.containers {
            command.args(["--container", container]);
        }
        Ok(command.output()?)
    }

    /// The checks that failed: name, what was found, remedy; and the exit status.
    fn failures(&self, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let out = self.run(&[&["doctor", "--json"], arguments].concat())?;
        let text = String::from_utf8_lossy(&out.stdout);
        let report: Value = serde_json::from_str(&text).with_context(|| format!("{text} {out:?}"))?;
        let checks = report["checks"].as_array().context("no checks")?;
        let failed: Vec<String> = checks
            .iter()
            .filter(|check| check["verdict"] == "fail")
            .map(|check| format!("{}: {} -> {}", check["name"], check["found"], check["remedy"]))
            .collect();
        ensure!(report["ok"] == failed.is_empty(), "{text}");
        ensure!(out.status.code() == Some(i32::from(!failed.is_empty())), "{:?}: {text}", out.status);
        Ok(failed)
    }

    /// The entries that the script prints for a container; it prints the same for both.
    fn script(&self) -> anyhow::Result<Vec<Ace>> {
        let out = self.run(&["rights", "script", "--format", "sddl"])?;
        ensure!(out.status.success(), "{out:?}");
        let text = String::from_utf8(out.stdout)?;
        let entries: Vec<Ace> =
            text.lines().filter(|line| line.starts_with('(')).map(str::parse).collect::<Result<_, _>>()?;
        let (first, second) = entries.split_at(entries.len() / 2);
        ensure!(first == second && first.len() > 20, "{text}");
        Ok(first.to_vec())
    }

    /// Gives both containers a list of their own: administrators, and these entries.
    async fn grant(&mut self, entries: &[Ace]) -> anyhow::Result<()> {
        let domain = entries.first().context("no entries")?.trustee.to_string();
        let (domain, _) = domain.rsplit_once('-').context("no domain")?;
        let administrators = ["(A;CI;GA;;;S-1-5-18)".to_owned(), format!("(A;CI;GA;;;{domain}-512)")];
        let mut dacl = administrators.iter().map(|ace| ace.parse()).collect::<Result<Vec<Ace>, _>>()?;
        dacl.extend_from_slice(entries);
        for dn in self.containers.clone() {
            let descriptor = Descriptor { dacl: Some(dacl.clone()), is_protected: true, ..Descriptor::default() };
            self.set(&dn, &descriptor).await?;
        }
        Ok(())
    }

    /// Writes the list of an object, and nothing else of its descriptor.
    async fn set(&mut self, dn: &str, descriptor: &Descriptor) -> anyhow::Result<()> {
        // LDAP_SERVER_SD_FLAGS_OID with DACL_SECURITY_INFORMATION (MS-ADTS 3.1.1.3.4.1.11).
        let flags = RawControl {
            ctype: "1.2.840.113556.1.4.801".to_owned(),
            crit: true,
            val: Some(vec![0x30, 0x03, 0x02, 0x01, 0x04]),
        };
        let change = Mod::Replace(b"nTSecurityDescriptor".to_vec(), HashSet::from([descriptor.to_bytes()]));
        self.lab.directory.ldap.with_controls(vec![flags]).modify(dn, vec![change]).await?.success()?;
        Ok(())
    }

    fn directory(&self, name: &str, password: &str) -> anyhow::Result<LdapDirectory> {
        let mut options = LdapOptions::new(self.lab.info.ldap.as_str(), name, password.to_owned().into());
        options.ca_file = Some(self.lab.info.ca.clone());
        Ok(LdapDirectory::new(options)?)
    }
}

fn config_text(lab: &LabInfo) -> String {
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    format!(
        "[service]\nurl = {:?}\nca = {ca}\n[data]\ndir = {}\n[directory]\nurl = {:?}\nca = {ca}\n\
         bind_name = \"{ACCOUNT}@corp.example.test\"\nbind_password_file = {}\n",
        lab.auth,
        quoted(&lab.dir.join("doctor")),
        lab.ldap,
        quoted(&lab.dir.join("doctor.password")),
        ca = quoted(&lab.ca),
    )
}

#[tokio::test]
async fn least_rights_missing_rights_and_excess() -> anyhow::Result<()> {
    let mut ward = Ward::open().await?;
    let entries = ward.script()?;

    // Exactly these: nothing is missing, nothing too much, and everything that the product does can be done.
    ward.grant(&entries).await?;
    let failed = ward.failures(&["--write"])?;
    ensure!(failed.is_empty(), "with the script's rights: {failed:#?}");

    // Without any one of them exactly that one is missed.
    for (at, left_out) in entries.iter().enumerate() {
        let rest: Vec<Ace> =
            entries.iter().enumerate().filter(|(own, _)| *own != at).map(|(_, ace)| ace.clone()).collect();
        ward.grant(&rest).await?;
        let failed = ward.failures(&[])?;
        let named = |failure: &String| failure.contains("MISSING") && failure.contains(&left_out.to_string());
        let exact = failed.len() == ward.containers.len() && failed.iter().all(named);
        ensure!(exact, "without {left_out}: {failed:#?}");
    }

    // One too many.
    let us: Sid = entries[0].trustee.clone();
    for (ace, named) in [
        (format!("(A;CI;GA;;;{us})"), "full control of"),
        (format!("(A;;WD;;;{us})"), "change the permissions of the object itself"),
        (
            format!("(OA;CIIO;WP;;bf967aba-0de6-11d0-a285-00aa003049e2;{us})"),
            "write every attribute of user objects below",
        ),
        (format!("(OA;CI;CC;bf967a9c-0de6-11d0-a285-00aa003049e2;;{us})"), "create group objects in"),
    ] {
        let with: Vec<Ace> = entries.iter().cloned().chain([ace.parse::<Ace>()?]).collect();
        ward.grant(&with).await?;
        let failed = ward.failures(&[])?;
        // Samba splits what counts here and below into two entries.
        let exact = failed.iter().all(|failure| failure.contains("EXCESS"))
            && ward.containers.iter().all(|dn| failed.iter().any(|one| one.contains(dn) && one.contains(named)));
        ensure!(exact, "with {ace}: {failed:#?}");
    }
    ward.grant(&entries).await?;
    replication_and_groups(&mut ward, &us).await
}

/// Rights that no container shows.
async fn replication_and_groups(ward: &mut Ward, us: &Sid) -> anyhow::Result<()> {
    let base = ward.lab.info.base_dn.clone();
    let administrator = ward.directory(&ward.lab.info.bind_dn, &ward.lab.info.bind_password)?;
    let read = administrator.inspect(&base, &["nTSecurityDescriptor"]).await?.context("no domain")?;
    let bytes = read.values("nTSecurityDescriptor").first().context("no descriptor")?.clone();
    let before = Descriptor::from_bytes(&bytes)?;
    let mut with = before.clone();
    let replicate: Ace = format!("(OA;;CR;1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;{us})").parse()?;
    with.dacl.get_or_insert_default().insert(0, replicate);
    ward.set(&base, &with).await?;
    let failed = ward.failures(&[])?;
    ensure!(failed.iter().any(|failure| failure.contains("DCSync")), "{failed:#?}");
    ward.set(&base, &before).await?;

    let group = format!("CN=Domain Admins,CN=Users,{base}");
    let member = |account: &str| HashSet::from([account.as_bytes().to_vec()]);
    let change = Mod::Add(b"member".to_vec(), member(&ward.account));
    ward.lab.directory.ldap.modify(&group, vec![change]).await?.success()?;
    let failed = ward.failures(&[])?;
    ensure!(failed.iter().any(|failure| failure.contains("is in Domain Admins")), "{failed:#?}");
    let change = Mod::Delete(b"member".to_vec(), member(&ward.account));
    ward.lab.directory.ldap.modify(&group, vec![change]).await?.success()?;
    let failed = ward.failures(&[])?;
    ensure!(failed.is_empty(), "all taken back: {failed:#?}");
    Ok(())
}

#[tokio::test]
async fn the_live_schema() -> anyhow::Result<()> {
    let ward = Ward::open().await?;
    // As the delegated account, which is nobody special.
    let schema = schema::read(&ward.directory(&ward.account, PASSWORD)?).await?;
    for (name, syntax, single_valued) in [
        ("employeeID", Syntax::Text, true),
        ("sAMAccountName", Syntax::Text, true),
        ("proxyAddresses", Syntax::Text, false),
        ("mail", Syntax::Text, true),
        ("manager", Syntax::DistinguishedName, true),
        ("memberOf", Syntax::DistinguishedName, false),
        ("userAccountControl", Syntax::Integer, true),
        ("accountExpires", Syntax::LargeInteger, true),
        ("thumbnailPhoto", Syntax::Octets, true),
        ("whenCreated", Syntax::Time, true),
        ("objectSid", Syntax::Sid, true),
        ("objectClass", Syntax::Oid, false),
        ("nTSecurityDescriptor", Syntax::SecurityDescriptor, true),
        ("isCriticalSystemObject", Syntax::Boolean, true),
    ] {
        let attribute = schema.attribute(name).with_context(|| name.to_owned())?;
        ensure!((attribute.syntax, attribute.single_valued) == (syntax, single_valued), "{attribute:?}");
        ensure!(attribute.id.is_some(), "{attribute:?}");
    }
    let of = |name: &str| schema.attribute(name).with_context(|| name.to_owned());
    // The lab's index; the range that a longer externalId does not fit.
    ensure!(of("employeeID")?.is_indexed() && of("employeeID")?.range_upper == Some(16), "{:?}", of("employeeID"));
    ensure!(!of("division")?.is_indexed(), "{:?}", of("division"));
    ensure!(of("memberOf")?.is_back_link() && !of("manager")?.is_back_link(), "links");
    ensure!(of("whenCreated")?.system_only && !of("title")?.system_only, "systemOnly");
    let users = schema.attributes_of("user");
    for name in ["cn", "title", "mail", "employeeid", "samaccountname", "proxyaddresses", "manager", "uidnumber"] {
        ensure!(users.contains(name), "users have {name}");
    }
    ensure!(!users.contains("member") && schema.attributes.len() > 1_000, "{}", schema.attributes.len());
    Ok(())
}
