//! The controller and the domain: whether they can be worked on.

use std::sync::Arc;

use rollcall_directory::ldap::{Inspected, Transport};
use rollcall_directory::{Error as DirectoryError, Filter, Read as _, RootDse, Scope, Search, schema};
use rollcall_model::schema::Schema;
use rollcall_model::{Code, Dn, Timestamp};

use super::network::{self, Opening};
use super::{Ground, Options, Report, Verdict, service};
use crate::{address, config};

/// From DNS to the facts of the domain. `None`: nothing more can be looked at.
pub(super) async fn look(report: &mut Report, options: &Options<'_>) -> Option<Ground> {
    let settings = &options.config.directory;
    let opened = match &options.directory {
        Ok(connector) => connector.open().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = &opened {
        let remedy = "correct the [directory] section, or ask as somebody who may read the files that it names (root)";
        report.fail("directory: configuration", why, remedy);
    }
    reach(report, settings).await?;
    let directory = opened.ok()?;
    let root = bind(report, &directory, settings).await?;
    if root.writable {
        report.ok("directory: writable", format!("{} takes writes", root.dns_host_name));
    } else {
        let found = format!("{} is a read-only controller", root.dns_host_name);
        report.fail("directory: writable", found, "name a writable one in directory.url");
    }
    report.ok("directory: base DN", root.default_naming_context.to_string());
    facts(report, &directory, options).await;
    let schema = match schema::read(&directory).await {
        Ok(schema) => schema,
        Err(error) => {
            let remedy = "let the account read CN=Schema (every account may, as shipped)";
            report.fail("directory: schema", error.to_string(), remedy);
            return None;
        }
    };
    index(report, &schema, &options.matching);
    password_policy(report, &directory, &root.default_naming_context).await;
    deleted_objects(report, &directory, &root.default_naming_context).await;
    Some(Ground { directory, domain: root.default_naming_context, schema })
}

/// DNS, TCP and TLS.
async fn reach(report: &mut Report, settings: &config::Directory) -> Option<()> {
    let Some((host, port)) = place(&settings.url) else {
        report.fail("directory: configuration", format!("'{}' names no host", settings.url), "correct directory.url");
        return None;
    };
    let stream = network::connect(report, "directory", &host, port).await?;
    let opening = match settings.transport() {
        Transport::Ldaps => Opening::Direct,
        Transport::StartTls => Opening::StartTls,
        Transport::SealedLdap => {
            report.ok("directory: TLS", "none; Kerberos signs and encrypts the connection");
            return Some(());
        }
    };
    match address::tls(settings.ca.as_deref()) {
        Ok(tls) => network::handshake(report, "directory", stream, &host, opening, Arc::clone(&tls)).await,
        Err(error) => report.fail("directory: TLS", error.to_string(), "correct directory.ca"),
    }
    report.checks.last().filter(|check| check.verdict != Verdict::Fail).map(|_| ())
}

/// Host and port of `ldap[s]://host[:port]`.
fn place(url: &str) -> Option<(String, u16)> {
    let parsed = reqwest::Url::parse(url).ok()?;
    let standard = if parsed.scheme() == "ldaps" { 636 } else { 389 };
    let host = parsed.host_str().filter(|host| !host.is_empty())?;
    Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), parsed.port().unwrap_or(standard)))
}

async fn bind(
    report: &mut Report,
    directory: &rollcall_directory::ldap::LdapDirectory,
    settings: &config::Directory,
) -> Option<RootDse> {
    let who = settings.bind_name.as_deref().or(settings.principal.as_deref()).unwrap_or_default();
    match directory.root_dse().await {
        Ok(root) => {
            report.ok("directory: bind", format!("bound as {who} at {}", root.dns_host_name));
            Some(root)
        }
        Err(error) => {
            let remedy = match &error {
                DirectoryError::Refused { code: Code::BindRefused, ldap, .. } => bind_remedy(&ldap.diagnostic),
                DirectoryError::Unreachable { text, .. } if text.contains("base DN") => {
                    "correct directory.base_dn, or leave it out"
                }
                _ => "see what the text says; the log of the controller says more",
            };
            report.fail("directory: bind", format!("as {who}: {error}"), remedy);
            None
        }
    }
}

/// From the sub-code that AD puts behind `data` (MS-ERREF's NTSTATUS, in its Win32 form).
fn bind_remedy(diagnostic: &str) -> &'static str {
    let sub_code = diagnostic.split("data ").nth(1).and_then(|rest| rest.split([',', ' ']).next()).unwrap_or_default();
    match sub_code {
        "52e" => "the name or the password is wrong; write the name as name@domain, DOMAIN\\name or a DN",
        "525" => "there is no such account",
        "530" | "531" => "let the account log on at any time and from any computer",
        "532" | "773" => "the password has expired or must be changed; set one that does not expire",
        "533" => "enable the account",
        "701" => "the account has expired; set it never to",
        "775" => "the account is locked out; unlock it, and find who uses an old password",
        _ => "see the account's state in the directory",
    }
}

/// Functional level and clock, from the rootDSE.
async fn facts(report: &mut Report, directory: &rollcall_directory::ldap::LdapDirectory, options: &Options<'_>) {
    let root = directory.inspect("", &["domainFunctionality", "currentTime"]).await.ok().flatten().unwrap_or_default();
    // 6 is Windows Server 2012 R2, 7 is 2016 (MS-ADTS 6.1.4.3).
    match root.text("domainFunctionality").and_then(|level| level.parse::<u8>().ok()) {
        Some(level @ 6..) => report.ok("directory: functional level", level_name(level)),
        Some(level) => report.warn(
            "directory: functional level",
            level_name(level),
            "raise it: levels below 2012 R2 are no longer supported by Microsoft",
        ),
        None => report.warn("directory: functional level", "it is not told", "see whether this is Active Directory"),
    }
    service::clock(report, "directory: clock", current_time(&root), options.clock.now());
}

fn level_name(level: u8) -> String {
    let name = match level {
        0 => "2000",
        1 | 2 => "2003",
        3 => "2008",
        4 => "2008 R2",
        5 => "2012",
        6 => "2012 R2",
        7 => "2016",
        10 => "2025",
        _ => "unknown",
    };
    format!("{level} (Windows Server {name})")
}

/// `currentTime`, a generalised time such as `20261123121306.0Z`.
fn current_time(root: &Inspected) -> Option<Timestamp> {
    let text = root.text("currentTime")?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text.get(..14)?).ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_microsecond()))
}

/// Accounts are looked for by the attributes that jobs match by: those named, or else those of the default mapping.
fn index(report: &mut Report, schema: &Schema, named: &[String]) {
    let mapping = rollcall_engine::default_mapping::default_mapping();
    let default: Vec<String> =
        mapping.into_iter().filter(|row| row.matching_priority > 0).map(|row| row.target).collect();
    for name in if named.is_empty() { &default } else { named } {
        let title = format!("directory: index on {name}");
        match schema.attribute(name) {
            Some(attribute) if attribute.is_indexed() => report.ok(title, "it is indexed"),
            Some(_) => report.fail(
                title,
                "it is not indexed, so that every look-up reads all accounts",
                format!("as a schema administrator set bit 1 of searchFlags on the attribute {name} in CN=Schema"),
            ),
            None => report.fail(title, "the schema has no such attribute", "match by another attribute"),
        }
    }
}

async fn password_policy(report: &mut Report, directory: &rollcall_directory::ldap::LdapDirectory, domain: &Dn) {
    let name = "directory: password policy";
    let found = directory.inspect(domain.as_str(), &["minPwdLength"]).await.ok().flatten();
    match found.and_then(|entry| entry.text("minPwdLength")) {
        Some(length) => report.ok(name, format!("passwords have at least {length} characters")),
        None => report.warn(
            name,
            "it cannot be read; first passwords have 24 characters whatever it asks for",
            "let the account read minPwdLength of the domain object",
        ),
    }
}

/// Who has gone is told from the deleted objects, after a switch of the controller.
async fn deleted_objects(report: &mut Report, directory: &rollcall_directory::ldap::LdapDirectory, domain: &Dn) {
    let name = "directory: deleted objects";
    let base = domain.child("CN", "Deleted Objects");
    let filter = Filter::Present("objectClass".to_owned());
    let search = Search { base, scope: Scope::Base, filter, attributes: vec![] };
    match directory.search_with_deleted(&search).await {
        Ok(found) if !found.is_empty() => report.ok(name, "they can be listed"),
        Ok(_) | Err(_) => report.warn(
            name,
            "they cannot be listed; a deleted account is then found out one look-up later",
            "run the part of `rollcall-agent rights script` that is about CN=Deleted Objects",
        ),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::schema::{Attribute, Syntax};

    use super::*;

    #[test]
    fn places() {
        for (url, expected) in [
            ("ldaps://dc1.corp.test", Some(("dc1.corp.test", 636))),
            ("ldap://dc1.corp.test", Some(("dc1.corp.test", 389))),
            ("ldaps://[::1]:1636", Some(("::1", 1636))),
            ("ldaps://", None),
        ] {
            let seen = place(url);
            assert_eq!(seen.as_ref().map(|(host, port)| (host.as_str(), *port)), expected, "{url}");
        }
    }

    #[test]
    fn what_jobs_match_by_is_indexed() {
        let attribute = |name: &str, search_flags| Attribute {
            name: name.to_owned(),
            syntax: Syntax::Text,
            single_valued: true,
            range_upper: None,
            system_only: false,
            search_flags,
            link_id: None,
            id: None,
            property_set: None,
        };
        let attributes = [("employeeid", attribute("employeeID", 1)), ("info", attribute("info", 0))];
        let attributes = attributes.map(|(name, attribute)| (name.to_owned(), attribute)).into();
        let schema = Schema { attributes, ..Schema::default() };
        for (named, expected) in [
            (&[][..], &[("employeeID", Verdict::Ok)][..]),
            (&["info", "employeeID"], &[("info", Verdict::Fail), ("employeeID", Verdict::Ok)]),
            (&["shoeSize"], &[("shoeSize", Verdict::Fail)]),
        ] {
            let mut report = Report::default();
            index(&mut report, &schema, &named.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
            let found: Vec<_> = report.checks.iter().map(|check| (check.name.clone(), check.verdict)).collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, verdict)| (format!("directory: index on {name}"), *verdict)).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn times_and_remedies() {
        let root = Inspected {
            attributes: [("currenttime".to_owned(), vec![b"20261123121306.0Z".to_vec()])].into(),
            ..Inspected::default()
        };
        assert_eq!(current_time(&root), Some(Timestamp(1_795_435_986_000_000)));
        assert_eq!(current_time(&Inspected::default()), None);
        let text = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 533, v4563";
        assert_eq!(bind_remedy(text), "enable the account");
        assert!(bind_remedy("Simple Bind Failed: NT_STATUS_LOGON_FAILURE").contains("state"));
    }
}
