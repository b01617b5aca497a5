//! What can go wrong before and while the service runs. What goes wrong in one request is an
//! [`ApiError`](crate::api::ApiError).

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the service does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Names the field, what is wrong with it, and the remedy.
    #[error("configuration: {0}")]
    Config(String),
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot listen on {address}: {source}; free the address, or list it under server.optional_listen")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("TLS: {0}")]
    Tls(String),
    /// The master key and what was sealed under it do not belong together, or a key is unusable.
    #[error("keys: {0}")]
    Keys(String),
    #[error(transparent)]
    Store(#[from] rollcall_store::Error),
    #[error("the server stopped")]
    Server(#[source] std::io::Error),
}
