//! Where the service is and who we are: flags over environment over profile file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

use crate::error::Error;
use crate::files;

/// Environment variables by name, as a value, so that tests bring their own. Empty ones count as not set.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, SecretString>);

impl Environment {
    /// Those of this process that are valid Unicode.
    #[must_use]
    pub fn system() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::new(std::env::vars_os().filter_map(text))
    }

    /// From pairs of name and value.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), SecretString::from(value.into()))).collect())
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        use secrecy::ExposeSecret as _;
        self.0.get(name).filter(|value| !value.expose_secret().is_empty()).cloned()
    }

    /// A variable that is no secret.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        use secrecy::ExposeSecret as _;
        self.secret(name).map(|value| value.expose_secret().to_owned())
    }
}

/// The flags that every client command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct Options {
    /// Address of the service, for instance `https://rollcall.example` [env: ROLLCALL_URL]
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// Tenant id [env: ROLLCALL_TENANT]
    #[arg(long, global = true)]
    pub tenant: Option<String>,
    /// Client id (appId) to log in with [env: ROLLCALL_CLIENT_ID]; the secret comes from ROLLCALL_CLIENT_SECRET, from
    /// the profile or from --client-secret-file
    #[arg(long, global = true)]
    pub client_id: Option<String>,
    /// File that holds the client's secret and nothing else
    #[arg(long, global = true, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// PEM file of the only authority to trust [env: ROLLCALL_CA]; otherwise the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Id of the job to work with [env: ROLLCALL_JOB]
    #[arg(long, global = true)]
    pub job: Option<String>,
    /// Object id of the job's service principal [env: ROLLCALL_SERVICE_PRINCIPAL]; asked from the service otherwise
    #[arg(long, global = true, value_name = "ID")]
    pub service_principal: Option<String>,
    /// Profile file (TOML) [env: ROLLCALL_PROFILE] [default: ~/.config/rollcall/profile.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Print JSON, and no progress
    #[arg(long, global = true)]
    pub json: bool,
}

/// What a profile file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: Option<String>,
    tenant: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    /// Relative to the profile's folder.
    ca: Option<PathBuf>,
    job: Option<String>,
    service_principal: Option<String>,
}

/// Everything needed to talk to the service. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Origin of the service: no path, no query.
    pub url: Url,
    pub tenant: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub ca: Option<PathBuf>,
    pub job: Option<String>,
    pub service_principal: Option<String>,
    /// What the user should be told beside.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Flags over environment over profile file.
    pub fn resolve(options: &Options, environment: &Environment) -> Result<Self, Error> {
        let mut warnings = Vec::new();
        let profile = read_profile(options, environment, &mut warnings)?;
        let pick = |flag: &Option<String>, variable: &str, file: Option<String>| {
            flag.clone().or_else(|| environment.text(variable)).or(file)
        };
        let need = |value: Option<String>, name: &'static str, flag: &'static str| {
            value.ok_or(Error::SettingMissing { name, flag })
        };
        let url = need(pick(&options.url, "ROLLCALL_URL", profile.url), "ROLLCALL_URL", "--url")?;
        let tenant = need(pick(&options.tenant, "ROLLCALL_TENANT", profile.tenant), "ROLLCALL_TENANT", "--tenant")?;
        let client_id = pick(&options.client_id, "ROLLCALL_CLIENT_ID", profile.client_id);
        let client_id = need(client_id, "ROLLCALL_CLIENT_ID", "--client-id")?;
        let client_secret = match &options.client_secret_file {
            Some(path) => Some(read_secret(path)?),
            None => environment.secret("ROLLCALL_CLIENT_SECRET").or(profile.client_secret.map(SecretString::from)),
        };
        let missing = Error::SettingMissing { name: "ROLLCALL_CLIENT_SECRET", flag: "--client-secret-file" };
        Ok(Self {
            url: origin(&url)?,
            tenant,
            client_id,
            client_secret: client_secret.ok_or(missing)?,
            ca: options.ca.clone().or_else(|| environment.text("ROLLCALL_CA").map(PathBuf::from)).or(profile.ca),
            job: pick(&options.job, "ROLLCALL_JOB", profile.job),
            service_principal: pick(
                &options.service_principal,
                "ROLLCALL_SERVICE_PRINCIPAL",
                profile.service_principal,
            ),
            warnings,
        })
    }

    /// The job to work with, for commands that need one.
    pub fn job(&self) -> Result<&str, Error> {
        self.job.as_deref().ok_or(Error::SettingMissing { name: "ROLLCALL_JOB", flag: "--job" })
    }
}

/// Reads the profile that was named, or the default one where it is there.
fn read_profile(options: &Options, environment: &Environment, warnings: &mut Vec<String>) -> Result<Profile, Error> {
    let named = options.profile.clone().or_else(|| environment.text("ROLLCALL_PROFILE").map(PathBuf::from));
    let Some(path) = named.clone().or_else(|| default_profile(environment)) else {
        return Ok(Profile::default());
    };
    let Some(text) = files::read_text_if_present(&path)? else {
        return match named {
            Some(path) => Err(Error::Content { path, message: "there is no such profile".to_owned() }),
            None => Ok(Profile::default()),
        };
    };
    // Not the whole error: it quotes the line, which may be the secret's.
    let mut profile: Profile = toml::from_str(&text)
        .map_err(|cause| Error::Content { path: path.clone(), message: profile_error(&cause, &text) })?;
    if profile.client_secret.is_some() && files::is_open_to_others(&path) {
        warnings.push(format!("{} holds a secret and is open to others: chmod 600 it", path.display()));
    }
    profile.ca = profile.ca.map(|ca| path.parent().unwrap_or(Path::new("")).join(ca));
    Ok(profile)
}

fn profile_error(cause: &toml::de::Error, text: &str) -> String {
    let line = cause.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    line.map_or_else(|| cause.message().to_owned(), |line| format!("line {line}: {}", cause.message()))
}

/// `$XDG_CONFIG_HOME/rollcall/profile.toml`, else below `~/.config`.
fn default_profile(environment: &Environment) -> Option<PathBuf> {
    let folder = environment
        .text("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| environment.text("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(folder.join("rollcall").join("profile.toml"))
}

fn read_secret(path: &Path) -> Result<SecretString, Error> {
    let bytes = files::read(path)?;
    let unusable = |message: &str| Error::Content { path: path.to_owned(), message: message.to_owned() };
    let text = String::from_utf8(bytes).map_err(|_| unusable("the secret is not UTF-8 text"))?;
    let text = text.trim();
    if text.is_empty() { Err(unusable("the file is empty")) } else { Ok(SecretString::from(text)) }
}

/// Checks an address and cuts it to its origin. Plain `http` is taken for this machine only: a secret goes there.
fn origin(text: &str) -> Result<Url, Error> {
    let usage = |why: &str| Error::Usage(format!("'{text}' cannot be the service's address: {why}"));
    let mut url = Url::parse(text).map_err(|cause| usage(&cause.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(usage("plain http would show the secret; use https")),
        _ => return Err(usage("it must begin with https://")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(usage("leave out everything behind host and port"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage("it must not hold credentials"));
    }
    url.set_path("");
    Ok(url)
}

/// Whether the address is this machine's own.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests;
