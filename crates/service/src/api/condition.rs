//! OData conditions evaluated here, over the few rows of lists that are never long.

use std::cmp::Ordering;

use rollcall_model::limits;
use rollcall_syntax::odata::{Comparison, Filter, Literal, Operand, Path, TextTest, parse_filter};
use rollcall_syntax::{Limits, SyntaxError};

use crate::api::error::ApiError;

/// Bounds of every `$filter`.
pub(crate) const LIMITS: Limits = Limits { chars_max: limits::FILTER_CHARS_MAX, depth_max: limits::FILTER_DEPTH_MAX };

/// Reads a `$filter`.
pub(crate) fn parse(text: &str) -> Result<Filter, ApiError> {
    parse_filter(text, LIMITS).map_err(|error| syntax("$filter", &error))
}

/// A parameter that cannot be read, with the place in it.
pub(crate) fn syntax(parameter: &str, error: &SyntaxError) -> ApiError {
    ApiError::bad_request(format!("Invalid {parameter} clause: {error}")).at(parameter)
}

/// Whether a row passes. `property` gives a property's text, `None` for one that rows do not have.
pub(crate) fn passes<'r>(filter: &Filter, property: &dyn Fn(&Path) -> Option<&'r str>) -> Result<bool, ApiError> {
    Ok(match filter {
        Filter::And(left, right) => passes(left, property)? && passes(right, property)?,
        Filter::Or(left, right) => passes(left, property)? || passes(right, property)?,
        Filter::Not(inner) => !passes(inner, property)?,
        Filter::Compare { operator, left, right } => {
            let (left, right) = (text(left, property)?, text(right, property)?);
            match (left, right) {
                (Some(left), Some(right)) => holds(*operator, left.cmp(&right)),
                (left, right) => match operator {
                    Comparison::Eq => left == right,
                    Comparison::Ne => left != right,
                    _ => false,
                },
            }
        }
        Filter::Test { function, text: whole, part } => {
            let (Some(whole), Some(part)) = (text(whole, property)?, text(part, property)?) else { return Ok(false) };
            match function {
                TextTest::Contains => whole.contains(&part),
                TextTest::StartsWith => whole.starts_with(&part),
                TextTest::EndsWith => whole.ends_with(&part),
            }
        }
    })
}

/// Whether an ordering satisfies an operator.
pub(crate) fn holds(operator: Comparison, ordering: Ordering) -> bool {
    match operator {
        Comparison::Eq => ordering.is_eq(),
        Comparison::Ne => ordering.is_ne(),
        Comparison::Gt => ordering.is_gt(),
        Comparison::Ge => ordering.is_ge(),
        Comparison::Lt => ordering.is_lt(),
        Comparison::Le => ordering.is_le(),
    }
}

fn text<'r>(operand: &Operand, property: &dyn Fn(&Path) -> Option<&'r str>) -> Result<Option<String>, ApiError> {
    Ok(match operand {
        Operand::Property(path) => Some(property(path).ok_or_else(|| unknown(path))?.to_owned()),
        Operand::Lower(inner) => text(inner, property)?.map(|text| text.to_lowercase()),
        Operand::Literal(literal) => literal_text(literal),
    })
}

/// A literal as text; `None` for null.
pub(crate) fn literal_text(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Text(text) | Literal::Guid(text) | Literal::Moment { text, .. } => Some(text.clone()),
        Literal::Number(number) => Some(number.to_string()),
        Literal::Bool(value) => Some(value.to_string()),
        Literal::Null => None,
    }
}

/// A property that nothing here has.
pub(crate) fn unknown(path: &Path) -> ApiError {
    let (name, at) = (path.segments.join("/"), path.at.start);
    ApiError::bad_request(format!(
        "Invalid $filter clause: '{name}' (at character {at}) is no property that can be filtered."
    ))
    .at("$filter")
}
