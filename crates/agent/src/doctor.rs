//! `rollcall-agent doctor`: looks at everything the agent needs, in the order in which it needs it, and says of each what
//! is so and what to do about it. Nothing is written unless that is asked for, and then only an account of its own.
//!
//! | module | what is in it |
//! |---|---|
//! | `report` | [`Report`], [`Check`], [`Verdict`] |
//! | `network` | DNS, TCP, TLS |
//! | `service` | the way to the service, and its clock |
//! | `domain` | the controller, the domain's facts |
//! | `account` | who we are: token, groups, names |
//! | `needs`, `excess` | what has to be granted, and what is granted beyond that; pure |
//! | `rights` | both, for each container and for the rest of the domain |
//! | `probe` | the rights tried for real |
//! | `script` | the delegation, printed |

mod account;
mod domain;
mod excess;
mod needs;
mod network;
mod probe;
mod report;
mod rights;
mod script;
mod service;

use rollcall_directory::ldap::LdapDirectory;
use rollcall_model::schema::Schema;
use rollcall_model::{Clock, Dn, Random};

pub use report::{Check, Report, Verdict};
pub use script::{Format, Script, print};

use crate::config::Config;
use crate::{Error, LdapConnector, Proxy};
use needs::Needs;
pub use needs::Removal;

/// Whether rights are only computed, or tried with an account of the doctor's own too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    Computed,
    Real,
}

/// What to look at.
pub struct Options<'a> {
    pub config: &'a Config,
    pub proxy: Option<Proxy>,
    /// Made of `config`; what hindered that is a finding as any other.
    pub directory: Result<LdapConnector, Error>,
    /// The containers that accounts live in; empty: those of the policy.
    pub containers: Vec<Dn>,
    /// Attributes that a job maps beside the default mapping.
    pub attributes: Vec<String>,
    /// Attributes that jobs match by; empty: those of the default mapping.
    pub matching: Vec<String>,
    pub trial: Trial,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
}

/// What later checks need of earlier ones.
struct Ground {
    directory: LdapDirectory,
    domain: Dn,
    schema: Schema,
}

/// Looks at everything. What cannot be looked at because an earlier check failed is left out.
pub async fn examine(options: &Options<'_>) -> Report {
    let mut report = Report::default();
    service::look(&mut report, options).await;
    let Some(ground) = domain::look(&mut report, options).await else { return report };
    let containers = containers(options.config, &options.containers);
    if containers.is_empty() {
        report.warn(
            "containers",
            "none is named, so no right was looked at",
            "name them: --container DN, or containers in [policy]",
        );
        return report;
    }
    let needs = needs_of(options.config, &ground.schema, &options.attributes);
    let usable = rights::look(&mut report, &ground, &needs, &containers).await;
    if options.trial == Trial::Real {
        probe::try_out(&mut report, &ground, &needs, &usable, options.random).await;
    }
    report
}

/// The containers to look at: those asked for, else those of the policy.
fn containers(config: &Config, asked: &[Dn]) -> Vec<Dn> {
    if asked.is_empty() {
        config.policy.containers.iter().map(|text| Dn::from_directory(text)).collect()
    } else {
        asked.to_vec()
    }
}

/// What the policy lets be done, and so has to be granted.
fn needs_of(config: &Config, schema: &Schema, extra: &[String]) -> Needs {
    let named = |names: &[String], name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let policy = &config.policy;
    Needs::new(schema, &policy.actions, extra, |name| {
        !named(&policy.attributes_denied, name)
            && (policy.attributes_allowed.is_empty() || named(&policy.attributes_allowed, name))
    })
}

#[cfg(test)]
mod tests;
