//! Decides. Three steps, each pure: [`merge`] an operation into its person, [`evaluate`] the person into a desired
//! state, [`reconcile`] the desired state with what the directory holds into a plan.
//!
//! Bad data is never an `Err` here: it is a [`rollcall_model::plan::Failure`] or
//! [`rollcall_model::plan::Warning`] that names the record's field or the target's attribute. Time and
//! seeds of random values are arguments; the same input gives the same output.

pub mod budget;
pub mod check;
pub mod default_mapping;
pub mod evaluate;
pub mod expression;
pub mod impact;
pub mod mapping_tests;
pub mod merge;
pub mod reconcile;
mod scim;
pub mod scope;
