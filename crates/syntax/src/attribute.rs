//! Names of source attributes: `userName`, `name.givenName`, `emails[type eq "work"].value`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department` (RFC 7644 3.5.2, as far as mappings go).

use crate::cursor::Cursor;
use crate::{Limits, SyntaxError};

/// Longest name that is read; a bound, not a policy.
const LIMITS: Limits = Limits { chars_max: 1_024, depth_max: 1 };

/// The parts of a source attribute's name, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath {
    /// The schema, without the attribute: `urn:...:2.0:User`.
    pub urn: Option<String>,
    pub name: String,
    pub filter: Option<ValueFilter>,
    pub sub: Option<String>,
}

/// `[type eq "work"]`: which element of a list is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueFilter {
    pub attribute: String,
    pub value: String,
}

/// Reads the name of a source attribute.
pub fn parse(text: &str) -> Result<AttributePath, SyntaxError> {
    let mut cursor = Cursor::new(text, LIMITS)?;
    cursor.skip_space();
    let urn = urn(&mut cursor)?;
    let name = simple_name(&mut cursor, "the name of an attribute")?;
    let filter = if cursor.eat("[") { Some(value_filter(&mut cursor)?) } else { None };
    let sub = if cursor.eat(".") { Some(simple_name(&mut cursor, "the name of a sub-attribute")?) } else { None };
    cursor.end("the end of the name")?;
    Ok(AttributePath { urn, name, filter, sub })
}

/// `urn:a:b:` before the name. Versions hold points, so only the last colon before a bracket ends the schema.
fn urn(cursor: &mut Cursor<'_>) -> Result<Option<String>, SyntaxError> {
    let rest = cursor.rest();
    if !rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
        return Ok(None);
    }
    let head = rest.find('[').map_or(rest, |open| &rest[..open]);
    let colon = head.rfind(':').unwrap_or(3);
    let schema = &head[..colon];
    if schema.len() <= 4 || schema.chars().any(char::is_whitespace) {
        return Err(cursor.error("a schema and a name, as in urn:example:schema:name"));
    }
    for _ in 0..=schema.chars().count() {
        cursor.bump();
    }
    Ok(Some(schema.to_owned()))
}

fn simple_name(cursor: &mut Cursor<'_>, expected: &str) -> Result<String, SyntaxError> {
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
    if name.is_empty() { Err(cursor.error(expected)) } else { Ok(name.to_owned()) }
}

fn value_filter(cursor: &mut Cursor<'_>) -> Result<ValueFilter, SyntaxError> {
    cursor.skip_space();
    let attribute = simple_name(cursor, "the name of a sub-attribute")?;
    cursor.skip_space();
    let start = cursor.at();
    let operator = cursor.take_while(char::is_alphabetic);
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(SyntaxError::new(cursor.span_from(start), "eq", format!("'{operator}'"))
            .hint("only equality is known here, as in emails[type eq \"work\"].value"));
    }
    cursor.skip_space();
    let value = if cursor.eat("\"") {
        let value = cursor.take_while(|c| c != '"').to_owned();
        if !cursor.eat("\"") {
            return Err(cursor.error("'\"' that closes the value"));
        }
        value
    } else {
        simple_name(cursor, "a value in double quotes")?
    };
    cursor.skip_space();
    if cursor.eat("]") { Ok(ValueFilter { attribute, value }) } else { Err(cursor.error("']'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// URN, name, filter, sub-attribute.
    type Parts<'a> = (Option<&'a str>, &'a str, Option<(&'a str, &'a str)>, Option<&'a str>);

    fn check(text: &str, expected: Option<Parts<'_>>) {
        let parsed = parse(text).ok();
        let parts = parsed.as_ref().map(|path| {
            (
                path.urn.as_deref(),
                path.name.as_str(),
                path.filter.as_ref().map(|filter| (filter.attribute.as_str(), filter.value.as_str())),
                path.sub.as_deref(),
            )
        });
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn names() {
        check("userName", Some((None, "userName", None, None)));
        check("name.givenName", Some((None, "name", None, Some("givenName"))));
        check("emails[type eq \"work\"].value", Some((None, "emails", Some(("type", "work")), Some("value"))));
        check("emails[ type EQ \"a]b\" ].value", Some((None, "emails", Some(("type", "a]b")), Some("value"))));
        check("emails[primary eq true].value", Some((None, "emails", Some(("primary", "true")), Some("value"))));
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        check(&format!("{enterprise}:department"), Some((Some(enterprise), "department", None, None)));
        check(&format!("{enterprise}:manager.value"), Some((Some(enterprise), "manager", None, Some("value"))));
        check("urn:contoso:employee:HireDate", Some((Some("urn:contoso:employee"), "HireDate", None, None)));
        for broken in
            ["", "urn:", "urn:x", "a b", "a.", "emails[", "emails[type", "emails[type ne \"x\"]", "a[b eq \"c"]
        {
            check(broken, None);
        }
    }
}
