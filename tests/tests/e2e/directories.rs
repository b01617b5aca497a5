//! What every directory must do, shown on a real domain and on the practice directory: through the agent's own adapter
//! and rights, and request by request as it was recorded.

use std::path::Path;

use anyhow::{Context as _, ensure};
use rollcall_directory::conformance::{Scratch, all};
use rollcall_directory::ldap::{LdapDirectory, LdapOptions};
use rollcall_model::Dn;
use rollcall_tests::collect::LabInfo;
use xtask::record::transcripts;
use xtask::transcript::{Target, replay};

use super::lab::{Lab, Options};

#[tokio::test]
async fn samba() -> anyhow::Result<()> {
    conforms("samba").await
}

#[tokio::test]
async fn practice() -> anyhow::Result<()> {
    conforms("practice").await
}

async fn conforms(directory: &'static str) -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory, store: "sqlite", agents: 1 }).await?;
    let mut broken = behaviours(&lab.info).await?;
    broken.extend(recorded(&lab.info).await?);
    ensure!(broken.is_empty(), "{directory}:\n{}", broken.join("\n"));
    Ok(())
}

/// The conformance suite with the delegated account, which is no administrator.
async fn behaviours(lab: &LabInfo) -> anyhow::Result<Vec<String>> {
    let password = std::fs::read_to_string(lab.dir.join("agents/1/bind.password"))?;
    let mut options = LdapOptions::new(lab.ldap.as_str(), lab.agent_bind_dn.as_str(), password.into());
    options.ca_file = Some(lab.ca.clone());
    let scratch = Scratch {
        users_ou: Dn::parse(&lab.users_ou)?,
        other_ou: Dn::parse(&lab.other_ou)?,
        upn_suffix: "corp.example.test".to_owned(),
        prefix: "e2e".to_owned(),
    };
    let verdicts = all(&LdapDirectory::new(options)?, &scratch).await;
    ensure!(!verdicts.is_empty(), "no behaviours");
    Ok(verdicts.into_iter().filter_map(|(name, verdict)| Some(format!("{name}: {}", verdict.err()?))).collect())
}

/// Every transcript of the practice directory, with the rights it was recorded with.
async fn recorded(lab: &LabInfo) -> anyhow::Result<Vec<String>> {
    let address = lab.ldap.strip_prefix("ldaps://").context("no ldaps URL")?;
    let target = Target {
        address: if address.contains(':') { address.to_owned() } else { format!("{address}:636") },
        ca_pem: std::fs::read(&lab.ca)?,
        bind: "administrator@corp.example.test".to_owned(),
        password: lab.bind_password.clone().into(),
        base: lab.base_dn.clone(),
        netbios: "CORP".to_owned(),
        ou: lab.base_dn.clone(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/practice/transcripts");
    let mut broken = Vec::new();
    for (name, text) in transcripts(&folder)? {
        if let Err(error) = replay(&target, &name, &text).await {
            broken.push(format!("{name}: {error}"));
        }
    }
    Ok(broken)
}
