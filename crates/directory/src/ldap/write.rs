//! The write half.

use std::collections::HashSet;

use async_trait::async_trait;
use ldap3::{Ldap, LdapError, LdapResult, Mod};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::plan::AttributeChange;
use rollcall_model::{Code, Dn};
use secrecy::SecretString;
use tokio::time::Instant;

use super::{LdapDirectory, no_answer, refused};
use crate::errors::Request;
use crate::{Add, Error, Filter, Read, Scope, Search, Write, password};

/// noSuchObject (RFC 4511 A.1).
const NO_SUCH_OBJECT: u32 = 32;

type Values = HashSet<Vec<u8>>;

#[async_trait]
impl Write for LdapDirectory {
    async fn add(&self, add: &Add, password: Option<&SecretString>) -> Result<(), Error> {
        let mut attributes: Vec<(Vec<u8>, Values)> = add
            .attributes
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| (name.clone().into_bytes(), bytes(values)))
            .collect();
        if let Some(password) = password {
            let value = password::to_unicode_pwd(password);
            attributes.push((b"unicodePwd".to_vec(), HashSet::from([value.to_vec()])));
        }
        let dn = add.dn.as_str();
        self.write(Request::Add, dn, |mut ldap| async move { ldap.add(dn, attributes).await }).await
    }

    async fn modify(&self, guid: ObjectGuid, changes: &[AttributeChange]) -> Result<(), Error> {
        let mods = modifications(changes);
        if mods.is_empty() {
            return Ok(());
        }
        let dn = Dn::by_guid(guid);
        let dn = dn.as_str();
        self.write(Request::Modify, dn, |mut ldap| async move { ldap.modify(dn, mods).await }).await
    }

    async fn rename(&self, guid: ObjectGuid, rdn: &str, container: &Dn) -> Result<(), Error> {
        let dn = Dn::by_guid(guid);
        let (dn, superior) = (dn.as_str(), container.as_str());
        let moved = self
            .write(Request::Rename, dn, |mut ldap| async move { ldap.modifydn(dn, rdn, true, Some(superior)).await })
            .await;
        match moved {
            Err(Error::Refused { ldap, attribute, .. })
                if ldap.result_code == NO_SUCH_OBJECT && !self.exists(container).await? =>
            {
                Err(Error::Refused { code: Code::ContainerNotFound, attribute, ldap })
            }
            other => other,
        }
    }

    async fn delete(&self, guid: ObjectGuid) -> Result<(), Error> {
        let dn = Dn::by_guid(guid);
        let dn = dn.as_str();
        self.write(Request::Delete, dn, |mut ldap| async move { ldap.delete(dn).await }).await
    }
}

impl LdapDirectory {
    /// Sends one write, on the open connection only: connecting takes time in which the right to write may end.
    pub(super) async fn write<F>(&self, request: Request, dn: &str, send: impl FnOnce(Ldap) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<LdapResult, LdapError>>,
    {
        let deadline = self.deadline();
        let connection = self.open_connection().await?;
        if Instant::now() >= deadline {
            let text = "the time limit passed before the write was sent".to_owned();
            return Err(Error::NotSent { code: Code::TimeOut, text });
        }
        let exchange = |ldap| async move { send(ldap).await.map_err(|error| no_answer(&error)) };
        let result = self.exchange(&connection, deadline, exchange).await?;
        if result.rc == 0 { Ok(()) } else { Err(refused(request, dn, result.rc, &result.text)) }
    }

    /// Whether there is an object of this name: a move's 32 may mean the object or its new container.
    async fn exists(&self, dn: &Dn) -> Result<bool, Error> {
        let filter = Filter::Present("objectClass".to_owned());
        match self.search(&Search { base: dn.clone(), scope: Scope::Base, filter, attributes: vec![] }).await {
            Ok(found) => Ok(!found.is_empty()),
            Err(Error::Refused { ldap, .. }) if ldap.result_code == NO_SUCH_OBJECT => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Delete the observed values, add the new ones, attribute by attribute (RFC 4511 4.6: in this order, all or none).
fn modifications(changes: &[AttributeChange]) -> Vec<Mod<Vec<u8>>> {
    let mut mods = Vec::with_capacity(2 * changes.len());
    for change in changes {
        if !change.old.is_empty() {
            mods.push(Mod::Delete(change.name.clone().into_bytes(), bytes(&change.old)));
        }
        if !change.new.is_empty() {
            mods.push(Mod::Add(change.name.clone().into_bytes(), bytes(&change.new)));
        }
    }
    mods
}

fn bytes(values: &[String]) -> Values {
    values.iter().map(|value| value.clone().into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_delete_and_add_never_replace() {
        let change = |old: &[&str], new: &[&str]| AttributeChange {
            name: "title".into(),
            old: old.iter().map(|v| (*v).to_owned()).collect(),
            new: new.iter().map(|v| (*v).to_owned()).collect(),
        };
        let set = |value: &str| HashSet::from([value.as_bytes().to_vec()]);
        let title = || b"title".to_vec();
        for (changes, expected) in [
            (vec![change(&["a"], &["b"])], vec![Mod::Delete(title(), set("a")), Mod::Add(title(), set("b"))]),
            (vec![change(&[], &["b"])], vec![Mod::Add(title(), set("b"))]),
            (vec![change(&["a"], &[])], vec![Mod::Delete(title(), set("a"))]),
            (vec![change(&[], &[])], vec![]),
        ] {
            assert_eq!(modifications(&changes), expected);
        }
    }
}
