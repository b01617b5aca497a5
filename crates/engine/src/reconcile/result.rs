//! After the writes: the manager of a new account, what is confirmed now, and what a crash left behind.

use rollcall_model::Code;
use rollcall_model::Dn;
use rollcall_model::config::target;
use rollcall_model::desired::{DesiredAccount, DesiredState, Extent};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::outcome::RefusedValue;
use rollcall_model::person::Confirmed;
use rollcall_model::plan::{Action, AttributeChange, Plan, Write, WriteRequest};

use super::compare;

/// Whether a write reached the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Yes,
    No,
}

/// The second write of a create, which could not be part of the add: the new account's manager. `None` where there is
/// none, or where the manager turns out to be the account itself.
#[must_use]
pub fn manager_after_create(desired: &DesiredState, guid: ObjectGuid, dn: &Dn, manager_dn: &Dn) -> Option<Write> {
    desired.manager.as_ref()?;
    if dn.same_as(manager_dn) {
        return None;
    }
    let new = vec![manager_dn.as_str().to_owned()];
    let changes = vec![AttributeChange { name: target::MANAGER.to_owned(), old: Vec::new(), new }];
    Some(Write {
        action: Action::Update,
        request: WriteRequest::Modify { guid, dn: dn.clone(), changes },
        redacted: Vec::new(),
    })
}

/// What is in place once every write of `plan` has succeeded, but for what the directory `refused`. Values that were
/// left to drift stay as they were confirmed before, so that they are not taken for new.
#[must_use]
pub fn confirmed(
    desired: &DesiredState,
    plan: &Plan,
    refused: &[RefusedValue],
    previous: Option<&Confirmed>,
) -> Confirmed {
    let mut now = previous.cloned().unwrap_or_default();
    now.in_scope = Some(!desired.out_of_scope);
    if desired.leave_existing && !plan.writes.iter().any(|write| write.action == Action::Create) {
        return now;
    }
    now.enabled = enabled(desired, plan).or(now.enabled);
    if desired.extent == Extent::AccountOnly {
        return now;
    }
    if desired.extent == Extent::AccountAndContainer {
        confirm_container(desired, plan, &mut now);
        return now;
    }
    let open = |name: &str| {
        plan.drift.iter().any(|drift| drift.name.eq_ignore_ascii_case(name))
            || refused.iter().any(|refused| refused.attribute.eq_ignore_ascii_case(name))
    };
    for own in desired.attributes.iter().filter(|own| own.apply.is_kept_up() && !open(&own.name)) {
        now.attributes.insert(own.name.to_lowercase(), own.values.clone());
        if own.values.is_empty() && own.name.eq_ignore_ascii_case(target::MANAGER) {
            now.manager = None;
        }
    }
    if let Some(cn) = desired.cn.as_ref().filter(|_| desired.rename.is_some() && !open(target::CN)) {
        now.attributes.insert(target::CN.to_owned(), vec![cn.clone()]);
    }
    confirm_container(desired, plan, &mut now);
    let unresolved = plan.warnings.iter().any(|warning| warning.code == Code::UnableToResolveReferenceAttributeValue);
    if let Some(manager) = &desired.manager {
        if unresolved {
            now.manager = None;
        } else if !open(target::MANAGER) {
            now.manager = Some(manager.external_id.clone());
            now.attributes.remove(target::MANAGER);
        }
    }
    now
}

fn confirm_container(desired: &DesiredState, plan: &Plan, now: &mut Confirmed) {
    let drifts = plan.drift.iter().any(|drift| drift.name.eq_ignore_ascii_case(target::PARENT));
    if desired.container.mapped.is_some() && !drifts {
        now.container.clone_from(&desired.container.mapped);
    }
}

/// How we leave the account; `None` where this outcome says nothing about it.
fn enabled(desired: &DesiredState, plan: &Plan) -> Option<bool> {
    let wrote = |action| plan.writes.iter().find(|write| write.action == action);
    if let Some(Write { request: WriteRequest::Add { enabled, .. }, .. }) = wrote(Action::Create) {
        // Made disabled for want of a password: whoever sets one enables it, and we have no say in that.
        return (*enabled || desired.account == DesiredAccount::Disabled).then_some(*enabled);
    }
    let first_link = desired.link.as_ref().is_none_or(|link| !link.confirmed);
    match desired.account {
        DesiredAccount::Disabled => Some(false),
        DesiredAccount::Enabled => Some(true),
        DesiredAccount::EnabledIfNewOrFirstLink => {
            // Where the job gives no passwords, a first link may leave the account disabled too.
            let left_enabled = first_link && desired.initial_password.is_generated();
            (left_enabled || wrote(Action::Enable).is_some()).then_some(true)
        }
        DesiredAccount::EnabledIfNew => None,
    }
}

/// Whether a write of which only the intent is known was made, told from the object as it now is: that with the
/// written GUID, or, after an add, the one with the matching value; `None` where a complete search found none.
#[must_use]
pub fn happened(write: &Write, entry: Option<&Entry>) -> Happened {
    let is_delete = matches!(write.request, WriteRequest::Delete { .. });
    let Some(entry) = entry else { return if is_delete { Happened::Yes } else { Happened::No } };
    let is_so = match &write.request {
        WriteRequest::Delete { .. } => false,
        WriteRequest::Add { .. } => true,
        WriteRequest::Move { container, cn, .. } => {
            entry.dn.parent().is_some_and(|parent| parent.same_as(container))
                && cn.as_ref().is_none_or(|cn| entry.dn.leaf_value().as_ref() == Some(cn))
        }
        WriteRequest::Modify { changes, .. } => changes.iter().all(|change| {
            let folded = change.name.to_lowercase();
            let holds =
                |value: &String| entry.values(&change.name).iter().any(|found| compare::same(&folded, found, value));
            change.new.iter().all(holds) && !change.old.iter().any(holds)
        }),
    };
    if is_so { Happened::Yes } else { Happened::No }
}
