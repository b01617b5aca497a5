//! `rollcall person`: what a job knows of somebody.

use clap::Subcommand;
use serde_json::Value;

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::Printer;

/// What to do about a person.
#[derive(Subcommand, Clone, Debug)]
pub enum Person {
    /// Show record, link, what was confirmed, what is due and why
    Show {
        /// As the source sends it; compared without case
        external_id: String,
    },
}

impl Person {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        let Self::Show { external_id } = self;
        let answer: Value = client.get(client.ours(&["jobs", client.settings.job()?, "persons", external_id])?).await?;
        // It is nested: the JSON is what can be read.
        printer.data(&answer, |answer| serde_json::to_string_pretty(answer).unwrap_or_default())?;
        Ok(Exit::Done)
    }
}
