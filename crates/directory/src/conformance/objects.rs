//! What happens to objects as a whole: another name, another container, deletion.

use rollcall_model::ids::ObjectGuid;
use rollcall_model::{Code, Dn};

use super::{Scratch, Verdict, added, domain, equal, read, refused, search};
use crate::{Error, Filter, Scope, Write};

async fn renamed(directory: &dyn Write, guid: ObjectGuid, name: &str, container: &Dn) -> Verdict {
    let dn = container.child("CN", name);
    directory.rename(guid, dn.rdn(), container).await.map_err(|error| format!("rename to {dn}: {error}"))?;
    let after = read(directory, &Dn::by_guid(guid)).await?;
    equal("the DN", &after.dn.normalised(), &dn.normalised())?;
    equal("the name", &after.dn.leaf_value().as_deref(), &Some(name))?;
    equal("cn", &after.value("cn"), &Some(name))
}

/// Another name in the same container, another case included; one that is taken there is a conflict.
pub async fn rename_in_place(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "rename", &[]).await?;
    let other = added(directory, scratch, "rename2", &[]).await?;
    renamed(directory, entry.guid, &scratch.name("King, Ada (x)"), &scratch.users_ou).await?;
    renamed(directory, entry.guid, &scratch.name("KING, ada (x)"), &scratch.users_ou).await?;
    equal("the old name is there", &read(directory, &entry.dn).await.is_ok(), &false)?;
    let outcome = directory.rename(entry.guid, other.dn.rdn(), &scratch.users_ou).await;
    refused("a taken name", outcome, Code::EntryConflict, Some("cn"))?;
    renamed(directory, entry.guid, &scratch.name("rename"), &scratch.users_ou).await
}

/// Another container and another name in one request; GUID and attributes stay.
pub async fn move_and_rename_at_once(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "both", &[("title", "Same")]).await?;
    renamed(directory, entry.guid, &scratch.name("both2"), &scratch.other_ou).await?;
    equal("title", &read(directory, &Dn::by_guid(entry.guid)).await?.value("title"), &Some("Same"))
}

/// An object is deleted by its GUID: it is gone by name, by GUID and in a search of the whole domain, links to it go
/// with it, its name is free, and who deletes it again is told that the object is not there.
pub async fn delete_by_guid(directory: &dyn Write, scratch: &Scratch) -> Verdict {
    let entry = added(directory, scratch, "delete", &[]).await?;
    let report = added(directory, scratch, "orphan", &[("manager", entry.dn.as_str())]).await?;
    directory.delete(entry.guid).await.map_err(|error| format!("delete of {}: {error}", entry.dn))?;
    equal("it is there by name", &read(directory, &entry.dn).await.is_ok(), &false)?;
    equal("it is there by GUID", &read(directory, &Dn::by_guid(entry.guid)).await.is_ok(), &false)?;
    let question = search(&domain(directory).await?, Scope::Subtree, Filter::Guid(entry.guid));
    let found = directory.search(&question).await.map_err(|error: Error| error.to_string())?;
    equal("found in the domain", &found.len(), &0)?;
    equal("manager", &read(directory, &report.dn).await?.value("manager"), &None)?;
    refused("a second delete", directory.delete(entry.guid).await, Code::StalePlan, None)?;
    let again = added(directory, scratch, "delete", &[]).await?;
    equal("the same object again", &(again.guid == entry.guid), &false)
}
