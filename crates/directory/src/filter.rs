//! Search filters as trees, and their text form (RFC 4515).

use std::fmt::Write as _;

use rollcall_model::ids::ObjectGuid;

/// A search filter as a tree, so that no value is ever pasted into a text (RFC 4515 escaping happens in one place).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Equal(String, String),
    /// At least this number.
    AtLeast(String, i64),
    Guid(ObjectGuid),
    Present(String),
}

/// A tree that has no text form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    #[error("'{0}' is no attribute name")]
    Name(String),
    /// RFC 4526's absolute true and false, which AD does not know.
    #[error("a list of conditions is empty")]
    NoConditions,
}

impl Filter {
    /// The filter's text. Every value is escaped byte by byte where RFC 4515 section 3 asks for it; a name that is no
    /// attribute description is an error, never a text.
    pub fn render(&self) -> Result<String, InvalidFilter> {
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }

    fn write(&self, out: &mut String) -> Result<(), InvalidFilter> {
        out.push('(');
        match self {
            Self::And(parts) => write_list('&', parts, out)?,
            Self::Or(parts) => write_list('|', parts, out)?,
            Self::Equal(name, value) => {
                write_name(name, out)?;
                out.push('=');
                escape(value, out);
            }
            Self::AtLeast(name, number) => {
                write_name(name, out)?;
                let _ = write!(out, ">={number}");
            }
            Self::Guid(guid) => {
                out.push_str("objectGUID=");
                for byte in guid.to_ldap() {
                    // Writing to a String does not fail.
                    let _ = write!(out, "\\{byte:02x}");
                }
            }
            Self::Present(name) => {
                write_name(name, out)?;
                out.push_str("=*");
            }
        }
        out.push(')');
        Ok(())
    }
}

fn write_list(operator: char, parts: &[Filter], out: &mut String) -> Result<(), InvalidFilter> {
    if parts.is_empty() {
        return Err(InvalidFilter::NoConditions);
    }
    out.push(operator);
    parts.iter().try_for_each(|part| part.write(out))
}

/// Attribute names are letters, digits and hyphens (RFC 4512 1.4); options and numeric OIDs are not used here.
fn write_name(name: &str, out: &mut String) -> Result<(), InvalidFilter> {
    let mut chars = name.chars();
    let is_name =
        chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_name {
        return Err(InvalidFilter::Name(name.to_owned()));
    }
    out.push_str(name);
    Ok(())
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '*' | '(' | ')' | '\\' => {
                let _ = write!(out, "\\{:02x}", u32::from(c));
            }
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
