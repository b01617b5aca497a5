//! Which value the directory will not take: the guilty one is found and left out, the rest is applied (semantics
//! `create`).

use rollcall_engine::reconcile;
use rollcall_model::Code;
use rollcall_model::desired::DesiredState;
use rollcall_model::outcome::RefusedValue;
use rollcall_model::plan::{Failure, Write, WriteRequest};

/// What to send next after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Try(Write),
    /// Every value of the write was refused: there is nothing to send.
    Nothing,
    /// Nothing that may be left out is at fault.
    GiveUp,
}

/// The search for the guilty values of one write.
#[derive(Debug)]
pub(crate) struct Hunt {
    /// The write without what is known to be refused.
    rest: Write,
    refused: Vec<RefusedValue>,
    /// Values of the write as it was planned, for the report.
    values: Vec<(String, Vec<String>)>,
    /// Names that may be left out.
    optional: Vec<String>,
    probe: Probe,
}

/// What was left out of the last attempt on suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Nothing,
    /// One attribute alone, by its place among the optional ones.
    One(usize),
    /// As many from the front of the optional ones; one after the other joins.
    First(usize),
}

/// Whether the refusal is about a value, so that leaving it out may help.
pub(crate) fn is_about_a_value(failure: &Failure) -> bool {
    match failure.code {
        Code::HybridSynchronizationActiveDirectoryInvalidParameter
        | Code::HybridSynchronizationActiveDirectoryCannotFindAttribute => true,
        Code::DirectoryRefused => failure.attribute.is_some(),
        _ => false,
    }
}

impl Hunt {
    pub(crate) fn new(write: Write, desired: &DesiredState) -> Self {
        let values: Vec<(String, Vec<String>)> = match &write.request {
            WriteRequest::Add { attributes, .. } => {
                attributes.iter().map(|attribute| (attribute.name.clone(), attribute.values.clone())).collect()
            }
            WriteRequest::Modify { changes, .. } => {
                changes.iter().map(|change| (change.name.clone(), change.new.clone())).collect()
            }
            WriteRequest::Move { .. } | WriteRequest::Delete { .. } => vec![],
        };
        let optional = match &write.request {
            WriteRequest::Add { attributes, .. } => attributes
                .iter()
                .filter(|attribute| !attribute.mandatory)
                .map(|attribute| attribute.name.clone())
                .collect(),
            // What is no attribute of the mapping (the account's state above all) is never left out.
            WriteRequest::Modify { changes, .. } => changes
                .iter()
                .filter(|change| is_optional(desired, &change.name))
                .map(|change| change.name.clone())
                .collect(),
            WriteRequest::Move { .. } | WriteRequest::Delete { .. } => vec![],
        };
        Self { rest: write, refused: vec![], values, optional, probe: Probe::Nothing }
    }

    /// The last attempt was refused.
    pub(crate) fn refused(&mut self, failure: &Failure) -> Next {
        if let Some(named) = &failure.attribute {
            let Some(name) = self.optional.iter().find(|name| name.eq_ignore_ascii_case(named)).cloned() else {
                // A mandatory one, or one that is not in the write: without a culprit that may go, only a probe helps.
                let held = self.values.iter().any(|(name, _)| name.eq_ignore_ascii_case(named));
                return if held { Next::GiveUp } else { self.probe_further(failure) };
            };
            self.probe = Probe::Nothing;
            return if self.leave_out(&name, failure) { Next::Try(self.rest.clone()) } else { Next::Nothing };
        }
        self.probe_further(failure)
    }

    /// The last attempt was made: what was left out of it on suspicion was guilty.
    pub(crate) fn made(&mut self, first: &Failure) -> Vec<RefusedValue> {
        match self.probe {
            Probe::Nothing => {}
            Probe::One(at) => {
                let name = self.optional[at].clone();
                self.leave_out(&name, first);
            }
            // Innocents among them cannot be told from the guilty. They are sent again when value, mapping or schema
            // changes, as every refused value is.
            Probe::First(count) => {
                for name in self.optional.iter().take(count).cloned().collect::<Vec<_>>() {
                    self.leave_out(&name, first);
                }
            }
        }
        self.take()
    }

    /// What is known to be refused.
    pub(crate) fn take(&mut self) -> Vec<RefusedValue> {
        std::mem::take(&mut self.refused)
    }

    fn probe_further(&mut self, failure: &Failure) -> Next {
        let candidates = self.optional.len();
        self.probe = match self.probe {
            _ if candidates == 0 => return Next::GiveUp,
            // With a single candidate, leaving out one and leaving out all is the same.
            Probe::Nothing if candidates == 1 => Probe::First(1),
            Probe::Nothing => Probe::One(0),
            Probe::One(at) if at + 1 < candidates => Probe::One(at + 1),
            // None is guilty alone: one after the other goes, and stays out, until the rest is taken.
            Probe::One(_) => Probe::First(2),
            Probe::First(count) if count < candidates => Probe::First(count + 1),
            Probe::First(_) => return Next::GiveUp,
        };
        let left_out = match self.probe {
            Probe::Nothing => &[],
            Probe::One(at) => &self.optional[at..=at],
            Probe::First(count) => &self.optional[..count],
        };
        let rest = left_out.iter().try_fold(self.rest.clone(), |write, name| reconcile::without(&write, name));
        if let Some(write) = rest {
            return Next::Try(write);
        }
        for name in self.optional.clone() {
            self.leave_out(&name, failure);
        }
        Next::Nothing
    }

    /// Records a refused value and takes it out of the write; `false` where nothing is left of it.
    fn leave_out(&mut self, name: &str, failure: &Failure) -> bool {
        self.optional.retain(|optional| optional != name);
        let values = self.values.iter().find(|(held, _)| held == name).map(|(_, values)| values.clone());
        let failure = Failure { attribute: Some(name.to_owned()), ..failure.clone() };
        self.refused.push(RefusedValue { attribute: name.to_owned(), values: values.unwrap_or_default(), failure });
        match reconcile::without(&self.rest, name) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

fn is_optional(desired: &DesiredState, name: &str) -> bool {
    name.eq_ignore_ascii_case(rollcall_model::config::target::MANAGER)
        || desired.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case(name) && !attribute.mandatory)
}
