//! The agent: dials out, observes, plans, journals, applies, reports.
//!
//! | module | what is in it |
//! |---|---|
//! | [`agent`] | [`Agent`]: options, run, handle |
//! | [`config`], [`enrol`] | settings; the agent's key and identity |
//! | `proxy` | the way to the service through an HTTP proxy |
//! | `link`, `fence` | the WebSocket to the service; until when a write may start |
//! | `keys` | the agent's key, and its exchange for a new one |
//! | `controller`, `replication` | the connections to the one domain controller; what it may not have yet |
//! | `look`, `schema`, `preview` | questions of the service that are answered beside the work |
//! | `worker` | the task that works: `observe`, `apply` and `refusal`, `journal`, `recover` |
//! | `policy` | what is never done, whatever the service asks for |
//! | [`host`], `pulse` | the service manager, and whether the agent lives |
//! | [`drill`] | the work without a service, for tests |
//! | [`doctor`] | what a person asks: is everything as it must be, and which rights are needed |
//! | [`system`] | clocks and generator of the operating system |

pub mod agent;
pub mod config;
pub mod doctor;
pub mod drill;
pub mod enrol;
pub mod fault;
pub mod host;
pub mod system;

mod address;
mod apply;
mod backoff;
mod controller;
mod fence;
mod files;
mod journal;
mod keys;
mod link;
mod look;
mod observe;
mod policy;
mod preview;
mod proxy;
mod pulse;
mod recover;
mod refusal;
mod replication;
mod schema;
mod taken;
mod worker;

#[cfg(test)]
mod testing;

use std::path::PathBuf;

pub use agent::{Agent, Handle, LdapConnector, LogLevel, Options};
pub use controller::Connector;
pub use fence::LeaseClock;
pub use proxy::Proxy;

/// What can go wrong here. Nothing of it shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field}: {why}; {remedy}")]
    Config { field: &'static str, why: String, remedy: &'static str },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} is used by another agent that runs", folder.display())]
    FolderInUse { folder: PathBuf },
    #[error("{} has format {format}, which this build does not know; run the build that wrote it until its journal is empty", path.display())]
    JournalFormat { path: PathBuf, format: u32 },
    #[error("{what}: {source}")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("{} is there: this agent is enrolled already; remove it to enrol anew", path.display())]
    Enrolled { path: PathBuf },
    #[error("{} is missing: run `rollcall-agent enroll` first", path.display())]
    NotEnrolled { path: PathBuf },
    #[error("agent.key cannot be used; enrol anew")]
    Key,
    #[error("the service cannot be asked: {0}")]
    Http(#[source] reqwest::Error),
    #[error("the service refused the enrolment ({status}): {text}")]
    EnrolmentRefused { status: u16, text: String },
    #[error("{0}")]
    Link(String),
    /// Something that a person asked for cannot be told.
    #[error("{0}")]
    Doctor(String),
    /// The directory's options cannot be used.
    #[error(transparent)]
    Directory(#[from] rollcall_directory::Error),
}
