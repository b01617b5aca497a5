//! Mapping tests, run here: by the same code as the service's.

use std::fmt::Write as _;
use std::path::Path;

use rollcall_engine::evaluate::{Place, Prepared, Problem, check_config};
use rollcall_engine::mapping_tests;
use rollcall_model::config::{JobConfig, MappingSource};
use rollcall_model::mapping_test::{MappingTest, TestFailure};
use rollcall_syntax::render_caret;
use rollcall_wire::graph::schema::{SynchronizationSchema, schema_to_config};
use serde_json::{Value, json};

use crate::error::{Error, Exit};
use crate::printer::{Printer, visible};

/// What is to be tested, and where it came from.
pub(super) struct Given<'a> {
    pub(super) schema: &'a Value,
    pub(super) name: &'a Path,
    pub(super) tests: &'a Value,
    pub(super) tests_name: &'a Path,
    /// The job's settings as the service shows them, as far as they are known.
    pub(super) settings: &'a Value,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Tested {
    count: usize,
    failures: Vec<TestFailure>,
}

pub(super) fn run(given: &Given<'_>) -> Result<Tested, Error> {
    let unusable = |path: &Path, message: String| Error::Content { path: path.to_owned(), message };
    let schema: SynchronizationSchema = serde_json::from_value(given.schema.clone())
        .map_err(|error| unusable(given.name, format!("it is no schema: {error}")))?;
    let tests: Vec<MappingTest> = serde_json::from_value(given.tests.clone())
        .map_err(|error| unusable(given.tests_name, format!("it is no list of tests: {error}")))?;
    let converted = schema_to_config(&schema, &settings(given.settings)).map_err(|problems| {
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("\n{}: {}; {}", problem.place, problem.message, problem.hint))
            .collect();
        unusable(given.name, told.concat())
    })?;
    let config = &converted.config;
    let domain = config.domain.as_deref().unwrap_or_default();
    let refused = |problems: &[Problem]| {
        let told: Vec<String> = problems.iter().map(|problem| drawn(problem, config)).collect();
        unusable(given.name, told.concat())
    };
    let problems = check_config(config, domain);
    if !problems.is_empty() {
        return Err(refused(&problems));
    }
    let prepared = Prepared::new(config, 0, domain).map_err(|problems| refused(&problems))?;
    Ok(Tested { count: tests.len(), failures: mapping_tests::run(&prepared, &tests) })
}

/// A problem, drawn under its text where it is one of a text.
fn drawn(problem: &Problem, config: &JobConfig) -> String {
    let mut out = String::from("\n");
    if matches!(problem.place, Place::Mapping(_)) {
        let _ = write!(out, "mapping of {}: ", problem.target);
    }
    let source = problem.mapping.and_then(|at| config.mappings.get(at)).map(|mapping| &mapping.source);
    if let (Some(MappingSource::Expression(text)), Some(at)) = (source, problem.at) {
        out.push_str(&render_caret(text, at, &problem.message, problem.hint.as_deref()));
    } else {
        out.push_str(&problem.message);
        if let Some(hint) = &problem.hint {
            let _ = write!(out, "; {hint}");
        }
    }
    out
}

/// The settings that evaluation goes by.
fn settings(shown: &Value) -> JobConfig {
    let text = |name: &str| shown[name].as_str().map(str::to_owned);
    let flag = |name: &str| shown[name].as_bool().unwrap_or_default();
    JobConfig {
        domain: text("domain"),
        container: text("container"),
        upn_suffix: text("upnSuffix"),
        empty_is_value: flag("emptyIsValue"),
        create_inactive: flag("createInactive"),
        ..JobConfig::new(Vec::new())
    }
}

impl Tested {
    pub(super) fn print(&self, printer: &Printer) -> Result<Exit, Error> {
        let failed = {
            let mut names: Vec<&str> = self.failures.iter().map(|failure| failure.test.as_str()).collect();
            names.dedup();
            names.len()
        };
        let shown = json!({ "tests": self.count, "failed": failed, "failures": self.failures });
        printer.data(&shown, |_| {
            let mut lines: Vec<String> = self
                .failures
                .iter()
                .map(|failure| {
                    let target = failure.target.as_ref().map_or_else(String::new, |target| format!(", {target}"));
                    let (expected, got) = (&failure.expected, &failure.got);
                    visible(&format!("{}{target}\n  expected  {expected}\n  got       {got}", failure.test))
                })
                .collect();
            lines.push(format!("{} tests, {failed} failed", self.count));
            lines.join("\n")
        })?;
        Ok(if failed == 0 { Exit::Done } else { Exit::SomeFailed })
    }
}
