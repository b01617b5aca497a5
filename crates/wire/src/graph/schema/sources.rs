//! A mapping's source: Graph's tree to and from the model's.

use rollcall_model::SourceName;
use rollcall_model::config::MappingSource;
use rollcall_model::limits::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};
use rollcall_syntax::Limits;
use rollcall_syntax::expression::{Argument, Kind, Node, parse};

use super::{AttributeMappingSource, Other, SourceParameter};

const LIMITS: Limits = Limits { chars_max: EXPRESSION_CHARS_MAX, depth_max: EXPRESSION_DEPTH_MAX };

/// A source as Graph shows it, its text taken apart as far as it can be read. `parameter_name` names a function's
/// parameter by position.
#[must_use]
pub fn source_tree(
    source: &MappingSource,
    parameter_name: &dyn Fn(&str, usize) -> Option<String>,
) -> Option<AttributeMappingSource> {
    Some(match source {
        MappingSource::None => return None,
        MappingSource::Direct(name) => leaf("Attribute", format!("[{name}]"), name.as_str()),
        MappingSource::Constant(text) => leaf("Constant", quoted(text), text),
        MappingSource::Expression(text) => match parse(text, LIMITS) {
            Ok(node) => of_node(text, &node, parameter_name),
            Err(_) => leaf("Function", text.clone(), text),
        },
    })
}

fn leaf(kind: &str, expression: String, name: &str) -> AttributeMappingSource {
    AttributeMappingSource {
        expression: Some(expression),
        name: Some(name.to_owned()),
        kind: Some(kind.to_owned()),
        parameters: Vec::new(),
        other: Other::new(),
    }
}

fn of_node(text: &str, node: &Node, parameter_name: &dyn Fn(&str, usize) -> Option<String>) -> AttributeMappingSource {
    let written = text.get(node.at.start..node.at.end).unwrap_or_default();
    match &node.kind {
        Kind::Attribute(name) => leaf("Attribute", written.to_owned(), name),
        Kind::Text(value) | Kind::Number(value) => leaf("Constant", written.to_owned(), value),
        Kind::Call { name, arguments, .. } => {
            let parameter = |(at, argument): (usize, &Argument)| SourceParameter {
                key: Some(parameter_name(name, at).unwrap_or_else(|| format!("argument{}", at + 1))),
                value: argument.node.as_ref().map(|node| of_node(text, node, parameter_name)),
            };
            let parameters = arguments.iter().enumerate().map(parameter).collect();
            AttributeMappingSource { parameters, ..leaf("Function", written.to_owned(), name) }
        }
        // Graph's tree has no conditions; a client that reads the text loses nothing.
        _ => leaf("Function", written.to_owned(), written),
    }
}

/// A text as the expression language writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The model's source. The text decides where there is one; else the tree is written down. An `Err` says what is
/// missing.
pub(super) fn of_wire(source: &AttributeMappingSource) -> Result<MappingSource, String> {
    let is = |wanted: &str| source.kind.as_deref().unwrap_or_default().eq_ignore_ascii_case(wanted);
    let name = source.name.as_deref().unwrap_or_default();
    if let Some(text) = source.expression.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        return Ok(match parse(text, LIMITS).map(|node| node.kind) {
            Ok(Kind::Attribute(name)) => MappingSource::Direct(SourceName::new(&name)),
            Ok(Kind::Text(value) | Kind::Number(value)) => MappingSource::Constant(value),
            // A name without its brackets.
            Err(_) if is("Attribute") && !text.starts_with(['[', '"']) && !text.contains('(') => {
                MappingSource::Direct(SourceName::new(text))
            }
            Ok(_) | Err(_) => MappingSource::Expression(text.to_owned()),
        });
    }
    if is("Constant") {
        return Ok(MappingSource::Constant(name.to_owned()));
    }
    if name.is_empty() {
        return Err("the source has neither an expression nor a name".to_owned());
    }
    if is("Function") {
        return rendered(source).map(MappingSource::Expression);
    }
    Ok(MappingSource::Direct(SourceName::new(name)))
}

/// The text of a tree that came without one. An `Err` says why there is none.
pub fn rendered(source: &AttributeMappingSource) -> Result<String, String> {
    let mut text = String::new();
    render(source, 0, &mut text)?;
    Ok(text)
}

fn render(source: &AttributeMappingSource, depth: usize, text: &mut String) -> Result<(), String> {
    if depth > EXPRESSION_DEPTH_MAX {
        return Err(format!("the source is nested deeper than {EXPRESSION_DEPTH_MAX} levels"));
    }
    let is = |wanted: &str| source.kind.as_deref().unwrap_or_default().eq_ignore_ascii_case(wanted);
    let name = source.name.as_deref().unwrap_or_default();
    match source.expression.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(written) => text.push_str(written),
        None if is("Constant") => text.push_str(&quoted(name)),
        None if is("Attribute") => text.extend(["[", name, "]"]),
        None if name.is_empty() => return Err("a function of the source has no name".to_owned()),
        None => {
            text.extend([name, "("]);
            for (at, parameter) in source.parameters.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                if let Some(value) = &parameter.value {
                    render(value, depth + 1, text)?;
                }
            }
            text.push(')');
        }
    }
    // Characters are counted when it is parsed; none is longer than four bytes.
    if text.len() > EXPRESSION_CHARS_MAX * 4 {
        return Err(format!("the expression is longer than {EXPRESSION_CHARS_MAX} characters"));
    }
    Ok(())
}
