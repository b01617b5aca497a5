//! A file of expressions with what they are evaluated on.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Given, Outcome, TIME_HINT, Test, evaluate, seed, time};
use crate::error::{Error, Exit};
use crate::printer::Printer;
use crate::{Context, files};

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    expression: String,
    #[serde(default)]
    attributes: Map<String, Value>,
    now: Option<String>,
    default_domain: Option<String>,
    #[serde(default)]
    taken: Vec<String>,
}

/// Evaluates each and prints one object a line. The file as a whole is refused where it is none.
pub(super) fn run(path: &Path, test: &Test, context: &Context, printer: &Printer) -> Result<Exit, Error> {
    let unusable = |message: String| Error::Content { path: path.to_owned(), message };
    let all: Vec<Case> = serde_json::from_slice(&files::read(path)?).map_err(|error| unusable(error.to_string()))?;
    let mut exit = Exit::Done;
    let now = test.now(context)?;
    for case in all {
        let now = match case.now.as_deref() {
            None => now,
            Some(moment) => time(moment)
                .ok_or_else(|| unusable(format!("{}: now: '{moment}' is no time; {TIME_HINT}", case.name)))?,
        };
        let outcome = evaluate(&Given {
            expression: &case.expression,
            attributes: case.attributes,
            now,
            default_domain: case.default_domain.as_deref().unwrap_or(&test.default_domain),
            taken: &case.taken,
            seed: seed(context),
        });
        if matches!(outcome, Outcome::Error { .. }) {
            exit = outcome.exit();
        }
        let mut line = outcome.json();
        line["name"] = json!(case.name);
        printer.data(&line, Value::to_string)?;
    }
    Ok(exit)
}
