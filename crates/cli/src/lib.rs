//! The commands of a client: any client's work, through the API with tokens and nothing else.
//!
//! [`Command`] is what the binary parses; [`Command::run`] does it and says with an [`Exit`] how it went. All output
//! goes through a [`Printer`]: data on stdout, everything else on stderr.

mod command;
mod error;
mod files;
mod http;
mod preview;
mod printer;
mod settings;
#[cfg(test)]
mod testing;
mod upload;

use std::sync::Arc;

use rollcall_model::{Clock, Random};

pub use command::Command;
pub use error::{Error, Exit, Obstacle, Refusal};
pub use preview::Preview;
pub use printer::{Format, Printer, Stream};
pub use settings::{Environment, Options, Settings};
pub use upload::{CsvOptions, Upload};

/// What a command gets from the process around it.
#[derive(Clone)]
pub struct Context {
    pub clock: Arc<dyn Clock>,
    /// Makes idempotency keys and jitter.
    pub random: Arc<dyn Random>,
    pub environment: Environment,
    pub out: Stream,
    pub err: Stream,
}

impl Context {
    /// The process's own environment and streams.
    #[must_use]
    pub fn system(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, environment: Environment::system(), out: Stream::stdout(), err: Stream::stderr() }
    }
}
