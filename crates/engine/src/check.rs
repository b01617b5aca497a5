//! A configuration held against the live directory's schema: what the directory would refuse for everybody is refused
//! when the mapping is saved.

use rollcall_model::config::{Apply, JobConfig, Mapping, MappingSource, target};
use rollcall_model::schema::{Attribute, Schema, Syntax};
use rollcall_model::{Dn, SourceName};
use rollcall_syntax::attribute;
use rollcall_syntax::nearest;

use crate::evaluate::{Place, Problem};
use crate::expression::{NodeKind, TreeNode, Type, functions, tree};
use crate::scim;

/// The class of what mappings write.
const CLASS: &str = "user";
/// Targets that are none of the schema's business.
const PSEUDO: &[&str] = &[target::ACCOUNT_DISABLED, target::PARENT, target::OBJECT_FILTER];

/// What the directory's schema says against a configuration.
#[must_use]
pub fn check_target(config: &JobConfig, schema: &Schema) -> Vec<Problem> {
    let own = schema.attributes_of(CLASS);
    let mut problems = Vec::new();
    for (at, mapping) in config.mappings.iter().enumerate() {
        if PSEUDO.iter().any(|pseudo| pseudo.eq_ignore_ascii_case(&mapping.target)) {
            continue;
        }
        let mut refuse = |message: String, hint: String| {
            let (place, target) = (Place::Mapping(at), mapping.target.clone());
            problems.push(Problem { place, mapping: Some(at), target, at: None, message, hint: Some(hint) });
        };
        let Some(attribute) = schema.attribute(&mapping.target) else {
            let names = own.iter().filter_map(|name| schema.attribute(name)).map(|attribute| attribute.name.as_str());
            let hint = nearest(&mapping.target, names).map_or_else(
                || "correct the name, or extend the directory's schema and look again".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            refuse(format!("the directory's schema has no attribute {}", mapping.target), hint);
            continue;
        };
        if !own.is_empty() && !own.contains(&attribute.name.to_lowercase()) {
            let message = format!("{} is no attribute of {CLASS} objects", attribute.name);
            refuse(message, "map an attribute that users have".to_owned());
        }
        if let Some((message, hint)) = unwritable(attribute) {
            refuse(message, hint.to_owned());
            continue;
        }
        if attribute.single_valued {
            for (message, hint) in single_valued(config, mapping, attribute) {
                refuse(message, hint.to_owned());
            }
        }
        for value in constants(mapping) {
            if let Some((message, hint)) = value_of(&value, attribute) {
                refuse(message, hint);
            }
        }
    }
    problems
}

fn unwritable(attribute: &Attribute) -> Option<(String, &'static str)> {
    let name = &attribute.name;
    if attribute.is_back_link() {
        let hint = "map the forward link of the other object's side, or leave it out";
        return Some((format!("{name} is kept by the directory from links of other objects"), hint));
    }
    if attribute.system_only || crate::reconcile::is_kept(name) {
        return Some((format!("{name} is written by the directory alone"), "remove the mapping"));
    }
    match attribute.syntax {
        Syntax::Octets | Syntax::Sid | Syntax::SecurityDescriptor | Syntax::Other => {
            Some((format!("{name} holds binary values, which are not supported"), "map an attribute that holds text"))
        }
        _ => None,
    }
}

/// What could send several values to an attribute that has one.
fn single_valued(config: &JobConfig, mapping: &Mapping, attribute: &Attribute) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    let name = &attribute.name;
    let is_list = match &mapping.source {
        MappingSource::Expression(text) => tree(text).is_ok_and(|node| yields_list(config, &node, &mut Vec::new())),
        MappingSource::Direct(source) if !mapping.target.eq_ignore_ascii_case(target::MANAGER) => {
            is_list_attribute(config, source)
        }
        MappingSource::Direct(_) | MappingSource::Constant(_) | MappingSource::None => false,
    };
    if is_list {
        let hint = "take one of them, as with Item(..., 1) or emails[type eq \"work\"].value";
        faults.push((format!("{name} has one value, and the source may yield several"), hint));
    }
    if matches!(mapping.apply, Apply::MultiValueAddOnly | Apply::ValueAddOnly) {
        let hint = "apply it always, or AttributeAddOnly to fill it where it is empty";
        faults.push((format!("{name} has one value, and the mapping only adds values"), hint));
    }
    faults
}

/// Whether an attribute of the record may have several values.
fn is_list_attribute(config: &JobConfig, name: &SourceName) -> bool {
    let is_listed = config.source_attribute(name).is_some_and(|own| own.multivalued);
    is_listed || attribute::parse(name.as_str()).is_ok_and(|path| path.filter.is_none() && scim::is_list(&path))
}

/// Whether the result may be a list, whichever branch is taken. `variables` are those in force, and whether each stands
/// for a list.
fn yields_list(config: &JobConfig, node: &TreeNode, variables: &mut Vec<(String, bool)>) -> bool {
    match node.kind {
        NodeKind::Attribute => return is_list_attribute(config, &SourceName::new(&node.name)),
        NodeKind::Constant => {
            let bound = variables.iter().rev().find(|(name, _)| *name == node.name);
            return node.expression.starts_with('$') && bound.is_some_and(|(_, is_list)| *is_list);
        }
        NodeKind::Function => {}
    }
    if functions().find(|own| own.name == node.name).is_some_and(|own| own.returns == Type::List) {
        return true;
    }
    let in_force = variables.len();
    if let ("With", [(_, variable), (_, value), ..]) = (node.name.as_str(), node.parameters.as_slice()) {
        let is_list = yields_list(config, value, variables);
        variables.push((variable.name.clone(), is_list));
    }
    let may_be_list = node.parameters.iter().any(|(key, argument)| {
        let is_passed = is_chosen(&node.name, key) || KEEPS_LISTS.contains(&node.name.as_str());
        is_passed && yields_list(config, argument, variables)
    });
    variables.truncate(in_force);
    may_be_list
}

/// Functions that make a list of a list.
const KEEPS_LISTS: &[&str] = &["CRef", "CStr", "LTrim", "RTrim", "Trim"];

/// Whether that argument of a function may be its result as it is.
fn is_chosen(function: &str, key: &str) -> bool {
    match function {
        "Switch" => key == "defaultValue" || key.starts_with("value"),
        "IIF" => key.starts_with("valueIf"),
        "Coalesce" | "IgnoreFlowIfNullOrEmpty" | "Redact" => true,
        "With" => key == "expression",
        _ => false,
    }
}

/// Values that whole groups of people get: constants, defaults, and what a function chooses among.
fn constants(mapping: &Mapping) -> Vec<String> {
    let mut found: Vec<String> = mapping.default_value.iter().cloned().collect();
    match &mapping.source {
        MappingSource::Constant(text) => found.push(text.clone()),
        MappingSource::Expression(text) => {
            if let Ok(node) = tree(text) {
                results(&node, &mut found);
            }
        }
        MappingSource::Direct(_) | MappingSource::None => {}
    }
    // An empty constant is no value.
    found.retain(|text| !text.is_empty());
    found
}

/// Constants that may be the result, through functions that choose one of their arguments.
fn results(node: &TreeNode, found: &mut Vec<String>) {
    // A keyword such as IgnoreAttributeFlow is a constant without quotes.
    if node.kind == NodeKind::Constant && node.expression.starts_with('"') {
        found.push(node.name.clone());
    }
    if node.kind != NodeKind::Function {
        return;
    }
    for (key, argument) in &node.parameters {
        if is_chosen(&node.name, key) {
            results(argument, found);
        }
    }
}

/// What is wrong with a value, and what to write instead.
fn value_of(value: &str, attribute: &Attribute) -> Option<(String, String)> {
    let name = &attribute.name;
    let wrong = |what: &str, hint: &str| Some((format!("'{value}' is no {what}, as {name} wants"), hint.to_owned()));
    let upper = attribute.range_upper;
    match attribute.syntax {
        Syntax::Boolean if value != "TRUE" && value != "FALSE" => wrong("truth value", "write TRUE or FALSE"),
        Syntax::Integer if value.parse::<i32>().is_err() => wrong("whole number of 32 bits", "write one, as in 276"),
        Syntax::LargeInteger if value.parse::<i64>().is_err() => {
            wrong("whole number of 64 bits", "write one; NumFromDate yields times")
        }
        Syntax::Integer | Syntax::LargeInteger => {
            let number: i64 = value.parse().ok()?;
            let most = upper.filter(|most| number > *most)?;
            Some((format!("{name} holds numbers up to {most}, not {value}"), "write a smaller one".to_owned()))
        }
        Syntax::DistinguishedName if Dn::parse(value).is_err() => {
            wrong("distinguished name", "write it as in CN=Ada,OU=Staff,DC=corp,DC=example")
        }
        Syntax::Time if !is_time(value) => wrong("time", "write it as in 20260131120000.0Z"),
        Syntax::Text => {
            let units = i64::try_from(value.encode_utf16().count()).unwrap_or(i64::MAX);
            let most = upper.filter(|most| units > *most)?;
            Some((format!("{name} holds {most} characters, and the value has {units}"), "shorten it".to_owned()))
        }
        _ => None,
    }
}

/// Generalised time in UTC (RFC 4517 3.3.13), as AD writes it.
fn is_time(value: &str) -> bool {
    let Some(digits) = value.strip_suffix('Z') else { return false };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(whole.len(), 12 | 14) && all(whole) && all(fraction)
}

#[cfg(test)]
mod tests;
