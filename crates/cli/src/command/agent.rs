//! `rollcall agent`: enrolment tokens and the agents there are.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Printer, Tone, cell, finished, visible};

/// What to do about agents.
#[derive(Subcommand, Clone, Debug)]
pub enum Agent {
    /// Make a one-time token for `rollcall-agent enroll`
    Token {
        /// DNS name of the agent's domain
        #[arg(long)]
        domain: String,
    },
    /// List the agents and what they do
    List,
}

impl Agent {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        match self {
            Self::Token { domain } => token(client, printer, domain).await?,
            Self::List => list(client, printer).await?,
        }
        Ok(Exit::Done)
    }
}

async fn token(client: &Client, printer: &Printer, domain: &str) -> Result<(), Error> {
    let url = client.ours(&["agents", "tokens"])?;
    let answer = client.post(url.clone(), &json!({ "domain": domain })).await?;
    let Some(token) = answer["token"].as_str() else {
        return Err(Error::Unexpected { url: url.to_string(), cause: "it has no token".to_owned() });
    };
    let expires = &answer["expires"];
    printer.note(&format!("good once, until {}", expires.as_str().unwrap_or("it is used")));
    printer.data(&json!({ "token": token, "expires": expires }), |_| visible(token))
}

async fn list(client: &Client, printer: &Printer) -> Result<(), Error> {
    let rows = client.list(client.ours(&["agents"])?, None).await?;
    printer.data(&json!({ "value": rows }), |_| {
        let mut table = printer.table(&["agent", "name", "domain", "state", "controller", "lastSeen", "why"]);
        for row in &rows {
            let text = |name: &str| row[name].as_str().unwrap_or("-");
            // Trouble outweighs the reason for standing by.
            let why = row["trouble"].as_str().or(row["why"].as_str()).unwrap_or("-");
            let plain = |name: &str| cell(text(name), Tone::Plain);
            table.add_row([
                plain("agent"),
                plain("name"),
                plain("domain"),
                cell(text("state"), tone(row)),
                plain("controller"),
                plain("lastSeen"),
                cell(why, if row["trouble"].is_string() { Tone::Bad } else { Tone::Plain }),
            ]);
        }
        finished(&table)
    })
}

fn tone(row: &Value) -> Tone {
    match row["state"].as_str() {
        Some("active") => Tone::Good,
        Some("offline" | "disconnected") => Tone::Bad,
        _ => Tone::Plain,
    }
}
