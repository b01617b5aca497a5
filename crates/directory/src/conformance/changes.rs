//! Modifies and moves.

use rollcall_model::ids::ObjectGuid;
use rollcall_model::{Code, Dn};

use super::{Scratch, Verdict, added, change, equal, modified, read, refused};
use crate::Write;

/// An attribute is set, changed, gets several values, loses some, and is cleared.
pub async fn set_replace_and_clear(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "set", &[]).await?;
    for (name, old, new, after) in [
        ("title", vec![], vec!["One"], vec!["One"]),
        ("title", vec!["One"], vec!["ONE"], vec!["ONE"]),
        ("title", vec!["ONE"], vec![], vec![]),
        ("proxyAddresses", vec![], vec!["SMTP:a@x", "smtp:b@x"], vec!["SMTP:a@x", "smtp:b@x"]),
        ("proxyAddresses", vec!["smtp:b@x"], vec!["smtp:c@x"], vec!["SMTP:a@x", "smtp:c@x"]),
        ("department", vec![], vec!["\u{202e}R&D (*) \\ 1 😀"], vec!["\u{202e}R&D (*) \\ 1 😀"]),
    ] {
        modified(directory, &entry, &[change(name, &old, &new)]).await?;
        let mut found = read(directory, &Dn::by_guid(entry.guid)).await?.values(name).to_vec();
        found.sort();
        equal(name, &found, &after.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())?;
    }
    modified(directory, &entry, &[]).await
}

/// A modify whose observed value is no longer there, or that finds another in its place, is a stale plan.
pub async fn stale_modify(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let manager = added(directory, scratch, "stalemgr", &[]).await?;
    let other = added(directory, scratch, "stalemgr2", &[]).await?;
    let more = [("title", "Now"), ("employeeID", "S1"), ("manager", manager.dn.as_str())];
    let entry = added(directory, scratch, "stale", &more).await?;
    for (name, old, new) in [
        ("title", "Before", "After"),
        ("employeeID", "S0", "S2"),
        ("userAccountControl", "66048", "66050"),
        ("pwdLastSet", "123456", "0"),
        ("accountExpires", "133000000000000000", "133100000000000000"),
        ("userPrincipalName", "before@x", "after@x"),
        ("department", "Before", "After"),
        ("manager", other.dn.as_str(), entry.dn.as_str()),
    ] {
        let outcome = directory.modify(entry.guid, &[change(name, &[old], &[new])]).await;
        refused(&format!("a stale change of {name}"), outcome, Code::StalePlan, None)?;
    }
    for (name, new) in [("title", "After"), ("title", "Now"), ("manager", other.dn.as_str())] {
        let outcome = directory.modify(entry.guid, &[change(name, &[], &[new])]).await;
        refused(&format!("an add over a value of {name}"), outcome, Code::StalePlan, None)?;
    }
    let outcome = directory.modify(entry.guid, &[change("co", &["Gone"], &[])]).await;
    refused("a delete of a value that is not there", outcome, Code::StalePlan, None)
}

/// One stale attribute refuses the whole request.
pub async fn stale_modify_changes_nothing(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "atomic", &[("title", "Now")]).await?;
    let changes = [
        change("userAccountControl", &["514"], &["66050"]),
        change("department", &[], &["New"]),
        change("title", &["Before"], &["After"]),
    ];
    refused("a half stale modify", directory.modify(entry.guid, &changes).await, Code::StalePlan, None)?;
    let after = read(directory, &entry.dn).await?;
    equal("the entry", &after, &entry)
}

/// manager is set, changed, and unset; the back link follows, and a reference that is gone is a stale plan.
pub async fn manager_set_and_unset(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let first = added(directory, scratch, "mgr1", &[]).await?;
    let second = added(directory, scratch, "mgr2", &[]).await?;
    let entry = added(directory, scratch, "report", &[]).await?;
    let (one, two) = (first.dn.as_str(), second.dn.as_str());
    modified(directory, &entry, &[change("manager", &[], &[one])]).await?;
    modified(directory, &entry, &[change("manager", &[one], &[two])]).await?;
    equal("manager", &read(directory, &entry.dn).await?.value("manager"), &Some(two))?;
    equal("directReports", &read(directory, &second.dn).await?.value("directReports"), &Some(entry.dn.as_str()))?;
    let nobody = scratch.dn("nobody");
    let outcome = directory.modify(entry.guid, &[change("manager", &[two], &[nobody.as_str()])]).await;
    refused("a manager who does not exist", outcome, Code::StalePlan, None)?;
    modified(directory, &entry, &[change("manager", &[two], &[])]).await?;
    equal("manager", &read(directory, &entry.dn).await?.value("manager"), &None)
}

/// A move keeps GUID, name and links; a name that is taken there is a conflict.
pub async fn move_between_containers(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let manager = added(directory, scratch, "movemgr", &[]).await?;
    // A comma and a bracket are good in a name, but not in a sAMAccountName.
    let more = [
        ("sAMAccountName", &*scratch.name("move")),
        ("userPrincipalName", &*scratch.upn("move")),
        ("manager", manager.dn.as_str()),
    ];
    let entry = added(directory, scratch, "move, (x)", &more).await?;
    moved(directory, entry.guid, entry.dn.rdn(), &scratch.other_ou).await?;
    let after = read(directory, &Dn::by_guid(entry.guid)).await?;
    equal("the container", &after.dn.parent().map(|dn| dn.normalised()), &Some(scratch.other_ou.normalised()))?;
    equal("the name", after.dn.rdn(), entry.dn.rdn())?;
    equal("manager", &after.value("manager"), &Some(manager.dn.as_str()))?;
    let more = [("sAMAccountName", &*scratch.name("move2")), ("userPrincipalName", &*scratch.upn("move2"))];
    let second = added(directory, scratch, "move, (x)", &more).await?;
    let outcome = directory.rename(second.guid, second.dn.rdn(), &scratch.other_ou).await;
    refused("a move onto a taken name", outcome, Code::EntryConflict, Some("cn"))
}

async fn moved(directory: &dyn Write, guid: ObjectGuid, rdn: &str, container: &Dn) -> Verdict {
    directory.rename(guid, rdn, container).await.map_err(|error| format!("move to {container}: {error}"))
}

/// After a move the object is found, changed and moved back by its GUID; its old name is gone.
pub async fn guid_addressing_after_a_move(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "guid", &[("title", "Before")]).await?;
    moved(directory, entry.guid, entry.dn.rdn(), &scratch.other_ou).await?;
    modified(directory, &entry, &[change("title", &["Before"], &["After"])]).await?;
    let after = read(directory, &Dn::by_guid(entry.guid)).await?;
    equal("title", &after.value("title"), &Some("After"))?;
    equal("GUID", &after.guid, &entry.guid)?;
    equal("the old name is there", &read(directory, &entry.dn).await.is_ok(), &false)?;
    moved(directory, entry.guid, entry.dn.rdn(), &scratch.users_ou).await?;
    equal("moved back", &read(directory, &entry.dn).await?.guid, &entry.guid)
}

/// An add into, or a move to, a container that does not exist.
pub async fn missing_container(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let nowhere = scratch.users_ou.child("OU", &scratch.name("nowhere"));
    let mut add = scratch.account("homeless", &[]);
    add.dn = nowhere.child("CN", &scratch.name("homeless"));
    refused("an add into nowhere", directory.add(&add, None).await, Code::ContainerNotFound, None)?;
    let entry = added(directory, scratch, "homeless", &[]).await?;
    let outcome = directory.rename(entry.guid, entry.dn.rdn(), &nowhere).await;
    refused("a move to nowhere", outcome, Code::ContainerNotFound, None)?;
    equal("it stayed", &read(directory, &entry.dn).await?.guid, &entry.guid)
}

/// An object that is gone makes a plan stale: whether it is really gone is for a complete search to say.
pub async fn missing_target(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "target", &[]).await?;
    let mut bytes = entry.guid.to_ldap();
    bytes.reverse();
    let nobody = ObjectGuid::from_ldap(bytes);
    let outcome = directory.modify(nobody, &[change("title", &[], &["x"])]).await;
    refused("a modify of nobody", outcome, Code::StalePlan, None)?;
    let outcome = directory.rename(nobody, "CN=nobody", &scratch.other_ou).await;
    refused("a move of nobody", outcome, Code::StalePlan, None)
}
