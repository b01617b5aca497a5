//! Distinguished names, references, the job's domain; and functions that are for other targets.

use super::{Family, FunctionInfo, Nature, Type, optional, required};
use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

const OUTBOUND: &str = "it is made for provisioning from the cloud into applications; a directory has no app roles";
const ROLES: &[super::Parameter] = &[required("appRoleAssignments", Type::Any)];

const fn outbound(name: &'static str, purpose: &'static str) -> FunctionInfo {
    FunctionInfo::new(name, ROLES, Type::Any, |a| Err(a.fail(OUTBOUND)))
        .of(Family::Outbound)
        .nature(Nature::Refused(OUTBOUND))
        .told(purpose, &["It is known by name and refused when a mapping is saved."])
}

pub(super) const TABLE: &[FunctionInfo] = &[
    outbound("AppRoleAssignmentsComplex", "Every app role of a user, for an application."),
    outbound("AssertiveAppRoleAssignmentsComplex", "Every app role of a user, replacing those of the application."),
    outbound("SingleAppRoleAssignment", "One app role of a user, for an application."),
    FunctionInfo::new("CRef", &[required("value", Type::Text)], Type::Text, |a| a.value(0)).of(Family::Directory).told(
        "A text as a reference.",
        &["References are texts here; it is accepted so that expressions need no change."],
    ),
    FunctionInfo::new("DefaultDomain", &[], Type::Text, |a| match a.default_domain() {
        "" => Err(a.fail("there is no default domain; set the job's UPN suffix")),
        domain => Ok(Value::borrowed(domain)),
    })
    .of(Family::Directory)
    .told("The job's UPN suffix.", &["It fails the record where there is none."]),
    FunctionInfo::new(
        "DNComponent",
        &[required("dn", Type::Text), required("number", Type::Number)],
        Type::Text,
        |a| component(a, false),
    )
    .of(Family::Directory)
    .told(
        "The value of one component of a distinguished name, counted from the left, from 1.",
        &["Null if there is none."],
    ),
    FunctionInfo::new(
        "DNComponentRev",
        &[required("dn", Type::Text), required("number", Type::Number), optional("options", Type::Text)],
        Type::Text,
        |a| component(a, true),
    )
    .of(Family::Directory)
    .told(
        "The value of one component of a distinguished name, counted from the right, from 1.",
        &["With \"DC\" as the third argument, the components of the domain are not counted. Null if there is none."],
    ),
    FunctionInfo::new("EscapeDNComponent", &[required("value", Type::Text)], Type::Text, escape)
        .of(Family::Directory)
        .told(
            "A text as the value of a component of a distinguished name (RFC 4514 2.4).",
            &["Characters with a meaning there get a backslash: \"CN=\" & EscapeDNComponent([displayName])."],
        ),
];

fn escape<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => out.extend(['\\', c]),
            '#' if at == 0 => out.push_str("\\#"),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '\0' => out.push_str("\\00"),
            '\n' => out.push_str("\\0A"),
            '\r' => out.push_str("\\0D"),
            c => out.push(c),
        }
    }
    a.built(out)
}

fn component<'a>(a: &Arguments<'_, 'a>, from_the_right: bool) -> Result<Value<'a>, Fault> {
    let Some(dn) = a.text(0)? else { return Ok(Value::Null) };
    let wanted = a.number(1)?.and_then(|number| usize::try_from(number).ok()).and_then(|number| number.checked_sub(1));
    let Some(wanted) = wanted else { return Err(a.fault(1, &a.value(1)?, "components are counted from 1")) };
    let Some(mut components) = components(&dn) else {
        return Err(a.fault(0, &Value::Text(dn), "it is no distinguished name"));
    };
    if from_the_right {
        if a.text(2)?.is_some_and(|option| option.eq_ignore_ascii_case("DC")) {
            let outside = |(kind, _): &(String, String)| !kind.eq_ignore_ascii_case("DC");
            let kept = components.iter().rposition(outside).map_or(0, |last| last + 1);
            components.truncate(kept);
        }
        components.reverse();
    }
    match components.into_iter().nth(wanted) {
        Some((_, value)) => a.built(value),
        None => Ok(Value::Null),
    }
}

/// Types and unescaped values; `None` where a component has no `=`.
fn components(dn: &str) -> Option<Vec<(String, String)>> {
    let (mut parts, mut current, mut escaped) = (Vec::new(), String::new(), false);
    for c in dn.chars() {
        match c {
            ',' | ';' if !escaped => parts.push(std::mem::take(&mut current)),
            c => {
                escaped = c == '\\' && !escaped;
                current.push(c);
                continue;
            }
        }
        escaped = false;
    }
    parts.push(current);
    parts
        .iter()
        .map(|part| part.split_once('=').map(|(kind, value)| (kind.trim().to_owned(), unescaped(value.trim_start()))))
        .collect()
}

/// Backslashes before a character or two hexadecimal digits taken away.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some(first) = rest.next() else { break };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (digit(first), rest.peek().copied().and_then(digit)) {
            (Some(high), Some(low)) => {
                rest.next();
                bytes.push(high << 4 | low);
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
