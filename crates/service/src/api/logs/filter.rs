//! From OData to the store's filter: every property of wire contract 4.1, each by the kind of thing it is.

use rollcall_model::ids::TenantId;
use rollcall_model::plan::Action;
use rollcall_model::{Code, Timestamp};
use rollcall_store::log::CompareOperator;
use rollcall_store::{LogField, LogFilter, LogStatus, LogValue};
use rollcall_syntax::odata::{Comparison, Filter, Literal, Operand, Path, TextTest};
use uuid::Uuid;

use super::Principals;
use crate::api::condition::{self, holds};
use crate::api::error::ApiError;

/// What a filter may refer to beside the rows.
pub(super) struct Context<'a> {
    pub(super) tenant: TenantId,
    pub(super) principals: &'a Principals,
}

/// What a property is to the store.
enum Property {
    Text(LogField),
    Uuid(LogField),
    Time,
    Number,
    /// One of a few words, which the store holds as numbers: word and number.
    Words(LogField, Vec<(&'static str, i64)>),
    /// The same text in each of our rows.
    Constant(String),
    /// Follows from the row's job.
    Principal(fn(&rollcall_store::Application) -> String),
}

/// Names without case. `statusInfo` and `action` are the older names.
fn property(path: &Path, context: &Context<'_>) -> Result<Property, ApiError> {
    let name = path.segments.join("/").to_ascii_lowercase();
    Ok(match name.as_str() {
        "id" => Property::Uuid(LogField::Id),
        "activitydatetime" => Property::Time,
        "tenantid" => Property::Constant(context.tenant.to_string()),
        "jobid" | "provisioningjobid" => Property::Text(LogField::Job),
        "cycleid" => Property::Uuid(LogField::Cycle),
        "changeid" => Property::Uuid(LogField::Change),
        "provisioningaction" | "action" => Property::Words(LogField::Action, actions()),
        "durationinmilliseconds" => Property::Number,
        "provisioningstatusinfo/status" | "statusinfo/status" => Property::Words(LogField::Status, statuses()),
        "errorinformation/errorcode" | "provisioningstatusinfo/errorinformation/errorcode" | "statusinfo/errorcode" => {
            Property::Words(LogField::Code, codes())
        }
        "initiatedby/id" => Property::Constant(String::new()),
        "initiatedby/displayname" => Property::Constant(super::render::INITIATOR.to_owned()),
        "initiatedby/initiatortype" => Property::Constant("system".to_owned()),
        "serviceprincipal/id" => Property::Principal(|application| application.service_principal.to_string()),
        "serviceprincipal/displayname" | "serviceprincipal/name" => {
            Property::Principal(|application| application.display_name.clone())
        }
        "sourcesystem/id" => Property::Principal(|application| super::render::system_id(application, "source")),
        "targetsystem/id" => Property::Principal(|application| super::render::system_id(application, "target")),
        "sourcesystem/displayname" => Property::Constant(super::render::SOURCE.to_owned()),
        "targetsystem/displayname" => Property::Constant(super::render::TARGET.to_owned()),
        "sourceidentity/id" => Property::Text(LogField::ExternalId),
        "sourceidentity/displayname" => Property::Text(LogField::SourceName),
        "sourceidentity/identitytype" => Property::Constant(rollcall_model::source::ENTERPRISE_USER.to_owned()),
        "targetidentity/id" => Property::Uuid(LogField::TargetId),
        "targetidentity/displayname" => Property::Text(LogField::TargetName),
        "targetidentity/identitytype" => Property::Constant(super::render::TARGET_TYPE.to_owned()),
        _ => return Err(condition::unknown(path)),
    })
}

fn actions() -> Vec<(&'static str, i64)> {
    let mut words: Vec<_> = Action::ALL.iter().map(|one| (one.graph_name(), i64::from(one.number()))).collect();
    // Graph's words that no row of ours carries: they parse, and match nothing.
    words.extend([("delete", -1), ("stageddelete", -1)]);
    words
}

fn statuses() -> Vec<(&'static str, i64)> {
    LogStatus::ALL.iter().map(|one| (one.as_str(), i64::from(one.number()))).collect()
}

fn codes() -> Vec<(&'static str, i64)> {
    Code::ALL.iter().map(|one| (one.as_str(), i64::from(one.number()))).collect()
}

/// Translates a whole filter.
pub(super) fn to_store(filter: &Filter, context: &Context<'_>) -> Result<LogFilter, ApiError> {
    Ok(match filter {
        Filter::And(left, right) => {
            LogFilter::And(Box::new(to_store(left, context)?), Box::new(to_store(right, context)?))
        }
        Filter::Or(left, right) => {
            LogFilter::Or(Box::new(to_store(left, context)?), Box::new(to_store(right, context)?))
        }
        Filter::Not(inner) => LogFilter::Not(Box::new(to_store(inner, context)?)),
        Filter::Compare { operator, left, right } => compare(*operator, left, right, context)?,
        Filter::Test { function, text, part } => test(*function, text, part, context)?,
    })
}

/// A property, and whether it stands in `tolower`.
fn subject(operand: &Operand) -> Option<(&Path, bool)> {
    match operand {
        Operand::Property(path) => Some((path, false)),
        Operand::Lower(inner) => subject(inner).map(|(path, _)| (path, true)),
        Operand::Literal(_) => None,
    }
}

fn literal(operand: &Operand) -> Option<Literal> {
    match operand {
        Operand::Literal(literal) => Some(literal.clone()),
        Operand::Lower(inner) => match literal(inner)? {
            Literal::Text(text) => Some(Literal::Text(text.to_lowercase())),
            other => Some(other),
        },
        Operand::Property(_) => None,
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::bad_request(format!("Invalid $filter clause: {message}.")).at("$filter")
}

fn compare(
    operator: Comparison,
    left: &Operand,
    right: &Operand,
    context: &Context<'_>,
) -> Result<LogFilter, ApiError> {
    let (subject, value, operator) = match (subject(left), literal(right), subject(right), literal(left)) {
        (Some(subject), Some(value), _, _) => (subject, value, operator),
        (_, _, Some(subject), Some(value)) => (subject, value, mirrored(operator)),
        _ => return Err(invalid("a comparison needs a property on one side and a value on the other")),
    };
    let (path, folded) = subject;
    let text = || condition::literal_text(&value).ok_or_else(|| invalid("null is not compared with here"));
    let store = |field, value| LogFilter::Compare { field, operator: to_operator(operator), value };
    Ok(match property(path, context)? {
        Property::Time => match value {
            Literal::Moment { us, .. } => store(LogField::At, LogValue::Time(Timestamp(us))),
            // Some clients quote date-times.
            Literal::Text(text) => {
                let at = crate::moment::parse(&text).ok_or_else(|| invalid("activityDateTime takes a date-time"))?;
                store(LogField::At, LogValue::Time(at))
            }
            _ => return Err(invalid("activityDateTime takes a date-time such as 2026-01-15T09:30:00Z")),
        },
        Property::Number => match value {
            #[expect(clippy::cast_possible_truncation, reason = "a duration in whole milliseconds; rounding saturates")]
            Literal::Number(number) => store(LogField::DurationMs, LogValue::Numbers(vec![number as i64])),
            _ => return Err(invalid("durationInMilliseconds takes a number")),
        },
        Property::Text(field) if folded => {
            let equals = LogFilter::EqualsFolded { field, text: text()? };
            match operator {
                Comparison::Eq => equals,
                Comparison::Ne => LogFilter::Not(Box::new(equals)),
                _ => return Err(invalid("tolower takes eq and ne only: compare the property as it is")),
            }
        }
        Property::Text(field) => store(field, LogValue::Text(text()?)),
        Property::Uuid(field) => match (text()?.parse::<Uuid>(), operator) {
            (Ok(id), Comparison::Eq | Comparison::Ne) => store(field, LogValue::Uuid(id)),
            (Err(_), Comparison::Eq) => LogFilter::Constant(false),
            (Err(_), Comparison::Ne) => LogFilter::Constant(true),
            _ => return Err(invalid("an id takes eq and ne only")),
        },
        Property::Words(field, words) => {
            let text = text()?;
            // Case of these words is not stable across the cloud's versions: it does not count.
            one_of(field, &words, operator, |word| word.eq_ignore_ascii_case(&text))?
        }
        Property::Constant(own) => LogFilter::Constant(holds(operator, fold_if(folded, &own).cmp(&text()?))),
        Property::Principal(of) => {
            let text = text()?;
            by_principal(context, |application| holds(operator, fold_if(folded, &of(application)).cmp(&text)))
        }
    })
}

fn fold_if(folded: bool, text: &str) -> String {
    if folded { text.to_lowercase() } else { text.to_owned() }
}

fn mirrored(operator: Comparison) -> Comparison {
    match operator {
        Comparison::Gt => Comparison::Lt,
        Comparison::Ge => Comparison::Le,
        Comparison::Lt => Comparison::Gt,
        Comparison::Le => Comparison::Ge,
        same => same,
    }
}

fn to_operator(operator: Comparison) -> CompareOperator {
    match operator {
        Comparison::Eq => CompareOperator::Equal,
        Comparison::Ne => CompareOperator::NotEqual,
        Comparison::Gt => CompareOperator::Greater,
        Comparison::Ge => CompareOperator::GreaterOrEqual,
        Comparison::Lt => CompareOperator::Less,
        Comparison::Le => CompareOperator::LessOrEqual,
    }
}

/// Rows whose word passes `is`, or, for `ne`, does not.
fn one_of(
    field: LogField,
    words: &[(&'static str, i64)],
    operator: Comparison,
    is: impl Fn(&str) -> bool,
) -> Result<LogFilter, ApiError> {
    let numbers: Vec<i64> = words.iter().filter(|(word, _)| is(word)).map(|(_, number)| *number).collect();
    let any = if numbers.is_empty() {
        LogFilter::Constant(false)
    } else {
        LogFilter::Compare { field, operator: CompareOperator::Equal, value: LogValue::Numbers(numbers) }
    };
    match operator {
        Comparison::Eq => Ok(any),
        Comparison::Ne => Ok(LogFilter::Not(Box::new(any))),
        _ => Err(invalid("this property takes eq and ne only")),
    }
}

/// Rows of the jobs whose application passes.
fn by_principal(context: &Context<'_>, passes: impl Fn(&rollcall_store::Application) -> bool) -> LogFilter {
    let mut jobs: Vec<_> = context.principals.iter().filter(|(_, one)| passes(one)).map(|(job, _)| job).collect();
    jobs.sort();
    jobs.into_iter()
        .map(|job| LogFilter::Compare {
            field: LogField::Job,
            operator: CompareOperator::Equal,
            value: LogValue::Text(job.as_str().to_owned()),
        })
        .reduce(|left, right| LogFilter::Or(Box::new(left), Box::new(right)))
        .unwrap_or(LogFilter::Constant(false))
}

fn test(function: TextTest, whole: &Operand, part: &Operand, context: &Context<'_>) -> Result<LogFilter, ApiError> {
    let (Some((path, folded)), Some(part)) = (subject(whole), literal(part)) else {
        return Err(invalid("a text function takes a property and a text"));
    };
    let part = condition::literal_text(&part).ok_or_else(|| invalid("a text function takes a text"))?;
    let passes = |text: &str| {
        let text = fold_if(folded, text);
        match function {
            TextTest::Contains => text.contains(&part),
            TextTest::StartsWith => text.starts_with(&part),
            TextTest::EndsWith => text.ends_with(&part),
        }
    };
    Ok(match property(path, context)? {
        Property::Text(field) => match function {
            TextTest::Contains => LogFilter::Contains { field, text: part, folded },
            TextTest::StartsWith => LogFilter::StartsWith { field, text: part, folded },
            TextTest::EndsWith => LogFilter::EndsWith { field, text: part, folded },
        },
        Property::Words(field, words) => one_of(field, &words, Comparison::Eq, passes)?,
        Property::Constant(own) => LogFilter::Constant(passes(&own)),
        Property::Principal(of) => by_principal(context, |application| passes(&of(application))),
        Property::Uuid(_) | Property::Time | Property::Number => {
            return Err(invalid("text functions work on texts only: compare this property with eq"));
        }
    })
}
