//! The agent's configuration: TOML, with an overlay from the environment.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{Error, files};

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
    /// `ldaps://host[:port]` of one writable controller.
    pub url: String,
    /// PEM file of certificates to trust, instead of the operating system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// DN or userPrincipalName of the account to bind as: a delegated one, never a domain administrator.
    pub bind_name: String,
    /// File whose first line is the password. This, or `bind_password_env`.
    #[serde(default)]
    pub bind_password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub bind_password_env: Option<String>,
    /// DN of the domain; the controller's own default naming context where it is not set.
    #[serde(default)]
    pub base_dn: Option<String>,
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
                section.insert(key.to_lowercase(), value.into());
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
        let directory = &self.directory;
        if !directory.url.starts_with("ldaps://") {
            return Err(invalid("directory.url", "it is no ldaps URL", "write ldaps://host[:port]"));
        }
        if directory.bind_name.trim().is_empty() {
            return Err(invalid("directory.bind_name", "it is empty", "name the account to bind as"));
        }
        if directory.bind_password_file.is_some() == directory.bind_password_env.is_some() {
            let remedy = "set one of bind_password_file and bind_password_env";
            return Err(invalid("directory.bind_password_file", "none or two places for the password", remedy));
        }
        if let Some(base) = &directory.base_dn {
            rollcall_model::Dn::parse(base)
                .map_err(|error| invalid("directory.base_dn", &error.to_string(), "write the domain's DN"))?;
        }
        Ok(())
    }

    /// The bind password, from the file, or from the variable as `variable` looks it up.
    pub fn bind_password(&self, variable: impl FnOnce(&str) -> Option<String>) -> Result<SecretString, Error> {
        if let Some(path) = &self.directory.bind_password_file {
            return files::read_secret(path);
        }
        let name = self.directory.bind_password_env.as_deref().unwrap_or_default();
        variable(name).map(SecretString::from).ok_or_else(|| {
            invalid("directory.bind_password_env", &format!("the variable {name} is not set"), "set it for the agent")
        })
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
        assert_eq!(config.directory.bind_name, "agent@corp.example.test");
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
    }

    #[test]
    fn the_password_comes_from_one_place() {
        let mut config = parse(Config::sample(), &[]).unwrap();
        config.directory.bind_password_file = None;
        config.directory.bind_password_env = Some("BIND".to_owned());
        assert_eq!(config.bind_password(|name| Some(format!("of {name}"))).unwrap().expose_secret(), "of BIND");
        assert!(config.bind_password(|_| None).is_err());
    }
}
