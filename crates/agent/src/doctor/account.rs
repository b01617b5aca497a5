//! Who we are to the controller.

use std::collections::BTreeSet;

use rollcall_directory::Filter;
use rollcall_directory::ldap::LdapDirectory;
use rollcall_directory::security::Sid;

use super::excess::privileged_group;

/// The account that is bound.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) sid: Sid,
    pub(super) name: String,
    pub(super) dn: String,
    /// Everything that an entry of a list may name to mean us.
    pub(super) token: BTreeSet<Sid>,
}

impl Account {
    /// The account bound on this connection, from the rootDSE's `tokenGroups` (MS-ADTS 3.1.1.3.2.23).
    pub(super) async fn bound(directory: &LdapDirectory) -> Result<Self, String> {
        let root = directory.inspect("", &["tokenGroups"]).await.map_err(|error| error.to_string())?;
        let root = root.unwrap_or_default();
        let token: BTreeSet<Sid> =
            root.values("tokenGroups").iter().filter_map(|bytes| Sid::from_bytes(bytes).ok()).collect();
        for sid in token.iter().filter(|sid| sid.domain_rid().is_some()) {
            let found = directory.inspect(&by_sid(sid), &["objectClass", "sAMAccountName"]).await;
            let Ok(Some(entry)) = found else { continue };
            if entry.texts("objectClass").any(|class| class.eq_ignore_ascii_case("user")) {
                let name = entry.text("sAMAccountName").unwrap_or_else(|| sid.to_string());
                return Ok(Self { sid: sid.clone(), name, dn: entry.dn, token });
            }
        }
        Err("the controller does not say who is bound (tokenGroups of the rootDSE)".to_owned())
    }

    /// Another account, by its sAMAccountName, without its groups.
    pub(super) async fn named(directory: &LdapDirectory, domain: &str, name: &str) -> Result<Self, String> {
        let filter = Filter::Equal("sAMAccountName".to_owned(), name.to_owned());
        let found = directory.inspect_below(domain, &filter, &["objectSid"], 1).await;
        let found = found.map_err(|error| error.to_string())?;
        let found = found.into_iter().next();
        let sid = found.as_ref().and_then(|entry| Sid::from_bytes(entry.values("objectSid").first()?).ok());
        let (Some(sid), Some(entry)) = (sid, found) else {
            return Err(format!("there is no account '{name}' (a sAMAccountName is asked for)"));
        };
        Ok(Self { name: name.to_owned(), dn: entry.dn, token: [sid.clone()].into(), sid })
    }

    /// The account and its groups, without those that everybody is in.
    pub(super) fn own(&self) -> BTreeSet<Sid> {
        self.token.iter().filter(|sid| !sid.is_everybody()).cloned().collect()
    }
}

/// A name for an identifier.
pub(super) async fn name_of(directory: &LdapDirectory, sid: &Sid) -> String {
    if let Some(name) = privileged_group(sid) {
        return name.to_owned();
    }
    let found = directory.inspect(&by_sid(sid), &["sAMAccountName"]).await.ok().flatten();
    let name = found.and_then(|entry| entry.text("sAMAccountName"));
    name.unwrap_or_else(|| {
        match sid.to_string().as_str() {
            "S-1-1-0" => "Everyone",
            "S-1-5-11" => "Authenticated Users",
            other => other,
        }
        .to_owned()
    })
}

fn by_sid(sid: &Sid) -> String {
    format!("<SID={sid}>")
}
