//! Values that are taken, too long, unknown or impossible.

use rollcall_model::{Code, Dn};

use super::{Scratch, Verdict, added, change, domain, equal, refused};
use crate::uniqueness::{Candidates, who_holds};
use crate::{Add, Write};

/// A name that is taken in its container.
pub async fn name_is_taken(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let first = added(directory, scratch, "name", &[]).await?;
    let mut second = scratch.account("name2", &[]);
    second.dn = scratch.dn("name");
    let outcome = directory.add(&second, None).await;
    refused("a taken name", outcome, Code::EntryConflict, Some("cn"))?;
    let candidates = Candidates { dn: Some(second.dn), ..Candidates::default() };
    held(directory, &candidates, Some(("cn", &first.dn))).await
}

/// A sAMAccountName that is taken, in whatever case.
pub async fn account_name_is_taken(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let first = added(directory, scratch, "account", &[]).await?;
    let taken = scratch.name("ACCOUNT");
    let second = scratch.account("account2", &[("sAMAccountName", &taken)]);
    let outcome = directory.add(&second, None).await;
    refused("a taken sAMAccountName", outcome, Code::EntryConflict, Some("sAMAccountName"))?;
    let candidates = Candidates { sam_account_name: Some(taken), dn: Some(second.dn), ..Candidates::default() };
    held(directory, &candidates, Some(("sAMAccountName", &first.dn))).await
}

/// A userPrincipalName that is taken, in an add and in a modify.
pub async fn upn_is_taken(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    const CODE: Code = Code::HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique;
    let first = added(directory, scratch, "upn", &[]).await?;
    let taken = scratch.upn("upn");
    let second = scratch.account("upn2", &[("userPrincipalName", &taken)]);
    let outcome = directory.add(&second, None).await;
    refused("a taken userPrincipalName", outcome, CODE, Some("userPrincipalName"))?;
    let candidates = Candidates {
        sam_account_name: Some(scratch.name("upn2")),
        user_principal_name: Some(taken.clone()),
        dn: Some(second.dn),
    };
    held(directory, &candidates, Some(("userPrincipalName", &first.dn))).await?;
    let third = added(directory, scratch, "upn3", &[]).await?;
    let outcome =
        directory.modify(third.guid, &[change("userPrincipalName", &[&scratch.upn("upn3")], &[&taken])]).await;
    refused("a taken userPrincipalName", outcome, CODE, Some("userPrincipalName"))?;
    held(directory, &Candidates { dn: Some(scratch.dn("nobody")), ..Candidates::default() }, None).await
}

async fn held(directory: &dyn Write, candidates: &Candidates, expected: Option<(&str, &Dn)>) -> Verdict {
    let base = domain(directory).await?;
    let found = who_holds(directory, &base, candidates).await.map_err(|error| format!("who holds it: {error}"))?;
    let found = found.as_ref().map(|(attribute, dn)| (*attribute, dn.normalised()));
    equal("the holder", &found, &expected.map(|(attribute, dn)| (attribute, dn.normalised())))
}

/// A value that is too long: the attribute is named, in an add and in a modify, and nothing is made.
pub async fn too_long_value(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    const CODE: Code = Code::HybridSynchronizationActiveDirectoryInvalidParameter;
    let long = "x".repeat(129);
    let outcome = directory.add(&scratch.account("toolong", &[("title", &long)]), None).await;
    refused("a title of 129 characters", outcome, CODE, Some("title"))?;
    let entry = added(directory, scratch, "toolong", &[("title", "short")]).await?;
    let outcome = directory.modify(entry.guid, &[change("title", &["short"], &[&long])]).await;
    refused("a title of 129 characters", outcome, CODE, Some("title"))
}

/// An attribute the schema does not have.
pub async fn unknown_attribute(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    const CODE: Code = Code::HybridSynchronizationActiveDirectoryCannotFindAttribute;
    let add: Add = scratch.account("unknown", &[("rollcallNoSuchAttribute", "x")]);
    refused("an unknown attribute", directory.add(&add, None).await, CODE, None)?;
    let entry = added(directory, scratch, "unknown", &[]).await?;
    let outcome = directory.modify(entry.guid, &[change("rollcallNoSuchAttribute", &[], &["x"])]).await;
    refused("an unknown attribute", outcome, CODE, None)
}

/// A character that a sAMAccountName must not have.
pub async fn bad_account_name(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let add = scratch.account("badname", &[("sAMAccountName", &scratch.name("a/b"))]);
    let outcome = directory.add(&add, None).await;
    let code = Code::HybridSynchronizationActiveDirectoryInvalidParameter;
    refused("a slash in a sAMAccountName", outcome, code, Some("sAMAccountName"))
}
