//! One mapping, ready to be evaluated.

use std::collections::BTreeSet;

use rollcall_model::{Code, Timestamp};
use rollcall_model::config::Apply;
use rollcall_model::plan::Failure;
use rollcall_syntax::attribute::AttributePath;
use serde_json::{Map, Value as Json};

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
}

#[derive(Debug)]
pub(super) enum Source {
    Direct { path: AttributePath, is_external_id: bool },
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
}

impl Row {
    pub(super) fn is_manager(&self) -> bool {
        self.role == Role::Manager
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

    /// Semantics `null-empty`.
    pub(super) fn evaluate(&self, prepared: &Prepared, record: &Map<String, Json>) -> Result<Yield, Failure> {
        let value = match &self.source {
            Source::Direct { path, .. } => Value::of(&scim::find(record, path)),
            Source::Constant(text) => Value::borrowed(text),
            Source::None => return Ok(Yield::Nothing),
            Source::Expression(compiled) => match compiled.evaluate(&Context {
                record,
                now: Timestamp::default(),
                default_domain: &prepared.default_domain,
                seed: [0; 32],
                taken: &|_| false,
            }) {
                Ok(evaluated) => match evaluated.value {
                    Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow => return Ok(Yield::Nothing),
                    value => value,
                },
                Err(fault) => {
                    let reason = format!(
                        "the expression of {} failed: {}; correct the record or the expression",
                        self.target, fault.text
                    );
                    return Err(Failure::new(Code::ExpressionFailed, Some(&self.target), reason));
                }
            },
        };
        let mut values = value.into_values();
        if !prepared.empty_is_value {
            values.retain(|value| !value.is_empty());
        }
        if values.iter().any(|value| !value.is_empty()) || (values.len() == 1 && !self.clears(record)) {
            return Ok(Yield::Values(values));
        }
        Ok(if self.clears(record) { Yield::Clear } else { Yield::Nothing })
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
