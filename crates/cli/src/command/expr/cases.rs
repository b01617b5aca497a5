//! A file of expressions with what they are evaluated on.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Code, Given, Outcome, Span, TIME_HINT, Test, evaluate, seed, time};
use crate::error::{Error, Exit};
use crate::printer::Printer;
use crate::{Context, files};

/// One of them. What else it holds, such as what is expected of it, is its author's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    expression: String,
    attributes: Option<Map<String, Value>>,
    now: Option<String>,
    default_domain: Option<String>,
    taken: Option<Vec<String>>,
}

/// Evaluates each and prints one object a line. The file as a whole is refused where it is none.
pub(super) fn run(path: &Path, test: &Test, context: &Context, printer: &Printer) -> Result<Exit, Error> {
    let unusable = |message: String| Error::Content { path: path.to_owned(), message };
    let all: Vec<Case> = serde_json::from_slice(&files::read(path)?).map_err(|error| unusable(error.to_string()))?;
    let mut exit = Exit::Done;
    let now = test.now(context)?;
    for case in all {
        let outcome = match case.now.as_deref().map_or(Ok(now), |moment| time(moment).ok_or(moment)) {
            Ok(now) => evaluate(&Given {
                expression: &case.expression,
                attributes: case.attributes.unwrap_or_default(),
                now,
                default_domain: case.default_domain.as_deref().unwrap_or(&test.default_domain),
                taken: &case.taken.unwrap_or_default(),
                seed: seed(context),
            }),
            Err(moment) => Outcome::Error {
                code: Code::ExpressionFailed,
                message: format!("now: '{moment}' is no time"),
                span: Span::default(),
                hint: Some(TIME_HINT.to_owned()),
            },
        };
        if matches!(outcome, Outcome::Error { .. }) {
            exit = outcome.exit();
        }
        let mut line = outcome.json();
        line["name"] = json!(case.name);
        printer.data(&line, Value::to_string)?;
    }
    Ok(exit)
}
