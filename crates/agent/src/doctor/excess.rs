//! What the agent may do that it does not need: from the entries of a list, each named with its text form.

use std::collections::BTreeSet;

use rollcall_directory::security::{Ace, AceKind, Descriptor, Sid, flag, known, mapped, right};
use rollcall_model::schema::Schema;
use uuid::Uuid;

use super::needs::{Needs, is_reading};

/// Whose entries count, and what names are known.
pub(super) struct Holder<'a> {
    /// The account and its groups, without those that everybody is in.
    pub(super) own: BTreeSet<Sid>,
    /// Everything in its token.
    pub(super) token: &'a BTreeSet<Sid>,
    pub(super) schema: &'a Schema,
}

/// One right too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// What may be done.
    pub(super) text: String,
    /// The entry, or who owns.
    pub(super) source: String,
    pub(super) is_inherited: bool,
    /// Whose it is, where not the account's own.
    pub(super) trustee: Option<Sid>,
}

/// On which objects an entry counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Here,
    Below,
}

/// Every bit that has a meaning of its own.
const BITS: &[u32] = &[
    right::CREATE_CHILD,
    right::DELETE_CHILD,
    right::SELF_WRITE,
    right::WRITE_PROPERTY,
    right::DELETE_TREE,
    right::CONTROL_ACCESS,
    right::DELETE,
    right::WRITE_DACL,
    right::WRITE_OWNER,
];

impl Holder<'_> {
    /// What the list of a container, or of anything else (`needs` empty), grants beyond the needs.
    pub(super) fn excess(&self, descriptor: &Descriptor, needs: &Needs, account: &Sid) -> Vec<Excess> {
        let mut found = Vec::new();
        if let Some(owner) = descriptor.owner.as_ref().filter(|owner| self.own.contains(*owner)) {
            found.push(Excess {
                text: "owner of it, who may change its permissions".to_owned(),
                source: format!("owner {owner}"),
                is_inherited: false,
                trustee: Some(owner.clone()).filter(|owner| owner != account),
            });
        }
        let Some(entries) = &descriptor.dacl else {
            found.push(Excess {
                text: "everybody may do everything: it has no access control list".to_owned(),
                source: "no list".to_owned(),
                is_inherited: false,
                trustee: None,
            });
            return found;
        };
        for ace in entries.iter().filter(|ace| ace.kind == AceKind::Allow) {
            let everybody = self.token.contains(&ace.trustee) && !self.own.contains(&ace.trustee);
            if !everybody && !self.own.contains(&ace.trustee) {
                continue;
            }
            let texts = self.beyond(ace, needs, everybody);
            if !texts.is_empty() {
                found.push(Excess {
                    text: texts.join(", "),
                    source: ace.to_string(),
                    is_inherited: ace.flags & flag::INHERITED != 0,
                    trustee: Some(ace.trustee.clone()).filter(|trustee| trustee != account),
                });
            }
        }
        found
    }

    fn beyond(&self, ace: &Ace, needs: &Needs, everybody: bool) -> Vec<String> {
        let mask = mapped(ace.mask);
        let reaches = [
            (Reach::Here, ace.flags & flag::INHERIT_ONLY == 0),
            (Reach::Below, ace.flags & flag::CONTAINER_INHERIT != 0),
        ];
        let mut texts = Vec::new();
        for (reach, _) in reaches.iter().filter(|(_, counts)| *counts) {
            let where_ = self.place(*reach, ace.inherited_type);
            if mask & right::EVERYTHING == right::EVERYTHING && ace.object_type.is_none() {
                texts.push(format!("full control of {where_}"));
                continue;
            }
            for bit in BITS.iter().filter(|bit| mask & **bit != 0) {
                let covered = match reach {
                    Reach::Here => needs.covers_here(*bit, ace.object_type),
                    Reach::Below => needs.covers_below(*bit, ace.object_type, ace.inherited_type),
                };
                // What AD grants to all from the start (changing one's own password, say) is not this account's matter.
                let shipped = everybody && !is_dangerous_for_all(*bit, ace.object_type);
                if !covered && !shipped && !is_reading(*bit) {
                    texts.push(format!("{} {where_}", self.verb(*bit, ace.object_type)));
                }
            }
        }
        texts
    }

    fn place(&self, reach: Reach, class: Option<Uuid>) -> String {
        match (reach, class) {
            (Reach::Here, _) => "the object itself".to_owned(),
            (Reach::Below, None) => "all objects below".to_owned(),
            (Reach::Below, Some(class)) => format!("{} objects below", self.class(class)),
        }
    }

    fn verb(&self, bit: u32, object_type: Option<Uuid>) -> String {
        let attribute = |id| self.attribute(id);
        let class = |id| self.class(id);
        match (bit, object_type) {
            (right::WRITE_PROPERTY, None) => "write every attribute of".to_owned(),
            (right::WRITE_PROPERTY, Some(id)) => format!("write {} of", attribute(id)),
            (right::CREATE_CHILD, None) => "create objects of every class in".to_owned(),
            (right::CREATE_CHILD, Some(id)) => format!("create {} objects in", class(id)),
            (right::DELETE_CHILD, None) => "delete objects of every class from".to_owned(),
            (right::DELETE_CHILD, Some(id)) => format!("delete {} objects from", class(id)),
            (right::DELETE_TREE, _) => "delete whole trees at".to_owned(),
            (right::DELETE, _) => "delete".to_owned(),
            (right::WRITE_DACL, _) => "change the permissions of".to_owned(),
            (right::WRITE_OWNER, _) => "take ownership of".to_owned(),
            (right::SELF_WRITE, _) => "make validated writes to".to_owned(),
            (_, None) => "every extended right (setting passwords, replicating) on".to_owned(),
            (_, Some(id)) => format!("{} on", extended(id)),
        }
    }

    fn attribute(&self, id: Uuid) -> String {
        let own = self.schema.attributes.values().find(|attribute| attribute.id == Some(id));
        let set: Vec<&str> = self
            .schema
            .attributes
            .values()
            .filter(|attribute| attribute.property_set == Some(id))
            .map(|attribute| attribute.name.as_str())
            .collect();
        match (own, set.as_slice()) {
            (Some(attribute), _) => attribute.name.clone(),
            (None, []) => id.to_string(),
            (None, names) => format!("the property set of {} and {} more attributes", names[0], names.len() - 1),
        }
    }

    fn class(&self, id: Uuid) -> String {
        let named = self.schema.classes.values().find(|class| class.id == Some(id));
        named.map_or_else(|| id.to_string(), |class| class.name.clone())
    }
}

fn is_dangerous_for_all(bit: u32, object_type: Option<Uuid>) -> bool {
    match bit {
        right::WRITE_DACL | right::WRITE_OWNER => true,
        right::WRITE_PROPERTY | right::CONTROL_ACCESS | right::CREATE_CHILD => object_type.is_none(),
        _ => false,
    }
}

/// The name of an extended right.
pub(super) fn extended(id: Uuid) -> String {
    match id {
        known::RESET_PASSWORD => "set passwords".to_owned(),
        known::GET_CHANGES => "replicate the directory".to_owned(),
        known::GET_CHANGES_ALL => "replicate every password hash (DCSync)".to_owned(),
        known::GET_CHANGES_FILTERED => "replicate the filtered attributes".to_owned(),
        other => format!("the extended right {other}"),
    }
}

/// Groups that hold more than any delegation: built-in ones, and a domain's own, by relative identifier.
pub(super) fn privileged_group(sid: &Sid) -> Option<&'static str> {
    let builtin = |rid| match rid {
        544 => Some("Administrators"),
        548 => Some("Account Operators"),
        549 => Some("Server Operators"),
        550 => Some("Print Operators"),
        551 => Some("Backup Operators"),
        552 => Some("Replicator"),
        _ => None,
    };
    let domain = |rid| match rid {
        512 => Some("Domain Admins"),
        516 => Some("Domain Controllers"),
        517 => Some("Cert Publishers"),
        518 => Some("Schema Admins"),
        519 => Some("Enterprise Admins"),
        520 => Some("Group Policy Creator Owners"),
        526 => Some("Key Admins"),
        527 => Some("Enterprise Key Admins"),
        _ => None,
    };
    sid.builtin_rid().and_then(builtin).or_else(|| sid.domain_rid().and_then(domain))
}
