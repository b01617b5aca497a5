//! What an earlier run, or a lost connection, left open in the journal: looked up, and reported once.

use std::time::Duration;

use rollcall_directory::Error as DirectoryError;
use rollcall_engine::reconcile::{self, Happened};
use rollcall_model::ids::PersonId;
use rollcall_model::observed::Entry;
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome};
use rollcall_model::person::Link;
use rollcall_model::plan::{Write, WriteRequest};
use rollcall_model::{Clock, Random, limits};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::Error;
use crate::apply::{change_id, dn_of};
use crate::controller::Session;
use crate::journal::{Intent, Journal, Open, Record};
use crate::observe;

/// Settles every intent without a result of the persons that `is_wanted`, none of whom has a write under way: it
/// happened, or it is abandoned. `Ok(false)`: the directory gave no answer, or the agent is being stopped.
pub(crate) async fn settle(
    journal: &Journal,
    session: &Session,
    clock: &dyn Clock,
    stop: &CancellationToken,
    is_wanted: impl Fn(PersonId) -> bool,
) -> Result<bool, Error> {
    // What was never sent may have been made by somebody else since; it is not for us to report.
    let (unsettled, unsent) = journal.unsettled(is_wanted);
    if !unsent.is_empty() {
        journal.append([Record::Abandoned { changes: unsent.into_iter().map(|open| open.intent.change).collect() }])?;
    }
    // A write of a process that died, or of a connection that broke, may still be under way at the controller, and one
    // that went to another controller on its way to this one: what is not seen is believed only at a later look.
    let mut waited_ms = 0;
    for Open { intent, to, .. } in unsettled {
        let is_elsewhere = to.is_some_and(|to| !to.eq_ignore_ascii_case(&session.root.invocation_id));
        let patience_ms =
            if is_elsewhere { limits::REPLICATION_WAIT_MS_MAX.unsigned_abs() } else { limits::LATE_WRITE_MS };
        let is_delete = matches!(intent.write.request, WriteRequest::Delete { .. });
        let is_sure = |entry: Option<&Entry>| {
            // An account that is not here yet looks like one that is gone.
            !(is_elsewhere && is_delete) && reconcile::happened(&intent.write, entry) == Happened::Yes
        };
        // Neither silence nor a refused search settles anything; the next try may.
        let Ok(mut entry) = look(session, &intent).await else { return Ok(false) };
        while waited_ms < patience_ms && !is_sure(entry.as_ref()) {
            tokio::select! {
                () = stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(Duration::from_millis(limits::LATE_WRITE_MS)) => {}
            }
            waited_ms += limits::LATE_WRITE_MS;
            let Ok(again) = look(session, &intent).await else { return Ok(false) };
            entry = again;
        }
        let record = if reconcile::happened(&intent.write, entry.as_ref()) == Happened::Yes {
            info!(person = %intent.person, change = %intent.change, "a write whose answer was lost was made");
            let change = AppliedChange {
                id: intent.change,
                action: intent.write.action,
                at: clock.now(),
                duration_ms: 0,
                guid: entry.as_ref().map(|entry| entry.guid).or(intent.guid),
                dn: entry.map_or_else(|| dn_of(&intent.write), |entry| entry.dn).as_str().to_owned(),
                properties: reconcile::properties(&intent.write),
                failure: None,
                confirmed_after_crash: true,
            };
            Record::Result { change: Box::new(change) }
        } else {
            if matches!(intent.write.request, WriteRequest::Add { .. }) {
                journal.doubt(intent.person);
            }
            Record::Abandoned { changes: vec![intent.change] }
        };
        journal.append([record])?;
    }
    Ok(true)
}

/// The account that a write was about; `None`: there is none.
async fn look(session: &Session, intent: &Intent) -> Result<Option<Entry>, DirectoryError> {
    observe::one(
        &*session.directory,
        &session.root.default_naming_context,
        intent.guid,
        &intent.matching,
        touched(&intent.write),
    )
    .await
}

/// Attributes that tell whether a write was made.
fn touched(write: &Write) -> std::collections::BTreeSet<String> {
    match &write.request {
        WriteRequest::Modify { changes, .. } => changes.iter().map(|change| change.name.to_lowercase()).collect(),
        WriteRequest::Add { .. } | WriteRequest::Move { .. } | WriteRequest::Delete { .. } => {
            std::collections::BTreeSet::new()
        }
    }
}

/// Reports on the persons that `is_wanted` whose work ended half way and whose writes are all settled. The outcomes are
/// in the journal, not yet synced.
pub(crate) fn interrupt(
    journal: &Journal,
    clock: &dyn Clock,
    random: &dyn Random,
    is_wanted: impl Fn(PersonId) -> bool,
) -> Result<Vec<Outcome>, Error> {
    let mut persons: Vec<(PersonId, Vec<Open>)> = vec![];
    for open in journal.state().open.iter().filter(|open| is_wanted(open.intent.person)) {
        match persons.iter_mut().find(|(person, _)| *person == open.intent.person) {
            Some((_, own)) => own.push(open.clone()),
            None => persons.push((open.intent.person, vec![open.clone()])),
        }
    }
    let mut outcomes = vec![];
    for (person, own) in persons {
        let settled = own.iter().all(|open| open.result.is_some());
        let (Some(last), true) = (own.last(), settled) else { continue };
        let now = clock.now();
        let changes: Vec<AppliedChange> = own.iter().filter_map(|open| open.result.clone()).collect();
        outcomes.push(Outcome {
            id: change_id(random, now),
            person,
            version: last.intent.version,
            epoch: last.intent.epoch,
            ended: now,
            result: Conclusion::Interrupted,
            link: created(&own),
            dn: changes.iter().rev().find(|change| change.failure.is_none()).map(|change| change.dn.clone()),
            changes,
            confirmed: None,
            refused: vec![],
            warnings: vec![],
            drift: vec![],
            waits_for_manager: None,
        });
    }
    journal.append(outcomes.iter().map(|outcome| Record::Outcome { outcome: Box::new(outcome.clone()) }))?;
    Ok(outcomes)
}

/// An account that our own add made is this person's; nothing is confirmed of it yet.
fn created(own: &[Open]) -> Option<Link> {
    let add = own.iter().find(|open| matches!(open.intent.write.request, WriteRequest::Add { .. }))?;
    let result = add.result.as_ref().filter(|result| result.failure.is_none())?;
    result.guid.map(|guid| Link { guid, confirmed: false, invocation_id: None, usn_changed: None })
}
