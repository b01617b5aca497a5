//! SCIM attributes that a column can fill (RFC 7643 4.1, 4.3), and the names that headers use for them.

use rollcall_model::fold;
use rollcall_model::source::{CORE_USER, ENTERPRISE_USER};
use rollcall_syntax::attribute::{self, AttributePath};
use serde_json::{Map, Value, json};

const CORE: &[&str] = &[
    "externalId",
    "userName",
    "displayName",
    "active",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "profileUrl",
];
const NAME: &[&str] = &["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const ADDRESS: &[&str] = &["formatted", "streetAddress", "locality", "region", "postalCode", "country"];
const LISTS: &[(&str, &[&str])] = &[("emails", &["value"]), ("phoneNumbers", &["value"]), ("addresses", ADDRESS)];
const ENTERPRISE: &[&str] = &["employeeNumber", "costCenter", "organization", "division", "department"];

/// What headers are called, in letters and digits only, and the attribute that is meant; beside the attributes' own
/// names. The table of `docs/guides/client.md`.
pub(crate) const COMMON_NAMES: &[(&[&str], &str)] = &[
    (&["employeeid", "personnelnumber", "personnelno", "personid"], "externalId"),
    (&["user", "login", "loginname", "upn", "userprincipalname"], "userName"),
    (&["fullname"], "displayName"),
    (&["firstname", "givenname", "forename"], "name.givenName"),
    (&["lastname", "surname", "familyname"], "name.familyName"),
    (&["middlename"], "name.middleName"),
    (&["jobtitle", "position"], "title"),
    (&["enabled"], "active"),
    (&["employeetype"], "userType"),
    (&["language"], "preferredLanguage"),
    (&["email", "mail", "emailaddress", "workemail"], "emails[type eq \"work\"].value"),
    (&["phone", "telephone", "phonenumber", "workphone", "telephonenumber"], "phoneNumbers[type eq \"work\"].value"),
    (&["mobile", "mobilephone", "cellphone"], "phoneNumbers[type eq \"mobile\"].value"),
    (&["fax", "faxnumber"], "phoneNumbers[type eq \"fax\"].value"),
    (&["street", "streetaddress"], "addresses[type eq \"work\"].streetAddress"),
    (&["city", "town", "locality"], "addresses[type eq \"work\"].locality"),
    (&["state", "region", "province"], "addresses[type eq \"work\"].region"),
    (&["zip", "zipcode", "postalcode", "postcode"], "addresses[type eq \"work\"].postalCode"),
    (&["country"], "addresses[type eq \"work\"].country"),
    (&["company", "organisation"], "organization"),
    (&["managerid"], "manager"),
];

/// One step from the record to the value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// The element of a list that has this type.
    Element(String),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// `active`: one of the mapping's words for true and false.
    Flag,
}

/// Where a value goes in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    steps: Vec<Step>,
    pub(crate) kind: Kind,
}

impl Target {
    /// Reads an attribute's path; the error says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = attribute::parse(text).map_err(|cause| format!("'{text}' is no attribute path: {cause}"))?;
        let urn = path.urn.clone();
        match urn.as_deref() {
            Some(urn) if urn.eq_ignore_ascii_case(CORE_USER) => core(&path),
            Some(urn) if urn.eq_ignore_ascii_case(ENTERPRISE_USER) => enterprise(&path),
            Some(urn) => custom(urn, &path),
            None => core(&path).or_else(|why| enterprise(&path).map_err(|_| why)),
        }
        .map_err(|why| format!("'{text}': {why}"))
    }

    /// What a header means where no mapping says it; `None` for a name that is not known.
    pub(crate) fn of_header(name: &str) -> Option<Self> {
        if let Ok(target) = Self::parse(name) {
            return Some(target);
        }
        let bare: String = fold(name).chars().filter(|letter| letter.is_alphanumeric()).collect();
        let own = CORE.iter().chain(ENTERPRISE).chain(&["manager"]).copied();
        let own = own.map(|known| (fold(known), known));
        let common =
            COMMON_NAMES.iter().flat_map(|(names, path)| names.iter().map(|known| ((*known).to_owned(), *path)));
        let (_, path) = own.chain(common).find(|(known, _)| *known == bare)?;
        Self::parse(path).ok()
    }

    pub(crate) fn is_external_id(&self) -> bool {
        matches!(self.steps.as_slice(), [Step::Member(name)] if name == "externalId")
    }

    /// Why a record cannot hold both. Names have no case (RFC 7643 2.1).
    pub(crate) fn clash(&self, other: &Self) -> Option<&'static str> {
        let mut steps = self.steps.iter().zip(&other.steps);
        match steps.find(|(one, other)| one != other) {
            None if self.steps.len() == other.steps.len() => Some("fill the same attribute: leave one out"),
            None => Some("fill an attribute and a part of it: leave one out"),
            Some((Step::Member(one), Step::Member(other))) if fold(one) == fold(other) => {
                Some("spell one name in two ways, and names have no case: write the same attribute alike once")
            }
            Some(_) => None,
        }
    }

    /// Puts a value into a record.
    pub(crate) fn put(&self, record: &mut Map<String, Value>, value: Value) {
        put(record, &self.steps, value);
    }
}

fn put(record: &mut Map<String, Value>, steps: &[Step], value: Value) {
    let Some((Step::Member(name), rest)) = steps.split_first() else { return };
    match rest.split_first() {
        None => _ = record.insert(name.clone(), value),
        Some((Step::Member(_), _)) => {
            let inner = record.entry(name.clone()).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
        Some((Step::Element(kind), rest)) => {
            let list = record.entry(name.clone()).or_insert_with(|| json!([]));
            let Value::Array(list) = list else { return };
            let at = list.iter().position(|element| element["type"] == kind.as_str()).unwrap_or_else(|| {
                list.push(json!({ "type": kind }));
                list.len() - 1
            });
            if let Some(Value::Object(element)) = list.get_mut(at) {
                put(element, rest, value);
            }
        }
    }
}

/// The canonical spelling of a name.
fn spelling<'a>(known: &[&'a str], name: &str) -> Option<&'a str> {
    known.iter().copied().find(|one| one.eq_ignore_ascii_case(name))
}

fn text(steps: &[&str]) -> Target {
    Target { steps: steps.iter().map(|name| Step::Member((*name).to_owned())).collect(), kind: Kind::Text }
}

fn core(path: &AttributePath) -> Result<Target, String> {
    if let Some(name) = spelling(CORE, &path.name) {
        plain(path)?;
        let kind = if name == "active" { Kind::Flag } else { Kind::Text };
        return Ok(Target { kind, ..text(&[name]) });
    }
    if path.name.eq_ignore_ascii_case("name") {
        let sub = path.sub.as_deref().filter(|_| path.filter.is_none()).and_then(|sub| spelling(NAME, sub));
        return sub
            .map(|sub| text(&["name", sub]))
            .ok_or_else(|| format!("write name. and one of {}", NAME.join(", ")));
    }
    if let Some((list, subs)) = LISTS.iter().find(|(list, _)| list.eq_ignore_ascii_case(&path.name)) {
        let kind = path.filter.as_ref().filter(|filter| filter.attribute.eq_ignore_ascii_case("type"));
        let sub = path.sub.as_deref().and_then(|sub| spelling(subs, sub));
        let (Some(kind), Some(sub)) = (kind, sub) else {
            return Err(format!("write {list}[type eq \"work\"]. and one of {}", subs.join(", ")));
        };
        let steps = vec![
            Step::Member((*list).to_owned()),
            // Types are compared in lower case.
            Step::Element(fold(&kind.value)),
            Step::Member(sub.to_owned()),
        ];
        return Ok(Target { steps, kind: Kind::Text });
    }
    if path.name.eq_ignore_ascii_case("password") {
        return Err("passwords are never taken from a source".to_owned());
    }
    Err("SCIM's user has no such attribute that a column can fill; one of your own is written with its schema, as in \
         urn:example:2.0:User:badge"
        .to_owned())
}

fn enterprise(path: &AttributePath) -> Result<Target, String> {
    if path.name.eq_ignore_ascii_case("manager") {
        return match path.sub.as_deref() {
            _ if path.filter.is_some() => Err("a manager is no list: write manager".to_owned()),
            None => Ok(text(&[ENTERPRISE_USER, "manager", "value"])),
            Some(sub) if sub.eq_ignore_ascii_case("value") => Ok(text(&[ENTERPRISE_USER, "manager", "value"])),
            Some(_) => Err("write manager: the manager's externalId".to_owned()),
        };
    }
    let known = || format!("the enterprise extension has manager, {}", ENTERPRISE.join(", "));
    let name = spelling(ENTERPRISE, &path.name).ok_or_else(known)?;
    plain(path)?;
    Ok(text(&[ENTERPRISE_USER, name]))
}

fn custom(urn: &str, path: &AttributePath) -> Result<Target, String> {
    if path.filter.is_some() {
        return Err("a filter is known for emails, phoneNumbers and addresses only".to_owned());
    }
    let mut steps = vec![urn, &path.name];
    steps.extend(path.sub.as_deref());
    Ok(text(&steps))
}

fn plain(path: &AttributePath) -> Result<(), String> {
    if path.filter.is_some() || path.sub.is_some() {
        return Err(format!("{} is a plain value: write its name alone", path.name));
    }
    Ok(())
}
