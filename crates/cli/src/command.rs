//! The commands, one file a noun.

mod agent;
mod app;
mod expr;
pub(crate) mod job;
mod link;
mod logs;
mod person;
mod schema;
pub(crate) mod sweep;

use std::sync::Arc;

use clap::Subcommand;

use crate::error::{Error, Exit};
use crate::http::Client;
use crate::printer::{Format, Printer};
use crate::settings::{Options, Settings};
use crate::{Context, Preview, Upload};

/// The client's commands. The binary flattens them beside its own.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Applications: provisioning apps and the clients of the API
    App {
        #[command(subcommand)]
        command: app::App,
        #[command(flatten)]
        options: Options,
    },
    /// Agents beside the domain controllers
    Agent {
        #[command(subcommand)]
        command: agent::Agent,
        #[command(flatten)]
        options: Options,
    },
    /// The job: settings, start, pause, state
    Job {
        #[command(subcommand)]
        command: job::Job,
        #[command(flatten)]
        options: Options,
    },
    /// Upload a file and wait for the outcome of each operation
    Upload {
        #[command(flatten)]
        command: Upload,
        #[command(flatten)]
        options: Options,
    },
    /// Show what an upload of a file, or another look at persons, would do; nothing is written
    Preview {
        #[command(flatten)]
        command: Preview,
        #[command(flatten)]
        options: Options,
    },
    /// Read the provisioning log, newest first
    Logs {
        #[command(flatten)]
        command: logs::Logs,
        #[command(flatten)]
        options: Options,
    },
    /// Mapping expressions
    Expr {
        #[command(subcommand)]
        command: expr::Expr,
        #[command(flatten)]
        options: Options,
    },
    /// What the job knows of a person
    Person {
        #[command(subcommand)]
        command: person::Person,
        #[command(flatten)]
        options: Options,
    },
    /// The schema: mappings and filters as a file, with their tests and history
    Schema {
        #[command(subcommand)]
        command: schema::Schema,
        #[command(flatten)]
        options: Options,
    },
    /// The link between a person and their account
    Link {
        #[command(subcommand)]
        command: link::Link,
        #[command(flatten)]
        options: Options,
    },
}

impl Command {
    /// Does it. Errors are printed here; the exit code says the rest.
    pub async fn run(self, context: Context) -> Exit {
        let options = self.options();
        let format = if options.json { Format::Json } else { Format::Text };
        let printer = Printer::new(context.out.clone(), context.err.clone(), format, &context.environment);
        match self.run_with(&context, &printer).await {
            Ok(exit) => exit,
            Err(error) => {
                printer.error(&error);
                error.exit()
            }
        }
    }

    fn options(&self) -> &Options {
        match self {
            Self::App { options, .. }
            | Self::Agent { options, .. }
            | Self::Job { options, .. }
            | Self::Upload { options, .. }
            | Self::Preview { options, .. }
            | Self::Logs { options, .. }
            | Self::Expr { options, .. }
            | Self::Person { options, .. }
            | Self::Schema { options, .. }
            | Self::Link { options, .. } => options,
        }
    }

    async fn run_with(&self, context: &Context, printer: &Printer) -> Result<Exit, Error> {
        // It needs no service, and so no settings.
        if let Self::Upload { command, .. } = self
            && command.dry_run
        {
            return command.show(printer);
        }
        if let Self::Schema { command, .. } = self
            && command.is_local()
        {
            return command.run_local(printer);
        }
        if let Self::Expr { command, .. } = self
            && command.is_local()
        {
            return command.run(None, context, printer).await;
        }
        let settings = Settings::resolve(self.options(), &context.environment)?;
        for warning in &settings.warnings {
            printer.warning(warning);
        }
        let client = Client::new(settings, Arc::clone(&context.clock), Arc::clone(&context.random))?;
        let client = &client;
        match self {
            Self::App { command, .. } => command.run(client, printer).await,
            Self::Agent { command, .. } => command.run(client, printer).await,
            Self::Job { command, .. } => command.run(client, printer).await,
            Self::Upload { command, .. } => command.run(client, printer).await,
            Self::Preview { command, .. } => command.run(client, printer).await,
            Self::Logs { command, .. } => command.run(client, printer).await,
            Self::Expr { command, .. } => command.run(Some(client), context, printer).await,
            Self::Person { command, .. } => command.run(client, printer).await,
            Self::Schema { command, .. } => command.run(client, printer).await,
            Self::Link { command, .. } => command.run(client, printer).await,
        }
    }
}

#[cfg(test)]
mod tests;
