//! Who holds a value that must be unique: asked after a conflict, because servers do not always say which value it was.

use rollcall_model::Dn;

use crate::{Error, Filter, Read, Scope, Search};

/// LDAP's noSuchObject (RFC 4511 A.1).
const NO_SUCH_OBJECT: u32 = 32;

/// The values that an object wanted and that another may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Unique in the domain, among objects of every class.
    pub sam_account_name: Option<String>,
    /// Unique in the forest; only this domain is searched.
    pub user_principal_name: Option<String>,
    /// The name in its container.
    pub dn: Option<Dn>,
}

/// The first of `candidates` that an object below `base` (the domain) already holds: the attribute's name (`cn` for
/// the name in the container) and the holder. `None`: none of them is taken, or the holder is out of sight.
pub async fn who_holds(
    read: &dyn Read,
    base: &Dn,
    candidates: &Candidates,
) -> Result<Option<(&'static str, Dn)>, Error> {
    let unique =
        [("sAMAccountName", &candidates.sam_account_name), ("userPrincipalName", &candidates.user_principal_name)];
    for (attribute, value) in unique {
        let Some(value) = value else { continue };
        let filter = Filter::Equal(attribute.to_owned(), value.clone());
        let search = Search { base: base.clone(), scope: Scope::Subtree, filter, attributes: vec![] };
        if let Some(holder) = read.search(&search).await?.into_iter().next() {
            return Ok(Some((attribute, holder.dn)));
        }
    }
    let Some(dn) = &candidates.dn else { return Ok(None) };
    let search = Search {
        base: dn.clone(),
        scope: Scope::Base,
        filter: Filter::Present("objectClass".to_owned()),
        attributes: vec![],
    };
    match read.search(&search).await {
        Ok(found) => Ok(found.into_iter().next().map(|holder| ("cn", holder.dn))),
        Err(Error::Refused { ldap, .. }) if ldap.result_code == NO_SUCH_OBJECT => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
