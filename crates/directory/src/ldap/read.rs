//! The read half.

use async_trait::async_trait;
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{LdapResult, SearchResult};
use rollcall_model::observed::Entry;
use rollcall_model::plan::LdapFailure;
use rollcall_model::{Code, Dn};

use super::connection::{Connection, is_writable, root_dse, unreadable};
use super::{LdapDirectory, decode, no_answer, refused, replication};
use crate::errors::Request;
use crate::{Error, Filter, Read, RootDse, Scope, Search};

/// Entries of one page (RFC 2696); AD gives at most 1,000 at a time.
const PAGE_ENTRIES: i32 = 500;

/// LDAP_SERVER_SHOW_DELETED_OID (MS-ADTS 3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// LDAP_FILTER_ERROR of the C API (RFC 1823 and its successors): ours, before anything is sent.
const FILTER_ERROR: u32 = 87;

/// sizeLimitExceeded (RFC 4511 A.1).
const SIZE_LIMIT_EXCEEDED: u32 = 4;

#[async_trait]
impl Read for LdapDirectory {
    async fn root_dse(&self) -> Result<RootDse, Error> {
        let deadline = self.deadline();
        let connection = self.connection(deadline).await?;
        let root = self.exchange(&connection, deadline, |mut ldap| async move { root_dse(&mut ldap).await }).await?;
        let default_naming_context = root
            .text("defaultNamingContext")
            .and_then(|text| Dn::parse(&text).ok())
            .ok_or_else(|| unreadable("the rootDSE names no defaultNamingContext"))?;
        if let Some(base) = self.options.base_dn.as_ref().filter(|base| !base.same_as(&default_naming_context)) {
            return Err(other_base(base, &default_naming_context));
        }
        Ok(RootDse {
            dns_host_name: connection.controller.dns_host_name.clone(),
            default_naming_context,
            invocation_id: connection.controller.invocation_id.clone(),
            highest_committed_usn: root
                .text("highestCommittedUSN")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| unreadable("the rootDSE names no highestCommittedUSN"))?,
            writable: is_writable(&root),
        })
    }

    async fn search(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        self.entries(search, Deleted::Hidden).await
    }

    async fn search_with_deleted(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        self.entries(search, Deleted::Shown).await
    }

    async fn has_of(&self, from: &str) -> Result<Option<i64>, Error> {
        let root = self.root_dse().await?;
        let head = Search {
            base: root.default_naming_context,
            scope: Scope::Base,
            filter: Filter::Present("objectClass".to_owned()),
            attributes: vec!["replUpToDateVector".to_owned()],
        };
        let found = self.search(&head).await?;
        let vector = found.first().and_then(|entry| entry.value("replUpToDateVector")).and_then(decode::binary);
        Ok(vector.and_then(|bytes| replication::number_of(&bytes, from)))
    }
}

/// Whether deleted objects are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deleted {
    Hidden,
    Shown,
}

impl LdapDirectory {
    async fn entries(&self, search: &Search, deleted: Deleted) -> Result<Vec<Entry>, Error> {
        let filter = search.filter.render().map_err(|why| invalid_filter(search, &why))?;
        let mut attributes = search.attributes.clone();
        for own in ["objectGUID", "uSNChanged"] {
            if !attributes.iter().any(|name| name.eq_ignore_ascii_case(own)) {
                attributes.push(own.to_owned());
            }
        }
        let connection = self.connection(self.deadline()).await?;
        let (mut entries, mut cookie) = (Vec::new(), Vec::new());
        loop {
            let SearchResult(page, result) =
                self.page(&connection, search, deleted, &filter, &attributes, cookie).await?;
            if result.rc != 0 {
                return Err(refused(Request::Search, search.base.as_str(), result.rc, &result.text));
            }
            for entry in page {
                let raw = decode::raw_entry(entry.0).ok_or_else(|| unreadable("a search entry is malformed"))?;
                if let Some(name) = raw.cut_attribute() {
                    return Err(incomplete(search, name));
                }
                match (raw.into_entry(), deleted) {
                    (Some(entry), _) => entries.push(entry),
                    // The name of the container of deleted objects is shown to everybody, and nothing else of it.
                    (None, Deleted::Shown) => {}
                    (None, Deleted::Hidden) => return Err(unreadable("a search entry has no objectGUID")),
                }
            }
            cookie = next_page(&result);
            if cookie.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// One page. Referrals to other naming contexts come along and are not followed.
    async fn page(
        &self,
        connection: &Connection,
        search: &Search,
        deleted: Deleted,
        filter: &str,
        attributes: &[String],
        cookie: Vec<u8>,
    ) -> Result<SearchResult, Error> {
        let scope = match search.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::Subtree => ldap3::Scope::Subtree,
        };
        let mut controls: Vec<RawControl> = vec![PagedResults { size: PAGE_ENTRIES, cookie }.into()];
        if deleted == Deleted::Shown {
            controls.push(RawControl { ctype: SHOW_DELETED.to_owned(), crit: true, val: None });
        }
        self.exchange(connection, self.deadline(), |mut ldap| async move {
            ldap.with_controls(controls)
                .search(search.base.as_str(), scope, filter, attributes)
                .await
                .map_err(|error| no_answer(&error))
        })
        .await
    }
}

/// The cookie of the page to come; empty after the last.
pub(super) fn next_page(result: &LdapResult) -> Vec<u8> {
    let paged = result.ctrls.iter().find_map(|Control(kind, raw)| match kind {
        Some(ControlType::PagedResults) => Some(raw.parse::<PagedResults>()),
        _ => None,
    });
    paged.map(|paged| paged.cookie).unwrap_or_default()
}

/// What is not below a narrower base would count as absent, and would be made a second time.
fn other_base(base: &Dn, domain: &Dn) -> Error {
    let text =
        format!("the base DN '{base}' is not the domain's, '{domain}'; correct directory.base_dn or leave it out");
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}

fn invalid_filter(search: &Search, why: &crate::InvalidFilter) -> Error {
    let (code, attribute) = match why {
        crate::InvalidFilter::Name(name) => {
            (Code::HybridSynchronizationActiveDirectoryCannotFindAttribute, Some(name.clone()))
        }
        crate::InvalidFilter::NoConditions => (Code::DirectoryRefused, None),
    };
    let ldap =
        LdapFailure { result_code: FILTER_ERROR, diagnostic: why.to_string(), dn: search.base.as_str().to_owned() };
    Error::Refused { code, attribute, ldap }
}

fn incomplete(search: &Search, name: &str) -> Error {
    let diagnostic = format!("only a part of the values was given: {name}");
    let ldap = LdapFailure { result_code: SIZE_LIMIT_EXCEEDED, diagnostic, dn: search.base.as_str().to_owned() };
    Error::Refused { code: Code::DirectoryRefused, attribute: name.split(';').next().map(str::to_owned), ldap }
}
