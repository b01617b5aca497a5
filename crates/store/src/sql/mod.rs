//! The adapter: one implementation of the traits over SQL that SQLite and PostgreSQL share.

#[macro_use]
mod text;
#[macro_use]
mod db;
mod agents;
mod asks;
mod batch;
mod budget;
mod checkpoint;
mod claim;
mod filter;
mod identity;
mod intake;
mod jobs;
mod log;
mod migrations;
mod open;
mod outcome;
mod person;
mod resting;
mod schemas;
mod sweep;
#[cfg(test)]
mod tests;
mod unchanged;
mod unique;
mod upload;
mod work;
mod writer;

pub use open::{SQLITE_FILE_NAME, SqlStore, open};

pub(crate) use db::{Arg, Db, Pace, Pool, Row, Transaction, inconsistent};
pub(crate) use text::Sql;
