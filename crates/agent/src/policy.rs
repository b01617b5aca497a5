//! The agent's own policy, obeyed whatever the service asks for: containers, attributes, actions, protected accounts.

use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::desired::DesiredState;
use rollcall_model::observed::{Entry, Observed, ObservedAccount};
use rollcall_model::plan::{Action, Failure, Plan, PropertyChange, Verdict, Warning, Write, WriteRequest};
use rollcall_model::{Code, Dn};

use crate::apply::dn_of;
use crate::config::{Policy, PolicyAction};

/// The policy, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    containers: Vec<Dn>,
    /// Lower case; empty: every one that is not denied.
    allowed: Vec<String>,
    denied: Vec<String>,
    actions: Vec<PolicyAction>,
    allow_protected: bool,
}

/// What is left of a write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Restricted {
    /// `None`: nothing of it, or all of it was refused.
    pub(crate) write: Option<Write>,
    /// Changes that were left out.
    pub(crate) left_out: Vec<PropertyChange>,
    pub(crate) refusal: Option<Failure>,
}

impl Rules {
    /// From the `[policy]` section, which was checked when it was read.
    pub(crate) fn new(policy: &Policy) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        Self {
            containers: policy.containers.iter().map(|text| Dn::from_directory(text)).collect(),
            allowed: lower(&policy.attributes_allowed),
            denied: lower(&policy.attributes_denied),
            actions: policy.actions.clone(),
            allow_protected: policy.allow_protected,
        }
    }

    /// What has to be said where an account was to be deleted and may be disabled only.
    fn instead_of_delete(&self) -> Option<Warning> {
        (!self.actions.contains(&PolicyAction::Delete)).then(|| Warning {
            code: Code::DisabledInsteadOfDeleted,
            attribute: None,
            text: "the agent's policy ([policy] actions) does not allow 'delete'; the account is disabled instead"
                .to_owned(),
        })
    }

    /// Plans within the policy, as the work and the preview do. What is to be done instead of a deletion that is not
    /// allowed becomes part of what is desired.
    pub(crate) fn plan(&self, desired: &mut DesiredState, observed: &Observed) -> Plan {
        let entry = match &observed.account {
            ObservedAccount::Linked(entry) | ObservedAccount::Matched(entry) => Some(entry),
            _ => None,
        };
        if desired.delete
            && entry.is_some()
            && let Some(warning) = self.instead_of_delete()
        {
            desired.delete = false;
            desired.warnings.push(warning);
        }
        let mut plan = reconcile::plan(desired, &self.unmarked(observed));
        self.restrict(&mut plan, entry);
        plan
    }

    /// What planning may see. It leaves accounts alone that carry the marks of protection, so where the policy lets
    /// those be written the marks are taken off first.
    pub(crate) fn unmarked(&self, observed: &Observed) -> Observed {
        let mut observed = observed.clone();
        if self.allow_protected
            && let ObservedAccount::Linked(entry) | ObservedAccount::Matched(entry) = &mut observed.account
        {
            entry.attributes.retain(|name, _| name != "admincount" && name != "iscriticalsystemobject");
        }
        observed
    }

    /// Takes out of a plan what may not be done: an attribute alone, or everything from the refused write on, which then
    /// is how the plan ends.
    pub(crate) fn restrict(&self, plan: &mut Plan, account: Option<&Entry>) {
        for write in std::mem::take(&mut plan.writes) {
            let Restricted { write, left_out, refusal } = self.apply(write, account);
            plan.warnings.extend(left_out.iter().map(|change| left_out_warning(&change.name)));
            plan.drift.extend(left_out);
            plan.writes.extend(write);
            if let Some(failure) = refusal {
                plan.verdict = Verdict::Failed(failure);
                break;
            }
        }
    }

    /// One write, asked for immediately before it is planned. `account` is the account as it was observed; `None`: it
    /// is to be created, or was just now.
    pub(crate) fn apply(&self, mut write: Write, account: Option<&Entry>) -> Restricted {
        let mut left_out = Vec::new();
        match &mut write.request {
            WriteRequest::Add { attributes, .. } => attributes.retain(|own| {
                let stays = own.mandatory || !target::is_mappable(&own.name) || self.may_write(&own.name);
                if !stays {
                    let new = own.values.clone();
                    left_out.push(PropertyChange { name: own.name.clone(), old: Vec::new(), new });
                }
                stays
            }),
            WriteRequest::Modify { changes, .. } if write.action == Action::Update => {
                changes.retain(|own| {
                    let stays = !target::is_mappable(&own.name) || self.may_write(&own.name);
                    if !stays {
                        let (name, old, new) = (own.name.clone(), own.old.clone(), own.new.clone());
                        left_out.push(PropertyChange { name, old, new });
                    }
                    stays
                });
                if changes.is_empty() {
                    return Restricted { left_out, ..Restricted::default() };
                }
            }
            _ => {}
        }
        match self.check(&write, account) {
            Ok(()) => Restricted { write: Some(write), left_out, refusal: None },
            Err(failure) => Restricted { write: None, left_out, refusal: Some(failure) },
        }
    }

    fn check(&self, write: &Write, account: Option<&Entry>) -> Result<(), Failure> {
        let refused =
            |attribute: Option<&str>, reason: String| Err(Failure::new(Code::RefusedByLocalPolicy, attribute, reason));
        if let Some(entry) = account.filter(|entry| !self.allow_protected && entry.is_protected()) {
            let reason = format!("{} is protected (adminCount or isCriticalSystemObject)", entry.dn);
            return Err(Failure::new(Code::ProtectedAccount, None, reason));
        }
        let needed = actions_of(write);
        if let Some(action) = needed.iter().find(|action| !self.actions.contains(action)) {
            let name = action.name();
            return refused(
                None,
                format!("the agent's policy does not allow '{name}'; add it to [policy] actions if this is wanted"),
            );
        }
        if needed.is_empty() {
            return refused(None, "the agent's policy knows no such write".to_owned());
        }
        let (before, after) = places(write);
        for place in before.into_iter().chain([after]) {
            if !self.containers.is_empty() && !self.containers.iter().any(|container| place.is_within(container)) {
                let attribute = target::PARENT;
                let reason = format!(
                    "{place} lies outside the containers of the agent's policy; add its container to [policy] containers, \
                     or correct the job's container or mapping"
                );
                return refused(Some(attribute), reason);
            }
        }
        for name in attributes_of(write) {
            if !target::is_mappable(name) && !is_state(write.action, name) {
                return refused(Some(name), format!("the agent never writes {name}; remove its mapping"));
            }
            if write.action == Action::Create && !self.may_write(name) {
                let reason = format!(
                    "no account can be made without {name}, which the agent's policy forbids; allow it in [policy]"
                );
                return refused(Some(name), reason);
            }
        }
        Ok(())
    }

    fn may_write(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        (self.allowed.is_empty() || self.allowed.contains(&name)) && !self.denied.contains(&name)
    }
}

/// The warning for an attribute that was left out.
pub(crate) fn left_out_warning(name: &str) -> Warning {
    Warning {
        code: Code::AttributeDeniedByLocalPolicy,
        attribute: Some(name.to_owned()),
        text: format!("the agent's policy ([policy] attributes) does not let {name} be written; it was left out"),
    }
}

/// Whether the attribute is the account's state, and the action about it: as an attribute it is never written.
fn is_state(action: Action, name: &str) -> bool {
    matches!(action, Action::Disable | Action::Enable) && name.eq_ignore_ascii_case("userAccountControl")
}

/// What the policy must allow for a write: moving and renaming at once takes both.
fn actions_of(write: &Write) -> Vec<PolicyAction> {
    let named = match write.action {
        Action::Create => Some(PolicyAction::Create),
        Action::Update => Some(PolicyAction::Update),
        Action::Disable => Some(PolicyAction::Disable),
        Action::Enable => Some(PolicyAction::Enable),
        Action::Move => Some(PolicyAction::Move),
        Action::Rename => Some(PolicyAction::Rename),
        Action::Delete => Some(PolicyAction::Delete),
        Action::Other => None,
    };
    let mut needed: Vec<PolicyAction> = named.into_iter().collect();
    if let WriteRequest::Move { dn, cn: Some(cn), .. } = &write.request
        && write.action == Action::Move
        && dn.leaf_value().as_ref() != Some(cn)
    {
        needed.push(PolicyAction::Rename);
    }
    needed
}

/// Where the object is, and where it will be.
fn places(write: &Write) -> (Option<Dn>, Dn) {
    let before = match &write.request {
        WriteRequest::Move { dn, .. } => Some(dn.clone()),
        _ => None,
    };
    (before, dn_of(write))
}

fn attributes_of(write: &Write) -> Vec<&str> {
    match &write.request {
        WriteRequest::Add { attributes, .. } => attributes.iter().map(|own| own.name.as_str()).collect(),
        WriteRequest::Modify { changes, .. } => changes.iter().map(|change| change.name.as_str()).collect(),
        WriteRequest::Move { .. } | WriteRequest::Delete { .. } => vec![],
    }
}

#[cfg(test)]
mod tests;
