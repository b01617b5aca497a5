//! The journal: what was about to be written, what was written, and what is to be reported, in an append-only file.
//!
//! One line a record: CRC-32 of the JSON text in eight hex digits, a space, the JSON text. A crash can leave half a
//! line at the end; reading stops at the first line that does not check and cuts the file there. Whatever was synced
//! stands before it. No record holds a secret: passwords are made when an add is sent, and go nowhere else.
//!
//! An intent is on disk before its write is sent, a result and its outcome before the outcome is reported. So after a
//! crash each write is in exactly one of three conditions: never sent (no intent), answered (a result), or unknown (an
//! intent alone), and the last is settled by looking ([`crate::recover`]).

mod line;

use std::collections::BTreeSet;
use std::path::Path;

use rollcall_model::desired::MatchRule;
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid, PersonId, Version};
use rollcall_model::outcome::{AppliedChange, Outcome};
use rollcall_model::plan::Write;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::Error;
use crate::files::{self, Appender};

/// Length from which a journal without open records is emptied.
const EMPTY_FROM_BYTES: u64 = 64 * 1024;
/// Length from which a journal is rewritten with its open records alone.
const REWRITE_FROM_BYTES: u64 = 16 * 1024 * 1024;
/// What this build reads and writes.
const FORMAT: u32 = 1;
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
    /// The first line.
    Format { format: u32 },
    /// What follows was written in this run of the operating system.
    Boot { boot: String },
    /// Replaces an earlier intent of the same change, which was refused.
    Intent { intent: Box<Intent> },
    /// The directory's answer; a failed write is a result too.
    Result { change: Box<AppliedChange> },
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
}

impl State {
    fn take(&mut self, record: Record) {
        match record {
            Record::Format { .. } => {}
            Record::Boot { boot } => self.boot = Some(boot),
            Record::Intent { intent } => match self.find(intent.change) {
                Some(open) => open.intent = *intent,
                None => self.open.push(Open { intent: *intent, result: None, boot: self.boot.clone() }),
            },
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

/// The journal of one data folder.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Appender,
    state: State,
}

impl Journal {
    /// Opens or makes the journal of a data folder. A torn tail is cut off.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        // Without a name of its own a run of the operating system is like no other.
        let boot = files::read_text(Path::new(BOOT_ID)).ok();
        Self::open_in(folder, boot.as_deref().map(str::trim))
    }

    pub(crate) fn open_in(folder: &Path, boot: Option<&str>) -> Result<Self, Error> {
        let path = folder.join("journal.jsonl");
        let (mut file, held) = Appender::open(&path)?;
        let (records, whole) = line::read(&held);
        if let Some(Record::Format { format }) =
            records.first().filter(|first| !matches!(first, Record::Format { format } if *format == FORMAT))
        {
            return Err(Error::JournalFormat { path, format: *format });
        }
        let torn = held.len() - whole;
        if line::goes_on_after(&held, whole) {
            let kept = files::keep_aside(&path, &held)?;
            error!(path = %path.display(), kept = %kept.display(), "the journal is damaged; what stands before the damage is used");
        } else if torn > 0 {
            warn!(path = %path.display(), bytes = torn, "the journal's end was torn and is cut off");
        }
        file.cut(whole as u64)?;
        let mut journal = Self { file, state: State::default() };
        if records.is_empty() {
            journal.append([Record::Format { format: FORMAT }])?;
        }
        for record in records {
            journal.state.take(record);
        }
        let boot = boot.unwrap_or_default();
        if boot.is_empty() || journal.state.boot.as_deref() != Some(boot) {
            journal.append([Record::Boot { boot: boot.to_owned() }])?;
        }
        Ok(journal)
    }

    /// The intents without a result whose writes may have been sent, and those whose surely were not. Writes go out one
    /// after the other in the journal's order, so only the first of this run of the operating system was sent; of an
    /// earlier run the results may be lost that were not synced.
    pub(crate) fn unsettled(&self) -> (Vec<Intent>, Vec<Intent>) {
        let ours = |open: &&Open| open.boot.is_some() && open.boot == self.state.boot && !self.booted_nameless();
        let (current, earlier): (Vec<&Open>, Vec<&Open>) =
            self.state.open.iter().filter(|open| open.result.is_none()).partition(ours);
        let mut current = current.into_iter().map(|open| open.intent.clone());
        let sent = earlier.into_iter().map(|open| open.intent.clone()).chain(current.next()).collect();
        (sent, current.collect())
    }

    fn booted_nameless(&self) -> bool {
        self.state.boot.as_deref().is_none_or(str::is_empty)
    }

    /// An add of ours for this person may still be made, late.
    pub(crate) fn doubt(&mut self, person: PersonId) {
        self.state.doubted.insert(person);
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Appends records; they outlive a power cut after [`Self::sync`].
    pub(crate) fn append(&mut self, records: impl IntoIterator<Item = Record>) -> Result<(), Error> {
        let records: Vec<Record> = records.into_iter().collect();
        self.file.append(&line::write(&records)?)?;
        for record in records {
            self.state.take(record);
        }
        Ok(())
    }

    pub(crate) async fn sync(&self) -> Result<(), Error> {
        self.file.sync().await
    }

    /// Outcomes that may be forgotten. Not synced: what is reported twice is recorded once.
    pub(crate) fn acknowledge(&mut self, ids: Vec<ChangeId>) -> Result<(), Error> {
        self.append([Record::Acknowledged { ids }])?;
        let length = self.file.bytes();
        if (self.state.is_empty() && length > EMPTY_FROM_BYTES) || length > REWRITE_FROM_BYTES {
            self.file.rewrite(&line::write(&self.state.records())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
