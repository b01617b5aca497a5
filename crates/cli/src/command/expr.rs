//! `rollcall expr`: what a mapping expression yields, without a service but where a stored person is asked for.

mod cases;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rollcall_engine::expression::{Context as EngineContext, REDACTED, Value as Yielded, compile, record_of};
use rollcall_model::{Code, Timestamp};
use rollcall_syntax::{Span, moment, render_caret};
use serde_json::{Map, Value, json};

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Format, Printer, visible};
use crate::{Context, files};

/// What to do with an expression.
#[derive(Subcommand, Clone, Debug)]
pub enum Expr {
    /// Evaluate an expression and show its value
    Test(Test),
}

/// `rollcall expr test`.
#[derive(Args, Clone, Debug)]
pub struct Test {
    /// The expression, for instance 'Join(" ", [name.givenName], [name.familyName])'
    #[arg(required_unless_present = "cases")]
    expression: Option<String>,
    /// Take the attributes of a person that the service has
    #[arg(long, value_name = "EXTERNAL_ID")]
    person: Option<String>,
    /// Set an attribute; a name given several times becomes a list
    #[arg(long = "set", value_name = "NAME=VALUE")]
    sets: Vec<String>,
    /// Take the attributes from a JSON file: a SCIM record, or names with values
    #[arg(long, value_name = "FILE")]
    attributes: Option<PathBuf>,
    /// What Now() yields, for instance 2026-03-10T12:00:00Z; the present moment otherwise
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// What DefaultDomain() yields
    #[arg(long, value_name = "DOMAIN", default_value = DEFAULT_DOMAIN)]
    default_domain: String,
    /// A value that another object has, for functions that look for a unique one
    #[arg(long, value_name = "VALUE")]
    taken: Vec<String>,
    /// Evaluate the expressions of a JSON file, an array of {name, expression, attributes, now, defaultDomain, taken},
    /// and print one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["expression", "person", "sets", "attributes", "taken"])]
    cases: Option<PathBuf>,
}

const DEFAULT_DOMAIN: &str = "example.com";

/// What one evaluation is given.
struct Given<'a> {
    expression: &'a str,
    attributes: Map<String, Value>,
    now: Timestamp,
    default_domain: &'a str,
    taken: &'a [String],
    seed: [u8; 32],
}

/// What came of one.
enum Outcome {
    Value {
        value: Value,
        is_redacted: bool,
    },
    /// The attribute, or with it the whole object, is left out.
    Ignored {
        whole_object: bool,
    },
    Error {
        code: Code,
        message: String,
        span: Span,
        hint: Option<String>,
    },
}

impl Expr {
    /// Whether it needs no service, and so no settings.
    pub(crate) fn is_local(&self) -> bool {
        let Self::Test(test) = self;
        test.person.is_none()
    }

    /// Evaluates; `client` is there where a person is asked for.
    pub(crate) async fn run(
        &self,
        client: Option<&Client>,
        context: &Context,
        printer: &Printer,
    ) -> Result<Exit, Error> {
        let Self::Test(test) = self;
        if let Some(path) = &test.cases {
            return cases::run(path, test, context, printer);
        }
        let mut attributes = match (&test.person, client) {
            (Some(external_id), Some(client)) => person(client, external_id).await?,
            _ => Map::new(),
        };
        if let Some(path) = &test.attributes {
            attributes.append(&mut object(path)?);
        }
        attributes.append(&mut sets(&test.sets)?);
        let expression = test.expression.as_deref().unwrap_or("");
        let given = Given {
            expression,
            attributes,
            now: test.now(context)?,
            default_domain: &test.default_domain,
            taken: &test.taken,
            seed: seed(context),
        };
        let outcome = evaluate(&given);
        if printer.format() == Format::Text && matches!(outcome, Outcome::Value { is_redacted: true, .. }) {
            printer.note(&format!("logs show {REDACTED}"));
        }
        printer.data(&outcome.json(), |_| outcome.text(expression))?;
        Ok(outcome.exit())
    }
}

impl Test {
    fn now(&self, context: &Context) -> Result<Timestamp, Error> {
        match &self.now {
            None => Ok(context.clock.now()),
            Some(text) => time(text).ok_or_else(|| Error::Usage(format!("--now: '{text}' is no time; {TIME_HINT}"))),
        }
    }
}

const TIME_HINT: &str = "write it as in 2026-03-10T12:00:00Z";

fn time(text: &str) -> Option<Timestamp> {
    moment::parse_us(text).map(Timestamp)
}

fn seed(context: &Context) -> [u8; 32] {
    let mut seed = [0; 32];
    context.random.fill(&mut seed);
    seed
}

/// The merged record of a stored person.
async fn person(client: &Client, external_id: &str) -> Result<Map<String, Value>, Error> {
    let url = client.ours(&["jobs", client.settings.job()?, "persons", external_id])?;
    let answer: Value = client.get(url.clone()).await?;
    match answer {
        Value::Object(mut members) => match members.remove("record") {
            Some(Value::Object(record)) => Ok(record),
            _ => Err(Error::Unexpected { url: url.to_string(), cause: "it has no record".to_owned() }),
        },
        _ => Err(Error::Unexpected { url: url.to_string(), cause: "it is no object".to_owned() }),
    }
}

/// A file's JSON object.
fn object(path: &Path) -> Result<Map<String, Value>, Error> {
    let content = |message: String| Error::Content { path: path.to_owned(), message };
    match serde_json::from_slice(&files::read(path)?) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(content("it is no JSON object".to_owned())),
        Err(error) => Err(content(error.to_string())),
    }
}

/// `NAME=VALUE`; a name may hold a filter, whose quoted value may hold the sign.
fn sets(sets: &[String]) -> Result<Map<String, Value>, Error> {
    let mut values: Map<String, Value> = Map::new();
    for set in sets {
        let mut quoted = false;
        let sign = set.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '=' && !quoted
        });
        let Some((name, value)) = sign.map(|(at, _)| (set[..at].trim(), &set[at + 1..])).filter(|it| !it.0.is_empty())
        else {
            return Err(Error::Usage(format!("--set: '{set}' is no NAME=VALUE")));
        };
        match values.get_mut(name) {
            None => drop(values.insert(name.to_owned(), json!(value))),
            Some(Value::Array(list)) => list.push(json!(value)),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    Ok(values)
}

fn evaluate(given: &Given<'_>) -> Outcome {
    let compiled = match compile(given.expression) {
        Ok(compiled) => compiled,
        Err(unusable) => {
            let (message, span, hint) = (unusable.message, unusable.at, unusable.hint);
            return Outcome::Error { code: Code::SchemaInvalid, message, span, hint };
        }
    };
    let record = record_of(&given.attributes);
    let others: Vec<String> = given.taken.iter().map(|value| rollcall_model::fold_taken(value)).collect();
    let context = EngineContext {
        record: &record,
        now: given.now,
        default_domain: given.default_domain,
        seed: given.seed,
        taken: &|value| others.contains(&rollcall_model::fold_taken(value)),
    };
    match compiled.evaluate(&context) {
        Err(fault) => Outcome::Error { code: Code::ExpressionFailed, message: fault.text, span: fault.at, hint: None },
        Ok(evaluated) => match evaluated.value {
            Yielded::IgnoreAttributeFlow => Outcome::Ignored { whole_object: false },
            Yielded::IgnoreObjectFlow => Outcome::Ignored { whole_object: true },
            value => Outcome::Value { value: json_of(&value), is_redacted: evaluated.is_redacted },
        },
    }
}

/// A value as JSON; dates are texts.
fn json_of(value: &Yielded<'_>) -> Value {
    match value {
        Yielded::Flag(flag) => json!(flag),
        Yielded::Number(number) => json!(number),
        Yielded::Decimal(decimal) => json!(decimal),
        Yielded::List(values) => json!(values),
        other => json!(other.text()),
    }
}

impl Outcome {
    fn exit(&self) -> Exit {
        if matches!(self, Self::Error { .. }) { Exit::SomeFailed } else { Exit::Done }
    }

    fn json(&self) -> Value {
        match self {
            Self::Value { value, is_redacted: false } => json!({ "value": value }),
            Self::Value { value, is_redacted: true } => json!({ "value": value, "logged": REDACTED }),
            Self::Ignored { whole_object: false } => json!({ "flow": "ignored" }),
            Self::Ignored { whole_object: true } => json!({ "flow": "ignored", "of": "object" }),
            Self::Error { code, message, span, hint } => {
                let span = json!({ "start": span.start, "end": span.end });
                let mut error = json!({ "code": code.as_str(), "message": message, "span": span });
                if let Some(hint) = hint {
                    error["hint"] = json!(hint);
                }
                json!({ "error": error })
            }
        }
    }

    /// The value as it is, a list one value a line; an error with a caret under what is wrong.
    fn text(&self, expression: &str) -> String {
        let plain = |value: &Value| match value {
            Value::String(text) => visible(text),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            other => other.to_string(),
        };
        match self {
            Self::Value { value: Value::Array(values), .. } => values.iter().map(plain).collect::<Vec<_>>().join("\n"),
            // An empty text is a value: an empty line.
            Self::Value { value: Value::String(text), .. } if text.is_empty() => "\n".to_owned(),
            Self::Value { value, .. } => plain(value),
            Self::Ignored { whole_object: false } => "(the attribute is left as it is)".to_owned(),
            Self::Ignored { whole_object: true } => "(the whole object is left as it is)".to_owned(),
            Self::Error { message, span, hint, .. } => {
                visible(&render_caret(expression, *span, message, hint.as_deref()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
