//! The provisioning log.

use async_trait::async_trait;
use rollcall_model::ids::{ChangeId, JobId, LogId, ObjectGuid, PersonId, TenantId, Version};
use rollcall_model::plan::{Action, Failure, PropertyChange, Warning};
use rollcall_model::{Code, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Cause, Error};

/// How a row of the log ended (wire contract 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogStatus {
    Success,
    Warning,
    Failure,
    Skipped,
}

impl LogStatus {
    pub const ALL: &'static [Self] = &[Self::Success, Self::Warning, Self::Failure, Self::Skipped];

    /// What the store holds.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Success => 1,
            Self::Warning => 2,
            Self::Failure => 3,
            Self::Skipped => 4,
        }
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.number() == number)
    }

    /// Graph's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
        }
    }
}

/// One row: facts only; steps and texts are made when it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    pub id: LogId,
    pub tenant: TenantId,
    pub job: JobId,
    /// Unique: see [`crate::RecordBatch::log`].
    pub change: ChangeId,
    pub cycle: uuid::Uuid,
    pub at: Timestamp,
    pub duration_ms: i64,
    pub action: Action,
    pub status: LogStatus,
    pub code: Option<Code>,
    pub person: Option<PersonId>,
    pub version: Option<Version>,
    /// As sent; empty where there was none.
    pub external_id: String,
    pub source_name: Option<String>,
    pub guid: Option<ObjectGuid>,
    /// The account's name or DN.
    pub target_name: Option<String>,
    pub details: LogDetails,
}

/// What a row holds beside its columns, stored as JSON with short names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogDetails {
    #[serde(rename = "p", skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(rename = "w", skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Differences that were seen and left.
    #[serde(rename = "d", skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<PropertyChange>,
    /// Found by observing after a crash.
    #[serde(rename = "c", skip_serializing_if = "std::ops::Not::not")]
    pub confirmed_after_crash: bool,
    /// Why the person was looked at, where no operation asked for it.
    #[serde(rename = "y", skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What a page of the log asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct LogQuery {
    pub tenant: TenantId,
    pub filter: Option<LogFilter>,
    pub order: LogOrder,
    pub limit: i64,
    /// The last row of the page before: the next one starts behind it. A row stored meanwhile moves no page.
    pub after: Option<(Timestamp, LogId)>,
}

/// By time, then by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrder {
    #[default]
    NewestFirst,
    OldestFirst,
}

/// A filter over rows. Built by the service from OData; rendered to SQL with every value bound.
#[derive(Clone, Debug, PartialEq)]
pub enum LogFilter {
    And(Box<LogFilter>, Box<LogFilter>),
    Or(Box<LogFilter>, Box<LogFilter>),
    Not(Box<LogFilter>),
    Compare {
        field: LogField,
        operator: CompareOperator,
        value: LogValue,
    },
    /// `contains(field, text)`; `folded`: both in lower case.
    Contains {
        field: LogField,
        text: String,
        folded: bool,
    },
    StartsWith {
        field: LogField,
        text: String,
        folded: bool,
    },
    EndsWith {
        field: LogField,
        text: String,
        folded: bool,
    },
    /// `tolower(field) eq text`; without folding it is [`LogFilter::Compare`].
    EqualsFolded {
        field: LogField,
        text: String,
    },
    /// True or false for every row: a property that is constant in our rows.
    Constant(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOperator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// The columns a filter may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogField {
    Id,
    At,
    Job,
    Cycle,
    Change,
    Action,
    Status,
    Code,
    DurationMs,
    ExternalId,
    SourceName,
    TargetId,
    TargetName,
}

/// A value to compare with, of the field's own type: [`LogField::At`] takes `Time`, `DurationMs`, `Action`, `Status`
/// and `Code` take `Numbers` (any of them), `Id`, `Cycle`, `Change` and `TargetId` take `Uuid`, the others `Text`.
#[derive(Clone, Debug, PartialEq)]
pub enum LogValue {
    Text(String),
    Time(Timestamp),
    /// Graph's word `update` stands for several of our actions.
    Numbers(Vec<i64>),
    Uuid(uuid::Uuid),
}

/// Persistence of the log.
#[async_trait]
pub trait Logs: Send + Sync {
    async fn log(&self, query: &LogQuery) -> Result<Vec<LogRow>, Error>;
}
