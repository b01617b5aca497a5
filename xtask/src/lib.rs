//! The part of the project's tools that tests use too: transcripts of directories, recorded and replayed.

pub mod record;
pub mod transcript;
