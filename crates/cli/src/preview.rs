//! `rollcall preview`: what an upload of a file, or another look at stored persons, would do. Nothing is written.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use clap::Args;
use rollcall_model::limits;
use rollcall_wire::rollcall::{PreviewAnswer, PreviewPerson, PreviewProperty};
use rollcall_wire::scim::BULK_REQUEST;
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Printer, visible};
use crate::upload::progress::Progress;
use crate::upload::read::Operation;
use crate::upload::{self, CsvOptions};

/// Operations' bytes in one request; what surrounds them, values that are taken above all, has the rest of a body.
const REQUEST_BYTES: usize = limits::BODY_BYTES_MAX / 2;

/// What to preview.
#[derive(Args, Clone, Debug)]
// A variant of the same name has a group of that name already.
#[group(skip)]
pub struct Preview {
    /// What `rollcall upload` takes: CSV, a bulkUpload body, an array of user resources, or JSON lines; `-` reads stdin
    #[arg(value_name = "FILE", required_unless_present = "person", conflicts_with = "person")]
    pub file: Option<PathBuf>,
    /// A stored person by externalId, as if the record were sent again; may be given several times
    #[arg(long, value_name = "ID")]
    pub person: Vec<String>,
    /// Show unchanged persons too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub csv: CsvOptions,
}

impl Preview {
    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        let url = client.ours(&["jobs", client.settings.job()?, "preview"])?;
        let requests = match &self.file {
            Some(file) => requests(&upload::operations(file, &self.csv, printer)?)?,
            None => self
                .person
                .chunks(limits::PREVIEW_PERSONS_MAX)
                .map(|some| (some.len(), json!({ "persons": some })))
                .collect(),
        };
        let progress = Progress::start(printer, "looked at", requests.iter().map(|(count, _)| count).sum());
        let mut whole = PreviewAnswer::default();
        let mut sent = 0;
        for (count, mut body) in requests {
            body["all"] = json!(self.all);
            // What goes to somebody in one request is nobody else's in the next.
            body["taken"] = json!(whole.taken);
            let answer = client.post(url.clone(), &body).await?;
            let answer: PreviewAnswer = serde_json::from_value(answer)
                .map_err(|cause| Error::Unexpected { url: url.to_string(), cause: cause.to_string() })?;
            add(&mut whole, answer, sent);
            sent += count;
            progress.at(sent);
        }
        progress.finish();
        let failed = whole.counts.get("failed").is_some_and(|count| *count > 0);
        let shown = json!({ "persons": whole.persons, "counts": whole.counts, "value": whole.value });
        printer.data(&shown, |_| text(&whole))?;
        Ok(if failed { Exit::SomeFailed } else { Exit::Done })
    }
}

/// Bodies with the operations of a file, in its order; those of one person go together, so that they are merged.
fn requests(operations: &[Operation]) -> Result<Vec<(usize, Value)>, Error> {
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    let mut place_of: HashMap<&str, usize> = HashMap::new();
    for operation in operations {
        match operation.person.as_deref().map(|person| *place_of.entry(person).or_insert(groups.len())) {
            Some(place) if place < groups.len() => groups[place].push(operation),
            _ => groups.push(vec![operation]),
        }
    }
    let mut requests: Vec<(Vec<Value>, usize)> = Vec::new();
    for group in groups {
        let bytes: usize = group.iter().map(|operation| operation.json.get().len() + 1).sum();
        let values: Vec<Value> = group
            .iter()
            .map(|operation| serde_json::from_str(operation.json.get()))
            .collect::<Result<_, _>>()
            .map_err(|cause| Error::Usage(format!("an operation is no JSON that can be sent: {cause}")))?;
        match requests.last_mut() {
            Some((held, size))
                if held.len() + values.len() <= limits::PREVIEW_PERSONS_MAX && *size + bytes <= REQUEST_BYTES =>
            {
                held.extend(values);
                *size += bytes;
            }
            _ => requests.push((values, bytes)),
        }
    }
    let body =
        |(values, _): (Vec<Value>, usize)| (values.len(), json!({ "schemas": [BULK_REQUEST], "Operations": values }));
    Ok(requests.into_iter().map(body).collect())
}

/// Takes an answer into the whole; its operations follow `before` others.
pub(crate) fn add(whole: &mut PreviewAnswer, answer: PreviewAnswer, before: usize) {
    whole.persons += answer.persons;
    for (name, count) in answer.counts {
        *whole.counts.entry(name).or_default() += count;
    }
    for (attribute, values) in answer.taken {
        // An answer repeats what it was told.
        whole.taken.insert(attribute, values);
    }
    whole.value.extend(answer.value.into_iter().map(|mut person| {
        person.operations.iter_mut().for_each(|at| *at += before);
        person
    }));
}

/// Counts, then every change.
pub(crate) fn text(answer: &PreviewAnswer) -> String {
    let mut lines = vec![counts(answer.persons, &answer.counts)];
    for person in &answer.value {
        lines.push(String::new());
        lines.extend(lines_of(person));
    }
    lines.join("\n")
}

fn counts(persons: usize, counts: &BTreeMap<String, u64>) -> String {
    const ORDER: [&str; 10] =
        ["create", "update", "move", "rename", "enable", "disable", "delete", "unchanged", "skipped", "failed"];
    let shown: Vec<String> =
        ORDER.iter().filter_map(|name| counts.get(*name).map(|count| format!("{name} {count}"))).collect();
    let noun = if persons == 1 { "person" } else { "persons" };
    if shown.is_empty() { format!("{persons} {noun}") } else { format!("{persons} {noun}: {}", shown.join(", ")) }
}

fn lines_of(person: &PreviewPerson) -> Vec<String> {
    let who = person.external_id.as_deref().unwrap_or("(no externalId)");
    let place = person.dn.as_deref().map_or_else(String::new, |dn| format!("  {dn}"));
    let mut lines = vec![format!("{}  {}{}", visible(who), person.outcome, visible(&place))];
    for change in &person.changes {
        lines.push(format!("  {} {}", change.action, visible(&change.dn)));
        lines.extend(change.properties.iter().map(|one| format!("    {}", property(one))));
    }
    if let Some(error) = &person.error {
        let place = error.attribute.as_deref().map_or_else(String::new, |name| format!(" ({name})"));
        lines.push(format!("  {}{}: {}", error.code, visible(&place), visible(&error.reason)));
    }
    lines.extend(person.warnings.iter().map(|one| format!("  warning {}: {}", one.code, visible(&one.text))));
    lines.extend(person.drift.iter().map(|one| format!("  left as it is: {}", property(one))));
    lines
}

fn property(change: &PreviewProperty) -> String {
    let values = |values: &[String]| if values.is_empty() { "-".to_owned() } else { values.join("; ") };
    let rule = change.rule.as_ref().map_or_else(String::new, |rule| format!("   <= {}", rule.mapping));
    visible(&format!("{}: {} -> {}{rule}", change.name, values(&change.old), values(&change.new)))
}

#[cfg(test)]
mod tests;
