//! The way to the service through an HTTP proxy: a tunnel by CONNECT (RFC 9110 9.3.6).
//!
//! TLS runs inside it, so that the proxy is shown the service's name and port and nothing else.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use rollcall_model::limits;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address::Address;
use crate::config::{Service, invalid};
use crate::{Error, files};

const REMEDY: &str = "write http://host[:port]";

/// An HTTP proxy. Shown without its password.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// As in a URL: an IPv6 address has brackets.
    host: String,
    port: u16,
    login: Option<Login>,
}

#[derive(Clone, Debug)]
struct Login {
    user: String,
    password: SecretString,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Checks what can be checked without reading a file.
pub(crate) fn check(service: &Service) -> Result<(), Error> {
    let proxy = service.proxy.as_deref().unwrap_or_default();
    if service.proxy_user.is_some() != service.proxy_password_file.is_some() {
        let remedy = "set both of proxy_user and proxy_password_file, or none";
        return Err(invalid("service.proxy_user", "a name without a password, or a password without a name", remedy));
    }
    if proxy.is_empty() {
        let remedy = "set service.proxy, or leave it out";
        return match service.proxy_user {
            Some(_) => Err(invalid("service.proxy_user", "there is no service.proxy", remedy)),
            None => Ok(()),
        };
    }
    let found = Proxy::parse(proxy).map_err(|why| invalid("service.proxy", &why, REMEDY))?;
    match found.login {
        Some(_) => {
            let remedy = "put them into proxy_user and a file named by proxy_password_file";
            Err(invalid("service.proxy", "it holds a name or a password", remedy))
        }
        None => Ok(()),
    }
}

impl Proxy {
    /// The proxy to the service: that of the configuration, or else of the environment, as `variable` looks it up.
    pub fn of(service: &Service, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        check(service)?;
        match service.proxy.as_deref() {
            Some("") => Ok(None),
            Some(url) => {
                let mut proxy = Self::parse(url).map_err(|why| invalid("service.proxy", &why, REMEDY))?;
                if let (Some(user), Some(path)) = (&service.proxy_user, &service.proxy_password_file) {
                    proxy.login = Some(Login { user: user.clone(), password: files::read_secret(path)? });
                }
                Ok(Some(proxy))
            }
            None => Self::of_environment(&Address::parse(&service.url)?, variable),
        }
    }

    fn of_environment(address: &Address, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_lowercase())).filter(|it| !it.is_empty());
        let Some(url) = either("HTTPS_PROXY") else { return Ok(None) };
        let excepted = either("NO_PROXY").unwrap_or_default();
        if !address.encrypted || is_excepted(address.bare_host(), address.port, &excepted) {
            return Ok(None);
        }
        // Curl takes an address without a scheme for http.
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        Self::parse(&url).map(Some).map_err(|why| invalid("the variable HTTPS_PROXY", &why, REMEDY))
    }

    /// Errors do not show the URL: it may hold a password.
    fn parse(url: &str) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
        if parsed.scheme() != "http" {
            return Err(format!("the scheme is {}, not http", parsed.scheme()));
        }
        let host = parsed.host_str().ok_or("it names no host")?.to_owned();
        let port = parsed.port_or_known_default().ok_or("it names no port")?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = (!parsed.username().is_empty()).then(|| Login {
            user: decoded(parsed.username()),
            password: decoded(parsed.password().unwrap_or_default()).into(),
        });
        Ok(Self { host, port, login })
    }

    /// As reqwest takes it, for requests that are made through it.
    pub(crate) fn for_requests(&self) -> Result<reqwest::Proxy, Error> {
        let proxy = reqwest::Proxy::all(format!("http://{self}")).map_err(Error::Http)?;
        Ok(match &self.login {
            Some(login) => proxy.basic_auth(&login.user, login.password.expose_secret()),
            None => proxy,
        })
    }

    /// A request's failure, with what the proxy said.
    pub(crate) fn explain(&self, error: reqwest::Error) -> Error {
        let mut text = String::new();
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = source {
            text = format!("{text}{}{error}", if text.is_empty() { "" } else { ": " });
            source = error.source();
        }
        if text.contains("proxy authorization required") {
            return Error::Link(self.refusal(407, "the service"));
        }
        if error.is_connect() {
            return Error::Link(format!("through the proxy {self}: {text}"));
        }
        Error::Http(error)
    }

    /// A connection to `host` (in brackets where it is an IPv6 address) and `port`, through the proxy.
    pub(crate) async fn tunnel(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        self.tunnel_within(Duration::from_millis(limits::PROXY_ANSWER_MS_MAX), host, port).await
    }

    async fn tunnel_within(&self, limit: Duration, host: &str, port: u16) -> Result<TcpStream, String> {
        let opened = timeout(limit, self.open(host, port)).await;
        opened.unwrap_or_else(|_| Err(format!("the proxy {self} gave no answer in {} ms", limit.as_millis())))
    }

    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let failed = |error: std::io::Error| format!("the proxy {self} cannot be reached: {error}");
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut tcp = TcpStream::connect((bare, self.port)).await.map_err(failed)?;
        let login = self.login.as_ref().map_or_else(String::new, |login| {
            let pair = BASE64.encode(format!("{}:{}", login.user, login.password.expose_secret()));
            format!("Proxy-Authorization: Basic {pair}\r\n")
        });
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{login}\r\n");
        tcp.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the empty line belongs to the service.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == limits::PROXY_ANSWER_BYTES_MAX {
                return Err(format!("the answer of the proxy {self} is too long"));
            }
            answer.push(tcp.read_u8().await.map_err(failed)?);
        }
        match status(&answer) {
            Some(200..=299) => Ok(tcp),
            Some(status) => Err(self.refusal(status, &format!("{host}:{port}"))),
            None => Err(format!("the proxy {self} does not speak HTTP")),
        }
    }

    fn refusal(&self, status: u16, target: &str) -> String {
        let why = match (status, &self.login) {
            (407, None) => "it asks for a name and a password: set service.proxy_user and service.proxy_password_file",
            (407, Some(_)) => "it refuses the name or the password: correct service.proxy_user and its password file",
            (403, _) => "it does not allow this connection: have it allow CONNECT to the service",
            (502..=504, _) => "it cannot reach the service: see whether its name resolves there",
            _ => "it refuses the connection",
        };
        format!("the proxy {self} answers {status} for {target}; {why}")
    }
}

/// The status of an answer's first line.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// Whether `NO_PROXY` names the host: `*`, an address, a name and all names below it; each with or without a port.
fn is_excepted(host: &str, port: u16, list: &str) -> bool {
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
        return true;
    }
    let host = host.to_lowercase();
    list.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.strip_suffix(&format!(":{port}")).unwrap_or(&entry);
        let name = entry.trim_start_matches('*').trim_start_matches('.').trim_start_matches('[').trim_end_matches(']');
        if name.is_empty() {
            return entry == "*";
        }
        let below =
            || host.parse::<IpAddr>().is_err() && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        host == name || below()
    })
}

#[cfg(test)]
pub(crate) mod tests;
