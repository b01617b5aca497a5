//! The agent's own policy, obeyed whatever the service asks for. Fixed for now.

use rollcall_model::Code;
use rollcall_model::observed::Entry;
use rollcall_model::plan::{Action, Failure, Write, WriteRequest};

/// What may be done at all. There is no row for a delete, and no write that could make one.
const ALLOWED: &[Action] = &[Action::Create, Action::Update, Action::Disable, Action::Enable, Action::Move];

/// Attributes that no mapping may reach: what makes an account privileged, and passwords.
const NEVER_WRITTEN: &[&str] = &[
    "admincount",
    "iscriticalsystemobject",
    "unicodepwd",
    "userpassword",
    "dbcspwd",
    "ntsecuritydescriptor",
    "member",
];

/// Whether a write may be made on the account as it was observed (`None`: it is to be created).
pub(crate) fn check(write: &Write, account: Option<&Entry>) -> Result<(), Failure> {
    if let Some(entry) = account.filter(|entry| entry.is_protected()) {
        let reason = format!("{} is protected (adminCount or isCriticalSystemObject)", entry.dn);
        return Err(Failure::new(Code::ProtectedAccount, None, reason));
    }
    if !ALLOWED.contains(&write.action) {
        let reason = format!("the agent's policy does not allow '{}'", write.action.graph_name());
        return Err(Failure::new(Code::RefusedByLocalPolicy, None, reason));
    }
    let names: Vec<&str> = match &write.request {
        WriteRequest::Add { attributes, .. } => attributes.iter().map(|attribute| attribute.name.as_str()).collect(),
        WriteRequest::Modify { changes, .. } => changes.iter().map(|change| change.name.as_str()).collect(),
        WriteRequest::Move { .. } => vec![],
    };
    match names.into_iter().find(|name| NEVER_WRITTEN.contains(&name.to_lowercase().as_str())) {
        Some(name) => {
            let reason = format!("the agent's policy never writes {name}; remove its mapping");
            Err(Failure::new(Code::RefusedByLocalPolicy, Some(name), reason))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rollcall_model::Dn;
    use rollcall_model::ids::ObjectGuid;
    use rollcall_model::plan::AttributeChange;

    use super::*;

    /// semantics: protected
    #[test]
    fn protected_accounts_and_privileged_attributes_are_never_written() {
        let guid = ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap());
        let dn = Dn::from_directory("CN=a,DC=corp,DC=test");
        let check = |action, attribute: &str, held: &[(&str, &str)]| {
            let changes = vec![AttributeChange { name: attribute.to_owned(), old: vec![], new: vec!["x".to_owned()] }];
            let write = Write { action, request: WriteRequest::Modify { guid, dn: dn.clone(), changes } };
            let attributes: BTreeMap<_, _> =
                held.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
            let entry = Entry { dn: dn.clone(), guid, attributes, usn_changed: None };
            super::check(&write, Some(&entry)).err().map(|failure| failure.code)
        };
        assert_eq!(check(Action::Update, "title", &[]), None);
        assert_eq!(check(Action::Update, "title", &[("admincount", "0")]), None);
        for action in [Action::Update, Action::Disable, Action::Enable, Action::Move] {
            assert_eq!(check(action, "title", &[("admincount", "1")]), Some(Code::ProtectedAccount));
            assert_eq!(check(action, "title", &[("iscriticalsystemobject", "TRUE")]), Some(Code::ProtectedAccount));
        }
        assert_eq!(check(Action::Other, "title", &[]), Some(Code::RefusedByLocalPolicy));
        assert_eq!(check(Action::Update, "adminCount", &[]), Some(Code::RefusedByLocalPolicy));
        assert_eq!(check(Action::Update, "unicodePwd", &[]), Some(Code::RefusedByLocalPolicy));
    }
}
