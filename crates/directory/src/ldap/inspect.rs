//! What only a person's questions ask for: security descriptors, the rootDSE in full, a password set anew.

use std::collections::{BTreeMap, HashSet};

use ldap3::controls::{PagedResults, RawControl};
use ldap3::{Mod, SearchResult};
use rollcall_model::Dn;
use rollcall_model::ids::ObjectGuid;
use secrecy::SecretString;

use super::connection::unreadable;
use super::read::next_page;
use super::{LdapDirectory, decode, no_answer, refused};
use crate::errors::Request;
use crate::{Error, Filter, password};

/// Objects of one page at most.
const PAGE_ENTRIES: usize = 500;

/// LDAP_SERVER_SD_FLAGS_OID (MS-ADTS 3.1.1.3.4.1.11).
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";

/// `SEQUENCE { INTEGER 7 }`: owner, group and list, and not the audit entries, which only an administrator may read.
const WITHOUT_AUDIT: [u8; 5] = [0x30, 0x03, 0x02, 0x01, 0x07];

fn sd_flags() -> RawControl {
    RawControl { ctype: SD_FLAGS.to_owned(), crit: false, val: Some(WITHOUT_AUDIT.to_vec()) }
}

/// Values of one object as they came, by lower-case name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    pub dn: String,
    pub attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Inspected {
    /// All values of an attribute.
    #[must_use]
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Values that are texts.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = String> {
        self.values(name).iter().filter_map(|value| String::from_utf8(value.clone()).ok())
    }

    /// The first value, where it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.texts(name).next()
    }
}

impl LdapDirectory {
    /// One object's attributes; `base` is a DN, `<SID=...>`, `<GUID=...>`, or empty for the rootDSE. A security
    /// descriptor comes without its audit entries. `None`: there is no such object, or it may not be seen.
    pub async fn inspect(&self, base: &str, attributes: &[&str]) -> Result<Option<Inspected>, Error> {
        const NO_SUCH_OBJECT: u32 = 32;
        let deadline = self.deadline();
        let connection = self.connection(deadline).await?;
        let SearchResult(entries, result) = self
            .exchange(&connection, deadline, |mut ldap| async move {
                ldap.with_controls(vec![sd_flags()])
                    .search(base, ldap3::Scope::Base, "(objectClass=*)", attributes.to_vec())
                    .await
                    .map_err(|error| no_answer(&error))
            })
            .await?;
        match result.rc {
            0 => {}
            NO_SUCH_OBJECT => return Ok(None),
            _ => return Err(refused(Request::Search, base, result.rc, &result.text)),
        }
        let Some(entry) = entries.into_iter().next() else { return Ok(None) };
        let raw = decode::raw_entry(entry.0).ok_or_else(|| unreadable("a search entry is malformed"))?;
        let (dn, attributes) = raw.into_parts();
        Ok(Some(Inspected { dn, attributes }))
    }

    /// Up to `entries_max` objects below `base`, as [`Self::inspect`] gives them; the rest is not asked for.
    pub async fn inspect_below(
        &self,
        base: &str,
        filter: &Filter,
        attributes: &[&str],
        entries_max: usize,
    ) -> Result<Vec<Inspected>, Error> {
        let text = filter.render().map_err(|why| unreadable(&why.to_string()))?;
        let connection = self.connection(self.deadline()).await?;
        let (mut found, mut cookie) = (Vec::new(), Vec::new());
        loop {
            let size = i32::try_from((entries_max - found.len()).min(PAGE_ENTRIES)).unwrap_or(1);
            let controls = vec![sd_flags(), PagedResults { size, cookie }.into()];
            let SearchResult(page, result) = self
                .exchange(&connection, self.deadline(), |mut ldap| {
                    let text = text.as_str();
                    async move {
                        ldap.with_controls(controls)
                            .search(base, ldap3::Scope::Subtree, text, attributes.to_vec())
                            .await
                            .map_err(|error| no_answer(&error))
                    }
                })
                .await?;
            if result.rc != 0 {
                return Err(refused(Request::Search, base, result.rc, &result.text));
            }
            for entry in page {
                let raw = decode::raw_entry(entry.0).ok_or_else(|| unreadable("a search entry is malformed"))?;
                let (dn, attributes) = raw.into_parts();
                found.push(Inspected { dn, attributes });
            }
            cookie = next_page(&result);
            if cookie.is_empty() || found.len() >= entries_max {
                return Ok(found);
            }
        }
    }

    /// Sets the password of the object `<GUID=...>` without knowing the old one. Only the doctor's own probe account is
    /// ever given to it.
    pub async fn reset_password(&self, guid: ObjectGuid, new: &SecretString) -> Result<(), Error> {
        let (dn, value) = (Dn::by_guid(guid), password::to_unicode_pwd(new));
        let mods = vec![Mod::Replace(b"unicodePwd".to_vec(), HashSet::from([value.to_vec()]))];
        let dn = dn.as_str();
        self.write(Request::Modify, dn, |mut ldap| async move { ldap.modify(dn, mods).await }).await
    }
}
