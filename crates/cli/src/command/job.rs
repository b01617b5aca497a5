//! `rollcall job`: settings, start, pause, state.

use clap::{Args, Subcommand};
use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::command::app;
use crate::command::sweep::{Reevaluate, Sweep};
use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Printer, members, plain, plain_table, visible};

/// What to do about jobs. All but `list` work on the job of --job or ROLLCALL_JOB.
#[derive(Subcommand, Clone, Debug)]
pub enum Job {
    /// List the jobs of all applications
    List,
    /// Change settings; what is not given stays
    Set(Box<Set>),
    /// Work on what is waiting, and on what comes
    Start,
    /// Stop working; uploads are still accepted and wait
    Pause,
    /// Show state, counts and budget
    #[command(visible_alias = "show")]
    Status,
    /// Try everything that failed or waits for a retry again, now
    Retry,
    /// The walk over all persons that follows a change of the mappings
    Sweep {
        #[command(subcommand)]
        command: Sweep,
    },
    /// Evaluate one person or all of them as if everything had been sent again
    Reevaluate(Reevaluate),
    /// Let go those whom the job's budget holds back, longest waiting first
    Release {
        /// The job; that of --job or ROLLCALL_JOB where it is not given
        #[arg(value_name = "JOB", id = "released_job")]
        job: Option<String>,
        /// How many persons; all where it is not given
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        count: Option<u32>,
    },
}

/// Settings of a job. An empty text clears a setting.
#[derive(Args, Clone, Debug, Default)]
pub struct Set {
    /// DNS name of the AD domain
    #[arg(long)]
    domain: Option<String>,
    /// DN of the container for new accounts
    #[arg(long, value_name = "DN")]
    container: Option<String>,
    /// What stands behind the @ of a userPrincipalName
    #[arg(long, value_name = "DNS-NAME")]
    upn_suffix: Option<String>,
    /// Expression for the container (parentDistinguishedName); where it is set, a change of its value moves the account
    #[arg(long, value_name = "EXPR")]
    parent: Option<String>,
    /// When the account's cn is written
    #[arg(long, value_name = "create|always", value_parser = ["create", "always"])]
    cn: Option<String>,
    /// What a DELETE operation does to the account
    #[arg(long, value_name = "off|disable|delete", value_parser = ["off", "disable", "delete"])]
    delete: Option<String>,
    /// Source attribute and the AD attribute that it must equal, for instance externalId=employeeID
    #[arg(long = "match", value_name = "SRC=ATTR", value_parser = parse_match)]
    matching: Option<(String, String)>,
    /// Disables, deletes, moves of linked accounts and clears in 24 hours; what exceeds it waits to be released
    #[arg(long, value_name = "N|off", value_parser = parse_budget)]
    budget: Option<Budget>,
    /// What is done about an inactive person without an account: nothing, or a disabled one is made
    #[arg(long, value_name = "skip|create", value_parser = ["skip", "create"])]
    inactive: Option<String>,
    /// Whether a new account gets a password that nobody knows, or none: then it is made disabled
    #[arg(long, value_name = "generated|none", value_parser = ["generated", "none"])]
    initial_password: Option<String>,
    /// What is done to the account of somebody who leaves the scope
    #[arg(long, value_name = "nothing|disable|disable-and-move", value_parser = ["nothing", "disable", "disable-and-move"])]
    on_scope_exit: Option<String>,
    /// DN of the container that such an account is moved to
    #[arg(long, value_name = "DN")]
    scope_exit_container: Option<String>,
    /// Zone whose midnight is the job's, for instance Europe/Berlin; an empty text means UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Days for which the unique values of an account that is no more are given to nobody else
    #[arg(long, value_name = "DAYS")]
    unique_quarantine_days: Option<u32>,
}

/// A budget to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    Off,
    Writes(u32),
}

fn parse_budget(text: &str) -> Result<Budget, String> {
    match text {
        "off" => Ok(Budget::Off),
        _ => text.parse().map(Budget::Writes).map_err(|_| "it is a number of writes, or 'off'".to_owned()),
    }
}

/// Splits at the last `=`: a source may hold one (`emails[type eq "a=b"].value`), an AD attribute may not.
fn parse_match(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=').map(|(source, attribute)| (source.trim(), attribute.trim())) {
        Some((source, attribute)) if !source.is_empty() && !attribute.is_empty() => {
            Ok((source.to_owned(), attribute.to_owned()))
        }
        _ => Err("it is a source attribute, '=', and an AD attribute".to_owned()),
    }
}

impl Set {
    /// The members of the PATCH: those that were given.
    fn body(&self) -> Map<String, Value> {
        let or_null = |text: &String| if text.is_empty() { Value::Null } else { json!(text) };
        let texts = [
            ("domain", &self.domain),
            ("container", &self.container),
            ("upnSuffix", &self.upn_suffix),
            ("parent", &self.parent),
            ("cn", &self.cn),
            ("delete", &self.delete),
            ("initialPassword", &self.initial_password),
            ("scopeExitContainer", &self.scope_exit_container),
            ("timeZone", &self.time_zone),
        ];
        let mut body: Map<String, Value> =
            texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), or_null(value.as_ref()?)))).collect();
        if let Some((source, attribute)) = &self.matching {
            body.insert("match".to_owned(), json!({ "source": source, "attribute": attribute }));
        }
        if let Some(inactive) = &self.inactive {
            body.insert("createInactive".to_owned(), json!(inactive == "create"));
        }
        if let Some(exit) = &self.on_scope_exit {
            let exit = if exit == "disable-and-move" { "disableAndMove" } else { exit };
            body.insert("onScopeExit".to_owned(), json!(exit));
        }
        if let Some(days) = self.unique_quarantine_days {
            body.insert("uniqueQuarantineDays".to_owned(), json!(days));
        }
        match self.budget {
            None => {}
            Some(Budget::Off) => drop(body.insert("budget".to_owned(), Value::Null)),
            Some(Budget::Writes(count)) => drop(body.insert("budget".to_owned(), json!(count))),
        }
        body
    }
}

impl Job {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        match self {
            Self::List => list(client, printer).await?,
            Self::Set(set) => change(client, printer, set).await?,
            Self::Start => act(client, printer, "start", "started").await?,
            Self::Pause => act(client, printer, "pause", "paused").await?,
            Self::Status => {
                let status: Value = client.get(client.ours(&["jobs", client.settings.job()?, "status"])?).await?;
                printer.data(&status, |status| status_text(printer, status))?;
            }
            Self::Retry => {
                let job = client.settings.job()?;
                let answer = client.act(client.ours(&["jobs", job, "retry"])?).await?;
                let answer = if answer.is_null() { json!({ "job": job }) } else { answer };
                printer.data(&answer, members)?;
            }
            Self::Sweep { command } => command.run(client, printer).await?,
            Self::Reevaluate(whom) => whom.run(client, printer).await?,
            Self::Release { job, count } => {
                let job = job.as_deref().map_or_else(|| client.settings.job(), Ok)?;
                let body = count.map_or_else(|| json!({}), |count| json!({ "count": count }));
                let answer = client.post(client.ours(&["jobs", job, "release"])?, &body).await?;
                printer.data(&answer, members)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// A job and the service principal in whose name Graph's routes know it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    service_principal: String,
    job: String,
}

impl Target {
    /// `.../synchronization/jobs/{job}/{action}`.
    fn action(&self, client: &Client, action: &str) -> Result<Url, Error> {
        client.graph(&["servicePrincipals", &self.service_principal, "synchronization", "jobs", &self.job, action])
    }

    /// Where uploads go (wire contract 2.1).
    pub(crate) fn bulk_upload(&self, client: &Client) -> Result<Url, Error> {
        self.action(client, "bulkUpload")
    }
}

/// The job of the settings. Its service principal is asked from the service where it is not set, so that the job's id
/// is all that a client needs to be told.
pub(crate) async fn target(client: &Client) -> Result<Target, Error> {
    let job = client.settings.job()?.to_owned();
    if let Some(service_principal) = client.settings.service_principal.clone() {
        return Ok(Target { service_principal, job });
    }
    let url = client.ours(&["jobs", &job, "status"])?;
    let status: Value = client.get(url.clone()).await?;
    let service_principal = status["servicePrincipal"].as_str().map(str::to_owned);
    let cause = "it has no servicePrincipal".to_owned();
    let service_principal = service_principal.ok_or(Error::Unexpected { url: url.to_string(), cause })?;
    Ok(Target { service_principal, job })
}

async fn act(client: &Client, printer: &Printer, action: &str, state: &str) -> Result<(), Error> {
    let target = target(client).await?;
    client.act(target.action(client, action)?).await?;
    printer.data(&json!({ "job": target.job, "state": state }), |_| format!("{state} {}", visible(&target.job)))
}

async fn change(client: &Client, printer: &Printer, set: &Set) -> Result<(), Error> {
    let body = set.body();
    if body.is_empty() {
        return Err(Error::Usage("name a setting: `rollcall job set --help` lists them".to_owned()));
    }
    let url = client.ours(&["jobs", client.settings.job()?, "settings"])?;
    let answer = client.patch(url.clone(), &Value::Object(body)).await?;
    let settings = if answer.is_null() { client.get(url).await? } else { answer };
    // The mappings that follow from the settings are many; whoever wants them reads the JSON.
    printer.data(&settings, |settings| members(&without(settings, "mappings")))
}

fn without(object: &Value, member: &str) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
    object
}

/// Members, and below them the changes made, by action and result.
fn status_text(printer: &Printer, status: &Value) -> String {
    let mut text = members(&without(&without(&without(status, "changes"), "budget"), "sweep"));
    let sweep = &status["sweep"];
    if sweep.is_object() {
        let [state, walked, total, touched] = ["state", "walked", "total", "touched"].map(|name| plain(&sweep[name]));
        let line = format!("walk over all persons: {state}, {walked} of {total} looked at, {touched} to be changed");
        text.push_str("\n\n");
        text.push_str(&line);
    }
    if let Some(used) = status["budget"]["used"].as_i64() {
        let budget = &status["budget"];
        let limit = budget["limit"].as_i64().map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        let (staged, released) = (plain(&budget["staged"]), plain(&budget["released"]));
        let line = format!("budget of 24 hours: {used} of {limit} used; {staged} persons staged, {released} released");
        text.push_str("\n\n");
        text.push_str(&line);
    }
    let changes = status["changes"].as_array().map_or(&[][..], Vec::as_slice);
    if !changes.is_empty() {
        let rows = changes.iter().map(|row| ["action", "status", "count"].map(|name| plain(&row[name])).to_vec());
        text.push_str("\n\n");
        text.push_str(&plain_table(printer, &["action", "status", "count"], rows));
    }
    text
}

async fn list(client: &Client, printer: &Printer) -> Result<(), Error> {
    let mut rows = Vec::new();
    for principal in app::principals(client).await? {
        let Some(id) = principal["id"].as_str() else { continue };
        let url = client.graph(&["servicePrincipals", id, "synchronization", "jobs"])?;
        for job in client.list(url, None).await? {
            rows.push(json!({
                "job": job["id"], "state": job["status"]["code"], "schedule": job["schedule"]["state"],
                "application": principal["displayName"], "servicePrincipal": id,
            }));
        }
    }
    printer.data(&json!({ "value": rows }), |_| {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let lines = rows.iter().map(|row| vec![text(row, "job"), text(row, "state"), text(row, "application")]);
        plain_table(printer, &["job", "state", "application"], lines)
    })
}
