//! `rollcall upload`: a file of any size, fifty operations to a request, then the outcome of each.

mod csv;
mod plan;
pub(crate) mod progress;
pub(crate) mod read;
mod report;
mod send;
mod wait;

use std::path::{Path, PathBuf};

use clap::Args;
use rollcall_model::limits;
use tokio::time::{Duration, Instant};

use crate::command::job;
use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::Printer;
pub use csv::CsvOptions;
use plan::Planner;
use progress::Progress;
use read::Operation;
use report::Report;

/// What to upload, and how.
#[derive(Args, Clone, Debug)]
// A variant of the same name has a group of that name already.
#[group(skip)]
pub struct Upload {
    /// CSV, a bulkUpload body with any number of operations, an array of user resources, or JSON lines; `-` reads
    /// stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Requests in flight at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = parse_parallel)]
    pub parallel: usize,
    /// Longest wait for outcomes, in seconds, once everything is sent; then exit 4
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub timeout: u64,
    /// Do not wait for outcomes
    #[arg(long)]
    pub no_wait: bool,
    /// Let these operations overtake others in the service
    #[arg(long)]
    pub urgent: bool,
    /// Print the records as JSON and send nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub csv: CsvOptions,
}

fn parse_parallel(text: &str) -> Result<usize, String> {
    let max = limits::CLIENT_PARALLEL_MAX;
    text.parse().ok().filter(|n| (1..=max).contains(n)).ok_or_else(|| format!("a number from 1 to {max}"))
}

impl Upload {
    /// What `--dry-run` prints: an array of user resources, which `upload` would take in turn.
    pub(crate) fn show(&self, printer: &Printer) -> Result<Exit, Error> {
        let records: Vec<_> = operations(&self.file, &self.csv, printer)?.iter().map(Operation::data).collect();
        printer.data(&records, |records| serde_json::to_string_pretty(records).unwrap_or_default())?;
        Ok(Exit::Done)
    }

    pub(crate) async fn run(&self, client: &Client, printer: &Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let operations = operations(&self.file, &self.csv, printer)?;
        let target = job::target(client).await?;
        let lane = if self.urgent { send::Lane::Urgent } else { send::Lane::Normal };
        let total = operations.len();
        let mut report = Report::new(total);
        let progress = Progress::start(printer, "sent", total);
        let planner = Planner::new(&operations);
        let sender = send::Sender { client, url: target.bulk_upload(client)?, lane, parallel: self.parallel };
        let sent = sender.send_all(&operations, planner, &mut report, &progress).await;
        progress.finish();
        report.seconds = began.elapsed();
        if let Err(error) = sent {
            // What was accepted is on disk there: say which uploads those are.
            if !report.uploads.is_empty() {
                report.print(printer)?;
            }
            return Err(error);
        }
        if self.no_wait {
            report.print(printer)?;
            return Ok(report.exit());
        }
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let progress = Progress::start(printer, "done", total);
        let waited = wait::Waiter { client, deadline }.wait(&mut report, &progress).await;
        progress.finish();
        report.seconds = began.elapsed();
        report.print(printer)?;
        match waited? {
            wait::End::AllFinal => Ok(report.exit()),
            wait::End::TimedOut => {
                printer.warning(&format!("not everything ended within {} s; the service goes on", self.timeout));
                Ok(Exit::TimedOut)
            }
        }
    }
}

/// The operations of a file: CSV where it is one, else JSON.
pub(crate) fn operations(file: &Path, csv: &CsvOptions, printer: &Printer) -> Result<Vec<Operation>, Error> {
    if !csv.apply_to(file) {
        return read::operations(file);
    }
    let csv::Read { operations, note } = csv::operations(file, csv)?;
    printer.note(&format!("{}: {note}", file.display()));
    Ok(operations)
}

#[cfg(test)]
mod tests;
