//! The agent's configuration: TOML, with an overlay from the environment.

mod policy;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

pub use policy::{Policy, PolicyAction};

use crate::{Error, files};

mod directory;

/// Prefix of the variables that overlay the file: `ROLLCALL_AGENT_SECTION__KEY`.
pub const ENV_PREFIX: &str = "ROLLCALL_AGENT_";

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub service: Service,
    pub data: Data,
    pub directory: Directory,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub log: Log,
}

/// Where the service is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `https://host[:port]`. Plain `http` is taken for this machine's own addresses only.
    pub url: String,
    /// PEM file of certificates to trust, instead of the operating system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// `http://host[:port]` of an HTTP proxy that leads to the service. Empty: none. Where it is not set, the
    /// environment's `HTTPS_PROXY` and `NO_PROXY` decide.
    #[serde(default)]
    pub proxy: Option<String>,
    /// Name for the proxy (Basic).
    #[serde(default)]
    pub proxy_user: Option<String>,
    /// File whose first line is the proxy's password.
    #[serde(default)]
    pub proxy_password_file: Option<PathBuf>,
}

/// Where the agent keeps its key and journal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub dir: PathBuf,
}

/// The domain controller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// `ldaps://host[:port]` of one writable controller; `ldap://` with `start_tls`, or with Kerberos, which encrypts.
    pub url: String,
    /// Turns an `ldap://` connection to TLS before anything is asked.
    #[serde(default)]
    pub start_tls: bool,
    /// PEM file of certificates to trust, instead of the operating system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How the agent shows who it is.
    #[serde(default)]
    pub bind: BindMethod,
    /// `simple`: DN or userPrincipalName of the account to bind as: a delegated one, never a domain administrator.
    #[serde(default)]
    pub bind_name: Option<String>,
    /// File whose first line is the password. This, or `bind_password_env`.
    #[serde(default)]
    pub bind_password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub bind_password_env: Option<String>,
    /// `kerberos`: the account as `name@REALM`, with the realm in capitals; `name$@REALM` for a gMSA.
    #[serde(default)]
    pub principal: Option<String>,
    /// `kerberos`: file with the account's key; read anew for each ticket.
    #[serde(default)]
    pub keytab: Option<PathBuf>,
    /// `kerberos`: the controller's own DNS name, where the URL has an address or an alias.
    #[serde(default)]
    pub kerberos_host: Option<String>,
    /// DN of the domain; the controller's own default naming context where it is not set.
    #[serde(default)]
    pub base_dn: Option<String>,
}

/// How the agent shows the directory who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BindMethod {
    /// Name and password, over TLS.
    #[default]
    Simple,
    /// A key from a keytab.
    Kerberos,
}

/// What is logged, to standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Level, or a filter such as `info,rollcall_agent=debug`; `info` where it is not set.
    pub level: Option<String>,
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    #[default]
    Text,
}

impl Config {
    /// A commented configuration to start from.
    #[must_use]
    pub fn sample() -> &'static str {
        include_str!("config/sample.toml")
    }

    /// Reads a file, and the overlay from `environment`.
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        Self::parse(&files::read_text(path)?, environment)
    }

    /// Parses and checks. Errors name the field and the remedy, and never show a value that may be secret.
    pub fn parse(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut table: toml::Table =
            toml::from_str(text).map_err(|error| invalid("the file", &error.to_string(), "correct the TOML"))?;
        for (name, value) in environment {
            // One underscore would be ambiguous with keys such as bind_name; other variables are not ours.
            let Some((section, key)) = name.strip_prefix(ENV_PREFIX).and_then(|rest| rest.split_once("__")) else {
                continue;
            };
            let section = table.entry(section.to_lowercase()).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(section) = section {
                let value = match value.as_str() {
                    "true" => true.into(),
                    "false" => false.into(),
                    _ => value.into(),
                };
                section.insert(key.to_lowercase(), value);
            }
        }
        let config: Self = toml::Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| invalid("a setting", error.message(), "see the sample configuration"))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        crate::address::Address::parse(&self.service.url)?;
        crate::proxy::check(&self.service)?;
        let directory = &self.directory;
        directory.check_transport()?;
        directory.check_bind()?;
        if let Some(base) = &directory.base_dn {
            rollcall_model::Dn::parse(base)
                .map_err(|error| invalid("directory.base_dn", &error.to_string(), "write the domain's DN"))?;
        }
        self.policy.check()
    }

    /// The bind password, from the file, or from the variable as `variable` looks it up; none where Kerberos is used.
    pub fn bind_password(&self, variable: impl FnOnce(&str) -> Option<String>) -> Result<Option<SecretString>, Error> {
        if self.directory.bind == BindMethod::Kerberos {
            return Ok(None);
        }
        if let Some(path) = &self.directory.bind_password_file {
            return files::read_secret(path).map(Some);
        }
        let name = self.directory.bind_password_env.as_deref().unwrap_or_default();
        variable(name).map(|password| Some(password.into())).ok_or_else(|| {
            invalid("directory.bind_password_env", &format!("the variable {name} is not set"), "set it for the agent")
        })
    }

    /// The variables that a process which connects with this configuration must have been started with. They tell the
    /// Kerberos library where the key is.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        self.directory
            .kerberos()
            .map_or_else(Vec::new, |account| rollcall_directory::ldap::environment(&account).into())
    }
}

/// A setting that cannot be used.
pub(crate) fn invalid(field: &'static str, why: &str, remedy: &'static str) -> Error {
    Error::Config { field, why: why.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
        Config::parse(text, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_sample_can_be_used() {
        let config = parse(Config::sample(), &[]).unwrap();
        assert_eq!(config.service.url, "https://rollcall.example.test");
        assert_eq!(config.log.format, LogFormat::Text);
        assert_eq!(config.policy, Policy::default(), "the sample shows what is shipped");
        assert!(!config.policy.actions.contains(&PolicyAction::Delete));
    }

    #[test]
    fn the_environment_overlays() {
        let config = parse(
            Config::sample(),
            &[
                ("ROLLCALL_AGENT_DIRECTORY__BIND_NAME", "agent@corp.example.test"),
                ("ROLLCALL_AGENT_LOG__FORMAT", "json"),
                ("ROLLCALL_AGENT_NONSENSE", "x"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        assert_eq!(config.directory.bind_name.as_deref(), Some("agent@corp.example.test"));
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn errors_name_the_field() {
        let check = |from: &str, to: &str, named: &str| {
            let text = Config::sample().replace(from, to);
            assert_ne!(text, Config::sample(), "{from} is not in the sample");
            let error = parse(&text, &[]).unwrap_err().to_string();
            assert!(error.contains(named), "{error} does not name {named}");
        };
        check("[service]", "[service]\ncolour = 'red'", "colour");
        check("https://", "ftp://", "service.url");
        check("https://rollcall.example.test", "http://rollcall.example.test", "service.url");
        check("ldaps://", "ldap://", "directory.url");
        check("bind_password_file", "bind_password_env = 'X'\nbind_password_file", "directory.bind_password_file");
        check("\"DC=corp,DC=example,DC=test\"", "\"corp\"", "directory.base_dn");
        check("bind_name =", "bind_nam =", "bind_nam");
        check("[policy]\n", "[policy]\ncontainers = ['Staff']\n", "policy.containers");
        check("[policy]\n", "[policy]\nattributes_denied = ['a b']\n", "policy.attributes_denied");
        check("\"enable\"", "\"enslave\"", "enslave");
    }

    #[test]
    fn the_password_comes_from_one_place() {
        let mut config = parse(Config::sample(), &[]).unwrap();
        config.directory.bind_password_file = None;
        config.directory.bind_password_env = Some("BIND".to_owned());
        let password = config.bind_password(|name| Some(format!("of {name}"))).unwrap().unwrap();
        assert_eq!(password.expose_secret(), "of BIND");
        assert!(config.bind_password(|_| None).is_err());
    }
}
