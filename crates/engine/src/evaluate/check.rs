//! What can be said against a configuration without looking at a directory: message and hint of each fault.

use std::collections::BTreeMap;

use rollcall_model::config::{Apply, FilterGroup, JobConfig, Mapping, MappingSource, target};
use rollcall_model::source::ENTERPRISE_USER;
use rollcall_model::{SourceName, fold};
use rollcall_syntax::attribute::{self, AttributePath};
use rollcall_syntax::nearest;

use super::prepare::{Place, Problem};
use super::row::{Role, Row, Source};
use crate::{expression, scim};

/// Message and hint.
type Fault = (String, String);

/// Everything that can be said against a configuration when it is saved. More than [`super::Prepared::new`] says, which
/// also reads what was saved before.
#[must_use]
pub fn check_config(config: &JobConfig, domain: &str) -> Vec<Problem> {
    let mut problems = super::Prepared::new(config, 0, domain).err().unwrap_or_default();
    problems.extend(source_attributes(config));
    problems.extend(clauses(config, &config.scope.groups, |group, clause| Place::Clause { group, clause }));
    problems.extend(clauses(config, &config.scope.input_groups, |group, clause| Place::InputClause { group, clause }));
    for (at, mapping) in config.mappings.iter().enumerate() {
        for (message, hint) in source(config, mapping) {
            let (place, target, hint) = (Place::Mapping(at), mapping.target.clone(), Some(hint));
            problems.push(Problem { place, mapping: Some(at), target, at: None, message, hint });
        }
    }
    for wanted in [target::SAM_ACCOUNT_NAME, target::CN] {
        if config.actions.create && config.mapping(wanted).is_none() {
            let message = format!("{wanted} is not mapped, and every new account needs it");
            let hint = "map it, as the default mapping does, or switch the target action Create off".to_owned();
            let target = wanted.to_owned();
            problems.push(Problem { place: Place::Job, mapping: None, target, at: None, message, hint: Some(hint) });
        }
    }
    problems
}

/// The list of source attributes: one key, and references that lead somewhere.
fn source_attributes(config: &JobConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |place, target: &str, message: String, hint: &str| {
        let (target, hint) = (target.to_owned(), Some(hint.to_owned()));
        problems.push(Problem { place, mapping: None, target, at: None, message, hint });
    };
    let anchors: Vec<&str> =
        config.source_attributes.iter().filter(|own| own.anchor).map(|own| own.name.as_str()).collect();
    if anchors.len() != 1 || !anchors[0].eq_ignore_ascii_case("externalId") {
        let message = format!("the anchor is {}, and records are told apart by externalId", listed(&anchors));
        refuse(Place::Job, "anchor", message, "mark externalId as the anchor, and nothing else");
    }
    for (at, own) in config.source_attributes.iter().enumerate() {
        if circle(config, &own.name) {
            let message = format!("the references of {} lead round in a circle", own.name);
            refuse(Place::SourceAttribute(at), own.name.as_str(), message, "let the last one refer to externalId");
        }
    }
    problems
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "missing".to_owned() } else { names.join(" and ") }
}

/// Whether what an attribute refers to refers back to it. A reference names a property of an object; only properties
/// of our own object can refer on.
fn circle(config: &JobConfig, start: &SourceName) -> bool {
    let next: BTreeMap<String, Vec<String>> = config
        .source_attributes
        .iter()
        .map(|own| {
            let ours = own.references.iter().filter(|reference| reference.object.eq_ignore_ascii_case(ENTERPRISE_USER));
            (own.name.folded(), ours.map(|reference| fold(&reference.property)).collect())
        })
        .collect();
    let start = start.folded();
    let (mut left, mut seen) = (vec![start.clone()], std::collections::BTreeSet::new());
    while let Some(name) = left.pop() {
        for name in next.get(&name).into_iter().flatten() {
            if *name == start {
                return true;
            }
            if seen.insert(name.clone()) {
                left.push(name.clone());
            }
        }
    }
    false
}

/// Source attributes that clauses of a scope name and nobody knows; `place` is that of a clause of a group.
fn clauses(config: &JobConfig, groups: &[FilterGroup], place: impl Fn(usize, Option<usize>) -> Place) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (group, own) in groups.iter().enumerate() {
        for (at, clause) in own.clauses.iter().enumerate() {
            let path = attribute::parse(clause.source.as_str()).ok();
            for (message, hint) in path.iter().filter_map(|path| unknown(config, path)) {
                let (place, target, hint) = (place(group, Some(at)), "scope".to_owned(), Some(hint));
                problems.push(Problem { place, mapping: None, target, at: None, message, hint });
            }
        }
    }
    problems
}

/// Source attributes that a mapping names and nobody knows.
fn source(config: &JobConfig, mapping: &Mapping) -> Vec<Fault> {
    let paths = match &mapping.source {
        MappingSource::Direct(name) => attribute::parse(name.as_str()).into_iter().collect(),
        MappingSource::Expression(text) => expression::compile(text).map(|own| own.sources).unwrap_or_default(),
        MappingSource::Constant(_) | MappingSource::None => Vec::new(),
    };
    paths.iter().filter_map(|path| unknown(config, path)).collect()
}

/// What is wrong with the name of a source attribute, if nobody knows it.
fn unknown(config: &JobConfig, path: &AttributePath) -> Option<Fault> {
    if is_known(config, path) {
        return None;
    }
    let name = scim::name_of(path);
    let names = config.source_attributes.iter().map(|own| own.name.as_str());
    let core = scim::CORE.iter().chain(scim::ENTERPRISE).map(|(name, _)| *name);
    let hint = nearest(&name, names.chain(core)).map_or_else(
        || "add it to the source attributes, or write it as an extension's, with its URN".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Some((format!("there is no source attribute {name}"), hint))
}

/// Listed, or of SCIM's schemas, or an extension's, or what clients send anyway.
fn is_known(config: &JobConfig, path: &AttributePath) -> bool {
    let is_core = path.urn.as_deref().is_none_or(scim::is_core);
    if !is_core {
        return !path.urn.as_deref().is_some_and(scim::is_enterprise)
            || scim::known(scim::ENTERPRISE, &path.name).is_some()
            || is_listed(config, path);
    }
    let is_quiet = scim::QUIET.iter().any(|quiet| quiet.eq_ignore_ascii_case(&path.name));
    is_quiet || scim::known(scim::CORE, &path.name).is_some() || is_listed(config, path)
}

fn is_listed(config: &JobConfig, path: &AttributePath) -> bool {
    let mut whole = path.clone();
    (whole.filter, whole.sub) = (None, None);
    let (own, whole) = (scim::touched_key(path), scim::touched_key(&whole));
    config.source_attributes.iter().any(|listed| {
        let Ok(listed) = attribute::parse(listed.name.as_str()) else { return false };
        let key = scim::touched_key(&listed);
        key == own || key == whole
    })
}

/// What a compiled mapping may not be.
pub(super) fn row(row: &Row, mapping: &Mapping) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut refuse = |message: String, hint: &str| faults.push((message, hint.to_owned()));
    let name = mapping.target.as_str();
    let is_unique = matches!(&row.source, Source::Expression(compiled) if compiled.is_unique());
    if mapping.matching_priority > 0 {
        if matches!(row.source, Source::Constant(_) | Source::None) {
            let message = format!("{name} is a matching attribute and has no value of the person's own");
            refuse(message, "map it from an attribute of the record, as a rule externalId");
        } else if row.reads.len() != 1 {
            let message = format!("joining property {name} must have exactly one source attribute");
            refuse(message, "match on one attribute of the record");
        }
        if is_unique {
            let message = format!("{name} is a matching attribute, and a value chosen among candidates finds nobody");
            refuse(message, "match on an attribute of the record");
        }
        if matches!(&row.source, Source::Expression(compiled) if compiled.is_random() || compiled.may_read_clock()) {
            let message = format!("{name} is a matching attribute, and a value of clock or chance finds nobody");
            refuse(message, "match on an attribute of the record");
        }
    }
    if is_unique && mapping.apply != Apply::OnCreate {
        let message = format!("the unique value of {name} is chosen once, when the account is made");
        refuse(message, "set the mapping to apply on create only");
    }
    if is_unique && matches!(row.role, Role::AccountDisabled | Role::Parent | Role::Manager | Role::ObjectFilter) {
        refuse(format!("{name} takes no unique value"), "use it for names, as sAMAccountName");
    }
    if mapping.apply.only_adds() && row.role != Role::Attribute {
        refuse(format!("{name} has no values to add to"), "set apply to always or to on create");
    }
    if matches!(row.source, Source::None) && row.default_value.is_none() {
        refuse(format!("{name} has neither a source nor a default"), "give it one of the two, or remove the mapping");
    }
    if row.role == Role::Manager && matches!(&row.source, Source::Direct { is_external_id: true, .. }) {
        refuse("everybody would be their own manager".to_owned(), "map the enterprise attribute manager");
    }
    if row.role == Role::ObjectFilter && !matches!(row.source, Source::Expression(_)) {
        let hint = "write an expression that yields IgnoreObjectFlow for whom to hold back";
        refuse(format!("{} holds nobody back", target::OBJECT_FILTER), hint);
    }
    faults
}
