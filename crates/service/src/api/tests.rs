//! The application called in process, over SQLite in a folder of the test's own.

mod abuse;
mod administration;
mod intake;
mod log;
mod oauth;
mod routes;
mod world;
