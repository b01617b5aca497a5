//! What can go wrong for a client, how it is told, and the exit code it leads to.

use std::path::PathBuf;
use std::process::ExitCode;

use rollcall_wire::graph::ErrorDetail;

/// How a command ended (design 9: the client's exit codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done or skipped.
    Done,
    /// Some operations failed.
    SomeFailed,
    /// The command line, the settings or the file cannot be used.
    Usage,
    /// The service could not be reached, or refused.
    Refused,
    /// The wait for outcomes ran out.
    TimedOut,
}

impl Exit {
    /// The process's status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::TimedOut => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An answer that says no: Graph's envelope (wire contract 2.7) or the token endpoint's (1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Graph's `error.code`, or the token endpoint's `error`; the status's number where the body names none.
    pub code: String,
    pub message: String,
    /// Finds the request in the service's log.
    pub request_id: Option<String>,
    /// `METHOD /path` of the request.
    pub request: String,
    /// Single places at fault, where the service names them.
    pub details: Vec<ErrorDetail>,
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No connection, or it broke.
    Connection,
    /// The service's certificate is not trusted.
    Certificate,
    /// No answer in time.
    Silence,
}

/// Everything a command can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Usage(String),
    #[error("{name} is not set")]
    SettingMissing { name: &'static str, flag: &'static str },
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: std::io::Error },
    #[error("cannot write {}: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: std::io::Error },
    #[error("{}: {message}", path.display())]
    Content { path: PathBuf, message: String },
    #[error("cannot reach {url}: {cause}")]
    Unreachable { url: String, cause: String, obstacle: Obstacle },
    #[error("{}: {} (HTTP {}, {})", .0.code, .0.message, .0.status, .0.request)]
    Refused(Box<Refusal>),
    #[error("the answer of {url} cannot be understood: {cause}")]
    Unexpected { url: String, cause: String },
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// The exit code that this error leads to.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::SettingMissing { .. }
            | Self::File { .. }
            | Self::Unwritable { .. }
            | Self::Content { .. } => Exit::Usage,
            // Whoever closes the pipe has seen enough: `rollcall logs | head` is no failure.
            Self::Output(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Unreachable { .. } | Self::Refused(_) | Self::Unexpected { .. } | Self::Output(_) => Exit::Refused,
        }
    }

    /// A stable word for `--json`: the service's code where there is one.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Usage(_) => "Usage",
            Self::SettingMissing { .. } => "SettingMissing",
            Self::File { .. } | Self::Unwritable { .. } | Self::Content { .. } => "FileUnusable",
            Self::Unreachable { obstacle: Obstacle::Certificate, .. } => "CertificateNotTrusted",
            Self::Unreachable { .. } => "Unreachable",
            Self::Refused(refusal) => &refusal.code,
            Self::Unexpected { .. } => "UnexpectedAnswer",
            Self::Output(_) => "OutputFailed",
        }
    }

    /// One sentence on what to do, where we know one.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::SettingMissing { name, flag } => {
                Some(format!("Set {name}, or give {flag}, or put it into the profile file."))
            }
            Self::Unreachable { obstacle: Obstacle::Certificate, .. } => Some(
                "Set ROLLCALL_CA to the PEM file of the authority that signed the service's certificate.".to_owned(),
            ),
            Self::Unreachable { .. } => Some("Check ROLLCALL_URL and that the service runs.".to_owned()),
            Self::Refused(refusal) => remedy_of(refusal).map(str::to_owned),
            Self::Unexpected { .. } => Some("Check that ROLLCALL_URL names a Rollcall service.".to_owned()),
            _ => None,
        }
    }
}

/// AADSTS numbers of the token endpoint and what to do about them (wire contract 1.5).
const TOKEN_REMEDIES: &[(&str, &str)] = &[
    ("AADSTS7000215", "Check ROLLCALL_CLIENT_SECRET: it is the secret's text, not its id."),
    ("AADSTS7000222", "The secret has expired: `rollcall app secret add` makes a new one."),
    ("AADSTS7000112", "The application is disabled: enable it, or use another client."),
    ("AADSTS700016", "Check ROLLCALL_CLIENT_ID: this tenant has no such application."),
    ("AADSTS900023", "Check ROLLCALL_TENANT: it is a GUID."),
    ("AADSTS90002", "Check ROLLCALL_TENANT: there is no such tenant."),
];

fn remedy_of(refusal: &Refusal) -> Option<&'static str> {
    // The number ends at a colon, so that 90002 is not found in 900023.
    let by_number = TOKEN_REMEDIES.iter().find(|(number, _)| refusal.message.contains(&format!("{number}:")));
    if let Some((_, remedy)) = by_number {
        return Some(remedy);
    }
    match (refusal.status, refusal.code.as_str()) {
        (401, "invalid_client") => Some("Check ROLLCALL_CLIENT_ID and ROLLCALL_CLIENT_SECRET."),
        (401, _) => Some("Check that ROLLCALL_URL and ROLLCALL_TENANT belong to the client."),
        (403, _) => Some("The client lacks a role: `rollcall app grant APP ROLE` by a client that may grant."),
        // The service says so of persons; another id of the path may be at fault everywhere else.
        (404, _) if refusal.message.contains("externalId") => {
            Some("Check the externalId, and ROLLCALL_JOB: the person may belong to another job.")
        }
        (404, _) => Some("Check the id, and ROLLCALL_JOB: `rollcall job list` shows the jobs there are."),
        (413, _) => Some("One operation is larger than the service accepts."),
        (429, _) => Some("Wait, or send less at once (--parallel)."),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
