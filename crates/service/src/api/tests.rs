//! The application called in process, over SQLite in a folder of the test's own; and all of it once more over
//! PostgreSQL.

mod abuse;
mod administration;
mod intake;
mod log;
mod oauth;
mod persons;
mod postgres;
mod routes;
mod schema;
mod world;
