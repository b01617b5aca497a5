//! The service: HTTP API, token endpoint, workers, metrics.

mod api;
pub mod body;
pub mod config;
mod counters;
mod error;
pub mod fault;
mod files;
mod first_start;
mod moment;
mod preview;
mod roles;
mod seal;
mod secrets;
mod service;
mod state;
pub mod system;
mod tls;
mod tokens;
pub mod work;

pub use api::openapi::document as openapi_document;
pub use error::Error;
pub use secrets::JobSecrets;
pub use service::{Options, Service};
