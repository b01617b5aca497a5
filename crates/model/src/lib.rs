//! The nouns of Rollcall: ids, attribute values, persons, mappings, desired states, entries, plans and outcomes.
//!
//! Everything here is plain data that several rooms speak about. Nothing does I/O, reads a clock or makes a random
//! number: time and randomness come in through [`Clock`] and [`Random`].

pub mod code;
pub mod config;
pub mod desired;
pub mod dn;
pub mod ids;
pub mod killpoint;
pub mod limits;
pub mod mapping_test;
pub mod observed;
pub mod operation;
pub mod outcome;
pub mod person;
pub mod plan;
pub mod refusal;
pub mod schema;
pub mod source;
pub mod time;
pub mod unique;

pub use code::Code;
pub use dn::Dn;
pub use refusal::Refusal;
pub use source::{SourceName, fold};
pub use time::{Clock, Random, Timestamp};
pub use unique::fold_taken;
