//! `rollcall logs`: the provisioning log (wire contract 4).

use clap::Args;
use rollcall_model::limits;
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::{Client, literal, with_query};
use crate::printer::{Printer, Tone, cell, finished};

/// Which rows to read. Conditions add up. Rows of the job of --job or ROLLCALL_JOB, where one is set.
#[derive(Args, Clone, Debug, Default)]
// A variant of the same name has a group of that name already.
#[group(skip)]
pub struct Logs {
    /// An OData filter, for instance "provisioningAction eq 'create'"
    #[arg(long, value_name = "ODATA")]
    filter: Option<String>,
    /// Rows of this person only
    #[arg(long, value_name = "X")]
    external_id: Option<String>,
    /// Failures only
    #[arg(long)]
    failed: bool,
    /// The newest N rows
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "all")]
    top: usize,
    /// All rows
    #[arg(long)]
    all: bool,
}

impl Logs {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        let rows_max = (!self.all).then_some(self.top);
        let page = rows_max.unwrap_or(limits::LOG_PAGE_ROWS_MAX).clamp(1, limits::LOG_PAGE_ROWS_MAX).to_string();
        let filter = self.filter(client.settings.job.as_deref());
        let mut query = vec![("$top", page.as_str()), ("$orderby", "activityDateTime desc")];
        if let Some(filter) = &filter {
            query.insert(0, ("$filter", filter));
        }
        let url = with_query(client.graph(&["auditLogs", "provisioning"])?, &query);
        let rows = client.list(url, rows_max).await?;
        printer.data(&json!({ "value": rows }), |_| table(printer, &rows))?;
        Ok(Exit::Done)
    }

    /// All conditions in one.
    fn filter(&self, job: Option<&str>) -> Option<String> {
        let mut parts = Vec::new();
        parts.extend(job.map(|job| format!("jobId eq {}", literal(job))));
        parts.extend(self.external_id.as_deref().map(|id| format!("sourceIdentity/id eq {}", literal(id))));
        if self.failed {
            parts.push("provisioningStatusInfo/status eq 'failure'".to_owned());
        }
        // An `or` of the caller's must not swallow the others.
        parts.extend(self.filter.as_deref().map(|filter| format!("({filter})")));
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

fn table(printer: &Printer, rows: &[Value]) -> String {
    let mut table = printer.table(&["time", "externalId", "action", "status", "what"]);
    for row in rows {
        let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
        let status = text("/provisioningStatusInfo/status");
        table.add_row([
            cell(text("/activityDateTime"), Tone::Plain),
            cell(text("/sourceIdentity/id"), Tone::Plain),
            cell(text("/provisioningAction"), Tone::Plain),
            cell(status, tone(status)),
            cell(&what(row), Tone::Plain),
        ]);
    }
    finished(&table)
}

fn tone(status: &str) -> Tone {
    match status {
        "success" => Tone::Good,
        "failure" => Tone::Bad,
        "warning" => Tone::Warning,
        _ => Tone::Plain,
    }
}

/// Code and reason where there are any, else what changed.
fn what(row: &Value) -> String {
    let info = &row["provisioningStatusInfo"]["errorInformation"];
    if let Some(code) = info["errorCode"].as_str() {
        return match info["reason"].as_str() {
            Some(reason) => format!("{code}: {reason}"),
            None => code.to_owned(),
        };
    }
    let changes = row["modifiedProperties"].as_array().into_iter().flatten();
    let texts = changes.map(|change| {
        let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        let (name, old, new) = (text("displayName"), text("oldValue"), text("newValue"));
        if old.is_empty() { format!("{name}: {new}") } else { format!("{name}: {old} -> {new}") }
    });
    texts.collect::<Vec<_>>().join("; ")
}
