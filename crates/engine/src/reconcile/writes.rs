//! What can be done with a write before it is sent, and how the log shows it.

use rollcall_model::Dn;
use rollcall_model::config::target;
use rollcall_model::desired::DesiredState;
use rollcall_model::plan::{AttributeChange, PropertyChange, Write, WriteRequest};

use super::{ACCOUNT_CONTROL, ACCOUNT_DISABLE};
use crate::evaluate::CN_UNITS_MAX;
use crate::expression::{REDACTED, part};

/// Shown where an account gets another name, or goes.
const DN: &str = "distinguishedName";

/// What the log shows: every attribute of an add, the changed ones of a modify, container and name of a move. The account's
/// state is shown as `accountDisabled`, True or False.
#[must_use]
pub fn properties(write: &Write) -> Vec<PropertyChange> {
    let mut all = in_clear(write);
    for change in &mut all {
        redact(change, &write.redacted);
    }
    all
}

/// Hides the values of an attribute that nobody is to read; that it has some, and how many, stays to be seen.
pub(super) fn redact(change: &mut PropertyChange, redacted: &[String]) {
    if redacted.iter().any(|name| name.eq_ignore_ascii_case(&change.name)) {
        for value in change.old.iter_mut().chain(&mut change.new) {
            REDACTED.clone_into(value);
        }
    }
}

fn in_clear(write: &Write) -> Vec<PropertyChange> {
    let set = |name: &str, new: Vec<String>| PropertyChange { name: name.to_owned(), old: Vec::new(), new };
    match &write.request {
        WriteRequest::Add { container, cn, attributes, enabled, .. } => {
            let mut all = vec![
                set(target::CN, vec![cn.clone()]),
                set(target::PARENT, vec![container.as_str().to_owned()]),
                set(target::ACCOUNT_DISABLED, vec![truth(!enabled)]),
            ];
            all.extend(attributes.iter().map(|own| set(&own.name, own.values.clone())));
            all
        }
        WriteRequest::Modify { changes, .. } => changes.iter().map(property).collect(),
        WriteRequest::Move { dn, container, cn, .. } => moved(write, dn, container, cn.as_deref()),
        WriteRequest::Delete { dn, .. } => {
            vec![PropertyChange { name: DN.to_owned(), old: vec![dn.as_str().to_owned()], new: Vec::new() }]
        }
    }
}

/// What changes of container and name, and with another name the whole DN, by which administrators know an object.
fn moved(write: &Write, dn: &Dn, container: &Dn, cn: Option<&str>) -> Vec<PropertyChange> {
    let mut all = Vec::new();
    let mut change = |name: &str, old: Option<String>, new: String| {
        all.push(PropertyChange { name: name.to_owned(), old: old.into_iter().collect(), new: vec![new] });
    };
    let parent = dn.parent();
    if parent.as_ref().is_none_or(|parent| !parent.same_as(container)) {
        change(target::PARENT, parent.map(|parent| parent.as_str().to_owned()), container.as_str().to_owned());
    }
    let held = dn.leaf_value();
    if let Some((cn, after)) = cn.filter(|cn| held.as_deref() != Some(*cn)).zip(moved_to(&write.request)) {
        change(target::CN, held, cn.to_owned());
        change(DN, Some(dn.as_str().to_owned()), after.as_str().to_owned());
    }
    all
}

/// The name of a moved account, once it is moved; `None` for any other request.
#[must_use]
pub fn moved_to(request: &WriteRequest) -> Option<Dn> {
    match request {
        WriteRequest::Move { container, cn: Some(cn), .. } => Some(container.child("CN", cn)),
        WriteRequest::Move { dn, container, cn: None, .. } => {
            Some(Dn::from_directory(&format!("{},{container}", dn.rdn())))
        }
        _ => None,
    }
}

fn property(change: &AttributeChange) -> PropertyChange {
    if !change.name.eq_ignore_ascii_case(ACCOUNT_CONTROL) {
        return PropertyChange { name: change.name.clone(), old: change.old.clone(), new: change.new.clone() };
    }
    let state = |values: &[String]| {
        let bits = values.first().and_then(|text| text.parse::<i64>().ok());
        bits.map(|bits| truth(bits & i64::from(ACCOUNT_DISABLE) != 0)).into_iter().collect()
    };
    PropertyChange { name: target::ACCOUNT_DISABLED.to_owned(), old: state(&change.old), new: state(&change.new) }
}

fn truth(flag: bool) -> String {
    if flag { "True" } else { "False" }.to_owned()
}

/// The write without an attribute that the directory refuses. `None` where it cannot do without it (a mandatory one,
/// or none of that name) or where nothing would be left.
#[must_use]
pub fn without(write: &Write, attribute: &str) -> Option<Write> {
    let mut rest = write.clone();
    let is_it = |name: &str| name.eq_ignore_ascii_case(attribute);
    match &mut rest.request {
        WriteRequest::Add { attributes, .. } => {
            let at = attributes.iter().position(|own| is_it(&own.name) && !own.mandatory)?;
            attributes.remove(at);
        }
        WriteRequest::Modify { changes, .. } => {
            let at = changes.iter().position(|change| is_it(&change.name))?;
            changes.remove(at);
            if changes.is_empty() {
                return None;
            }
        }
        WriteRequest::Move { .. } | WriteRequest::Delete { .. } => return None,
    }
    Some(rest)
}

/// An add or a rename under another name; any other write as it is.
#[must_use]
pub fn with_cn(write: &Write, name: &str) -> Write {
    let mut other = write.clone();
    match &mut other.request {
        WriteRequest::Add { cn, .. } | WriteRequest::Move { cn: Some(cn), .. } => name.clone_into(cn),
        _ => {}
    }
    other
}

/// The name for an account whose own is taken in its container: `name (externalId)`, within cn's length. It is the
/// name that gives way.
#[must_use]
pub fn fallback_cn(desired: &DesiredState) -> String {
    let id = part(desired.external_id.trim().into(), 0, CN_UNITS_MAX - 4);
    let suffix = format!(" ({id})");
    let left = CN_UNITS_MAX.saturating_sub(suffix.encode_utf16().count());
    let name = part(desired.cn.as_deref().unwrap_or("").into(), 0, left);
    format!("{}{suffix}", name.trim_end()).trim_start().to_owned()
}
