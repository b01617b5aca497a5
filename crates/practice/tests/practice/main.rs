//! The practice directory, seen from its clients.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod behaviour;
mod replay;
mod size;
mod support;
