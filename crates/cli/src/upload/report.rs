//! What became of the operations of a file.

use std::collections::BTreeMap;

use rollcall_model::operation::OperationState;
use serde::Serialize;
use tokio::time::Duration;

use crate::error::{Error, Exit, Refusal};
use crate::printer::{Printer, Tone, cell, finished, plain_table, visible};
use crate::upload::read::Operation;
use crate::upload::wait::Status;

/// Failed operations that the table shows; `--json` has all.
const FAILED_ROWS_MAX: usize = 100;

/// An accepted request.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// `rollcall-upload-id`.
    pub(crate) id: String,
    /// Position in the file and externalId of each of its operations.
    operations: Vec<(usize, Option<String>)>,
    /// As last seen.
    pub(crate) status: Option<Status>,
}

impl Sent {
    pub(crate) fn new(id: String, batch: &[usize], operations: &[Operation]) -> Self {
        let operations = batch.iter().map(|at| (*at, operations[*at].external_id.clone())).collect();
        Self { id, operations, status: None }
    }
}

/// An operation that failed, as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failed {
    external_id: Option<String>,
    code: Option<String>,
    reason: Option<String>,
    /// `None` where the request itself was refused.
    upload: Option<String>,
    /// Its place in the request, from 0.
    index: usize,
    /// Its place in the file, from 1.
    position: usize,
}

/// Everything known so far.
#[derive(Debug)]
pub(crate) struct Report {
    total: usize,
    pub(crate) uploads: Vec<Sent>,
    /// Operations by state, of the uploads that were looked at.
    states: BTreeMap<String, usize>,
    refused: Vec<Failed>,
    refusal: Option<Refusal>,
    /// Never sent, or with an unknown fate, because an error ended the sending.
    pub(crate) unsent: usize,
    pub(crate) seconds: Duration,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    operations: usize,
    counts: BTreeMap<String, usize>,
    failed: Vec<Failed>,
    uploads: Vec<&'a str>,
    seconds: f64,
}

impl Report {
    pub(crate) fn new(total: usize) -> Self {
        let states = BTreeMap::new();
        Self {
            total,
            uploads: Vec::new(),
            states,
            refused: Vec::new(),
            refusal: None,
            unsent: 0,
            seconds: Duration::ZERO,
        }
    }

    pub(crate) fn accepted(&mut self, sent: Sent) {
        self.uploads.push(sent);
    }

    /// What an upload was seen to be. Counts move by the difference, so that a look costs what it shows.
    pub(crate) fn seen(&mut self, at: usize, status: Status) {
        let Some(sent) = self.uploads.get_mut(at) else { return };
        for operation in sent.status.iter().flat_map(|status| &status.operations) {
            if let Some(count) = self.states.get_mut(&operation.state) {
                *count = count.saturating_sub(1);
            }
        }
        for operation in &status.operations {
            *self.states.entry(operation.state.clone()).or_insert(0) += 1;
        }
        sent.status = Some(status);
    }

    /// A request that the service would not take.
    pub(crate) fn refused(&mut self, batch: &[usize], operations: &[Operation], refusal: &Refusal) {
        self.refused.extend(batch.iter().enumerate().map(|(index, at)| Failed {
            external_id: operations[*at].external_id.clone(),
            code: Some(refusal.code.clone()),
            reason: Some(refusal.message.clone()),
            upload: None,
            index,
            position: at + 1,
        }));
        self.refusal.get_or_insert_with(|| refusal.clone());
    }

    /// The refusal, where nothing was accepted.
    pub(crate) fn refusal_of_all(&self) -> Option<Refusal> {
        self.refusal.clone().filter(|_| self.uploads.is_empty())
    }

    /// Operations whose request was answered.
    pub(crate) fn answered(&self) -> usize {
        self.refused.len() + self.uploads.iter().map(|sent| sent.operations.len()).sum::<usize>()
    }

    /// Operations that are final.
    pub(crate) fn ended(&self) -> usize {
        let is_final = |state: &str| OperationState::ALL.iter().any(|s| s.as_str() == state && s.is_final());
        self.refused.len() + self.states.iter().filter(|(state, _)| is_final(state)).map(|(_, n)| n).sum::<usize>()
    }

    /// Operations by state. `failed` holds the refused ones too; `accepted` those that were not looked at, `unsent`
    /// those whose request was not answered.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = self.states.clone();
        let unseen = self.uploads.iter().filter(|sent| sent.status.is_none()).map(|sent| sent.operations.len()).sum();
        let ours = [("failed", self.refused.len()), ("unsent", self.unsent), ("accepted", unseen)];
        for (state, count) in ours {
            *counts.entry(state.to_owned()).or_insert(0) += count;
        }
        counts.retain(|_, count| *count > 0);
        counts
    }

    /// All that failed, in the order of the file.
    fn failed(&self) -> Vec<Failed> {
        let mut failed = self.refused.clone();
        for sent in &self.uploads {
            let operations = sent.status.iter().flat_map(|status| &status.operations);
            for operation in operations.filter(|operation| operation.state == OperationState::Failed.as_str()) {
                let ours = sent.operations.get(operation.index);
                failed.push(Failed {
                    external_id: operation.external_id.clone().or_else(|| ours.and_then(|(_, id)| id.clone())),
                    code: operation.code.clone(),
                    reason: operation.reason.clone(),
                    upload: Some(sent.id.clone()),
                    index: operation.index,
                    position: ours.map_or(0, |(at, _)| at + 1),
                });
            }
        }
        failed.sort_by_key(|one| one.position);
        failed
    }

    /// What the waiting may be for, where somebody has to do something about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let has = |state: OperationState| self.states.get(state.as_str()).is_some_and(|count| *count > 0);
        if has(OperationState::WaitingForJob) {
            Some("waiting for the job to run: `rollcall job start`")
        } else if has(OperationState::WaitingForAgent) {
            Some("waiting for an agent of the job's domain: `rollcall agent list`")
        } else {
            None
        }
    }

    /// The exit code, once nothing more is waited for.
    pub(crate) fn exit(&self) -> Exit {
        if self.failed().is_empty() { Exit::Done } else { Exit::SomeFailed }
    }

    /// Counts and failures: a table, or with `--json` the summary.
    pub(crate) fn print(&self, printer: &Printer) -> Result<(), Error> {
        let summary = Summary {
            operations: self.total,
            counts: self.counts(),
            failed: self.failed(),
            uploads: self.uploads.iter().map(|sent| sent.id.as_str()).collect(),
            seconds: (self.seconds.as_secs_f64() * 1_000.0).round() / 1_000.0,
        };
        printer.data(&summary, |summary| text_of(summary, printer))
    }
}

fn text_of(summary: &Summary<'_>, printer: &Printer) -> String {
    let rows = summary.counts.iter().map(|(state, count)| vec![visible(state), count.to_string()]);
    let total = vec!["all".to_owned(), summary.operations.to_string()];
    let mut text = plain_table(printer, &["state", "operations"], rows.chain([total]));
    if summary.failed.is_empty() {
        return text;
    }
    let mut table = printer.table(&["externalId", "code", "reason"]);
    for failed in summary.failed.iter().take(FAILED_ROWS_MAX) {
        table.add_row([
            cell(failed.external_id.as_deref().unwrap_or("-"), Tone::Plain),
            cell(failed.code.as_deref().unwrap_or("-"), Tone::Bad),
            cell(failed.reason.as_deref().unwrap_or("-"), Tone::Plain),
        ]);
    }
    text.push_str("\n\n");
    text.push_str(&finished(&table));
    if let Some(more) = summary.failed.len().checked_sub(FAILED_ROWS_MAX).filter(|more| *more > 0) {
        return format!("{text}\nand {more} more: see them all with --json");
    }
    text
}
