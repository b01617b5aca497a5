//! What an evaluation would have written about somebody whom no operation asks for: held against the last confirmed
//! outcome, without the directory.
//!
//! After a change of a job's mappings, or of the day, most persons come out as they were. They are told apart here, so
//! that nobody is sent to an agent in vain, and so that a change can be measured before it is made.

use rollcall_model::desired::{DesiredAccount, DesiredState, Extent, IfAbsent, MayWrite};
use rollcall_model::person::{Confirmed, Person};
use rollcall_model::plan::Failure;

use crate::evaluate::Evaluation;

/// What would be done about one person.
#[derive(Clone, Debug, PartialEq)]
pub enum Impact {
    /// Everything is as it was confirmed, or nothing is wanted.
    Nothing,
    /// The mappings cannot be applied to the record.
    Fails(Failure),
    Writes(Writes),
}

/// What would be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Targets whose value differs from the confirmed one, or was never confirmed, as the mappings name them.
    pub attributes: Vec<String>,
    pub effects: Vec<Effect>,
}

/// What would happen to the account beside its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is looked for by the matching attribute, and made where there is none.
    CreateOrLink,
    Delete,
    Disable,
    Enable,
    Move,
    Rename,
    /// At least one attribute loses its value.
    Clear,
    EnterScope,
    LeaveScope,
}

impl Effect {
    pub const ALL: &'static [Self] = &[
        Self::CreateOrLink,
        Self::Delete,
        Self::Disable,
        Self::Enable,
        Self::Move,
        Self::Rename,
        Self::Clear,
        Self::EnterScope,
        Self::LeaveScope,
    ];

    /// As the API has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateOrLink => "createOrLink",
            Self::Delete => "delete",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Move => "move",
            Self::Rename => "rename",
            Self::Clear => "clear",
            Self::EnterScope => "enterScope",
            Self::LeaveScope => "leaveScope",
        }
    }
}

/// Holds an evaluation of this person against what was confirmed of them (semantics `may-write`, without what a waiting
/// operation brought).
#[must_use]
pub fn impact(person: &Person, evaluation: &Evaluation) -> Impact {
    let desired = match evaluation {
        Evaluation::Skip(..) => return Impact::Nothing,
        Evaluation::Fail(failure, _) => return Impact::Fails(failure.clone()),
        Evaluation::Send(desired) => desired,
    };
    let nothing = Confirmed::default();
    let confirmed = person.confirmed.as_ref().unwrap_or(&nothing);
    let writes = match &person.link {
        None => Writes { attributes: Vec::new(), effects: absent(desired) },
        Some(link) => {
            let mut writes =
                Writes { attributes: attributes(desired, confirmed), effects: effects(desired, confirmed) };
            if !link.confirmed {
                writes.effects.insert(0, Effect::CreateOrLink);
            }
            writes
        }
    };
    match &desired.failure {
        // What is usable of the record has been made so before.
        Some(failure) if writes.effects.is_empty() => Impact::Fails(failure.clone()),
        _ if writes == Writes::default() => Impact::Nothing,
        _ => Impact::Writes(writes),
    }
}

/// Of somebody without an account.
fn absent(desired: &DesiredState) -> Vec<Effect> {
    if desired.if_absent == IfAbsent::Create { vec![Effect::CreateOrLink] } else { Vec::new() }
}

fn attributes(desired: &DesiredState, confirmed: &Confirmed) -> Vec<String> {
    if desired.extent != Extent::Everything || desired.leave_existing {
        return Vec::new();
    }
    let writable = desired.attributes.iter().filter(|attribute| attribute.may_write == MayWrite::Yes);
    let mut names: Vec<String> = writable
        .filter(|attribute| differs(confirmed, &attribute.name, &attribute.values))
        .map(|attribute| attribute.name.clone())
        .collect();
    let manager = desired.manager.as_ref().filter(|manager| manager.may_write == MayWrite::Yes);
    let is_other = |wanted: &str| {
        confirmed.manager.as_deref().is_none_or(|now| rollcall_model::fold(now) != rollcall_model::fold(wanted))
    };
    if manager.is_some_and(|manager| is_other(&manager.external_id)) {
        names.push(rollcall_model::config::target::MANAGER.to_owned());
    }
    names
}

/// Whether these are other values than the confirmed ones; those of an attribute that was never confirmed are.
fn differs(confirmed: &Confirmed, name: &str, values: &[String]) -> bool {
    match confirmed.attributes.get(&name.to_lowercase()) {
        None => !values.is_empty(),
        Some(now) => now.len() != values.len() || !values.iter().all(|value| now.contains(value)),
    }
}

fn effects(desired: &DesiredState, confirmed: &Confirmed) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut add = |effect: Effect, is_so: bool| effects.extend(is_so.then_some(effect));
    let everything = desired.extent == Extent::Everything && !desired.leave_existing;
    // Nobody asked for the accounts of leavers of long ago to go, whatever the job does with leavers now.
    let is_deleted = desired.delete && confirmed.enabled != Some(false);
    add(Effect::Delete, is_deleted);
    let account = if desired.leave_existing { None } else { Some(desired.account) };
    let is_disabled = account == Some(DesiredAccount::Disabled) && confirmed.enabled != Some(false);
    add(Effect::Disable, is_disabled && !is_deleted);
    add(Effect::Enable, account == Some(DesiredAccount::Enabled) && confirmed.enabled != Some(true));
    let moves =
        desired.container.may_move && desired.container.mapped.is_some() && desired.extent != Extent::AccountOnly;
    add(Effect::Move, moves && !desired.leave_existing);
    let name = desired.cn.as_ref().filter(|_| everything && desired.rename == Some(MayWrite::Yes));
    add(Effect::Rename, name.is_some_and(|cn| differs(confirmed, "cn", std::slice::from_ref(cn))));
    let is_cleared = |name: &str, values: &[String]| values.is_empty() && differs(confirmed, name, values);
    add(Effect::Clear, everything && desired.attributes.iter().any(|one| is_cleared(&one.name, &one.values)));
    let was_out = confirmed.in_scope == Some(false);
    add(Effect::EnterScope, was_out && !desired.out_of_scope);
    add(Effect::LeaveScope, !was_out && desired.out_of_scope);
    effects
}

#[cfg(test)]
mod tests;
