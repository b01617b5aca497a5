//! Values that no two accounts of a domain may share: who is about to get one, who has one, and whose it was.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{PersonId, TenantId};

use crate::{Error, Fenced, Lease};

/// A value that is not to be given to anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Place in the question.
    pub n: usize,
    /// Whose it is; `None`: an account's in the directory of which nothing else is known.
    pub person: Option<PersonId>,
}

/// What one person wants for one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub person: PersonId,
    /// LDAP display name.
    pub attribute: String,
    /// Values that are free in the directory, in order of preference.
    pub candidates: Vec<String>,
    /// Values that the directory was found to hold, or refused: offered to nobody for a while.
    pub seen: Vec<String>,
}

/// Persistence of unique values. Attributes are compared without case, values by [`rollcall_model::fold_taken`]; a
/// value stays taken until its reservation, its account or its quarantine ends.
#[async_trait]
pub trait UniqueValues: Send + Sync {
    /// Which of these (attribute, value) are taken in a domain.
    async fn taken_values(
        &self,
        tenant: TenantId,
        domain: &str,
        values: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Vec<Taken>, Error>;

    /// Reserves a value for each, in this order: the one that the person has reserved before, where it is among the
    /// candidates; else the first that is free or was the person's own. What else they had reserved for the attribute
    /// is given back. Answers by place in `wanted` the place in its candidates; `None`: none was left, or the person
    /// is unknown.
    async fn reserve(
        &self,
        lease: &Lease,
        wanted: &[Wanted],
        now: Timestamp,
    ) -> Result<Fenced<Vec<Option<usize>>>, Error>;
}
