//! The two halves of a directory, and what goes in and out.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rollcall_model::Dn;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::plan::AttributeChange;

use crate::{Error, Filter};

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
}

/// The write half. A write goes out at once on a connection that is open already, or not at all
/// ([`Error::NotSent`]): one that waited for a connection could be made after somebody else's turn has come.
#[async_trait]
pub trait Write: Read {
    /// Adds an object. `password` becomes `unicodePwd` and is in no log and no error.
    async fn add(&self, add: &Add, password: Option<&secrecy::SecretString>) -> Result<(), Error>;
    /// Changes attributes of the object `<GUID=...>`: observed values deleted, new ones added, in one request.
    async fn modify(&self, guid: ObjectGuid, changes: &[AttributeChange]) -> Result<(), Error>;
    /// Moves the object `<GUID=...>` into another container, keeping its name. `rdn` is the first part as written,
    /// for instance `CN=Ada Byron`.
    async fn rename(&self, guid: ObjectGuid, rdn: &str, container: &Dn) -> Result<(), Error>;
}
