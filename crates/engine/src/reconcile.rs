//! Desired state and observed entry into a plan: the writes, in order, how the operation ends, what is to be warned of
//! and what differs without being ours to write. The agent and preview use the same functions.

mod addresses;
mod compare;
mod kept;
mod result;
mod turns;
mod writes;

use std::collections::BTreeSet;

use rollcall_model::config::target;
use rollcall_model::desired::{DesiredAccount, DesiredAttribute, DesiredState, Extent, IfAbsent, MayWrite};
use rollcall_model::observed::{Entry, Observed, ObservedAccount, ObservedManager};
use rollcall_model::plan::{
    Action, AddAttribute, AttributeChange, Failure, Plan, PropertyChange, Verdict, Warning, Write, WriteRequest,
};
use rollcall_model::{Code, Dn};

pub(crate) use addresses::ADDRESSES_FOLDED;
use addresses::PROXY_ADDRESSES;
pub(crate) use kept::is_kept;
pub use result::{Happened, confirmed, happened, manager_after_create};
pub use turns::{Turn, turns};
pub use writes::{fallback_cn, moved_to, properties, with_cn, without};

/// `userAccountControl` (MS-ADTS 2.2.16).
const ACCOUNT_CONTROL: &str = "userAccountControl";
/// ACCOUNTDISABLE, the one bit of it that is ours.
const ACCOUNT_DISABLE: u32 = 0x2;

/// What planning looks at beside the attributes it may change.
const ALWAYS_NEEDED: &[&str] = &[
    "admincount",
    "distinguishedname",
    "iscriticalsystemobject",
    "manager",
    "objectclass",
    "pwdlastset",
    "useraccountcontrol",
];

/// Names shown where several accounts carry the matching value.
const NAMED_MAX: usize = 5;

/// Attributes that [`plan`] has to see of the account, by lower-case LDAP display name. `objectGUID` and `uSNChanged`
/// come along in any case.
#[must_use]
pub fn attributes_needed(desired: &DesiredState) -> BTreeSet<String> {
    let own = desired.attributes.iter().map(|attribute| attribute.name.to_lowercase());
    own.chain(ALWAYS_NEEDED.iter().map(|name| (*name).to_owned())).collect()
}

/// Plans one person. Pure: the same arguments give the same plan; a plan that was carried out plans to nothing.
#[must_use]
pub fn plan(desired: &DesiredState, observed: &Observed) -> Plan {
    let mut plan =
        Plan { writes: Vec::new(), verdict: Verdict::Fulfilled, warnings: desired.warnings.clone(), drift: Vec::new() };
    match &observed.account {
        // A person with a link gets no second account, whatever was looked for.
        ObservedAccount::Absent if desired.link.is_none() => absent(desired, observed, &mut plan),
        ObservedAccount::LinkGone | ObservedAccount::Absent => {
            let reason = "the linked account is gone; restore it, or break the link or rematch it";
            plan.verdict = Verdict::Failed(Failure::new(Code::InvalidAnchor, None, reason));
        }
        ObservedAccount::Several(names) => plan.verdict = Verdict::Failed(several(desired, names)),
        ObservedAccount::ClaimedByAnother(dn) => {
            let reason = format!("{dn} carries the matching value and is linked to another person of this job");
            plan.verdict = Verdict::Failed(Failure::new(Code::LinkedToAnotherPerson, matched_by(desired), reason));
        }
        ObservedAccount::Linked(entry) => {
            let first_link = desired.link.as_ref().is_none_or(|link| !link.confirmed);
            existing(desired, observed, entry, Standing::of(first_link), &mut plan);
        }
        ObservedAccount::Matched(entry) => existing(desired, observed, entry, Standing::FirstLink, &mut plan),
    }
    hide(desired, &mut plan);
    plan
}

/// Has the log hide the values that a mapping says nobody is to read.
fn hide(desired: &DesiredState, plan: &mut Plan) {
    let redacted = desired.attributes.iter().filter(|own| own.redacted).map(|own| own.name.clone());
    let redacted: Vec<String> = redacted.collect();
    for drift in &mut plan.drift {
        writes::redact(drift, &redacted);
    }
    for write in &mut plan.writes {
        write.redacted.clone_from(&redacted);
    }
}

/// Whether an outcome on this account has been recorded before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    FirstLink,
    Known,
}

impl Standing {
    fn of(first_link: bool) -> Self {
        if first_link { Self::FirstLink } else { Self::Known }
    }

    fn may_write(self, may_write: MayWrite) -> bool {
        self == Self::FirstLink || may_write == MayWrite::Yes
    }
}

fn matched_by(desired: &DesiredState) -> Option<&str> {
    desired.matching.first().map(|rule| rule.attribute.as_str())
}

fn several(desired: &DesiredState, names: &[Dn]) -> Failure {
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(Dn::as_str).collect();
    let reason = format!("{} accounts carry the matching value; leave it on one: {}", names.len(), shown.join("; "));
    Failure::new(Code::DuplicateTargetEntries, matched_by(desired), reason)
}

/// No account: an add, or a reason why none is made.
fn absent(desired: &DesiredState, observed: &Observed, plan: &mut Plan) {
    plan.verdict = match (&desired.failure, desired.if_absent) {
        (Some(failure), _) => Verdict::Failed(failure.clone()),
        (None, IfAbsent::Skip) => Verdict::Skipped(desired.if_absent_code.unwrap_or(Code::InactiveWithoutAccount)),
        (None, IfAbsent::Create) => match create(desired) {
            Err(failure) => Verdict::Failed(failure),
            Ok(write) => {
                plan.writes.push(write);
                warn_of_values(desired, plan);
                warn_of_manager(desired, observed, plan);
                Verdict::Fulfilled
            }
        },
    };
}

/// Semantics `create`: everything in one add.
fn create(desired: &DesiredState) -> Result<Write, Failure> {
    let has =
        |name: &str| desired.attributes.iter().any(|own| own.name.eq_ignore_ascii_case(name) && has_value(&own.values));
    let mut missing = Vec::new();
    let cn = desired.cn.clone().filter(|cn| !cn.trim().is_empty());
    if cn.is_none() {
        missing.push(target::CN);
    }
    missing.extend((!has(target::SAM_ACCOUNT_NAME)).then_some(target::SAM_ACCOUNT_NAME));
    missing.extend(matched_by(desired).filter(|name| !has(name)));
    let (Some(cn), true) = (cn, missing.is_empty()) else {
        let reason = format!(
            "a new account needs {}; send what they come from, or give their mapping a default",
            missing.join(", ")
        );
        return Err(Failure::new(Code::MandatoryFieldsMissing, missing.first().copied(), reason));
    };
    let Some(container) = desired.container.mapped.as_ref().or(desired.container.default.as_ref()) else {
        let reason =
            "there is no container for the new account; set the job's container, or map parentDistinguishedName";
        return Err(Failure::new(Code::ContainerNotFound, Some(target::PARENT), reason));
    };
    let container = Dn::parse(container)
        .map_err(|error| Failure::new(Code::ContainerNotFound, Some(target::PARENT), error.to_string()))?;
    let attributes = desired
        .attributes
        .iter()
        .filter(|own| !own.values.is_empty() && !own.name.eq_ignore_ascii_case(target::CN))
        .filter(|own| kept::refusal(own).is_none())
        .map(|own| AddAttribute { name: own.name.clone(), values: compare::distinct(own), mandatory: own.mandatory })
        .collect();
    // AD refuses to enable an account that has no password.
    let enabled = desired.account != DesiredAccount::Disabled && desired.initial_password.is_generated();
    let must_change_password = desired.must_change_password;
    let initial_password = desired.initial_password;
    let request = WriteRequest::Add { container, cn, attributes, enabled, must_change_password, initial_password };
    Ok(Write { action: Action::Create, request, redacted: Vec::new() })
}

fn has_value(values: &[String]) -> bool {
    values.iter().any(|value| !value.is_empty())
}

/// An account that is there: deleted; or disable, move, modify, enable, each where it is called for.
fn existing(desired: &DesiredState, observed: &Observed, entry: &Entry, standing: Standing, plan: &mut Plan) {
    if entry.is_protected() {
        let reason = format!("{} is protected (adminCount or isCriticalSystemObject) and is never written", entry.dn);
        plan.verdict = Verdict::Failed(Failure::new(Code::ProtectedAccount, None, reason));
        return;
    }
    if desired.leave_existing {
        plan.verdict = Verdict::Skipped(Code::UpdateOff);
        return;
    }
    if desired.delete && desired.link.as_ref().is_some_and(|link| link.guid == entry.guid) {
        let request = WriteRequest::Delete { guid: entry.guid, dn: entry.dn.clone() };
        plan.writes.push(Write { action: Action::Delete, request, redacted: Vec::new() });
        return;
    }
    let Some(bits) = entry.account_control() else {
        let reason = format!("userAccountControl of {} cannot be read; grant the agent's account the right", entry.dn);
        let code = Code::HybridSynchronizationActiveDirectoryInsufficientAccessRights;
        plan.verdict = Verdict::Failed(Failure::new(code, Some(ACCOUNT_CONTROL), reason));
        return;
    };
    if desired.account == DesiredAccount::Disabled && !entry.is_disabled() {
        plan.writes.push(account_write(Action::Disable, entry, &entry.dn, bits | ACCOUNT_DISABLE));
    }
    let mut dn = entry.dn.clone();
    match desired.extent {
        Extent::AccountOnly => {}
        Extent::AccountAndContainer => dn = relocate(desired, entry, standing, plan),
        Extent::Everything => {
            dn = relocate(desired, entry, standing, plan);
            modify(desired, observed, entry, &dn, standing, plan);
        }
    }
    if entry.is_disabled() && enables(desired, entry, standing, plan) {
        plan.writes.push(account_write(Action::Enable, entry, &dn, bits & !ACCOUNT_DISABLE));
    }
    if let Some(failure) = &desired.failure {
        plan.verdict = Verdict::Failed(failure.clone());
    }
}

/// Semantics `enable`, for an account found disabled.
fn enables(desired: &DesiredState, entry: &Entry, standing: Standing, plan: &mut Plan) -> bool {
    match desired.account {
        DesiredAccount::Disabled => return false,
        DesiredAccount::Enabled => return true,
        DesiredAccount::EnabledIfNewOrFirstLink if standing == Standing::FirstLink => {
            return desired.initial_password.is_generated() || has_password(entry);
        }
        DesiredAccount::EnabledIfNewOrFirstLink | DesiredAccount::EnabledIfNew => {}
    }
    if standing == Standing::FirstLink || desired.last_left_enabled != Some(true) {
        return false;
    }
    if desired.enable_found_disabled && desired.account == DesiredAccount::EnabledIfNewOrFirstLink {
        return true;
    }
    plan.warnings.push(Warning {
        code: Code::AccountFoundDisabled,
        attribute: Some(target::ACCOUNT_DISABLED.to_owned()),
        text: Code::AccountFoundDisabled.reason().to_owned(),
    });
    false
}

/// Where a job gives no passwords, an account without one may be of its own making, found again after a crash: whoever
/// sets the password enables it. `pwdLastSet` is 0 until then (and while the password has to be changed).
fn has_password(entry: &Entry) -> bool {
    entry.value("pwdLastSet").is_some_and(|time| time != "0")
}

fn account_write(action: Action, entry: &Entry, dn: &Dn, bits: u32) -> Write {
    // AD's attribute is a signed 32-bit number.
    let signed = i32::from_ne_bytes(bits.to_ne_bytes());
    let change = AttributeChange {
        name: ACCOUNT_CONTROL.to_owned(),
        old: entry.values(ACCOUNT_CONTROL).to_vec(),
        new: vec![signed.to_string()],
    };
    let request = WriteRequest::Modify { guid: entry.guid, dn: dn.clone(), changes: vec![change] };
    Write { action, request, redacted: Vec::new() }
}

/// Semantics `move`: another container and another name are one request. Yields the name the account has from then on.
fn relocate(desired: &DesiredState, entry: &Entry, standing: Standing, plan: &mut Plan) -> Dn {
    let container = other_container(desired, entry, standing, plan);
    let (may_rename, cn) = other_name(desired, entry, standing, plan);
    let (action, container) = match (container, entry.dn.parent()) {
        (Some(container), _) => (Action::Move, container),
        (None, Some(found)) if cn.is_some() => (Action::Rename, found),
        _ => return entry.dn.clone(),
    };
    // Where the name is ours to choose it may give way to one that is taken in the new container.
    let cn = cn.or_else(|| entry.dn.leaf_value().filter(|_| may_rename));
    let request = WriteRequest::Move { guid: entry.guid, dn: entry.dn.clone(), container, cn };
    let after = moved_to(&request).unwrap_or_else(|| entry.dn.clone());
    plan.writes.push(Write { action, request, redacted: Vec::new() });
    after
}

/// The container that the account is to be moved to.
fn other_container(desired: &DesiredState, entry: &Entry, standing: Standing, plan: &mut Plan) -> Option<Dn> {
    let wanted = desired.container.mapped.as_deref().map(Dn::from_directory)?;
    let found = entry.dn.parent();
    if found.as_ref().is_some_and(|found| found.same_as(&wanted)) {
        return None;
    }
    if standing == Standing::Known && !desired.container.may_move {
        plan.drift.push(PropertyChange {
            name: target::PARENT.to_owned(),
            old: found.map(|found| found.as_str().to_owned()).into_iter().collect(),
            new: vec![wanted.as_str().to_owned()],
        });
        return None;
    }
    Some(wanted)
}

/// Whether the account's name is ours, and the one it is to be given. Compared exactly: another case is another name.
/// The name that an account got because its own was taken is as good as its own.
fn other_name(desired: &DesiredState, entry: &Entry, standing: Standing, plan: &mut Plan) -> (bool, Option<String>) {
    let (Some(may_write), Some(wanted)) = (desired.rename, desired.cn.as_ref()) else { return (false, None) };
    let may_rename = standing.may_write(may_write);
    let found = entry.dn.leaf_value();
    if found.as_ref().is_some_and(|found| found == wanted || *found == fallback_cn(desired)) {
        return (may_rename, None);
    }
    if may_rename {
        return (true, Some(wanted.clone()));
    }
    let old = found.into_iter().collect();
    plan.drift.push(PropertyChange { name: target::CN.to_owned(), old, new: vec![wanted.clone()] });
    (false, None)
}

/// Semantics `comparison`, `may-write`, `null-empty`: every change in one modify.
fn modify(desired: &DesiredState, observed: &Observed, entry: &Entry, dn: &Dn, standing: Standing, plan: &mut Plan) {
    let mut changes = Vec::new();
    warn_of_values(desired, plan);
    for own in desired.attributes.iter().filter(|own| own.apply.is_kept_up() && kept::refusal(own).is_none()) {
        let Some(change) = compare::of(own, entry.values(&own.name)) else { continue };
        if may_change(own, standing) {
            changes.push(change);
        } else {
            plan.drift.push(drifted(own, entry));
        }
    }
    let found = manager_dn(observed);
    if found.is_some_and(|found| found.same_as(&entry.dn)) {
        plan.warnings.push(Warning {
            code: Code::SelfReference,
            attribute: Some(target::MANAGER.to_owned()),
            text: format!("{} is the account itself; no manager is set", entry.dn),
        });
    } else if let Some((manager, found)) = desired.manager.as_ref().zip(found) {
        let (old, new) = (entry.values(target::MANAGER), vec![found.as_str().to_owned()]);
        if let Some(change) = compare::change(target::MANAGER, old, &new) {
            if standing.may_write(manager.may_write) {
                changes.push(change);
            } else {
                plan.drift.push(PropertyChange { name: target::MANAGER.to_owned(), old: old.to_vec(), new });
            }
        }
    }
    warn_of_manager(desired, observed, plan);
    if !changes.is_empty() {
        let request = WriteRequest::Modify { guid: entry.guid, dn: dn.clone(), changes };
        plan.writes.push(Write { action: Action::Update, request, redacted: Vec::new() });
    }
}

/// A first link writes everything that has a value and clears nothing.
fn may_change(own: &DesiredAttribute, standing: Standing) -> bool {
    match standing {
        Standing::FirstLink => !own.values.is_empty(),
        Standing::Known => own.may_write == MayWrite::Yes,
    }
}

fn drifted(own: &DesiredAttribute, entry: &Entry) -> PropertyChange {
    PropertyChange { name: own.name.clone(), old: entry.values(&own.name).to_vec(), new: own.values.clone() }
}

fn manager_dn(observed: &Observed) -> Option<&Dn> {
    match &observed.manager {
        ObservedManager::Found(dn) => Some(dn),
        ObservedManager::NotAsked | ObservedManager::NotFound => None,
    }
}

/// What is left out, or not written as it was mapped.
fn warn_of_values(desired: &DesiredState, plan: &mut Plan) {
    for own in &desired.attributes {
        plan.warnings.extend(kept::refusal(own));
        if own.name.eq_ignore_ascii_case(PROXY_ADDRESSES) && addresses::primaries(&own.values) > 1 {
            plan.warnings.push(Warning {
                code: Code::SeveralValuesOfOneType,
                attribute: Some(own.name.clone()),
                text: format!("the mapping of {} yields several primary addresses (SMTP:); the first counts", own.name),
            });
        }
    }
}

fn warn_of_manager(desired: &DesiredState, observed: &Observed, plan: &mut Plan) {
    let Some(manager) = desired.manager.as_ref().filter(|_| manager_dn(observed).is_none()) else { return };
    plan.warnings.push(Warning {
        code: Code::UnableToResolveReferenceAttributeValue,
        attribute: Some(target::MANAGER.to_owned()),
        text: format!(
            "{} is named as manager and has no account yet; it is set once there is one",
            manager.external_id
        ),
    });
}

#[cfg(test)]
mod tests;
