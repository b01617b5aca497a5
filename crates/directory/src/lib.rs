//! The directory as the agent sees it: a trait with a read half and a write half, its LDAP adapter, and AD's facts.
//!
//! | module | what is in it |
//! |---|---|
//! | `access` | the traits [`Read`] and [`Write`] and what they take and give |
//! | `filter` | [`Filter`], and the one place that escapes (RFC 4515) |
//! | [`ldap`] | the adapter on LDAP, over TLS or Kerberos |
//! | [`errors`] | result code and diagnostic text to [`Code`] |
//! | [`accounts`] | AD's facts about accounts: control bits, object classes, the filter that finds accounts |
//! | [`uniqueness`] | who holds a value that must be unique |
//! | [`password`] | first passwords |
//! | [`schema`] | the live schema |
//! | [`security`] | security descriptors, and what they grant |
//! | [`conformance`] | what every directory behind the traits must do, as functions that a test crate runs |

pub mod accounts;
pub mod conformance;
pub mod errors;
pub mod ldap;
pub mod password;
pub mod schema;
pub mod security;
pub mod uniqueness;

mod access;
mod filter;

pub use access::{Add, Read, RootDse, Scope, Search, Write};
pub use accounts::account_filter;
pub use filter::{Filter, InvalidFilter};

use rollcall_model::Code;
use rollcall_model::plan::LdapFailure;

/// What went wrong at the directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory answered with a result code that is no success.
    #[error("{code}: result code {}, {}", ldap.result_code, ldap.diagnostic)]
    Refused { code: Code, attribute: Option<String>, ldap: LdapFailure },
    /// No answer could be had: connection, TLS, time-out. Whether a write was made is unknown.
    #[error("{code}: {text}")]
    Unreachable { code: Code, text: String },
    /// A write that was not sent, and will not be: there was no open connection, or no time left.
    #[error("{code}: {text}")]
    NotSent { code: Code, text: String },
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused { code, .. } | Self::Unreachable { code, .. } | Self::NotSent { code, .. } => *code,
        }
    }

    /// The attribute the directory objects to, where it names one.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Refused { attribute, .. } => attribute.as_deref(),
            Self::Unreachable { .. } | Self::NotSent { .. } => None,
        }
    }
}
