//! How the connection is protected, and how the agent shows who it is.

use std::net::IpAddr;
use std::path::PathBuf;

use rollcall_model::Code;
use secrecy::SecretString;

use super::LdapOptions;
use crate::Error;

/// What protects the bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `ldaps://`: TLS from the first byte.
    Ldaps,
    /// `ldap://`, and TLS before anything else is asked (RFC 4513 3).
    StartTls,
    /// `ldap://`, signed and encrypted by Kerberos from the bind on (RFC 4752). Without Kerberos it is refused.
    SealedLdap,
}

/// How the agent shows who it is.
#[derive(Clone, Debug)]
pub enum Bind {
    /// Name and password; TLS only.
    Simple {
        /// A DN, a userPrincipalName or `DOMAIN\name`.
        name: String,
        password: SecretString,
    },
    /// A key from a keytab; no password is stored or sent.
    Kerberos(Kerberos),
}

/// A Kerberos account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kerberos {
    /// `name@REALM`: the account's sAMAccountName (with `$` for a gMSA) and the domain's name in capitals.
    pub principal: String,
    /// File with the account's key. It is read anew for each ticket, so it may be replaced at any time.
    pub keytab: PathBuf,
    /// The controller's own DNS name, where the URL has an address or an alias.
    pub host: Option<String>,
}

/// `ldap[s]://host[:port]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (rest, standard) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
            (Some(rest), _) => (rest, 636),
            (_, Some(rest)) => (rest, 389),
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, port)
            }
            None => rest.find(':').map_or((rest, ""), |at| rest.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if port.is_empty() => standard,
            None => return None,
        };
        let named = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
        named.then(|| Self { host: host.to_owned(), port })
    }
}

/// The service's principal: `ldap/host@REALM`. The realm is the account's own, so that no default realm is needed.
pub(super) fn service(account: &Kerberos, place: &Place) -> Result<String, Error> {
    let realm = match account.principal.split_once('@') {
        Some((name, realm)) if !name.is_empty() && !realm.is_empty() => realm,
        _ => return Err(refuse(format!("'{}' is no principal; write name@REALM", account.principal))),
    };
    let host = account.host.as_deref().unwrap_or(&place.host);
    if host.is_empty() || host.parse::<IpAddr>().is_ok() {
        let text = format!("Kerberos knows a controller by its DNS name, not as '{host}'; give that name");
        return Err(refuse(text));
    }
    Ok(format!("ldap/{}@{realm}", host.to_lowercase()))
}

/// Whether URL, transport and bind fit each other. Nothing has been sent when this refuses.
pub(super) fn check(options: &LdapOptions) -> Result<Place, Error> {
    let scheme = match options.transport {
        Transport::Ldaps => "ldaps://",
        Transport::StartTls | Transport::SealedLdap => "ldap://",
    };
    let place = Place::parse(&options.url)
        .filter(|_| options.url.starts_with(scheme))
        .ok_or_else(|| refuse(format!("'{}' is no {scheme} URL, which the way of connecting asks for", options.url)))?;
    match &options.bind {
        Bind::Simple { .. } if options.transport == Transport::SealedLdap => {
            let text =
                "a simple bind over plain ldap:// would send the password in clear; use ldaps://, StartTLS or Kerberos";
            Err(refuse(text.to_owned()))
        }
        Bind::Simple { .. } => Ok(place),
        Bind::Kerberos(account) => service(account, &place).map(|_| place),
    }
}

fn refuse(text: String) -> Error {
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let check = |url: &str, expected: Option<(&str, u16)>| {
            let place = Place::parse(url);
            assert_eq!(place.as_ref().map(|place| (place.host.as_str(), place.port)), expected, "{url}");
        };
        check("ldap://dc1.corp.test", Some(("dc1.corp.test", 389)));
        check("ldaps://dc1.corp.test/", Some(("dc1.corp.test", 636)));
        check("ldap://127.0.0.1:1389", Some(("127.0.0.1", 1389)));
        check("ldap://[::1]:1389", Some(("::1", 1389)));
        check("ldap://[::1]", Some(("::1", 389)));
        for url in ["ldapi://x", "ldap://", "ldap://x:y", "ldap://[::1]x", "ldap://a/b", "ldap://u@h", "dc1", ""] {
            check(url, None);
        }
    }

    #[test]
    fn services() {
        let check = |principal: &str, host: Option<&str>, url: &str, expected: Option<&str>| {
            let host = host.map(str::to_owned);
            let account = Kerberos { principal: principal.to_owned(), keytab: PathBuf::new(), host };
            let found = service(&account, &Place::parse(url).unwrap()).ok();
            assert_eq!(found.as_deref(), expected, "{principal} {url}");
        };
        check("svc@CORP.TEST", None, "ldap://DC1.corp.test", Some("ldap/dc1.corp.test@CORP.TEST"));
        check("svc@CORP.TEST", Some("dc1.corp.test"), "ldaps://127.0.0.1", Some("ldap/dc1.corp.test@CORP.TEST"));
        check("svc@CORP.TEST", None, "ldaps://127.0.0.1", None);
        check("svc@CORP.TEST", None, "ldap://[::1]", None);
        check("svc", None, "ldap://dc1.corp.test", None);
        check("@CORP", None, "ldap://dc1.corp.test", None);
    }
}
