//! The two halves of a directory, and what goes in and out.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::plan::{AttributeChange, LdapFailure};
use rollcall_model::{Code, Dn};

use crate::{Error, Filter};

/// unavailableCriticalExtension (RFC 4511 A.1).
const CONTROL_UNKNOWN: u32 = 12;

/// One search. Complete or an error: all pages, result code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub base: Dn,
    pub scope: Scope,
    pub filter: Filter,
    /// Names to return; objectGUID and uSNChanged always come along, in fields of their own.
    pub attributes: Vec<String>,
}

/// How deep a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Base,
    Subtree,
}

/// What the rootDSE says about a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootDse {
    pub dns_host_name: String,
    /// The domain's naming context.
    pub default_naming_context: Dn,
    /// Changes when the controller's database is restored; the NTDS settings object's DN where it cannot be read.
    pub invocation_id: String,
    pub highest_committed_usn: i64,
    /// False for a read-only controller.
    pub writable: bool,
}

/// One add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    pub dn: Dn,
    /// An attribute without values is not sent.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// The read half. Preview is given this and nothing else.
#[async_trait]
pub trait Read: Send + Sync {
    async fn root_dse(&self) -> Result<RootDse, Error>;
    async fn search(&self, search: &Search) -> Result<Vec<Entry>, Error>;
    /// As [`Self::search`], with deleted objects in the answer (MS-ADTS 3.1.1.3.4.1.14). Who may not read those gets
    /// none of them, and no error; an entry that shows no objectGUID is left out.
    /// A directory without tombstones refuses it, as this does.
    async fn search_with_deleted(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        let diagnostic = "deleted objects cannot be shown".to_owned();
        let ldap = LdapFailure { result_code: CONTROL_UNKNOWN, diagnostic, dn: search.base.as_str().to_owned() };
        Err(Error::Refused { code: Code::DirectoryRefused, attribute: None, ldap })
    }
    /// The greatest update sequence number of the controller `from` (its invocationId) of which this one has everything
    /// (MS-ADTS 3.1.1.1.11); `None`: it has none, or does not show it.
    async fn has_of(&self, _from: &str) -> Result<Option<i64>, Error> {
        Ok(None)
    }
}

/// The write half. A write goes out at once on a connection that is open already, or not at all
/// ([`Error::NotSent`]): one that waited for a connection could be made after somebody else's turn has come.
#[async_trait]
pub trait Write: Read {
    /// Adds an object. `password` becomes `unicodePwd` and is in no log and no error.
    async fn add(&self, add: &Add, password: Option<&secrecy::SecretString>) -> Result<(), Error>;
    /// Changes attributes of the object `<GUID=...>`: observed values deleted, new ones added, in one request.
    async fn modify(&self, guid: ObjectGuid, changes: &[AttributeChange]) -> Result<(), Error>;
    /// Moves the object `<GUID=...>` into a container, under a name: `rdn` is the first part of its DN as it is to be
    /// written, for instance `CN=Ada Byron`. Another name in the container where it is already is a rename.
    async fn rename(&self, guid: ObjectGuid, rdn: &str, container: &Dn) -> Result<(), Error>;
    /// Deletes the object `<GUID=...>`, and never what is below it: one that has children is refused.
    async fn delete(&self, guid: ObjectGuid) -> Result<(), Error>;
}
