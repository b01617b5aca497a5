//! Searches: scope, filter, selection, pages.

use std::collections::BTreeSet;

use rasn_ldap::{Control, Filter, PartialAttribute, ResultCode, SearchRequest, SearchRequestScope, SearchResultEntry};
use rollcall_model::Dn;

use crate::Dialect;
use crate::refusal::{self, Refusal, outside};
use crate::schema::{self, Attribute, fold};
use crate::tree::{Entry, INDEXED, Id, MADE, Tree, generalized_time};
use crate::wire::{CONTROLS, PAGED, Page};

/// Most entries of a search that is not paged (MaxPageSize); Microsoft's only.
const ENTRIES_MAX: usize = 1_000;

/// supportedCapabilities of a controller of Windows Server 2016 (MS-ADTS 3.1.1.3.4.3).
const CAPABILITIES: &str = "1.2.840.113556.1.4.800 1.2.840.113556.1.4.1670 1.2.840.113556.1.4.1791 \
                            1.2.840.113556.1.4.1935 1.2.840.113556.1.4.2080";

/// What a search found: entries, the code they end with, the cookie of the next page.
pub(crate) struct Found {
    pub(crate) entries: Vec<SearchResultEntry>,
    pub(crate) code: ResultCode,
    pub(crate) page: Option<Page>,
}

/// The page a request's controls ask for; a critical control that is not understood is refused.
pub(crate) fn page_of(controls: &[Control]) -> Result<Option<Page>, Refusal> {
    let mut page = None;
    for control in controls {
        if control.control_type[..] == *PAGED.as_bytes() {
            let value = control.control_value.as_deref().unwrap_or_default();
            page = Some(rasn::ber::decode(value).map_err(|_| outside("a malformed paged results control"))?);
        } else if control.criticality {
            return Err(outside(format_args!("control {}", String::from_utf8_lossy(&control.control_type))));
        }
    }
    Ok(page)
}

/// The rootDSE (RFC 4512 5.1, MS-ADTS 3.1.1.3.2); its filter does not count.
pub(crate) fn root_dse(tree: &Tree, request: &SearchRequest) -> Result<Found, Refusal> {
    if request.scope != SearchRequestScope::BaseObject {
        return Err(outside("a search below the empty name"));
    }
    let base = &tree.base;
    let facts = [
        ("configurationNamingContext", format!("CN=Configuration,{base}")),
        ("currentTime", generalized_time(tree.now())),
        ("defaultNamingContext", base.to_string()),
        ("dnsHostName", format!("dc1.{}", tree.domain)),
        ("domainControllerFunctionality", "7".to_owned()),
        ("domainFunctionality", "7".to_owned()),
        ("dsServiceName", tree.settings().to_string()),
        ("forestFunctionality", "7".to_owned()),
        ("highestCommittedUSN", tree.usn.to_string()),
        ("isGlobalCatalogReady", "TRUE".to_owned()),
        ("isSynchronized", "TRUE".to_owned()),
        ("rootDomainNamingContext", base.to_string()),
        ("schemaNamingContext", format!("CN=Schema,CN=Configuration,{base}")),
        ("supportedCapabilities", CAPABILITIES.to_owned()),
        ("supportedControl", CONTROLS.join(" ")),
        ("supportedLDAPVersion", "2 3".to_owned()),
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
    Ok(Found { entries: vec![entry], code: ResultCode::Success, page: None })
}

/// Any other search.
pub(crate) fn search(tree: &Tree, request: &SearchRequest, page: Option<Page>) -> Result<Found, Refusal> {
    let name = request.base_object.as_str();
    let missing = "acl_read: Error retrieving instanceType for base.";
    let base = tree.resolve(name, "ldb_search: invalid basedn")?;
    let base = base.ok_or_else(|| Refusal::new(ResultCode::NoSuchObject, missing))?;
    covered(&request.filter)?;
    if request.types_only {
        return Err(outside("a search for types only"));
    }
    let selection = Selection::of(request)?;
    let from = match &page {
        Some(page) if !page.cookie.is_empty() => {
            let cookie = page.cookie[..].try_into().map_err(|_| outside("a cookie of another server"))?;
            Id::from_be_bytes(cookie) + 1
        }
        _ => 0,
    };
    let limit = usize::try_from(request.size_limit).ok().filter(|limit| *limit > 0);
    let size = page.as_ref().and_then(|page| usize::try_from(page.size).ok());
    let unpaged = (tree.dialect == Dialect::Microsoft).then_some(ENTRIES_MAX);
    let most = [size.or(unpaged), limit].into_iter().flatten().min().unwrap_or(usize::MAX);
    let mut ids = Vec::new();
    let mut more = false;
    for id in scope(tree, base, request).range(from..) {
        let Some(entry) = tree.get(*id) else { continue };
        if !in_scope(tree, base, *id, entry, request.scope) || !matches(tree, entry, &request.filter) {
            continue;
        }
        if ids.len() == most {
            more = true;
            break;
        }
        ids.push(*id);
    }
    // As recorded, a last page that is full is followed by an empty one.
    let cookie = ids.last().filter(|_| Some(ids.len()) == size).map(|id| id.to_be_bytes().to_vec());
    let page = page.map(|_| Page { size: 0, cookie: cookie.unwrap_or_default().into() });
    let exceeded = more && page.is_none() && tree.dialect == Dialect::Microsoft;
    let code = if exceeded { ResultCode::SizeLimitExceeded } else { ResultCode::Success };
    let entries = ids.iter().filter_map(|id| tree.get(*id)).map(|entry| selection.show(tree, entry)).collect();
    Ok(Found { entries, code, page })
}

/// Objects among which the result is, as few as the indexes allow.
fn scope(tree: &Tree, base: Id, request: &SearchRequest) -> BTreeSet<Id> {
    match request.scope {
        SearchRequestScope::BaseObject => BTreeSet::from([base]),
        _ => candidates(tree, &request.filter).unwrap_or_else(|| match request.scope {
            SearchRequestScope::SingleLevel => tree.get(base).map(|entry| entry.children.clone()).unwrap_or_default(),
            _ => tree.all(),
        }),
    }
}

/// Objects among which all that pass the filter are; `None` where no index knows.
fn candidates(tree: &Tree, filter: &Filter) -> Option<BTreeSet<Id>> {
    match filter {
        Filter::And(all) => all.iter().filter_map(|one| candidates(tree, one)).min_by_key(BTreeSet::len),
        Filter::Or(any) => any.iter().map(|one| candidates(tree, one)).collect::<Option<Vec<_>>>().map(|sets| {
            sets.into_iter().fold(BTreeSet::new(), |mut union, mut set| {
                union.append(&mut set);
                union
            })
        }),
        Filter::EqualityMatch(test) => {
            let name = schema::attribute(&test.attribute_desc)?.name;
            let value = &test.assertion_value[..];
            let dn = || Dn::parse(&String::from_utf8_lossy(value)).ok().and_then(|dn| tree.at(&dn));
            Some(match name {
                "objectGUID" => tree.with_guid(value).into_iter().collect(),
                "distinguishedName" => dn().into_iter().collect(),
                "manager" => dn().and_then(|id| tree.get(id)).map(|entry| entry.reports.clone()).unwrap_or_default(),
                _ => tree.with_value(INDEXED.iter().find(|indexed| **indexed == name)?, value),
            })
        }
        Filter::GreaterOrEqual(test) if test.attribute_desc.eq_ignore_ascii_case("uSNChanged") => {
            Some(tree.changed_since(number(&test.assertion_value)?))
        }
        _ => None,
    }
}

fn in_scope(tree: &Tree, base: Id, id: Id, entry: &Entry, scope: SearchRequestScope) -> bool {
    match scope {
        SearchRequestScope::BaseObject => id == base,
        SearchRequestScope::SingleLevel => entry.parent == Some(base),
        // The configuration has no parent here: it is a naming context of its own.
        _ => std::iter::successors(Some(id), |id| tree.get(*id).and_then(|entry| entry.parent))
            .any(|above| above == base),
    }
}

/// Refuses kinds of filters that no transcript has.
fn covered(filter: &Filter) -> Result<(), Refusal> {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().try_for_each(covered),
        Filter::Not(one) => covered(one),
        Filter::Present(_) => Ok(()),
        Filter::EqualityMatch(test) => match schema::attribute(&test.attribute_desc) {
            Some(known)
                if known.is('c') || (known.syntax == 'O' && !matches!(known.name, "objectGUID" | "objectClass")) =>
            {
                Err(outside(format_args!("a filter on {}", known.name)))
            }
            _ => Ok(()),
        },
        Filter::GreaterOrEqual(test) => match schema::attribute(&test.attribute_desc) {
            Some(known) if known.syntax == 'I' && number(&test.assertion_value).is_some() => Ok(()),
            _ => Err(outside("a >= filter on anything but a number")),
        },
        _ => Err(outside("a filter other than and, or, not, =, >=, =*")),
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
            let values = tree.values(entry, known.name);
            !values.is_empty() && values.iter().any(|value| equal(tree, known, value, &test.assertion_value))
        }),
        Filter::GreaterOrEqual(test) => schema::attribute(&test.attribute_desc).is_some_and(|known| {
            tree.values(entry, known.name).iter().any(|value| number(value) >= number(&test.assertion_value))
        }),
        _ => false,
    }
}

fn equal(tree: &Tree, known: &Attribute, value: &[u8], asked: &[u8]) -> bool {
    let dn = |bytes: &[u8]| Dn::from_directory(&String::from_utf8_lossy(bytes)).normalised();
    match (known.name, known.syntax) {
        ("objectGUID", _) => value == asked,
        ("objectCategory", _) if !asked.contains(&b'=') => {
            let class = fold(asked);
            let class = if class == "user" { "person" } else { &class };
            let class = if class == "organizationalunit" { "organizational-unit" } else { class };
            dn(value) == Dn::from_directory(&tree.category(class)).normalised()
        }
        (_, 'D') => dn(value) == dn(asked),
        _ => fold(value) == fold(asked),
    }
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Which attributes to show.
struct Selection {
    all: bool,
    names: Vec<&'static str>,
}

impl Selection {
    fn of(request: &SearchRequest) -> Result<Self, Refusal> {
        let all = request.attributes.is_empty() || request.attributes.iter().any(|name| name.as_str() == "*");
        let mut names = Vec::new();
        for known in request.attributes.iter().filter_map(|name| schema::attribute(name)) {
            if known.is('c') && !MADE.contains(&known.name) {
                return Err(outside(format_args!("reading {}", known.name)));
            }
            if !names.contains(&known.name) {
                names.push(known.name);
            }
        }
        Ok(Self { all, names })
    }

    fn show(&self, tree: &Tree, entry: &Entry) -> SearchResultEntry {
        let mut names: Vec<&str> =
            if self.all { entry.attributes.keys().copied().chain(MADE.iter().copied()).collect() } else { Vec::new() };
        names.extend(self.names.iter().filter(|_| !self.all));
        let shown = names.into_iter().filter_map(|name| {
            let values: Vec<_> = tree.values(entry, name).into_iter().map(Into::into).collect();
            (!values.is_empty()).then(|| PartialAttribute::new(name.into(), rasn::types::SetOf::from_vec(values)))
        });
        SearchResultEntry::new(entry.dn.as_str().into(), shown.collect())
    }
}

/// Whose name a bind gave: DN, userPrincipalName, or DOMAIN\account.
pub(crate) fn account(tree: &Tree, name: &str) -> Option<Id> {
    let named = |account: &str| tree.with_value("sAMAccountName", account.as_bytes()).first().copied();
    if let Some((domain, account)) = name.split_once('\\') {
        return if domain.eq_ignore_ascii_case(&tree.netbios) { named(account) } else { None };
    }
    if let Some((account, domain)) = name.split_once('@') {
        let principal = tree.with_value("userPrincipalName", name.as_bytes()).first().copied();
        let implicit = || if domain.eq_ignore_ascii_case(&tree.domain) { named(account) } else { None };
        return principal.or_else(implicit);
    }
    tree.resolve(name, "").ok().flatten()
}

/// Checks a bind: the account, or why not (`data` of Microsoft's diagnostic).
pub(crate) fn bind(tree: &Tree, name: &str, password: &[u8]) -> Result<Id, Refusal> {
    use secrecy::ExposeSecret;
    let refused = |data| Err(refusal::bad_credentials(data));
    let Some((id, entry)) = account(tree, name).and_then(|id| Some((id, tree.get(id)?))) else { return refused("52e") };
    let known = entry.password.as_ref().map(|known| known.expose_secret().as_bytes());
    match known {
        Some(known) if !password.is_empty() && known == password => {}
        _ => return refused("52e"),
    }
    if entry.account_control() & crate::tree::DISABLED != 0 {
        return refused("533");
    }
    if entry.text("pwdLastSet").as_deref() == Some("0") { refused("773") } else { Ok(id) }
}
