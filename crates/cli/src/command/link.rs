//! `rollcall link`: what a person is linked to, and how to correct it.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Printer, members};

/// What to do about a link.
#[derive(Subcommand, Clone, Debug)]
pub enum Link {
    /// Show the person's link and what was last confirmed
    Show {
        /// As the source sends it; compared without case
        external_id: String,
    },
    /// Forget the link; the next operation matches, or creates, anew
    Break {
        /// As the source sends it; compared without case
        external_id: String,
    },
    /// Forget the link and look for the account by the matching attribute now
    Rematch {
        /// As the source sends it; compared without case
        external_id: String,
    },
}

impl Link {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        let job = client.settings.job()?;
        let url =
            |external_id: &str, action: &[&str]| client.ours(&[&["jobs", job, "links", external_id], action].concat());
        let (answer, external_id) = match self {
            Self::Show { external_id } => (client.get(url(external_id, &[])?).await?, external_id),
            Self::Break { external_id } => (client.act(url(external_id, &["break"])?).await?, external_id),
            Self::Rematch { external_id } => (client.act(url(external_id, &["rematch"])?).await?, external_id),
        };
        let answer: Value = answer;
        let answer = if answer.is_null() { json!({ "externalId": external_id }) } else { answer };
        printer.data(&answer, members)?;
        Ok(Exit::Done)
    }
}
