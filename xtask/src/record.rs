//! `cargo xtask record`: plays every transcript of the practice directory against a real domain and writes down what
//! it answers; the schema table too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;

use crate::transcript::{Target, record as record_one};

/// Where to record from.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// `host:port` of an LDAPS listener.
    #[arg(long)]
    pub address: String,
    /// PEM file of its authority.
    #[arg(long)]
    pub ca: PathBuf,
    /// userPrincipalName or DN of an administrator.
    #[arg(long)]
    pub bind: String,
    /// Its password.
    #[arg(long, env = "RECORD_PASSWORD", hide_env_values = true)]
    pub password: String,
    /// DN of the domain.
    #[arg(long, default_value = "DC=corp,DC=example,DC=test")]
    pub base: String,
    /// Its NetBIOS name.
    #[arg(long, default_value = "CORP")]
    pub netbios: String,
    /// Where the transcripts are.
    #[arg(long, default_value = "crates/practice/transcripts")]
    pub transcripts: PathBuf,
    /// Only these (names without `.jsonl`).
    pub only: Vec<String>,
}

/// Records all transcripts named, or all there are and the schema.
pub async fn record(args: Args) -> anyhow::Result<()> {
    let target = Target {
        address: args.address,
        ca_pem: std::fs::read(&args.ca).with_context(|| args.ca.display().to_string())?,
        bind: args.bind,
        password: args.password.into(),
        base: args.base.clone(),
        netbios: args.netbios,
        ou: args.base,
    };
    if args.only.is_empty() {
        std::fs::write(args.transcripts.join("schema.tsv"), schema(&target).await?)?;
    }
    for (name, asked) in transcripts(&args.transcripts)? {
        if args.only.is_empty() || args.only.contains(&name) {
            let text = record_one(&target, &name, &asked).await.context(name.clone())?;
            std::fs::write(args.transcripts.join(format!("{name}.jsonl")), &text)?;
            println!("{name}: {} requests", text.lines().count());
        }
    }
    Ok(())
}

/// The transcripts of a folder: name and text, sorted by name.
pub fn transcripts(folder: &std::path::Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    ensure!(!all.is_empty(), "no transcripts in {}", folder.display());
    Ok(all)
}

/// The schema table; its columns are described where the practice directory reads it.
async fn schema(target: &Target) -> anyhow::Result<String> {
    let mut ldap = connect(target).await?;
    let base = &target.base;
    let users = allowed(&mut ldap, &format!("CN=Administrator,CN=Users,{base}")).await?;
    let units = allowed(&mut ldap, &format!("OU=Domain Controllers,{base}")).await?;
    let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(500))];
    let wanted = "lDAPDisplayName attributeID attributeSyntax isSingleValued rangeUpper systemOnly systemFlags linkID";
    let wanted: Vec<&str> = wanted.split(' ').collect();
    let container = format!("CN=Schema,CN=Configuration,{base}");
    let filter = "(objectClass=attributeSchema)";
    let mut search = ldap.streaming_search_with(adapters, &container, Scope::OneLevel, filter, wanted).await?;
    let mut lines = BTreeMap::new();
    while let Some(entry) = search.next().await? {
        let entry = SearchEntry::construct(entry);
        let get = |name: &str| entry.attrs.get(name).and_then(|values| values.first()).map_or("", String::as_str);
        let name = get("lDAPDisplayName");
        let mut line = name.to_owned();
        if users.contains(name) || units.contains(name) {
            let number = |name: &str| get(name).parse::<i64>().unwrap_or(0);
            let syntax = match get("attributeSyntax") {
                "2.5.5.12" | "2.5.5.5" => 'T',
                "2.5.5.9" | "2.5.5.16" => 'I',
                "2.5.5.1" => 'D',
                _ => 'O',
            };
            let flags = [
                ('s', get("isSingleValued") == "TRUE"),
                ('u', users.contains(name)),
                ('o', units.contains(name)),
                ('x', get("systemOnly") == "TRUE"),
                ('c', number("systemFlags") & 4 != 0),
                ('b', number("linkID") % 2 != 0),
            ];
            let flags: String = flags.iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect();
            let upper = Some(get("rangeUpper")).filter(|upper| !upper.is_empty()).unwrap_or("-");
            line = format!("{name}\t{syntax}\t{flags}\t{upper}\t{}", attribute_type(get("attributeID")));
        }
        lines.insert(name.to_lowercase(), line);
    }
    ensure!(lines.len() > 1_000, "the schema has only {} attributes", lines.len());
    Ok(lines.into_values().map(|line| line + "\n").collect())
}

/// ATTRTYP of an OID by the prefix table's fixed part (MS-DRSR 5.16.4), in hex; 0 for other prefixes.
fn attribute_type(oid: &str) -> String {
    const PREFIXES: &[(&str, u32)] = &[
        ("2.5.4", 0),
        ("1.2.840.113556.1.2", 0x2_0000),
        ("1.2.840.113556.1.4", 0x9_0000),
        ("0.9.2342.19200300.100.1", 0x15_0000),
    ];
    let (prefix, last) = oid.rsplit_once('.').unwrap_or_default();
    let high = PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, high)| *high);
    high.map_or_else(|| "0".to_owned(), |high| format!("{:x}", high + last.parse::<u32>().unwrap_or(0)))
}

async fn allowed(ldap: &mut Ldap, dn: &str) -> anyhow::Result<BTreeSet<String>> {
    let found = ldap.search(dn, Scope::Base, "(objectClass=*)", vec!["allowedAttributes"]).await?.success()?.0;
    let entry = found.into_iter().next().map(SearchEntry::construct).context("no such object")?;
    Ok(entry.attrs.into_values().flatten().collect())
}

async fn connect(target: &Target) -> anyhow::Result<Ldap> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&target.ca_pem) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let settings = LdapConnSettings::new().set_config(Arc::new(config));
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &format!("ldaps://{}", target.address)).await?;
    ldap3::drive!(connection);
    ldap.simple_bind(&target.bind, target.password.expose_secret()).await?.success()?;
    Ok(ldap)
}
