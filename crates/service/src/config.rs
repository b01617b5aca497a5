//! The service's configuration: one commented TOML file, overlaid by environment variables.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, files};

#[cfg(test)]
mod tests;

/// Prefix of the variables that overlay the file: `ROLLCALL_SERVER__PUBLIC_URL` is `server.public_url`. Variables
/// without a double underscore are the client's and are not looked at.
const VARIABLE_PREFIX: &str = "ROLLCALL_";

/// Everything that `rollcall serve` can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub server: Server,
    pub data: Data,
    pub tls: Tls,
    pub store: Store,
    pub log: Log,
    pub secrets: Secrets,
}

/// Where the service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Addresses to listen on; one that cannot be bound stops the start.
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<SocketAddr>,
    /// Addresses to listen on where that is allowed and they are free.
    #[schemars(with = "Vec<String>")]
    pub optional_listen: Vec<SocketAddr>,
    /// How clients reach the service: origin of every link it gives out, and issuer of its tokens. No path.
    pub public_url: String,
    /// Longest wait for running requests when the service is told to stop.
    pub stop_timeout_s: u64,
}

/// Where the service keeps its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// The data folder: database, master key, development CA, the first client's secret.
    pub dir: PathBuf,
}

/// The service's certificate. Without one it makes a development CA in its data folder and a certificate under it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file: the certificate and its chain.
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    pub key: Option<PathBuf>,
}

/// Where records live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite`: a file in the data folder; or `postgres://user:password@host/database`.
    pub url: String,
}

/// What is written to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `info,rollcall_service=debug`.
    pub level: String,
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The key that seals secrets in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// 64 hexadecimal digits; `master.key` in the data folder where it is not set. Made at the first start. Every node
    /// of one database needs the same; keep a copy apart from the database's.
    pub master_key_file: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
            optional_listen: Vec::new(),
            public_url: "https://localhost:8443".to_owned(),
            stop_timeout_s: 10,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("rollcall-data") }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite".to_owned() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// A file with every setting at its default, commented.
    #[must_use]
    pub fn sample() -> &'static str {
        include_str!("config/sample.toml")
    }

    /// JSON schema of the file, as committed in `docs/config.schema.json`.
    #[must_use]
    pub fn schema() -> String {
        let schema = schemars::schema_for!(Self);
        format!("{:#}\n", schema.as_value())
    }

    /// Reads a file and overlays it with variables (`std::env::vars()` in the main). Relative paths in the file count
    /// from the file's folder.
    pub fn load(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let bytes = files::read(path)?.ok_or_else(|| {
            Error::Config(format!("{} does not exist; `rollcall config sample` prints one", path.display()))
        })?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::Config(format!("{} is no UTF-8; save it as UTF-8", path.display())))?;
        let config = Self::parse(&text, variables)
            .map_err(|error| Error::Config(format!("{}: {}", path.display(), bare(&error))))?;
        Ok(config.relative_to(path.parent().unwrap_or(Path::new(""))))
    }

    /// Reads a file's text and overlays it with variables.
    pub fn parse(text: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        // Once as it stands, for errors that show line and column; then as a table that variables can be put into.
        toml::from_str::<Self>(text).map_err(|error| Error::Config(error.to_string()))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| Error::Config(error.to_string()))?;
        let mut names: Vec<(String, String)> = variables.into_iter().collect();
        names.sort();
        for (name, value) in names {
            let Some((section, key)) = name.strip_prefix(VARIABLE_PREFIX).and_then(|rest| rest.split_once("__")) else {
                continue;
            };
            put(&mut table, &section.to_lowercase(), &key.to_lowercase(), &value)
                .map_err(|why| Error::Config(format!("variable {name}: {why}")))?;
            // Checked one by one, so that the error can name the variable.
            table
                .clone()
                .try_into::<Self>()
                .map_err(|error| Error::Config(format!("variable {name}: {}", error.message())))?;
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| Error::Config(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        let fail = |text: &str| Err(Error::Config(text.to_owned()));
        if self.server.listen.is_empty() {
            return fail("server.listen is empty: give at least one address, such as \"127.0.0.1:8443\"");
        }
        let origin = self.server.public_url.strip_prefix("https://");
        let valid = origin.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ', '@']));
        if !valid {
            return fail(
                "server.public_url must be https:// and a host, without path or trailing slash, such as \
                 \"https://rollcall.example.com\"",
            );
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return fail("tls.certificate and tls.key belong together: give both, or neither for a development CA");
        }
        let known = self.store.url == "sqlite"
            || ["postgres://", "postgresql://"].iter().any(|scheme| self.store.url.starts_with(scheme));
        if !known {
            return fail("store.url must be \"sqlite\" or begin with postgres://");
        }
        if self.data.dir.as_os_str().is_empty() {
            return fail("data.dir is empty: name a folder");
        }
        Ok(())
    }

    fn relative_to(mut self, folder: &Path) -> Self {
        for path in [Some(&mut self.data.dir), self.tls.certificate.as_mut(), self.tls.key.as_mut()]
            .into_iter()
            .flatten()
            .chain(self.secrets.master_key_file.as_mut())
        {
            if path.is_relative() {
                *path = folder.join(&*path);
            }
        }
        self
    }

    /// The master key's file.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.secrets.master_key_file.clone().unwrap_or_else(|| self.data.dir.join("master.key"))
    }

    /// Host part of `public_url`, without port.
    #[must_use]
    pub fn public_host(&self) -> &str {
        let rest = self.server.public_url.strip_prefix("https://").unwrap_or(&self.server.public_url);
        if let Some(end) = rest.find(']') {
            return rest.get(1..end).unwrap_or(rest);
        }
        rest.split(':').next().unwrap_or(rest)
    }
}

/// The message without the enum's own prefix, where one error is wrapped in another.
fn bare(error: &Error) -> String {
    match error {
        Error::Config(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Puts a variable's text into the table, as the type that the default has there.
fn put(table: &mut toml::Table, section: &str, key: &str, text: &str) -> Result<(), String> {
    let entry = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    let toml::Value::Table(settings) = entry else { return Err(format!("[{section}] is no section")) };
    // A number, a list or a boolean in TOML's own spelling; anything else is text, a list's parts apart by commas.
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}")).ok().and_then(|mut one| one.remove("value"));
    let value = match parsed {
        Some(value @ (toml::Value::Array(_) | toml::Value::Integer(_) | toml::Value::Boolean(_))) => value,
        _ if key.ends_with("listen") => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect())
        }
        _ => toml::Value::String(text.to_owned()),
    };
    settings.insert(key.to_owned(), value);
    Ok(())
}
