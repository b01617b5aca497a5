//! The delegation as commands, each with what it is for.

use std::fmt::Write as _;

use rollcall_directory::Read as _;
use rollcall_directory::ldap::LdapDirectory;
use rollcall_directory::schema;
use rollcall_model::Dn;

use super::account::Account;
use super::needs::{Need, Needs, Removal};
use super::{containers, needs_of};
use crate::config::{Config, PolicyAction};
use crate::{Error, LdapConnector};

/// Whose commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Windows' own `dsacls`.
    Dsacls,
    /// Entries, for whatever tool takes them.
    Sddl,
    SambaTool,
}

/// What to print.
pub struct Script<'a> {
    pub config: &'a Config,
    pub directory: &'a LdapConnector,
    /// Empty: those of the policy.
    pub containers: Vec<Dn>,
    /// sAMAccountName; `None`: the account that is bound.
    pub account: Option<String>,
    /// Attributes that a job maps beside the default mapping.
    pub attributes: Vec<String>,
    /// Whether deleting is granted though the policy does not let it be done.
    pub removal: Option<Removal>,
    pub format: Format,
}

/// Prints the least rights that suffice. Errors: the directory cannot be asked, or no container is named.
pub async fn print(script: &Script<'_>) -> Result<String, Error> {
    let refuse = |why: &str| Error::Doctor(why.to_owned());
    let containers = containers(script.config, &script.containers);
    if containers.is_empty() {
        return Err(refuse("no container is named: give --container DN, or containers in [policy]"));
    }
    let directory: LdapDirectory = script.directory.open()?;
    let domain = directory.root_dse().await?.default_naming_context;
    let schema = schema::read(&directory).await?;
    let account = match &script.account {
        Some(name) => Account::named(&directory, domain.as_str(), name).await,
        None => Account::bound(&directory).await,
    };
    let account = account.map_err(|why| refuse(&why))?;
    let mut config = script.config.clone();
    if script.removal == Some(Removal::Deletes) && !config.policy.actions.contains(&PolicyAction::Delete) {
        config.policy.actions.push(PolicyAction::Delete);
    }
    let needs = needs_of(&config, &schema, &script.attributes);
    let netbios = netbios(&directory, &domain).await;
    Ok(Rendered { needs: &needs, account: &account, netbios: &netbios, domain: &domain }
        .text(&containers, script.format))
}

/// The domain's NetBIOS name, for `DOMAIN\name`; the first part of its DN where it cannot be read.
async fn netbios(directory: &LdapDirectory, domain: &Dn) -> String {
    let read = async {
        let root = directory.inspect("", &["configurationNamingContext"]).await.ok()??;
        let base = format!("CN=Partitions,{}", root.text("configurationNamingContext")?);
        let filter = rollcall_directory::Filter::Equal("nCName".to_owned(), domain.as_str().to_owned());
        directory.inspect_below(&base, &filter, &["nETBIOSName"], 1).await.ok()?.first()?.text("nETBIOSName")
    };
    read.await.unwrap_or_else(|| domain.leaf_value().unwrap_or_default().to_uppercase())
}

struct Rendered<'a> {
    needs: &'a Needs,
    account: &'a Account,
    netbios: &'a str,
    domain: &'a Dn,
}

impl Rendered<'_> {
    fn text(&self, containers: &[Dn], format: Format) -> String {
        let comment = if format == Format::Dsacls { "REM" } else { "#" };
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "{comment} The least rights of {}\\{} ({}) for Rollcall's agent.\n{comment} Read it, then run it as somebody who may change these permissions.",
            self.netbios, self.account.name, self.account.sid
        );
        for name in &self.needs.unknown {
            let _ = writeln!(out, "{comment} left out: users of this domain have no attribute {name}");
        }
        for container in containers {
            let _ = writeln!(out, "\n{comment} ---- {container}");
            for need in &self.needs.list {
                let _ = writeln!(out, "{comment} {}", need.text());
                let _ = writeln!(out, "{}", self.command(container, need, format));
            }
        }
        self.deleted_objects(&mut out, comment, format);
        out
    }

    fn command(&self, container: &Dn, need: &Need, format: Format) -> String {
        let ace = need.ace(&self.account.sid);
        match format {
            Format::Sddl => ace.to_string(),
            Format::SambaTool => self.samba_tool(container, &ace.to_string()),
            Format::Dsacls => {
                let (reach, permission) = need.dsacls();
                format!(
                    "dsacls {} {reach} /G \"{}\\{}:{permission}\"",
                    quoted(container),
                    self.netbios,
                    self.account.name
                )
            }
        }
    }

    fn samba_tool(&self, container: &Dn, ace: &str) -> String {
        let (object, trustee) = (quoted_for_shell(container.as_str()), quoted_for_shell(&self.account.dn));
        format!("samba-tool dsacl set --action=allow --objectdn={object} --trusteedn={trustee} --sddl='{ace}'")
    }

    /// Seeing who was deleted: once for the domain. The container has to be owned before its list can be changed.
    fn deleted_objects(&self, out: &mut String, comment: &str, format: Format) {
        let container = self.domain.child("CN", "Deleted Objects");
        let _ =
            writeln!(out, "\n{comment} ---- {container}: list who was deleted (once for the domain, as Domain Admin)");
        let ace = format!("(A;;RPLC;;;{})", self.account.sid);
        match format {
            Format::Dsacls => {
                let _ = writeln!(out, "dsacls {} /takeownership", quoted(&container));
                let who = format!("{}\\{}", self.netbios, self.account.name);
                let _ = writeln!(out, "dsacls {} /G \"{who}:LCRP\"", quoted(&container));
            }
            Format::Sddl => {
                let _ = writeln!(out, "# on that container, not on those above: {ace}");
            }
            Format::SambaTool => {
                let _ = writeln!(
                    out,
                    "# samba-tool does not reach it: add {ace} with a client that sends the control 1.2.840.113556.1.4.417"
                );
            }
        }
    }
}

fn quoted(dn: &Dn) -> String {
    format!("\"{}\"", dn.as_str().replace('"', "\\\""))
}

/// A single quote ends the word, stands escaped, and begins it again.
fn quoted_for_shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
