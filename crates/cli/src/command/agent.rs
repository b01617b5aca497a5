//! `rollcall agent`: enrolment tokens, the agents there are, and what is wanted of one.

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
    /// List the agents: what each does, and why
    List,
    /// Have an agent hand its domain over and take none, for instance before its host is restarted
    Drain {
        /// Its name or id
        agent: String,
    },
    /// Let a drained agent work again
    Undrain {
        /// Its name or id
        agent: String,
    },
    /// Set what an agent logs, without a restart
    LogLevel {
        /// Its name or id
        agent: String,
        /// A level, a filter such as `info,rollcall_agent=trace`, or `default` for what the agent's configuration says
        filter: String,
    },
    /// Have an agent make a new key; the one before is valid until the new one has been used
    RotateKey {
        /// Its name or id
        agent: String,
    },
}

/// The word that takes a filter away.
const OWN_FILTER: &str = "default";

impl Agent {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        match self {
            Self::Token { domain } => token(client, printer, domain).await?,
            Self::List => list(client, printer).await?,
            Self::Drain { agent } => {
                want(client, printer, agent, "drain", "hands its domain over as soon as another agent can take it")
                    .await?;
            }
            Self::Undrain { agent } => want(client, printer, agent, "undrain", "may work again").await?,
            Self::LogLevel { agent, filter } => log_level(client, printer, agent, filter).await?,
            Self::RotateKey { agent } => {
                want(client, printer, agent, "rotateKey", "makes a new key as soon as it is connected").await?;
            }
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
        let columns = ["agent", "name", "domain", "state", "controller", "version", "lastSeen", "node", "why"];
        let mut table = printer.table(&columns);
        for row in &rows {
            let text = |name: &str| row[name].as_str().unwrap_or("-");
            let tone_of = |name: &str| if ["state", "why"].contains(&name) { tone(row) } else { Tone::Plain };
            table.add_row(columns.map(|name| cell(text(name), tone_of(name))));
        }
        finished(&table)
    })
}

fn tone(row: &Value) -> Tone {
    match row["state"].as_str() {
        Some("active") => Tone::Good,
        Some("draining") => Tone::Warning,
        Some("inTrouble" | "offline") => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// The one agent that is meant, by its id or its name; its id and name.
async fn find(client: &Client, agent: &str) -> Result<(String, String), Error> {
    let rows = client.list(client.ours(&["agents"])?, None).await?;
    let has = |row: &&Value, name: &str| row[name].as_str().is_some_and(|text| text.eq_ignore_ascii_case(agent));
    let id_of = |row: &Value| row["agent"].as_str().unwrap_or_default().to_owned();
    let by_id = rows.iter().find(|row| has(row, "agent"));
    let mut found: Vec<&Value> =
        by_id.map_or_else(|| rows.iter().filter(|row| has(row, "name")).collect(), |one| vec![one]);
    match (found.pop(), found.as_slice()) {
        (Some(one), []) => Ok((id_of(one), one["name"].as_str().unwrap_or(agent).to_owned())),
        (Some(one), others) => {
            let ids: Vec<String> = others.iter().copied().chain([one]).map(id_of).collect();
            Err(Error::Usage(format!("several agents are called '{agent}'; give an id: {}", ids.join(", "))))
        }
        (None, _) => Err(Error::Usage(format!("there is no agent '{agent}': `rollcall agent list` shows them"))),
    }
}

/// Tells the service what is wanted of an agent, and the user what comes of it.
async fn want(client: &Client, printer: &Printer, agent: &str, action: &str, then: &str) -> Result<(), Error> {
    let (id, name) = find(client, agent).await?;
    client.act(client.ours(&["agents", &id, action])?).await?;
    printer.data(&json!({ "agent": id, "name": name, "wanted": action }), |_| format!("{} {then}", visible(&name)))
}

async fn log_level(client: &Client, printer: &Printer, agent: &str, filter: &str) -> Result<(), Error> {
    let (id, name) = find(client, agent).await?;
    let filter = Some(filter).filter(|text| !text.eq_ignore_ascii_case(OWN_FILTER));
    client.post(client.ours(&["agents", &id, "logLevel"])?, &json!({ "filter": filter })).await?;
    let shown = json!({ "agent": id, "name": name, "logFilter": filter });
    printer.data(&shown, |_| match filter {
        Some(filter) => format!("{} logs {}", visible(&name), visible(filter)),
        None => format!("{} logs what its own configuration says", visible(&name)),
    })
}
