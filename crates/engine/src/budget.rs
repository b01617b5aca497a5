//! What counts against a job's budget (semantics `budget`): disables, deletes, moves of linked accounts and clears.
//!
//! The service does not know the directory. What it asks for beforehand is the most that a desired state could cause;
//! what it did cause is read from the outcome, and the rest is given back.

use rollcall_model::desired::{DesiredAccount, DesiredState, Extent, MayWrite};
use rollcall_model::outcome::{AppliedChange, Outcome};
use rollcall_model::plan::Action;

/// The most budgeted writes that this desired state could cause. A cleared attribute counts as one, though several go
/// in one request: it is the loss that is rationed.
#[must_use]
pub fn cost(desired: &DesiredState) -> u32 {
    if desired.delete {
        return 1;
    }
    // However we left it: somebody may have enabled it since, and then it is disabled anew.
    let disable = desired.account == DesiredAccount::Disabled;
    // An account that is linked for the first time is not moved away from where we put it, and nothing of it is
    // cleared.
    let linked = desired.link.as_ref().filter(|_| desired.extent == Extent::Everything);
    let moved = desired.link.as_ref().filter(|_| desired.extent != Extent::AccountOnly);
    let is_move =
        moved.is_some_and(|link| desired.container.mapped.is_some() && (desired.container.may_move || !link.confirmed));
    let clears = match linked {
        Some(link) if link.confirmed => {
            desired.attributes.iter().filter(|own| own.values.is_empty() && own.may_write == MayWrite::Yes).count()
        }
        _ => 0,
    };
    u32::from(disable) + u32::from(is_move) + count(clears)
}

/// The budgeted writes that reached the directory. A rename in place is none.
#[must_use]
pub fn used(outcome: &Outcome) -> u32 {
    outcome.changes.iter().filter(|change| change.failure.is_none()).map(of_change).sum()
}

fn of_change(change: &AppliedChange) -> u32 {
    match change.action {
        Action::Disable | Action::Delete | Action::Move => 1,
        Action::Update => {
            count(change.properties.iter().filter(|own| !own.old.is_empty() && own.new.is_empty()).count())
        }
        Action::Create | Action::Enable | Action::Rename | Action::Other => 0,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
