//! What the doctor found, and how it is printed.

use std::fmt::Write as _;

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, and should be otherwise.
    Warn,
    /// Rollcall cannot work like this, or may do what it must not.
    Fail,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    pub verdict: Verdict,
    /// What is so.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All checks, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Report {
    pub(super) fn ok(&mut self, name: impl Into<String>, found: impl Into<String>) {
        self.push(name, Verdict::Ok, found, None);
    }

    pub(super) fn warn(&mut self, name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.push(name, Verdict::Warn, found, Some(remedy.into()));
    }

    pub(super) fn fail(&mut self, name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.push(name, Verdict::Fail, found, Some(remedy.into()));
    }

    fn push(&mut self, name: impl Into<String>, verdict: Verdict, found: impl Into<String>, remedy: Option<String>) {
        self.checks.push(Check { name: name.into(), verdict, found: found.into(), remedy });
    }

    /// Whether nothing failed. A warning is no failure.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Fail)
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for check in &self.checks {
            let mark = match check.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            // Writing to a String does not fail.
            let _ = writeln!(out, "{mark}  {}: {}", check.name, check.found);
            if let Some(remedy) = &check.remedy {
                let _ = writeln!(out, "      -> {remedy}");
            }
        }
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let _ = writeln!(
            out,
            "\n{} checks: {} ok, {} warnings, {} failed",
            self.checks.len(),
            count(Verdict::Ok),
            count(Verdict::Warn),
            count(Verdict::Fail)
        );
        out
    }

    /// One JSON object: `ok`, and `checks` in order.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::json!({ "ok": self.is_ok(), "checks": self.checks }).to_string()
    }
}
