//! `rollcall schema`: a job's mappings as a file: read, saved, tried, tested, restored.

mod local;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::{Method, Url};
use rollcall_model::limits;
use rollcall_wire::rollcall::PreviewAnswer;
use serde_json::{Value, json};

use crate::command::sweep::{impact, impact_text};
use crate::error::{Error, Exit};
use crate::http::{Client, Repeat, Request, with_query};
use crate::printer::{Printer, plain, plain_table};
use crate::upload::progress::Progress;
use crate::{files, preview};

/// What to do with the schema of --job or ROLLCALL_JOB.
#[derive(Subcommand, Clone, Debug)]
pub enum Schema {
    /// Print the schema, or write it to a file
    Get {
        /// An older version; `rollcall schema history` lists them
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Save a schema, once it is checked and its tests pass
    Put(Put),
    /// Show what a schema would change about all stored persons; nothing is written
    Preview {
        /// A synchronizationSchema, as `rollcall schema get` prints it
        file: PathBuf,
    },
    /// Count whom a schema would touch, without the directory
    Impact {
        /// A synchronizationSchema; the job's own where it is not given
        file: Option<PathBuf>,
    },
    /// Run the mapping tests
    Test {
        /// A schema to test in place of the job's; with --tests it needs no service
        file: Option<PathBuf>,
        /// Tests to run in place of the job's: a JSON array
        #[arg(long, value_name = "FILE")]
        tests: Option<PathBuf>,
        /// What DefaultDomain() yields where no service is asked
        #[arg(long, value_name = "DOMAIN", default_value = "example.com")]
        default_domain: String,
    },
    /// List the versions, newest first
    History,
    /// Save an older version, or what is shipped, as the newest
    Restore {
        /// The version, or `default`
        #[arg(value_name = "N|default", value_parser = parse_restored)]
        version: Restored,
        /// Why; shown in the history
        #[arg(long)]
        note: Option<String>,
    },
}

/// `rollcall schema put`.
#[derive(Args, Clone, Debug)]
pub struct Put {
    /// A synchronizationSchema, as `rollcall schema get` prints it
    file: PathBuf,
    /// Tests to be kept beside it, a JSON array; those before stay where it is not given
    #[arg(long, value_name = "FILE")]
    tests: Option<PathBuf>,
    /// Why; shown in the history
    #[arg(long)]
    note: Option<String>,
    /// The version it was made from; refused where another is the newest by now
    #[arg(long, value_name = "N")]
    based_on: Option<i64>,
}

/// What is to be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    Default,
    Version(i64),
}

fn parse_restored(text: &str) -> Result<Restored, String> {
    match text {
        "default" => Ok(Restored::Default),
        _ => text.parse().map(Restored::Version).map_err(|_| "it is a version's number, or 'default'".to_owned()),
    }
}

impl Schema {
    /// Whether it needs no service, and so no settings.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Test { file: Some(_), tests: Some(_), .. })
    }

    /// Runs what [`Self::is_local`].
    pub(crate) fn run_local(&self, printer: &Printer) -> Result<Exit, Error> {
        let Self::Test { file: Some(file), tests: Some(tests), default_domain } = self else {
            return Err(Error::Usage("it needs a service".to_owned()));
        };
        let settings = json!({ "upnSuffix": default_domain });
        local::run(&local::Given {
            schema: &read_json(file)?,
            name: file,
            tests: &read_json(tests)?,
            tests_name: tests,
            settings: &settings,
        })
        .and_then(|tested| tested.print(printer))
    }

    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        match self {
            Self::Get { version, output } => get(client, printer, *version, output.as_deref()).await,
            Self::Put(wanted) => put(client, printer, wanted).await,
            Self::Preview { file } => {
                let whole = looked_at(client, printer, &read_json(file)?).await?;
                let failed = whole.counts.get("failed").is_some_and(|count| *count > 0);
                let shown = json!({ "persons": whole.persons, "counts": whole.counts, "value": whole.value });
                printer.data(&shown, |_| preview::text(&whole))?;
                Ok(if failed { Exit::SomeFailed } else { Exit::Done })
            }
            Self::Impact { file } => impact(client, printer, file.as_ref()).await,
            Self::Test { file, tests, .. } => test(client, printer, file.as_deref(), tests.as_deref()).await,
            Self::History => history(client, printer).await,
            Self::Restore { version, note } => {
                let mut body = match version {
                    Restored::Default => json!({ "default": true }),
                    Restored::Version(number) => json!({ "version": number }),
                };
                if let Some(note) = note {
                    body["note"] = json!(note);
                }
                let saved = client.post(ours(client, &["restore"])?, &body).await?;
                printer.data(&saved, saved_text)?;
                Ok(Exit::Done)
            }
        }
    }
}

fn ours(client: &Client, rest: &[&str]) -> Result<Url, Error> {
    client.ours(&[&["jobs", client.settings.job()?, "schema"], rest].concat())
}

fn read_json(path: &Path) -> Result<Value, Error> {
    let content = |message: String| Error::Content { path: path.to_owned(), message };
    serde_json::from_slice(&files::read(path)?).map_err(|error| content(format!("it is no JSON: {error}")))
}

/// The newest version's number.
async fn newest(client: &Client) -> Result<i64, Error> {
    let url = with_query(ours(client, &["history"])?, &[("top", "1")]);
    let page: Value = client.get(url.clone()).await?;
    let cause = "it lists no version".to_owned();
    page["value"][0]["version"].as_i64().ok_or(Error::Unexpected { url: url.to_string(), cause })
}

async fn get(client: &Client, printer: &Printer, version: Option<i64>, output: Option<&Path>) -> Result<Exit, Error> {
    let version = match version {
        Some(version) => version,
        None => newest(client).await?,
    };
    let mut whole: Value = client.get(ours(client, &["history", &version.to_string()])?).await?;
    let schema = whole["schema"].take();
    let text = |schema: &Value| serde_json::to_string_pretty(schema).unwrap_or_default();
    match output {
        None => printer.data(&schema, text)?,
        Some(path) => {
            files::write(path, format!("{}\n", text(&schema)).as_bytes())?;
            let told = json!({ "version": version, "file": path });
            printer.data(&told, |_| format!("version {version} is in {}", path.display()))?;
        }
    }
    Ok(Exit::Done)
}

async fn put(client: &Client, printer: &Printer, wanted: &Put) -> Result<Exit, Error> {
    let schema = read_json(&wanted.file)?;
    let mut body = json!({ "schema": schema });
    if let Some(path) = &wanted.tests {
        body["tests"] = read_json(path)?;
    }
    if let Some(note) = &wanted.note {
        body["note"] = json!(note);
    }
    if let Some(version) = wanted.based_on {
        body["basedOn"] = json!(version);
    }
    // Told before it is saved; what cannot be told stops nobody, and a broken schema is told with its places below.
    match client.post(ours(client, &["impact"])?, &json!({ "schema": body["schema"] })).await {
        Ok(answer) => printer.note(&impact_text(&answer)),
        Err(Error::Refused(refusal)) if refusal.status == 400 => {}
        Err(Error::Refused(refusal)) => {
            printer.note(&format!("how many persons it touches cannot be told: {}", refusal.message));
        }
        Err(error) => return Err(error),
    }
    let request = Request::new(Method::PUT, ours(client, &[])?).json(&body);
    // Naming its version, a save that is sent twice is refused; without it, it is a second version of the same.
    let saved = client.send(&Request { repeat: Repeat::WhenRefused, ..request }).await?.json_or_null()?;
    for warning in saved["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        printer.warning(warning);
    }
    printer.data(&saved, saved_text)?;
    Ok(Exit::Done)
}

fn saved_text(saved: &Value) -> String {
    format!("saved as version {}; targets {}", plain(&saved["version"]), plain(&saved["targets"]))
}

/// What a schema would do about all stored persons.
async fn looked_at(client: &Client, printer: &Printer, schema: &Value) -> Result<PreviewAnswer, Error> {
    let job = client.settings.job()?;
    let url = client.ours(&["jobs", job, "preview"])?;
    let status: Value = client.get(client.ours(&["jobs", job, "status"])?).await?;
    let total = status["persons"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let progress = Progress::start(printer, "looked at", total);
    let mut whole = PreviewAnswer::default();
    let mut after: Option<String> = None;
    loop {
        let mut body = json!({ "schema": schema, "limit": limits::PREVIEW_PERSONS_MAX, "taken": whole.taken });
        if let Some(after) = &after {
            body["after"] = json!(after);
        }
        let answer = client.post(url.clone(), &body).await?;
        let answer: PreviewAnswer = serde_json::from_value(answer)
            .map_err(|cause| Error::Unexpected { url: url.to_string(), cause: cause.to_string() })?;
        after.clone_from(&answer.next);
        preview::add(&mut whole, answer, 0);
        progress.at(whole.persons);
        if after.is_none() {
            break;
        }
    }
    progress.finish();
    Ok(whole)
}

async fn test(client: &Client, printer: &Printer, file: Option<&Path>, tests: Option<&Path>) -> Result<Exit, Error> {
    let version = newest(client).await?;
    let mut whole: Value = client.get(ours(client, &["history", &version.to_string()])?).await?;
    let settings: Value = client.get(client.ours(&["jobs", client.settings.job()?, "settings"])?).await?;
    let of_job = PathBuf::from(format!("the job's version {version}"));
    let schema = file.map_or_else(|| Ok(whole["schema"].take()), read_json)?;
    let own_tests = tests.map_or_else(|| Ok(whole["tests"].take()), read_json)?;
    local::run(&local::Given {
        schema: &schema,
        name: file.unwrap_or(&of_job),
        tests: &own_tests,
        tests_name: tests.unwrap_or(&of_job),
        settings: &settings,
    })
    .and_then(|tested| tested.print(printer))
}

async fn history(client: &Client, printer: &Printer) -> Result<Exit, Error> {
    let mut rows: Vec<Value> = Vec::new();
    let mut before: Option<i64> = None;
    loop {
        let text = before.map(|before| before.to_string());
        let pairs: Vec<(&str, &str)> = text.iter().map(|before| ("before", before.as_str())).collect();
        let page: Value = client.get(with_query(ours(client, &["history"])?, &pairs)).await?;
        rows.extend(page["value"].as_array().cloned().unwrap_or_default());
        before = page["nextBefore"].as_i64();
        if before.is_none() {
            break;
        }
    }
    printer.data(&json!({ "value": rows }), |_| {
        let line = |row: &Value| {
            let origin = match row["restored"].as_i64() {
                Some(version) => format!("restored {version}"),
                None => plain(&row["origin"]),
            };
            let cell = |name: &str| plain(&row[name]);
            vec![cell("version"), cell("at"), origin, plain(&row["targets"]["state"]), cell("actor"), cell("note")]
        };
        plain_table(printer, &["version", "at", "origin", "targets", "actor", "note"], rows.iter().map(line))
    })?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
