//! `rollcall job sweep`, `rollcall job reevaluate` and `rollcall schema impact`: all persons, looked at without an upload.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Printer, members, plain, visible};

/// What to do about the walk over all of the job's persons.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum Sweep {
    /// Show how far it is
    Status,
    /// Begin one, with the job's present mappings
    Start,
    /// Stop where it is
    Pause,
    /// Go on from there
    Continue,
    /// Give it up
    Cancel,
}

impl Sweep {
    pub(crate) async fn run(self, client: &Client, printer: &Printer) -> Result<(), Error> {
        let url = client.ours(&["jobs", client.settings.job()?, "sweep"])?;
        let action = match self {
            Self::Status => None,
            Self::Start => Some("start"),
            Self::Pause => Some("pause"),
            Self::Continue => Some("continue"),
            Self::Cancel => Some("cancel"),
        };
        let answer: Value = match action {
            None => client.get(url).await?,
            Some(action) => client.post(url, &json!({ "action": action })).await?,
        };
        printer.data(&answer, members)
    }
}

/// Whom to evaluate as if everything had been sent again.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Reevaluate {
    /// One person, by externalId
    #[arg(long, value_name = "ID")]
    person: Option<String>,
    /// All persons of the job
    #[arg(long)]
    all: bool,
}

impl Reevaluate {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<(), Error> {
        let job = client.settings.job()?;
        let body = self.person.as_ref().map_or_else(|| json!({ "all": true }), |id| json!({ "externalId": id }));
        client.post(client.ours(&["jobs", job, "reevaluate"])?, &body).await?;
        let whom = self.person.as_deref().map_or_else(|| "all persons".to_owned(), visible);
        let answer = json!({ "job": job, "externalId": self.person, "all": self.all });
        printer.data(&answer, |_| format!("{whom} will be evaluated anew"))
    }
}

/// What a schema would touch.
pub(crate) async fn impact(client: &Client, printer: &Printer, file: Option<&PathBuf>) -> Result<Exit, Error> {
    let body = match file {
        Some(file) => json!({ "schema": read(file)? }),
        None => json!({}),
    };
    let answer = client.post(client.ours(&["jobs", client.settings.job()?, "schema", "impact"])?, &body).await?;
    printer.data(&answer, impact_text)?;
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Value, Error> {
    serde_json::from_slice(&crate::files::read(file)?)
        .map_err(|error| Error::Usage(format!("{} is no JSON: {error}", file.display())))
}

/// How many persons, then attributes, what happens to accounts, and errors.
pub(crate) fn impact_text(answer: &Value) -> String {
    let mut lines = vec![format!(
        "{} of {} persons would be touched, {} cannot be evaluated",
        plain(&answer["touched"]),
        plain(&answer["persons"]),
        plain(&answer["failed"]),
    )];
    if answer["complete"] == json!(false) {
        lines.push("there was no time for all persons: these are the first".to_owned());
    }
    for group in ["actions", "attributes"] {
        let counts = answer[group].as_object().into_iter().flatten();
        lines.extend(counts.map(|(name, count)| format!("  {}: {}", visible(name), plain(count))));
    }
    for error in answer["errors"].as_array().into_iter().flatten() {
        let some: Vec<String> = error["examples"].as_array().into_iter().flatten().map(plain).collect();
        lines.push(format!(
            "  {} ({} persons, {}): {}",
            plain(&error["code"]),
            plain(&error["persons"]),
            some.join(", "),
            plain(&error["reason"]),
        ));
    }
    lines.join("\n")
}
