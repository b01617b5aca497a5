//! Containers that are not there, and rights that the agent's account lacks, as far as the directory computes them for
//! whoever asks (`allowedChildClassesEffective`, `allowedAttributesEffective`; MS-ADTS 3.1.1.4.5).
//!
//! A directory that computes none of them is believed to grant everything: only the write itself would show.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_directory::accounts::OBJECT_CLASS;
use rollcall_directory::{Error as DirectoryError, Filter, Scope, Search};
use rollcall_model::config::target;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::plan::{Failure, WriteRequest};
use rollcall_model::{Code, Dn};

use super::{Draft, Viewer};
use crate::controller::within;

/// LDAP's noSuchObject (RFC 4511 A.1).
const NO_SUCH_OBJECT: u32 = 32;
const CLASSES: &str = "allowedChildClasses";
const CLASSES_EFFECTIVE: &str = "allowedChildClassesEffective";
const ATTRIBUTES_EFFECTIVE: &str = "allowedAttributesEffective";
const INSUFFICIENT: Code = Code::HybridSynchronizationActiveDirectoryInsufficientAccessRights;

/// What a container is to the agent's account.
enum Container {
    Missing,
    /// Accounts cannot be made or moved there.
    Closed,
    Usable,
}

impl Viewer<'_> {
    /// Refuses, in the plans, what the directory would refuse for want of a container or a right.
    pub(super) async fn check_rights(&self, drafts: &mut [Draft]) -> Result<(), DirectoryError> {
        let containers = self.containers(drafts).await?;
        let writable = self.writable(drafts).await;
        for draft in drafts {
            let refused = draft.plan.writes.iter().enumerate().find_map(|(at, write)| {
                let failure = match &write.request {
                    WriteRequest::Add { container, .. } => unusable(container, &containers),
                    WriteRequest::Move { dn, container, .. } => {
                        let moves = dn.parent().is_none_or(|parent| !parent.same_as(container));
                        moves.then(|| unusable(container, &containers)).flatten()
                    }
                    WriteRequest::Modify { guid, dn, changes } => {
                        let may = writable.get(guid);
                        let names = || changes.iter().map(|change| change.name.as_str());
                        let denied = names().find(|name| may.is_some_and(|may| !may.contains(&name.to_lowercase())));
                        denied.map(|name| no_right(name, dn))
                    }
                    WriteRequest::Delete { .. } => None,
                };
                failure.map(|failure| (at, failure))
            });
            if let Some((at, failure)) = refused {
                draft.fail_at(at, failure);
            }
        }
        Ok(())
    }

    async fn containers(&self, drafts: &[Draft]) -> Result<BTreeMap<String, Container>, DirectoryError> {
        let mut wanted: BTreeMap<String, Dn> = BTreeMap::new();
        for write in drafts.iter().flat_map(|draft| &draft.plan.writes) {
            if let WriteRequest::Add { container, .. } | WriteRequest::Move { container, .. } = &write.request {
                wanted.insert(container.normalised(), container.clone());
            }
        }
        let mut found = BTreeMap::new();
        for (key, dn) in wanted {
            found.insert(key, self.container(dn).await?);
        }
        Ok(found)
    }

    async fn container(&self, dn: Dn) -> Result<Container, DirectoryError> {
        // What is computed is told only to whoever asks for it by name, and not by every directory.
        let computed = self.base(&dn, &[CLASSES, CLASSES_EFFECTIVE]).await;
        let entry = match computed {
            Err(DirectoryError::Refused { ref ldap, .. }) if ldap.result_code != NO_SUCH_OBJECT => {
                self.base(&dn, &[]).await
            }
            found => found,
        };
        match entry {
            Ok(Some(entry)) => {
                let has = |name: &str| entry.values(name).iter().any(|class| class.eq_ignore_ascii_case(OBJECT_CLASS));
                let is_closed = has(CLASSES) && !has(CLASSES_EFFECTIVE);
                Ok(if is_closed { Container::Closed } else { Container::Usable })
            }
            // Whatever the refusal (there is none, or the name is no container's): the write would be refused alike.
            Ok(None) | Err(DirectoryError::Refused { .. }) => Ok(Container::Missing),
            Err(error) => Err(error),
        }
    }

    async fn base(&self, dn: &Dn, attributes: &[&str]) -> Result<Option<Entry>, DirectoryError> {
        let search = Search {
            base: dn.clone(),
            scope: Scope::Base,
            filter: Filter::Present("objectClass".to_owned()),
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
        };
        Ok(within(self.read.search(&search)).await?.into_iter().next())
    }

    /// Attributes (lower case) that may be written, of each account that would be; accounts of which nothing is
    /// computed are missing.
    async fn writable(&self, drafts: &[Draft]) -> HashMap<ObjectGuid, BTreeSet<String>> {
        let mut guids = BTreeSet::new();
        for write in drafts.iter().flat_map(|draft| &draft.plan.writes) {
            if let WriteRequest::Modify { guid, .. } = &write.request {
                guids.insert(*guid);
            }
        }
        if guids.is_empty() {
            return HashMap::new();
        }
        let search = Search {
            base: self.domain.clone(),
            scope: Scope::Subtree,
            filter: Filter::Or(guids.into_iter().map(Filter::Guid).collect()),
            attributes: vec![CLASSES.to_owned(), ATTRIBUTES_EFFECTIVE.to_owned()],
        };
        // Rights are one more thing that is told; that they cannot be had is no reason to tell nothing.
        let found = within(self.read.search(&search)).await.unwrap_or_default();
        let known = found
            .into_iter()
            .filter(|entry| !entry.values(CLASSES).is_empty() || !entry.values(ATTRIBUTES_EFFECTIVE).is_empty());
        let names = |entry: &Entry| entry.values(ATTRIBUTES_EFFECTIVE).iter().map(|name| name.to_lowercase()).collect();
        known.map(|entry| (entry.guid, names(&entry))).collect()
    }
}

fn unusable(container: &Dn, known: &BTreeMap<String, Container>) -> Option<Failure> {
    match known.get(&container.normalised())? {
        Container::Usable => None,
        Container::Missing => {
            let reason = format!("{container} is not there, or may not be seen; make it, or correct job and mapping");
            Some(Failure::new(Code::ContainerNotFound, Some(target::PARENT), reason))
        }
        Container::Closed => {
            let reason = format!(
                "the agent's account may not make users in {container}; `rollcall-agent rights script` grants it"
            );
            Some(Failure::new(INSUFFICIENT, Some(target::PARENT), reason))
        }
    }
}

fn no_right(name: &str, dn: &Dn) -> Failure {
    let reason = format!("the agent's account may not write {name} of {dn}; `rollcall-agent rights script` grants it");
    Failure::new(INSUFFICIENT, Some(name), reason)
}
