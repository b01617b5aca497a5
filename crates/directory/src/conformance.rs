//! What every directory behind the traits must do, one function a behaviour.
//!
//! The test crate runs [`all`] on Samba and on the practice directory. Each behaviour makes objects of its own, named
//! after [`Scratch::prefix`], and leaves them. An `Err` says what was not as it should be.

mod accounts;
mod changes;
mod conflicts;
mod objects;
mod reading;

pub use accounts::{add_enabled_with_password, disable_and_enable, must_change_password, weak_password};
pub use changes::{
    guid_addressing_after_a_move, manager_set_and_unset, missing_container, missing_target, move_between_containers,
    set_replace_and_clear, stale_modify, stale_modify_changes_nothing,
};
pub use conflicts::{
    account_name_is_taken, bad_account_name, name_is_taken, too_long_value, unknown_attribute, upn_is_taken,
};
pub use objects::{delete_by_guid, move_and_rename_at_once, rename_in_place};
pub use reading::{
    fifty_accounts_in_one_search, missing_base, paging, root_dse_tells_who_answers, values_are_never_filters,
};

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use rollcall_model::observed::Entry;
use rollcall_model::plan::AttributeChange;
use rollcall_model::{Code, Dn};

use crate::accounts::{AccountState, OBJECT_CLASS, control_text};
use crate::{Add, Error, Filter, Scope, Search, Write};

/// Where the objects of one run are made.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// An existing container that may be written.
    pub users_ou: Dn,
    /// Another one.
    pub other_ou: Dn,
    /// What follows the `@` of a userPrincipalName.
    pub upn_suffix: String,
    /// Begins every name; at most eight characters of a to z and 0 to 9, new in each run.
    pub prefix: String,
}

/// What a behaviour comes to.
pub type Verdict = Result<(), String>;

type Behaviour = for<'a> fn(&'a dyn Write, &'a Scratch) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        const BEHAVIOURS: &[(&str, Behaviour)] =
            &[$((stringify!($name), |directory, scratch| Box::pin($name(directory, scratch)))),*];
    };
}

behaviours! {
    root_dse_tells_who_answers,
    add_enabled_with_password,
    must_change_password,
    weak_password,
    disable_and_enable,
    name_is_taken,
    account_name_is_taken,
    upn_is_taken,
    too_long_value,
    unknown_attribute,
    bad_account_name,
    set_replace_and_clear,
    stale_modify,
    stale_modify_changes_nothing,
    manager_set_and_unset,
    move_between_containers,
    guid_addressing_after_a_move,
    rename_in_place,
    move_and_rename_at_once,
    delete_by_guid,
    missing_container,
    missing_target,
    missing_base,
    values_are_never_filters,
    fifty_accounts_in_one_search,
    paging,
}

/// Runs every behaviour, one after the other; name and verdict of each.
pub async fn all(directory: &dyn Write, scratch: &Scratch) -> Vec<(&'static str, Verdict)> {
    let mut verdicts = Vec::with_capacity(BEHAVIOURS.len());
    for (name, behaviour) in BEHAVIOURS {
        verdicts.push((*name, behaviour(directory, scratch).await));
    }
    verdicts
}

impl Scratch {
    /// A name of this run; short enough for a sAMAccountName if `name` has at most twelve characters.
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn upn(&self, name: &str) -> String {
        format!("{}@{}", self.name(name), self.upn_suffix)
    }

    fn dn(&self, name: &str) -> Dn {
        self.users_ou.child("CN", &self.name(name))
    }

    /// A disabled account without a password.
    fn account(&self, name: &str, more: &[(&str, &str)]) -> Add {
        let control = control_text(AccountState::Disabled.control_of_new());
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (attribute, value) in [
            ("objectClass", OBJECT_CLASS),
            ("sAMAccountName", &self.name(name)),
            ("userPrincipalName", &self.upn(name)),
            ("userAccountControl", &control),
        ]
        .into_iter()
        .chain(more.iter().copied())
        {
            attributes.insert(attribute.to_owned(), vec![value.to_owned()]);
        }
        Add { dn: self.dn(name), attributes }
    }
}

/// Adds a disabled account and reads it back.
async fn added(directory: &dyn Write, scratch: &Scratch, name: &str, more: &[(&str, &str)]) -> Result<Entry, String> {
    let add = scratch.account(name, more);
    directory.add(&add, None).await.map_err(|error| format!("add of {}: {error}", add.dn))?;
    read(directory, &add.dn).await
}

/// Every attribute the behaviours look at.
const ATTRIBUTES: &[&str] = &[
    "cn",
    "sAMAccountName",
    "userPrincipalName",
    "userAccountControl",
    "pwdLastSet",
    "title",
    "department",
    "co",
    "manager",
    "directReports",
    "proxyAddresses",
    "employeeID",
];

fn search(base: &Dn, scope: Scope, filter: Filter) -> Search {
    let attributes = ATTRIBUTES.iter().map(|name| (*name).to_owned()).collect();
    Search { base: base.clone(), scope, filter, attributes }
}

/// The one object of this name, or `<GUID=...>`.
async fn read(directory: &dyn Write, dn: &Dn) -> Result<Entry, String> {
    let question = search(dn, Scope::Base, Filter::Present("objectClass".to_owned()));
    let mut found = directory.search(&question).await.map_err(|error| format!("reading {dn}: {error}"))?;
    match found.len() {
        1 => Ok(found.remove(0)),
        count => Err(format!("reading {dn} gave {count} entries")),
    }
}

/// The domain's base.
async fn domain(directory: &dyn Write) -> Result<Dn, String> {
    let root = directory.root_dse().await.map_err(|error| format!("rootDSE: {error}"))?;
    Ok(root.default_naming_context)
}

fn change(name: &str, old: &[&str], new: &[&str]) -> AttributeChange {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    AttributeChange { name: name.to_owned(), old: owned(old), new: owned(new) }
}

async fn modified(directory: &dyn Write, entry: &Entry, changes: &[AttributeChange]) -> Verdict {
    directory.modify(entry.guid, changes).await.map_err(|error| format!("modify of {}: {error}", entry.dn))
}

fn equal<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

/// The refusal must have this code, and name this attribute or, where `attribute` is `None`, any or none.
fn refused(what: &str, outcome: Result<(), Error>, code: Code, attribute: Option<&str>) -> Verdict {
    let Err(error) = outcome else { return Err(format!("{what} was taken")) };
    if !matches!(error, Error::Refused { .. }) || error.code() != code {
        return Err(format!("{what}: {error} instead of {code}"));
    }
    match attribute {
        Some(name) if !error.attribute().is_some_and(|found| found.eq_ignore_ascii_case(name)) => {
            Err(format!("{what}: blames {:?} instead of {name}: {error}", error.attribute()))
        }
        _ => Ok(()),
    }
}
