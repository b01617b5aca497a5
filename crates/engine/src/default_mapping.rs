//! The mapping a new job starts with (engine-and-agent 3.1, semantics `default-mapping`).

use rollcall_model::SourceName;
use rollcall_model::config::{Apply, Mapping, MappingSource, target};
use rollcall_model::source::ENTERPRISE_USER;

/// `userName` before its last `@`, without what sAMAccountName may not hold, cut to 20, without trailing points
/// (MS-SAMR 3.1.1.6 for the characters).
const SAM_ACCOUNT_NAME: &str = r#"Replace(Left(Replace(Replace([userName], , "(?<domain>@[^@]*)$", "domain", "", , ), , "[\"/\\\\\\[\\]:;|=,+*?<>@]", , "", , ), 20), , "\\.+$", , "", , )"#;

/// `userName` before its first `@`, at the job's suffix; nothing where nothing stands before it.
const USER_PRINCIPAL_NAME: &str = r#"Switch(Replace([userName], , "(?<domain>@.*)$", "domain", "", , ), Join("@", Replace([userName], , "(?<domain>@.*)$", "domain", "", , ), DefaultDomain()), "", )"#;

/// The work address's country, where it is two letters.
const COUNTRY_CODE: &str = r#"IIF(Replace([addresses[type eq "work"].country], , "^[A-Za-z]{2}$", , "", , ) = "", [addresses[type eq "work"].country], )"#;

/// Source and target of what is copied always.
const COPIED: &[(&str, &str)] = &[
    ("displayName", "displayName"),
    ("name.givenName", "givenName"),
    ("name.familyName", "sn"),
    ("name.middleName", "middleName"),
    ("title", "title"),
    ("emails[type eq \"work\"].value", "mail"),
    ("phoneNumbers[type eq \"work\"].value", "telephoneNumber"),
    ("phoneNumbers[type eq \"mobile\"].value", "mobile"),
    ("phoneNumbers[type eq \"fax\"].value", "facsimileTelephoneNumber"),
    ("addresses[type eq \"work\"].streetAddress", "streetAddress"),
    ("addresses[type eq \"work\"].locality", "l"),
    ("addresses[type eq \"work\"].region", "st"),
    ("addresses[type eq \"work\"].postalCode", "postalCode"),
    ("addresses[type eq \"work\"].country", "co"),
    ("preferredLanguage", "preferredLanguage"),
    ("userType", "employeeType"),
];

/// The same, from the enterprise extension.
const COPIED_ENTERPRISE: &[(&str, &str)] = &[
    ("department", "department"),
    ("division", "division"),
    ("organization", "company"),
    ("employeeNumber", "employeeNumber"),
    ("manager", target::MANAGER),
];

/// The mapping a new job starts with.
#[must_use]
pub fn default_mapping() -> Vec<Mapping> {
    let direct = |source: &str, to: &str| row(to, MappingSource::Direct(SourceName::new(source)), Apply::Always);
    let computed = |to: &str, text: &str, apply| row(to, MappingSource::Expression(text.to_owned()), apply);
    let on_create = |source: &str, to: &str| Mapping { apply: Apply::OnCreate, ..direct(source, to) };
    let mut mappings = vec![
        Mapping { matching_priority: 1, ..on_create("externalId", "employeeID") },
        computed(target::ACCOUNT_DISABLED, "Not([active])", Apply::Always),
        computed(target::USER_PRINCIPAL_NAME, USER_PRINCIPAL_NAME, Apply::OnCreate),
        computed(target::SAM_ACCOUNT_NAME, SAM_ACCOUNT_NAME, Apply::OnCreate),
        on_create("displayName", target::CN),
    ];
    mappings.extend(COPIED.iter().map(|(source, to)| direct(source, to)));
    mappings.push(computed("c", COUNTRY_CODE, Apply::Always));
    let enterprise = |(source, to): &(&str, &str)| direct(&format!("{ENTERPRISE_USER}:{source}"), to);
    mappings.extend(COPIED_ENTERPRISE.iter().map(enterprise));
    mappings
}

fn row(to: &str, source: MappingSource, apply: Apply) -> Mapping {
    Mapping { apply, ..Mapping::new(to, source) }
}
