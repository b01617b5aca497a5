//! How a preview is told: what would change, by which rule; secret values are not shown.

use std::collections::HashSet;

use rollcall_model::config::{JobConfig, Mapping, MappingSource, target};
use rollcall_model::outcome::Conclusion;
use rollcall_model::plan::{Action, Failure, PropertyChange, Warning};
use rollcall_model::{Code, fold};
use rollcall_wire::link::PlannedWrite;
use rollcall_wire::rollcall::{
    PreviewAnswer, PreviewChange, PreviewError, PreviewPerson, PreviewProperty, PreviewRule, PreviewWarning,
};

use super::names::Taken;
use super::{Stage, Subject};

/// In place of a secret value.
const REDACTED: &str = "[Redact]";

/// Who is in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Changed,
    Everybody,
}

pub(super) fn answer(
    config: &JobConfig,
    subjects: &[Subject],
    stages: &[Stage],
    taken: Taken,
    shown: Shown,
) -> PreviewAnswer {
    let mut answer = PreviewAnswer { persons: subjects.len(), taken: taken.into_lists(), ..PreviewAnswer::default() };
    for (subject, stage) in subjects.iter().zip(stages) {
        let person = person(config, subject, stage);
        let mut count = |name: &str| *answer.counts.entry(name.to_owned()).or_default() += 1;
        if person.outcome != "done" {
            count(&person.outcome);
        }
        person.changes.iter().for_each(|change| count(&change.action));
        let is_plain = person.outcome == "unchanged" && person.warnings.is_empty() && person.drift.is_empty();
        if shown == Shown::Everybody || !is_plain {
            answer.value.push(person);
        }
    }
    answer
}

fn person(config: &JobConfig, subject: &Subject, stage: &Stage) -> PreviewPerson {
    let mut shown = PreviewPerson {
        external_id: subject.external_id.clone(),
        operations: subject.operations.clone(),
        outcome: "unchanged".to_owned(),
        dn: None,
        changes: vec![],
        warnings: vec![],
        drift: vec![],
        error: None,
    };
    match stage {
        Stage::Unchanged => {}
        Stage::Skipped(code, found) => {
            "skipped".clone_into(&mut shown.outcome);
            shown.error = Some(skip(*code));
            shown.warnings = warnings(found);
        }
        Stage::Failed(failure, found) => {
            "failed".clone_into(&mut shown.outcome);
            shown.error = Some(error(failure));
            shown.warnings = warnings(found);
        }
        // The agent told nothing of somebody it was asked about: it cannot be, but must not look like success.
        Stage::Desired(_) => {
            let failure = Failure::new(Code::InternalError, None, "the agent told nothing about this person");
            "failed".clone_into(&mut shown.outcome);
            shown.error = Some(error(&failure));
        }
        Stage::Planned(desired, planned) => {
            let secret: HashSet<String> =
                desired.attributes.iter().filter(|own| own.redacted).map(|own| fold(&own.name)).collect();
            shown.dn.clone_from(&planned.dn);
            shown.changes = planned.writes.iter().map(|write| change(config, &secret, write)).collect();
            shown.warnings = warnings(&planned.warnings);
            shown.drift = planned.drift.iter().map(|drift| property(config, &secret, drift)).collect();
            let (outcome, reason) = match &planned.result {
                Conclusion::Failed(failure) => ("failed", Some(error(failure))),
                Conclusion::Skipped(Code::RedundantExport) => ("unchanged", None),
                Conclusion::Skipped(code) => ("skipped", Some(skip(*code))),
                Conclusion::Done | Conclusion::Interrupted => ("done", None),
            };
            outcome.clone_into(&mut shown.outcome);
            shown.error = reason;
        }
    }
    shown
}

fn change(config: &JobConfig, secret: &HashSet<String>, write: &PlannedWrite) -> PreviewChange {
    PreviewChange {
        action: action(write.action).to_owned(),
        dn: write.dn.clone(),
        properties: write.properties.iter().map(|change| property(config, secret, change)).collect(),
    }
}

/// Rollcall's own words: Graph knows neither enable nor move nor rename.
fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Disable => "disable",
        Action::Enable => "enable",
        Action::Move => "move",
        Action::Rename => "rename",
        Action::Delete => "delete",
        Action::Other => "other",
    }
}

fn property(config: &JobConfig, secret: &HashSet<String>, change: &PropertyChange) -> PreviewProperty {
    let is_secret = secret.contains(&fold(&change.name));
    let values = |values: &[String]| match values {
        [] => vec![],
        _ if is_secret => vec![REDACTED.to_owned()],
        values => values.to_vec(),
    };
    PreviewProperty {
        name: change.name.clone(),
        old: values(&change.old),
        new: values(&change.new),
        rule: rule(config, &change.name),
    }
}

/// The mapping that has a say in a property. An account's whole name follows its cn.
fn rule(config: &JobConfig, property: &str) -> Option<PreviewRule> {
    let name = if property == "distinguishedName" { target::CN } else { property };
    let mapping = config.mappings.iter().find(|mapping| mapping.target.eq_ignore_ascii_case(name))?;
    Some(PreviewRule { target: mapping.target.clone(), mapping: text(mapping) })
}

fn text(mapping: &Mapping) -> String {
    match &mapping.source {
        MappingSource::Direct(name) => format!("[{name}]"),
        MappingSource::Constant(value) => format!("\"{value}\""),
        MappingSource::Expression(text) => text.clone(),
        MappingSource::None => mapping.default_value.as_ref().map_or_else(String::new, |value| format!("\"{value}\"")),
    }
}

fn warnings(found: &[Warning]) -> Vec<PreviewWarning> {
    let one = |warning: &Warning| PreviewWarning {
        code: warning.code.as_str().to_owned(),
        attribute: warning.attribute.clone(),
        text: warning.text.clone(),
    };
    found.iter().map(one).collect()
}

fn error(failure: &Failure) -> PreviewError {
    PreviewError {
        code: failure.code.as_str().to_owned(),
        reason: failure.reason.clone(),
        attribute: failure.attribute.clone(),
    }
}

fn skip(code: Code) -> PreviewError {
    PreviewError { code: code.as_str().to_owned(), reason: code.reason().to_owned(), attribute: None }
}
