//! The read half.

use async_trait::async_trait;
use ldap3::controls::{Control, ControlType, PagedResults};
use ldap3::{LdapResult, SearchResult};
use rollcall_model::observed::Entry;
use rollcall_model::plan::LdapFailure;
use rollcall_model::{Code, Dn};

use super::connection::{Connection, is_writable, root_dse, unreadable};
use super::{LdapDirectory, decode, no_answer, refused};
use crate::errors::Request;
use crate::{Error, Read, RootDse, Scope, Search};

/// Entries of one page (RFC 2696); AD gives at most 1,000 at a time.
const PAGE_ENTRIES: i32 = 500;

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
            let SearchResult(page, result) = self.page(&connection, search, &filter, &attributes, cookie).await?;
            if result.rc != 0 {
                return Err(refused(Request::Search, search.base.as_str(), result.rc, &result.text));
            }
            for entry in page {
                let raw = decode::raw_entry(entry.0).ok_or_else(|| unreadable("a search entry is malformed"))?;
                if let Some(name) = raw.cut_attribute() {
                    return Err(incomplete(search, name));
                }
                entries.push(raw.into_entry().ok_or_else(|| unreadable("a search entry has no objectGUID"))?);
            }
            cookie = next_page(&result);
            if cookie.is_empty() {
                return Ok(entries);
            }
        }
    }
}

impl LdapDirectory {
    /// One page. Referrals to other naming contexts come along and are not followed.
    async fn page(
        &self,
        connection: &Connection,
        search: &Search,
        filter: &str,
        attributes: &[String],
        cookie: Vec<u8>,
    ) -> Result<SearchResult, Error> {
        let scope = match search.scope {
            Scope::Base => ldap3::Scope::Base,
            Scope::Subtree => ldap3::Scope::Subtree,
        };
        self.exchange(connection, self.deadline(), |mut ldap| async move {
            ldap.with_controls(PagedResults { size: PAGE_ENTRIES, cookie })
                .search(search.base.as_str(), scope, filter, attributes)
                .await
                .map_err(|error| no_answer(&error))
        })
        .await
    }
}

/// The cookie of the page to come; empty after the last.
fn next_page(result: &LdapResult) -> Vec<u8> {
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
