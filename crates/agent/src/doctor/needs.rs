//! What the agent has to be allowed to do in a container: one list, from which the script is printed, missing rights are
//! told, and everything else is excess.

use std::collections::BTreeSet;

use rollcall_directory::security::{Ace, AceKind, Descriptor, Sid, decide, flag, known, right};
use rollcall_engine::default_mapping;
use rollcall_model::config::target;
use rollcall_model::schema::Schema;
use uuid::Uuid;

use crate::config::PolicyAction;

/// Written beside what mappings name, whatever the attribute lists say, and the actions that write it: the state of an
/// account, its password's expiry, and both names of a moved or renamed object.
const OWN: &[(&str, &[PolicyAction])] = &[
    ("userAccountControl", &[PolicyAction::Create, PolicyAction::Disable, PolicyAction::Enable]),
    ("pwdLastSet", &[PolicyAction::Create]),
    (target::CN, RENAMING),
    ("name", RENAMING),
];
const RENAMING: &[PolicyAction] = &[PolicyAction::Move, PolicyAction::Rename];

/// What a move and a delete both ask of the container (MS-ADTS 3.1.1.5.4.1, 3.1.1.5.5): AD has no smaller right for a
/// move out of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nobody is deleted and nobody moves.
    Never,
    /// Accounts move, be it between containers below the one that is named.
    Moves,
    /// Accounts are deleted, and may move.
    Deletes,
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Read,
    CreateUser,
    RemoveUser(Removal),
    ResetPassword,
    Write(Target),
}

/// An attribute that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// As the schema writes it.
    pub(super) name: String,
    pub(super) id: Uuid,
    pub(super) property_set: Option<Uuid>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) list: Vec<Need>,
    /// Attributes that the schema does not know, or that users do not have.
    pub(super) unknown: Vec<String>,
}

impl Removal {
    fn of(actions: &[PolicyAction]) -> Self {
        let may = |action| actions.contains(&action);
        match (may(PolicyAction::Delete), may(PolicyAction::Move)) {
            (true, _) => Self::Deletes,
            (false, true) => Self::Moves,
            (false, false) => Self::Never,
        }
    }
}

impl Needs {
    /// What `actions` take, for the default mapping and `extra` attributes that a job maps beside it, without those
    /// that `is_written` excludes.
    pub(super) fn new(
        schema: &Schema,
        actions: &[PolicyAction],
        extra: &[String],
        is_written: impl Fn(&str) -> bool,
    ) -> Self {
        let may = |some: &[PolicyAction]| some.iter().any(|action| actions.contains(action));
        let not_attributes = [target::ACCOUNT_DISABLED, target::PARENT, target::CN];
        let mapped = default_mapping::default_mapping().into_iter().map(|mapping| mapping.target);
        let mapped = mapped.chain(extra.iter().cloned()).filter(|name| {
            !not_attributes.iter().any(|other| other.eq_ignore_ascii_case(name))
                && may(&[PolicyAction::Create, PolicyAction::Update])
                && is_written(name)
        });
        let own = OWN.iter().filter(|(_, actions)| may(actions)).map(|(name, _)| (*name).to_owned());
        let names: BTreeSet<String> = mapped.chain(own).map(|name| name.to_lowercase()).collect();
        let of_users = schema.attributes_of("user");
        let mut needs = Self { list: vec![Need::Read], unknown: Vec::new() };
        needs.list.extend(may(&[PolicyAction::Create]).then_some(Need::CreateUser));
        let removal = Removal::of(actions);
        needs.list.extend((removal != Removal::Never).then_some(Need::RemoveUser(removal)));
        needs.list.extend(may(&[PolicyAction::Create]).then_some(Need::ResetPassword));
        for name in names {
            match schema.attribute(&name).and_then(|attribute| Some((attribute, attribute.id?))) {
                Some((attribute, id)) if of_users.contains(&name) => {
                    let (name, property_set) = (attribute.name.clone(), attribute.property_set);
                    needs.list.push(Need::Write(Target { name, id, property_set }));
                }
                _ => needs.unknown.push(name),
            }
        }
        needs
    }

    /// The attributes that are written.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.list.iter().filter_map(|need| match need {
            Need::Write(target) => Some(target),
            _ => None,
        })
    }

    /// Whether it is in the list.
    pub(super) fn has(&self, need: &Need) -> bool {
        self.list.contains(need)
    }

    /// Whether accounts leave the container.
    pub(super) fn removes(&self) -> bool {
        self.list.iter().any(|need| matches!(need, Need::RemoveUser(_)))
    }

    /// Whether what an entry grants on the container itself is asked for. `bit` is one right.
    pub(super) fn covers_here(&self, bit: u32, object_type: Option<Uuid>) -> bool {
        is_reading(bit)
            || object_type == Some(known::USER)
                && (bit == right::CREATE_CHILD && self.has(&Need::CreateUser)
                    || bit == right::DELETE_CHILD && self.removes())
    }

    /// The same for what objects of class `inherited_type` below it inherit.
    pub(super) fn covers_below(&self, bit: u32, object_type: Option<Uuid>, inherited_type: Option<Uuid>) -> bool {
        // Creating users in the organisational units below belongs to it.
        if self.covers_here(bit, object_type) {
            return true;
        }
        inherited_type == Some(known::USER)
            && match bit {
                right::WRITE_PROPERTY => self.targets().any(|target| object_type == Some(target.id)),
                right::CONTROL_ACCESS => object_type == Some(known::RESET_PASSWORD) && self.has(&Need::ResetPassword),
                right::DELETE => self.removes(),
                _ => false,
            }
    }

    /// The needs that a container's descriptor does not meet for whoever carries `token`.
    pub(super) fn missing(&self, container: &Descriptor, token: &BTreeSet<Sid>) -> Vec<&Need> {
        // Without a list everybody may do everything.
        let open = container.dacl.is_none();
        self.list.iter().filter(|need| !open && !self.is_met(need, container, token)).collect()
    }

    fn is_met(&self, need: &Need, container: &Descriptor, token: &BTreeSet<Sid>) -> bool {
        let here = |bit, types: &[Uuid]| decide(container.here(), token, bit, types).is_granted();
        let users = |bit, types: &[Uuid]| decide(container.below(known::USER), token, bit, types).is_granted();
        let each = |bit| self.targets().all(|target| users(bit, &target.types()));
        match need {
            Need::Read => here(right::LIST, &[]) && here(right::READ_PROPERTY, &[]) && each(right::READ_PROPERTY),
            Need::CreateUser => here(right::CREATE_CHILD, &[known::USER]),
            // Either of the two is enough.
            Need::RemoveUser(_) => here(right::DELETE_CHILD, &[known::USER]) || users(right::DELETE, &[]),
            Need::ResetPassword => users(right::CONTROL_ACCESS, &[known::RESET_PASSWORD]),
            Need::Write(target) => users(right::WRITE_PROPERTY, &target.types()),
        }
    }
}

impl Target {
    fn types(&self) -> Vec<Uuid> {
        std::iter::once(self.id).chain(self.property_set).collect()
    }
}

impl Need {
    /// The entry that grants it to `trustee`.
    pub(super) fn ace(&self, trustee: &Sid) -> Ace {
        let (flags, mask, object_type, inherited_type) = match self {
            Self::Read => {
                let reading = right::READ_PROPERTY | right::LIST | right::LIST_OBJECT | right::READ_CONTROL;
                (flag::CONTAINER_INHERIT, reading, None, None)
            }
            Self::CreateUser => (flag::CONTAINER_INHERIT, right::CREATE_CHILD, Some(known::USER), None),
            Self::RemoveUser(_) => (flag::CONTAINER_INHERIT, right::DELETE_CHILD, Some(known::USER), None),
            Self::ResetPassword => (USERS_BELOW, right::CONTROL_ACCESS, Some(known::RESET_PASSWORD), Some(known::USER)),
            Self::Write(target) => (USERS_BELOW, right::WRITE_PROPERTY, Some(target.id), Some(known::USER)),
        };
        Ace { kind: AceKind::Allow, flags, mask, object_type, inherited_type, trustee: trustee.clone() }
    }

    /// What it is, for a person.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Read => "read the container and what is in it".to_owned(),
            Self::CreateUser => "create users".to_owned(),
            Self::RemoveUser(Removal::Deletes) => "delete users, and move them out".to_owned(),
            Self::RemoveUser(_) => "move users out (AD asks for the right to delete them)".to_owned(),
            Self::ResetPassword => "set passwords of users".to_owned(),
            Self::Write(target) => format!("write {} of users", target.name),
        }
    }

    /// How `dsacls` names it: where it counts, and the permission behind the account's name.
    pub(super) fn dsacls(&self) -> (&'static str, String) {
        match self {
            Self::Read => ("/I:T", "RPLCLORC".to_owned()),
            Self::CreateUser => ("/I:T", "CC;user".to_owned()),
            Self::RemoveUser(_) => ("/I:T", "DC;user".to_owned()),
            Self::ResetPassword => ("/I:S", "CA;Reset Password;user".to_owned()),
            Self::Write(target) => ("/I:S", format!("WP;{};user", target.name)),
        }
    }
}

/// For the users below, not for the container itself.
const USERS_BELOW: u8 = flag::CONTAINER_INHERIT | flag::INHERIT_ONLY;

/// Reading is no excess: every account of a domain may.
pub(super) fn is_reading(bit: u32) -> bool {
    bit & (right::READ_PROPERTY | right::LIST | right::LIST_OBJECT | right::READ_CONTROL) != 0
}
