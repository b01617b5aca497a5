//! Which settings of `[directory]` fit together.

use rollcall_directory::ldap::{Kerberos, Transport};

use super::{BindMethod, Directory, invalid};
use crate::Error;

impl Directory {
    /// What protects the connection.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match (self.url.starts_with("ldaps://"), self.start_tls) {
            (true, _) => Transport::Ldaps,
            (false, true) => Transport::StartTls,
            (false, false) => Transport::SealedLdap,
        }
    }

    /// The Kerberos account; `None` for a simple bind.
    #[must_use]
    pub fn kerberos(&self) -> Option<Kerberos> {
        let (Some(principal), Some(keytab), BindMethod::Kerberos) = (&self.principal, &self.keytab, self.bind) else {
            return None;
        };
        let host = self.kerberos_host.clone();
        Some(Kerberos { principal: principal.clone(), keytab: keytab.clone(), host })
    }

    pub(super) fn check_transport(&self) -> Result<(), Error> {
        if self.url.starts_with("ldaps://") {
            let remedy = "write ldap:// in directory.url, or leave start_tls out";
            return if self.start_tls {
                Err(invalid("directory.start_tls", "an ldaps:// connection has TLS already", remedy))
            } else {
                Ok(())
            };
        }
        if !self.url.starts_with("ldap://") {
            return Err(invalid("directory.url", "it is no LDAP URL", "write ldaps://host[:port]"));
        }
        if self.transport() == Transport::SealedLdap && self.bind == BindMethod::Simple {
            let remedy = "write ldaps://, or set start_tls = true, or bind = \"kerberos\"";
            return Err(invalid(
                "directory.url",
                "a simple bind over ldap:// would send the password in clear",
                remedy,
            ));
        }
        Ok(())
    }

    pub(super) fn check_bind(&self) -> Result<(), Error> {
        match self.bind {
            BindMethod::Simple => self.check_simple(),
            BindMethod::Kerberos => self.check_kerberos(),
        }
    }

    fn check_simple(&self) -> Result<(), Error> {
        let set = [
            ("directory.principal", self.principal.is_some()),
            ("directory.keytab", self.keytab.is_some()),
            ("directory.kerberos_host", self.kerberos_host.is_some()),
        ];
        none_of(set, "it is for Kerberos only", "set bind = \"kerberos\", or leave it out")?;
        if self.bind_name.as_ref().is_none_or(|name| name.trim().is_empty()) {
            return Err(invalid("directory.bind_name", "it is empty", "name the account to bind as"));
        }
        if self.bind_password_file.is_some() == self.bind_password_env.is_some() {
            let remedy = "set one of bind_password_file and bind_password_env";
            return Err(invalid("directory.bind_password_file", "none or two places for the password", remedy));
        }
        Ok(())
    }

    fn check_kerberos(&self) -> Result<(), Error> {
        let set = [
            ("directory.bind_name", self.bind_name.is_some()),
            ("directory.bind_password_file", self.bind_password_file.is_some()),
            ("directory.bind_password_env", self.bind_password_env.is_some()),
        ];
        none_of(set, "Kerberos uses principal and keytab", "leave it out")?;
        let principal = self.principal.as_deref().unwrap_or_default();
        let remedy = "write name@REALM, the realm in capitals, for instance svc-rollcall@CORP.EXAMPLE.TEST";
        match principal.split_once('@') {
            Some((name, realm)) if !name.is_empty() && !realm.is_empty() => {
                if realm.chars().any(char::is_lowercase) {
                    return Err(invalid("directory.principal", "its realm is not in capitals", remedy));
                }
            }
            _ => return Err(invalid("directory.principal", "it is missing or no principal", remedy)),
        }
        if self.keytab.as_ref().is_none_or(|path| !path.is_absolute()) {
            let remedy = "give the absolute path of the account's keytab";
            return Err(invalid("directory.keytab", "it is missing or no absolute path", remedy));
        }
        let named = self.kerberos_host.as_deref().map_or_else(|| host(&self.url), str::to_owned);
        if named.is_empty() || named.parse::<std::net::IpAddr>().is_ok() {
            let remedy = "write the controller's own DNS name there, or in directory.url";
            let why = "Kerberos knows a controller by its name, not by its address";
            return Err(invalid("directory.kerberos_host", why, remedy));
        }
        Ok(())
    }
}

/// The host of an LDAP URL, without the brackets of an IPv6 address.
fn host(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn none_of(settings: [(&'static str, bool); 3], why: &str, remedy: &'static str) -> Result<(), Error> {
    match settings.into_iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(invalid(field, why, remedy)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const SIMPLE: &str = "bind_name = 'a@corp.test'\nbind_password_env = 'P'\n";
    const KERBEROS: &str = "bind = 'kerberos'\nprincipal = 'svc@CORP.TEST'\nkeytab = '/etc/rollcall/agent.keytab'\n";

    fn directory(text: &str) -> Result<Config, String> {
        let text = format!("[service]\nurl = 'https://r.test'\n[data]\ndir = '/d'\n[directory]\n{text}");
        Config::parse(&text, []).map_err(|error| error.to_string())
    }

    #[test]
    fn transports() {
        let check = |url: &str, more: &str, expected: Transport| {
            let config = directory(&format!("url = '{url}'\n{more}")).unwrap();
            assert_eq!(config.directory.transport(), expected, "{url} {more}");
        };
        check("ldaps://dc1.corp.test", SIMPLE, Transport::Ldaps);
        check("ldap://dc1.corp.test", &format!("start_tls = true\n{SIMPLE}"), Transport::StartTls);
        check("ldap://dc1.corp.test", KERBEROS, Transport::SealedLdap);
        check("ldaps://dc1.corp.test", KERBEROS, Transport::Ldaps);
        check("ldap://127.0.0.1", &format!("{KERBEROS}kerberos_host = 'dc1.corp.test'"), Transport::SealedLdap);
    }

    #[test]
    fn what_does_not_fit_is_named_with_a_remedy() {
        let check = |text: &str, field: &str, remedy: &str| {
            let error = directory(text).unwrap_err();
            assert!(error.starts_with(field) && error.contains(remedy), "{text}: {error}");
        };
        check(&format!("url = 'ldap://dc1'\n{SIMPLE}"), "directory.url", "start_tls = true");
        check(&format!("url = 'dc1'\n{SIMPLE}"), "directory.url", "ldaps://host");
        check(
            &format!("url = 'ldaps://dc1'\nstart_tls = true\n{SIMPLE}"),
            "directory.start_tls",
            "leave start_tls out",
        );
        check(&format!("url = 'ldaps://dc1'\nkeytab = '/k'\n{SIMPLE}"), "directory.keytab", "kerberos");
        check(&format!("url = 'ldaps://dc1'\n{KERBEROS}bind_name = 'x'"), "directory.bind_name", "leave it out");
        check(&format!("url = 'ldaps://dc1'\n{}", KERBEROS.replace("CORP", "corp")), "directory.principal", "capitals");
        check(
            &format!("url = 'ldaps://dc1'\n{}", KERBEROS.replace("@CORP.TEST", "")),
            "directory.principal",
            "name@REALM",
        );
        check(&format!("url = 'ldaps://dc1'\n{}", KERBEROS.replace("/etc/", "etc/")), "directory.keytab", "absolute");
        check(&format!("url = 'ldap://127.0.0.1'\n{KERBEROS}"), "directory.kerberos_host", "own DNS name");
        check(&format!("url = 'ldap://[::1]:389'\n{KERBEROS}"), "directory.kerberos_host", "own DNS name");
        check("url = 'ldaps://dc1'\nbind = 'ntlm'", "a setting", "ntlm");
    }

    #[cfg(feature = "kerberos")]
    #[test]
    fn the_library_is_told_where_the_key_is() {
        let config = directory(&format!("url = 'ldaps://dc1'\n{KERBEROS}")).unwrap();
        let found = config.environment();
        assert!(found.contains(&("KRB5_CLIENT_KTNAME", "FILE:/etc/rollcall/agent.keytab".into())), "{found:?}");
        assert!(directory(&format!("url = 'ldaps://dc1'\n{SIMPLE}")).unwrap().environment().is_empty());
    }
}
