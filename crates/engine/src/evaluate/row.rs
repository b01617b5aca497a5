//! One mapping, ready to be evaluated.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use rollcall_model::config::{Apply, FlowWhen};
use rollcall_model::ids::PersonId;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, Timestamp, fold_taken};
use rollcall_syntax::attribute::AttributePath;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::Prepared;
use crate::expression::{Compiled, Context, Value};
use crate::scim::{self, Found};

/// A prepared mapping.
#[derive(Debug)]
pub(super) struct Row {
    pub target: String,
    pub target_folded: String,
    pub source: Source,
    pub reads: Vec<Read>,
    pub apply: Apply,
    pub default_value: Option<String>,
    /// Target half of the clearing switch.
    pub flow_null_values: bool,
    pub flow_when: FlowWhen,
    pub mandatory: bool,
    pub role: Role,
}

/// What a mapping's value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Attribute,
    Manager,
    AccountDisabled,
    Parent,
    Cn,
    ObjectFilter,
}

#[derive(Debug)]
pub(super) enum Source {
    Direct {
        path: AttributePath,
        is_external_id: bool,
    },
    Constant(String),
    /// Only the default value counts.
    None,
    Expression(Compiled),
}

/// A source attribute that a mapping reads.
#[derive(Debug)]
pub(super) struct Read {
    pub path: AttributePath,
    /// Its folded names in `pending.touched`.
    pub keys: Vec<String>,
    /// Source half of the clearing switch.
    pub clearable: bool,
}

/// What a mapping yields for a record.
#[derive(Debug, PartialEq)]
pub(super) enum Yield {
    Values(Vec<String>),
    /// Leave the attribute alone.
    Nothing,
    /// Both switches are on and the source says null.
    Clear,
    /// The whole object is to be left alone.
    HoldBack,
}

/// Candidates that one mapping makes for one person; the service thins them out and sends fewer.
const CANDIDATES_MADE_MAX: usize = 2_000;

/// What mappings see of a person, and what was noticed while they were evaluated.
pub(super) struct Seen<'a> {
    pub record: Cow<'a, Map<String, Json>>,
    pub now: Timestamp,
    pub secret: &'a [u8; 32],
    pub person: PersonId,
    pub read_clock: Cell<bool>,
    /// Of the mapping evaluated last: whether logs may not show its value.
    pub redacted: Cell<bool>,
}

impl Row {
    pub(super) fn is_manager(&self) -> bool {
        self.role == Role::Manager
    }

    /// Whether it fills what is empty, and does nothing else.
    pub(super) fn is_default_alone(&self) -> bool {
        matches!(self.source, Source::None) && self.role == Role::Attribute && self.apply != Apply::OnCreate
    }

    pub(super) fn is_direct_external_id(&self) -> bool {
        matches!(self.source, Source::Direct { is_external_id: true, .. })
    }

    /// Whether a source attribute of this row was sent.
    pub(super) fn is_touched(&self, touched: &BTreeSet<String>) -> bool {
        self.reads.iter().flat_map(|read| &read.keys).any(|key| touched.contains(key))
    }

    /// Whether it reads the source attribute of that folded name.
    pub(super) fn reads(&self, key: &str) -> bool {
        self.reads.iter().flat_map(|read| &read.keys).any(|own| own == key)
    }

    /// What an expression sees. One person and one mapping have one seed.
    fn context<'a>(&self, compiled: &Compiled, prepared: &'a Prepared, seen: &'a Seen<'_>) -> Context<'a> {
        Context {
            record: &seen.record,
            now: seen.now,
            default_domain: &prepared.default_domain,
            seed: if compiled.is_random() { self.seed_of(seen) } else { [0; 32] },
            taken: &|_| false,
        }
    }

    fn seed_of(&self, seen: &Seen<'_>) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(seen.secret);
        hash.update(seen.person.0.as_bytes());
        hash.update(self.target_folded.as_bytes());
        hash.finalize().into()
    }

    fn failed(&self, text: &str) -> Failure {
        let reason = format!("the expression of {} failed: {text}; correct the record or the expression", self.target);
        Failure::new(Code::ExpressionFailed, Some(&self.target), reason)
    }

    /// The values to choose among, of a mapping whose value nobody else may have; `None` for any other.
    pub(super) fn candidates(&self, prepared: &Prepared, seen: &Seen<'_>) -> Result<Option<Vec<String>>, Failure> {
        let Source::Expression(compiled) = &self.source else { return Ok(None) };
        if !compiled.is_unique() {
            return Ok(None);
        }
        let context = self.context(compiled, prepared, seen);
        let Some(mut candidates) = compiled.candidates(&context) else { return Ok(None) };
        let (mut values, mut known): (Vec<String>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
        for candidate in candidates.by_ref().take(CANDIDATES_MADE_MAX) {
            let value = match candidate {
                Ok(value) => value.into_owned(),
                // The rules before it have their values; it is asked only if all of those are taken.
                Err(_) if !values.is_empty() => break,
                Err(fault) => return Err(self.failed(&fault.text)),
            };
            if known.insert(fold_taken(&value)) {
                values.push(value);
            }
        }
        seen.read_clock.set(seen.read_clock.get() || candidates.has_read_clock());
        seen.redacted.set(candidates.is_redacted());
        if values.is_empty() {
            values.extend(self.default_value.clone());
        }
        if values.is_empty() {
            return Err(self.failed("no rule yields a value"));
        }
        Ok(Some(values))
    }

    /// The value of a mapping that takes an attribute as it is.
    pub(super) fn direct(&self, prepared: &Prepared, record: &Map<String, Json>) -> Yield {
        match &self.source {
            Source::Direct { path, .. } => self.yielded(prepared, Value::of(&scim::find(record, path)), record),
            _ => Yield::Nothing,
        }
    }

    pub(super) fn evaluate(&self, prepared: &Prepared, seen: &Seen<'_>) -> Result<Yield, Failure> {
        seen.redacted.set(false);
        let value = match &self.source {
            Source::Direct { path, .. } => Value::of(&scim::find(&seen.record, path)),
            Source::Constant(text) => Value::borrowed(text),
            Source::None => return Ok(Yield::Nothing),
            Source::Expression(compiled) => {
                let context = self.context(compiled, prepared, seen);
                let evaluated = compiled.evaluate(&context).map_err(|fault| self.failed(&fault.text))?;
                seen.read_clock.set(seen.read_clock.get() || evaluated.read_clock);
                seen.redacted.set(evaluated.is_redacted);
                match evaluated.value {
                    Value::IgnoreObjectFlow if self.role == Role::ObjectFilter => return Ok(Yield::HoldBack),
                    Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow => return Ok(Yield::Nothing),
                    value => value,
                }
            }
        };
        Ok(self.yielded(prepared, value, &seen.record))
    }

    /// Semantics `null-empty`.
    fn yielded(&self, prepared: &Prepared, value: Value<'_>, record: &Map<String, Json>) -> Yield {
        let mut values = value.into_values();
        if !prepared.empty_is_value {
            values.retain(|value| !value.is_empty());
        }
        if values.iter().any(|value| !value.is_empty()) || (values.len() == 1 && !self.clears(record)) {
            return Yield::Values(values);
        }
        if self.clears(record) { Yield::Clear } else { Yield::Nothing }
    }

    /// Whether null is meant: the switch is on here and on every source that was sent as null or empty, and one was.
    fn clears(&self, record: &Map<String, Json>) -> bool {
        if !self.flow_null_values || self.mandatory {
            return false;
        }
        let mut emptied = self.reads.iter().filter(|read| match scim::find(record, &read.path) {
            Found::Null => true,
            Found::One(Json::String(text)) => text.is_empty(),
            _ => false,
        });
        let mut any = false;
        emptied.all(|read| {
            any = true;
            read.clearable
        }) && any
    }
}
