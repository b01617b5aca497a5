//! The journal: what was about to be written, what was written, and what is to be reported, in an append-only file.
//!
//! One line a record: CRC-32 of the JSON text in eight hex digits, a space, the JSON text. A crash can leave half a
//! line at the end; reading stops at the first line that does not check and cuts the file there. Whatever was synced
//! stands before it. No record holds a secret: passwords are made when an add is sent, and go nowhere else.
//!
//! An intent is on disk before its write is sent, a result and its outcome before the outcome is reported. That a write
//! is about to be sent is noted too, without a sync: the note outlives the process, not the system. So after a crash
//! each write is in exactly one of three conditions: never sent, answered (a result), or unknown, and the last is
//! settled by looking ([`crate::recover`]).
//!
//! Several pieces of work share a journal; each record is appended in one go.

mod line;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rollcall_model::desired::MatchRule;
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid, PersonId, Version};
use rollcall_model::outcome::{AppliedChange, Outcome};
use rollcall_model::plan::Write;
use rollcall_model::{Clock as _, Random as _};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::Error;
use crate::files::{self, Appender};
use crate::system::{SystemClock, SystemRandom};

/// Length from which a journal without open records is emptied.
const EMPTY_FROM_BYTES: u64 = 64 * 1024;
/// Length from which a journal is rewritten with its open records alone.
const REWRITE_FROM_BYTES: u64 = 16 * 1024 * 1024;
/// What this build reads and writes.
const FORMAT: u32 = 2;
/// What builds before 0.2 wrote, without notes of what was sent: any of its writes may have been.
const FORMAT_WITHOUT_NOTES: u32 = 1;
/// Names a run of the operating system (proc(5)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A write that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intent {
    pub(crate) change: ChangeId,
    pub(crate) person: PersonId,
    pub(crate) version: Version,
    pub(crate) epoch: Epoch,
    /// The object, where there is one; an add is found by `matching`.
    pub(crate) guid: Option<ObjectGuid>,
    pub(crate) matching: Vec<MatchRule>,
    pub(crate) write: Write,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Record {
    /// The first line; another further down says what follows it.
    Format { format: u32 },
    /// What follows was written in this run of the operating system.
    Boot { boot: String },
    /// Replaces an earlier intent of the same change, which was refused.
    Intent { intent: Box<Intent> },
    /// This write goes out now, to the controller with this `invocationId` (earlier builds did not say).
    Sent {
        change: ChangeId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// The directory's answer; a failed write is a result too.
    Result { change: Box<AppliedChange> },
    /// The object that an add made, read back.
    Found { change: ChangeId, guid: ObjectGuid },
    /// These were not made and will not be.
    Abandoned { changes: Vec<ChangeId> },
    /// Settles everything of its person.
    Outcome { outcome: Box<Outcome> },
    /// The service has these outcomes on disk.
    Acknowledged { ids: Vec<ChangeId> },
}

/// An intent whose person's outcome is not written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) intent: Intent,
    pub(crate) result: Option<AppliedChange>,
    /// It was handed to the connection, at least once.
    pub(crate) sent: bool,
    /// `invocationId` of the controller that it was sent to, as far as that is noted.
    pub(crate) to: Option<String>,
    /// Run of the operating system in which the intent was written.
    pub(crate) boot: Option<String>,
}

/// What the records say when read in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) open: Vec<Open>,
    /// Not acknowledged, in the order they were written.
    pub(crate) outcomes: Vec<Outcome>,
    /// Persons with an add of ours that got no answer and was not found: it may still be made, late.
    pub(crate) doubted: BTreeSet<PersonId>,
    boot: Option<String>,
    /// What is read was written by a build that made no notes of what it sent.
    has_no_notes: bool,
}

impl State {
    fn take(&mut self, record: Record) {
        match record {
            Record::Format { format } => self.has_no_notes = format == FORMAT_WITHOUT_NOTES,
            Record::Boot { boot } => self.boot = Some(boot),
            Record::Intent { intent } => {
                let sent = self.has_no_notes;
                if let Some(open) = self.find(intent.change) {
                    (open.intent, open.sent, open.to) = (*intent, sent, None);
                } else {
                    let boot = self.boot.clone();
                    self.open.push(Open { intent: *intent, result: None, sent, to: None, boot });
                }
            }
            Record::Sent { change, to } => {
                if let Some(open) = self.find(change) {
                    (open.sent, open.to) = (true, to);
                }
            }
            Record::Found { change, guid } => {
                if let Some(result) = self.find(change).and_then(|open| open.result.as_mut()) {
                    result.guid = Some(guid);
                }
            }
            Record::Result { change } => {
                if let Some(open) = self.find(change.id) {
                    open.result = Some(*change);
                }
            }
            Record::Abandoned { changes } => self.open.retain(|open| !changes.contains(&open.intent.change)),
            Record::Outcome { outcome } => {
                self.doubted.remove(&outcome.person);
                self.open.retain(|open| open.intent.person != outcome.person);
                self.outcomes.push(*outcome);
            }
            Record::Acknowledged { ids } => self.outcomes.retain(|outcome| !ids.contains(&outcome.id)),
        }
    }

    fn find(&mut self, change: ChangeId) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.intent.change == change)
    }

    /// Whether it is unknown what became of a write of this person.
    pub(crate) fn is_unsettled(&self, person: PersonId) -> bool {
        self.open.iter().any(|open| open.intent.person == person && open.result.is_none())
    }

    /// The shortest records that say the same.
    fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Format { format: FORMAT }];
        for outcome in &self.outcomes {
            records.push(Record::Outcome { outcome: Box::new(outcome.clone()) });
        }
        let mut boot = None;
        for open in &self.open {
            if boot != open.boot.as_ref() {
                boot = open.boot.as_ref();
                records.extend(open.boot.clone().map(|boot| Record::Boot { boot }));
            }
            records.push(Record::Intent { intent: Box::new(open.intent.clone()) });
            records.extend(open.sent.then(|| Record::Sent { change: open.intent.change, to: open.to.clone() }));
            records.extend(open.result.clone().map(|change| Record::Result { change: Box::new(change) }));
        }
        if boot != self.boot.as_ref() {
            records.extend(self.boot.clone().map(|boot| Record::Boot { boot }));
        }
        records
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.outcomes.is_empty()
    }
}

/// The journal of one data folder. Shared by reference.
#[derive(Debug)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Appender,
    state: State,
}

/// A look at what the journal says. Nothing is appended while it is held.
pub(crate) struct StateView<'a>(MutexGuard<'a, Inner>);

impl std::ops::Deref for StateView<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.state
    }
}

impl Inner {
    fn append(&mut self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        self.file.append(&line::write(&records)?)?;
        for record in records {
            self.state.take(record);
        }
        Ok(())
    }
}

impl Journal {
    /// Opens or makes the journal of a data folder. A torn tail is cut off.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let boot = files::read_text(Path::new(BOOT_ID));
        if let Err(error) = &boot {
            warn!(%error, "runs of the system cannot be told apart; after a crash all writes under way are looked up");
        }
        Self::open_in(folder, boot.ok().as_deref().map(str::trim))
    }

    /// `boot`: the run of the operating system. Where it has no name this process is a run of its own: its notes are
    /// to be believed while it lives, and no longer.
    pub(crate) fn open_in(folder: &Path, boot: Option<&str>) -> Result<Self, Error> {
        let boot = boot.filter(|boot| !boot.is_empty()).map_or_else(process_name, str::to_owned);
        let path = folder.join("journal.jsonl");
        let (mut file, held) = Appender::open(&path)?;
        let (records, whole) = line::read(&held);
        let format = match records.first() {
            Some(Record::Format { format }) => *format,
            _ => FORMAT,
        };
        if format != FORMAT && format != FORMAT_WITHOUT_NOTES {
            return Err(Error::JournalFormat { path, format });
        }
        let is_new = records.is_empty();
        let torn = held.len() - whole;
        if line::goes_on_after(&held, whole) {
            let kept = files::keep_aside(&path, &held)?;
            error!(path = %path.display(), kept = %kept.display(), "the journal is damaged; what stands before the damage is used");
        } else if torn > 0 {
            warn!(path = %path.display(), bytes = torn, "the journal's end was torn and is cut off");
        }
        file.cut(whole as u64)?;
        let mut inner = Inner { file, state: State::default() };
        for record in records {
            inner.state.take(record);
        }
        if is_new || inner.state.has_no_notes {
            inner.append(vec![Record::Format { format: FORMAT }])?;
        }
        if inner.state.boot.as_ref() != Some(&boot) {
            inner.append(vec![Record::Boot { boot }])?;
        }
        Ok(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of the persons that `is_wanted`, the intents without a result whose writes may have been sent, and those whose
    /// surely were not. Of an earlier run of the operating system the notes and results may be lost that were not synced.
    pub(crate) fn unsettled(&self, is_wanted: impl Fn(PersonId) -> bool) -> (Vec<Open>, Vec<Open>) {
        let inner = self.lock();
        let earlier = |open: &Open| open.boot.is_none() || open.boot != inner.state.boot;
        let unsettled = inner.state.open.iter().filter(|open| open.result.is_none() && is_wanted(open.intent.person));
        unsettled.cloned().partition(|open| open.sent || earlier(open))
    }

    /// An add of ours for this person may still be made, late.
    pub(crate) fn doubt(&self, person: PersonId) {
        self.lock().state.doubted.insert(person);
    }

    /// Never held over an await: others append meanwhile.
    pub(crate) fn state(&self) -> StateView<'_> {
        StateView(self.lock())
    }

    /// What is open of one person, in the order it was written.
    pub(crate) fn open_of(&self, person: PersonId) -> Vec<Open> {
        self.lock().state.open.iter().filter(|open| open.intent.person == person).cloned().collect()
    }

    /// Appends records; they outlive a power cut after [`Self::sync`].
    pub(crate) fn append(&self, records: impl IntoIterator<Item = Record>) -> Result<(), Error> {
        let records = records.into_iter().collect();
        self.lock().append(records)
    }

    /// Notes that a write is about to be sent to a controller, by its `invocationId`, unless it says so already.
    pub(crate) fn note_sent(&self, change: ChangeId, to: &str) -> Result<(), Error> {
        let mut inner = self.lock();
        match inner.state.find(change) {
            Some(open) if !open.sent => inner.append(vec![Record::Sent { change, to: Some(to.to_owned()) }]),
            _ => Ok(()),
        }
    }

    /// Waits until all that is appended now is on disk; nobody else waits for it.
    pub(crate) async fn sync(&self) -> Result<(), Error> {
        let synced = self.lock().file.sync();
        synced.await
    }

    /// Outcomes that may be forgotten. Not synced: what is reported twice is recorded once. `true`: the journal has
    /// become long, and [`Self::shorten`] is due.
    pub(crate) fn acknowledge(&self, ids: Vec<ChangeId>) -> Result<bool, Error> {
        let mut inner = self.lock();
        inner.append(vec![Record::Acknowledged { ids }])?;
        let length = inner.file.bytes();
        let long = if inner.state.is_empty() { EMPTY_FROM_BYTES } else { inner.file.kept_bytes() + REWRITE_FROM_BYTES };
        Ok(length > long && !inner.file.is_being_rewritten())
    }

    /// Puts the open records in the place of all that was written. Appends and syncs go on meanwhile.
    pub(crate) async fn shorten(&self) -> Result<(), Error> {
        let begun = {
            let mut inner = self.lock();
            // It may have been found long twice before the first of the two began.
            if inner.file.is_being_rewritten() {
                return Ok(());
            }
            let bytes = line::write(&inner.state.records())?;
            inner.file.begin_rewrite(&bytes)?
        };
        let replaced = begun.await?;
        self.lock().file.end_rewrite(replaced);
        Ok(())
    }
}

/// A name that no other process has.
fn process_name() -> String {
    format!("process {}", SystemRandom.uuid_v7(SystemClock.now()))
}

#[cfg(test)]
mod tests;
