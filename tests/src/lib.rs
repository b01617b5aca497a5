//! End-to-end tests and the outside checker.
//!
//! The checker is here, and not beside what it checks, so that it can share no mistake with it: of ours it knows the
//! model only. It reads uploads and log over HTTP, and the directory over plain LDAP.

pub mod checker;
pub mod collect;
