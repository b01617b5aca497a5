//! Searches.

use std::collections::BTreeSet;

use rollcall_model::Code;

use super::{Scratch, Verdict, added, domain, equal, search};
use crate::{Error, Filter, Scope, Write, account_filter};

/// The rootDSE names the controller and counts changes.
pub async fn root_dse_tells_who_answers(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let before = directory.root_dse().await.map_err(|error| error.to_string())?;
    added(directory, scratch, "usn", &[]).await?;
    let after = directory.root_dse().await.map_err(|error| error.to_string())?;
    equal("writable", &after.writable, &true)?;
    equal("invocationId", &after.invocation_id, &before.invocation_id)?;
    equal("a host name", &after.dns_host_name.is_empty(), &false)?;
    equal("the container lies in the domain", &scratch.users_ou.is_within(&after.default_naming_context), &true)?;
    equal("an add raises the counter", &(after.highest_committed_usn > before.highest_committed_usn), &true)
}

/// A base that does not exist is an error, never an empty answer.
pub async fn missing_base(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let nowhere = scratch.users_ou.child("OU", &scratch.name("nowhere"));
    match directory.search(&search(&nowhere, Scope::Subtree, Filter::Present("cn".to_owned()))).await {
        Err(Error::Refused { ldap, code: Code::ContainerNotFound, .. }) if ldap.result_code == 32 => Ok(()),
        Err(error) => Err(format!("{error} instead of result code 32")),
        Ok(found) => Err(format!("{} entries below nowhere", found.len())),
    }
}

/// Metacharacters in values are compared, never interpreted.
pub async fn values_are_never_filters(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let base = domain(directory).await?;
    let values = ["*", "*)(cn=*", "a\\2ab", "(a|b)&!c", "é*😀", " lead", "a=b,c+d", "a\u{7}b"];
    for (at, value) in values.iter().enumerate() {
        let name = format!("meta{at}");
        let department = format!("{value} {}", scratch.prefix);
        let entry = added(directory, scratch, &name, &[("department", &department)]).await?;
        let question = search(&base, Scope::Subtree, account_filter("department", [department.as_str()]));
        let found = directory.search(&question).await.map_err(|error| format!("{value:?}: {error}"))?;
        let found: Vec<_> = found.into_iter().map(|found| found.guid).collect();
        equal(value, &found, &vec![entry.guid])?;
    }
    let everything = format!("* {}", &scratch.prefix[..scratch.prefix.len().saturating_sub(1)]);
    let question = search(&base, Scope::Subtree, account_filter("department", [everything, "*".to_owned()]));
    let found = directory.search(&question).await.map_err(|error| error.to_string())?;
    equal("found by a star", &found.len(), &0)
}

/// Fifty persons are read in one search; whoever is not there is simply not in the answer.
pub async fn fifty_accounts_in_one_search(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let mut expected = BTreeSet::new();
    let ids: Vec<String> = (0..50).map(|at| scratch.name(&format!("f{at}"))).collect();
    for (at, id) in ids.iter().enumerate().filter(|(at, _)| at % 10 != 9) {
        let entry = added(directory, scratch, &format!("fifty{at}"), &[("employeeID", id)]).await?;
        expected.insert((entry.guid, id.clone()));
    }
    let question = search(&domain(directory).await?, Scope::Subtree, account_filter("employeeID", ids));
    let found = directory.search(&question).await.map_err(|error| error.to_string())?;
    let found: BTreeSet<_> =
        found.iter().map(|entry| (entry.guid, entry.value("employeeID").unwrap_or_default().to_owned())).collect();
    equal("the accounts", &found, &expected)
}

/// More entries than a page holds all come.
pub async fn paging(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    const COUNT: usize = 520;
    let department = scratch.name("paging");
    for at in 0..COUNT {
        let add = scratch.account(&format!("page{at}"), &[("department", &department)]);
        directory.add(&add, None).await.map_err(|error| format!("add of {}: {error}", add.dn))?;
    }
    let question = search(&domain(directory).await?, Scope::Subtree, account_filter("department", [department]));
    let found = directory.search(&question).await.map_err(|error| error.to_string())?;
    equal("the entries", &found.iter().map(|entry| entry.guid).collect::<BTreeSet<_>>().len(), &COUNT)
}
