//! Searches: scope, filter, selection, pages.

use std::collections::BTreeSet;

use rasn_ldap::{Control, Filter, PartialAttribute, ResultCode, SearchRequest, SearchRequestScope, SearchResultEntry};
use rollcall_model::Dn;
use secrecy::{ExposeSecret, SecretString};

use crate::Dialect;
use crate::refusal::{self, Refusal, outside};
use crate::schema::{self, Attribute, fold};
use crate::tree::{DISABLED, Entry, INDEXED, Id, MADE, Tree};
use crate::wire::{CONTROLS, PAGED, Page};

/// Most entries of a search that is not paged (MaxPageSize); Microsoft's only.
const ENTRIES_MAX: usize = 1_000;

/// supportedCapabilities of a controller of Windows Server 2016 (MS-ADTS 3.1.1.3.4.3).
const CAPABILITIES: &str = "1.2.840.113556.1.4.800 1.2.840.113556.1.4.1670 1.2.840.113556.1.4.1791 \
                            1.2.840.113556.1.4.1935 1.2.840.113556.1.4.2080";

/// What a search found: entries, the code they end with, where the next page begins.
type Found = (Vec<SearchResultEntry>, ResultCode, Option<Page>);

/// The page a request's controls ask for; a critical control that is not understood is refused.
pub(crate) fn page_of(controls: &[Control]) -> Result<Option<Page>, Refusal> {
    let is_page = |control: &&Control| control.control_type[..] == *PAGED.as_bytes();
    if controls.iter().any(|control| control.criticality && !is_page(&control)) {
        return Err(outside("another control than that of pages"));
    }
    let read = |control: &Control| rasn::ber::decode(control.control_value.as_deref().unwrap_or_default());
    controls.iter().find(is_page).map(read).transpose().map_err(|_| outside("a malformed paged results control"))
}

/// The rootDSE (RFC 4512 5.1, MS-ADTS 3.1.1.3.2); its filter does not count.
pub(crate) fn root_dse(tree: &Tree, request: &SearchRequest) -> Result<Found, Refusal> {
    if request.scope != SearchRequestScope::BaseObject {
        return Err(outside("a search below the empty name"));
    }
    let base = &tree.base;
    let facts = [
        ("defaultNamingContext", base.to_string()),
        ("dnsHostName", format!("dc1.{}", tree.domain)),
        ("dsServiceName", tree.settings().to_string()),
        ("highestCommittedUSN", tree.usn.to_string()),
        ("supportedCapabilities", CAPABILITIES.to_owned()),
        ("supportedControl", CONTROLS.join(" ")),
    ];
    let wanted = |name: &str| {
        request.attributes.is_empty()
            || request.attributes.iter().any(|a| a.eq_ignore_ascii_case(name) || a.as_str() == "*" || a.as_str() == "+")
    };
    let attributes = facts.into_iter().filter(|(name, _)| wanted(name)).map(|(name, values)| {
        // A DN may hold a space, the lists of numbers are parted by one.
        let parts: Vec<&str> = if name.starts_with("supported") { values.split(' ').collect() } else { vec![&values] };
        let values = parts.into_iter().map(|value| value.as_bytes().into()).collect();
        PartialAttribute::new(name.into(), rasn::types::SetOf::from_vec(values))
    });
    let entry = SearchResultEntry::new("".into(), attributes.collect());
    Ok((vec![entry], ResultCode::Success, None))
}

/// Any other search.
pub(crate) fn search(tree: &Tree, request: &SearchRequest, page: Option<Page>) -> Result<Found, Refusal> {
    let missing = "acl_read: Error retrieving instanceType for base.";
    let base = tree.resolve(&request.base_object, "ldb_search: invalid basedn")?;
    let base = base.ok_or_else(|| Refusal::new(ResultCode::NoSuchObject, missing))?;
    covered(&request.filter)?;
    if request.types_only || request.size_limit != 0 {
        return Err(outside("a search for types only or with a limit"));
    }
    let selection = selection(request)?;
    let from = match &page {
        Some(page) if !page.cookie.is_empty() => {
            let cookie = page.cookie[..].try_into().map_err(|_| outside("a cookie of another server"))?;
            Id::from_be_bytes(cookie) + 1
        }
        _ => 0,
    };
    let size = page.as_ref().and_then(|page| usize::try_from(page.size).ok());
    let unpaged = if tree.dialect == Dialect::Microsoft { ENTRIES_MAX } else { usize::MAX };
    let most = size.unwrap_or(unpaged);
    let candidates = match request.scope {
        SearchRequestScope::BaseObject => BTreeSet::from([base]),
        _ => candidates(tree, &request.filter).unwrap_or_else(|| tree.entries.keys().copied().collect()),
    };
    let entries = candidates.range(from..).filter_map(|id| Some((*id, tree.entries.get(id)?)));
    let mut hits = entries
        .filter(|(id, entry)| in_scope(tree, base, *id, entry, request.scope) && matches(tree, entry, &request.filter));
    let found: Vec<(Id, &Entry)> = hits.by_ref().take(most).collect();
    // As recorded, a last page that is full is followed by an empty one.
    let cookie = found.last().filter(|_| Some(found.len()) == size).map(|(id, _)| id.to_be_bytes().to_vec());
    let exceeded = page.is_none() && hits.next().is_some();
    let code = if exceeded { ResultCode::SizeLimitExceeded } else { ResultCode::Success };
    let page = page.map(|_| Page { size: 0, cookie: cookie.unwrap_or_default().into() });
    let entries = found.into_iter().map(|(_, entry)| show(tree, entry, selection.as_deref()));
    Ok((entries.collect(), code, page))
}

/// Objects among which all that pass the filter are; `None` where no index knows.
fn candidates(tree: &Tree, filter: &Filter) -> Option<BTreeSet<Id>> {
    match filter {
        Filter::And(all) => all.iter().filter_map(|one| candidates(tree, one)).min_by_key(BTreeSet::len),
        Filter::Or(any) => {
            let sets: Option<Vec<_>> = any.iter().map(|one| candidates(tree, one)).collect();
            Some(sets?.into_iter().flatten().collect())
        }
        Filter::EqualityMatch(test) => {
            let (name, value) = (schema::attribute(&test.attribute_desc)?.name, &test.assertion_value[..]);
            match name {
                "objectGUID" => Some(tree.with_guid(value).into_iter().collect()),
                // Stored in another form than it is asked for.
                "manager" => None,
                _ => Some(tree.with_value(INDEXED.iter().find(|indexed| **indexed == name)?, value)),
            }
        }
        _ => None,
    }
}

fn in_scope(tree: &Tree, base: Id, id: Id, entry: &Entry, scope: SearchRequestScope) -> bool {
    match scope {
        SearchRequestScope::BaseObject => id == base,
        SearchRequestScope::SingleLevel => entry.parent == Some(base),
        // The configuration has no parent here: it is a naming context of its own.
        _ => std::iter::successors(Some(id), |id| tree.entries.get(id)?.parent).any(|above| above == base),
    }
}

/// Refuses kinds of filters that no transcript has.
fn covered(filter: &Filter) -> Result<(), Refusal> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(covered),
        Filter::Not(one) => covered(one),
        Filter::Present(_) => Ok(()),
        Filter::EqualityMatch(test) => {
            let Some(known) = schema::attribute(&test.attribute_desc) else { return Ok(()) };
            let is_recorded = match known.name {
                "objectCategory" => ["person", "user"].contains(&fold(&test.assertion_value).as_str()),
                "objectGUID" | "objectClass" => true,
                _ => known.syntax != 'O' && !known.is('c'),
            };
            if is_recorded { Ok(()) } else { Err(outside(format_args!("this filter on {}", known.name))) }
        }
        _ => Err(outside("a filter other than and, or, not, =, =*")),
    }
}

/// Whether an entry passes. What is not there is not equal, and not that is true (recorded: no third value).
fn matches(tree: &Tree, entry: &Entry, filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|one| matches(tree, entry, one)),
        Filter::Or(any) => any.iter().any(|one| matches(tree, entry, one)),
        Filter::Not(one) => !matches(tree, entry, one),
        Filter::Present(name) => {
            schema::attribute(name).is_some_and(|known| !tree.values(entry, known.name).is_empty())
        }
        Filter::EqualityMatch(test) => schema::attribute(&test.attribute_desc).is_some_and(|known| {
            tree.values(entry, known.name).iter().any(|value| equal(tree, known, value, &test.assertion_value))
        }),
        _ => false,
    }
}

fn equal(tree: &Tree, known: &Attribute, value: &[u8], asked: &[u8]) -> bool {
    let dn = |bytes: &[u8]| Dn::from_directory(&String::from_utf8_lossy(bytes)).normalised();
    match (known.name, known.syntax) {
        ("objectGUID", _) => value == asked,
        // What is asked for is a person, see `covered`.
        ("objectCategory", _) => value == tree.category("Person").as_bytes(),
        (_, 'D') => dn(value) == dn(asked),
        _ => fold(value) == fold(asked),
    }
}

/// Which attributes to show; `None`: what requests can set and what is made, not all that a controller keeps.
fn selection(request: &SearchRequest) -> Result<Option<Vec<&'static str>>, Refusal> {
    let mut names = BTreeSet::new();
    for known in request.attributes.iter().filter_map(|name| schema::attribute(name)) {
        if known.is('c') && !MADE.contains(&known.name) {
            return Err(outside(format_args!("reading {}", known.name)));
        }
        names.insert(known.name);
    }
    let all = request.attributes.is_empty() || request.attributes.iter().any(|name| name.as_str() == "*");
    Ok((!all).then(|| names.into_iter().collect()))
}

fn show(tree: &Tree, entry: &Entry, names: Option<&[&'static str]>) -> SearchResultEntry {
    let all = || entry.attributes.keys().filter(|name| !MADE.contains(name)).chain(MADE).copied().collect();
    let shown = names.map_or_else(all, <[_]>::to_vec).into_iter().filter_map(|name| {
        let values: Vec<_> = tree.values(entry, name).into_iter().map(Into::into).collect();
        (!values.is_empty()).then(|| PartialAttribute::new(name.into(), rasn::types::SetOf::from_vec(values)))
    });
    SearchResultEntry::new(entry.dn.as_str().into(), shown.collect())
}

/// Whose name a bind gave: DN, userPrincipalName, account@domain, or DOMAIN\account.
fn account<'a>(tree: &'a Tree, name: &str) -> Option<&'a Entry> {
    let first = |attribute, value: &str| tree.with_value(attribute, value.as_bytes()).first().copied();
    let id = if let Some((domain, account)) = name.split_once('\\') {
        first("sAMAccountName", account)
            .filter(|_| tree.domain.split('.').next().is_some_and(|own| own.eq_ignore_ascii_case(domain)))
    } else if let Some((account, domain)) = name.split_once('@') {
        let is_ours = domain.eq_ignore_ascii_case(&tree.domain);
        first("userPrincipalName", name).or_else(|| first("sAMAccountName", account).filter(|_| is_ours))
    } else {
        tree.resolve(name, "").ok().flatten()
    };
    tree.entries.get(&id?)
}

/// Checks a bind; a refusal says why (`data` of Microsoft's diagnostic).
pub(crate) fn bind(tree: &Tree, name: &str, password: &[u8]) -> Result<(), Refusal> {
    let is_right = |known: &SecretString| !password.is_empty() && known.expose_secret().as_bytes() == password;
    let data = match account(tree, name).filter(|entry| entry.password.as_ref().is_some_and(is_right)) {
        None => "52e",
        Some(entry) if entry.account_control() & DISABLED != 0 => "533",
        Some(entry) if entry.text("pwdLastSet").as_deref() == Some("0") => "773",
        Some(_) => return Ok(()),
    };
    Err(refusal::bad_credentials(data))
}
