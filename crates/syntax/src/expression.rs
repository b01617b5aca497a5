//! The mapping expression language (engine-and-agent 1.1): VBA-like calls, attributes in brackets, texts in quotes.
//!
//! Names of functions are not looked up here: the tree says what was written, the engine says what it means.

use crate::cursor::Cursor;
use crate::{Limits, Span, SyntaxError};

/// A node of the tree and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub at: Span,
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Name(argument, ...)`. Positions count, empty ones too.
    Call {
        name: String,
        name_at: Span,
        arguments: Vec<Argument>,
    },
    /// `[name]`, without the outer brackets.
    Attribute(String),
    /// `"text"`, unescaped.
    Text(String),
    /// A bare number, in decimal (`&HF` is read as `15`).
    Number(String),
    Keyword(Keyword),
    /// Only as an argument: a condition.
    Compare {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `a & b & c` of the sibling dialects.
    Concat(Vec<Node>),
    /// `$name` of the sibling dialects, without the sign.
    Variable(String),
}

/// An argument of a call; `node` is `None` where nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    pub node: Option<Node>,
    /// Where it stands, or where it would.
    pub at: Span,
}

/// Words that stand bare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    TextCompare,
    BinaryCompare,
    IgnoreAttributeFlow,
    IgnoreObjectFlow,
}

const KEYWORDS: &[(&str, Keyword)] = &[
    ("vbTextCompare", Keyword::TextCompare),
    ("vbBinaryCompare", Keyword::BinaryCompare),
    ("IgnoreAttributeFlow", Keyword::IgnoreAttributeFlow),
    ("IgnoreObjectFlow", Keyword::IgnoreObjectFlow),
];

impl Keyword {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        KEYWORDS.iter().find(|(_, keyword)| *keyword == self).map_or("", |(name, _)| name)
    }
}

/// Texts that may stand without quotes: the encodings, in the sibling dialects.
const BARE_TEXTS: &[&str] = &["Unicode", "UTF8", "ASCII"];

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Longest first, so that `<>` is not read as `<`.
const OPERATORS: &[(&str, Operator)] = &[
    ("<>", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

impl Operator {
    /// As it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        OPERATORS.iter().find(|(_, operator)| *operator == self).map_or("", |(sign, _)| sign)
    }
}

impl Node {
    /// Visits this node and all below it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        match &self.kind {
            Kind::Call { arguments, .. } => {
                arguments.iter().filter_map(|it| it.node.as_ref()).for_each(|node| node.walk(visit));
            }
            Kind::Compare { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            Kind::Concat(parts) => parts.iter().for_each(|node| node.walk(visit)),
            Kind::Attribute(_) | Kind::Text(_) | Kind::Number(_) | Kind::Keyword(_) | Kind::Variable(_) => {}
        }
    }
}

/// Reads a whole mapping expression.
pub fn parse(text: &str, limits: Limits) -> Result<Node, SyntaxError> {
    let mut cursor = Cursor::new(text, limits)?;
    cursor.skip_space();
    let Some(node) = concat(&mut cursor)? else {
        return Err(cursor.error("a function, an attribute in brackets or a text in double quotes"));
    };
    cursor.skip_space();
    if OPERATORS.iter().any(|(sign, _)| cursor.rest().starts_with(sign)) {
        return Err(cursor.error("the end").hint("a comparison is a condition: write IIF(condition, value, value)"));
    }
    cursor.end("the end of the expression")?;
    Ok(node)
}

/// An argument: a value, or a comparison of two.
fn argument(cursor: &mut Cursor<'_>) -> Result<Argument, SyntaxError> {
    cursor.enter()?;
    cursor.skip_space();
    let start = cursor.at();
    let left = concat(cursor)?;
    cursor.skip_space();
    let operator = OPERATORS.iter().find(|(sign, _)| cursor.eat(sign)).map(|(_, operator)| *operator);
    let node = match (left, operator) {
        (left, None) => left,
        (None, Some(_)) => return Err(cursor.error("a value before the comparison")),
        (Some(left), Some(operator)) => {
            cursor.skip_space();
            let Some(right) = concat(cursor)? else { return Err(cursor.error("a value to compare with")) };
            let at = left.at.to(right.at);
            Some(Node { at, kind: Kind::Compare { operator, left: Box::new(left), right: Box::new(right) } })
        }
    };
    cursor.leave();
    let at = node.as_ref().map_or(Span::new(start, start), |node| node.at);
    Ok(Argument { node, at })
}

/// One value or several joined by `&`; `None` where nothing stands.
fn concat(cursor: &mut Cursor<'_>) -> Result<Option<Node>, SyntaxError> {
    let Some(first) = primary(cursor)? else { return Ok(None) };
    let mut parts = vec![first];
    loop {
        cursor.skip_space();
        if !cursor.eat("&") {
            break;
        }
        cursor.skip_space();
        match primary(cursor)? {
            Some(next) => parts.push(next),
            None => return Err(cursor.error("a value after '&'")),
        }
    }
    if parts.len() == 1 {
        return Ok(parts.pop());
    }
    let ends = parts.first().zip(parts.last());
    let at = ends.map_or(Span::default(), |(first, last)| first.at.to(last.at));
    Ok(Some(Node { at, kind: Kind::Concat(parts) }))
}

fn primary(cursor: &mut Cursor<'_>) -> Result<Option<Node>, SyntaxError> {
    let start = cursor.at();
    let kind = match cursor.peek() {
        Some('[') => attribute(cursor)?,
        Some('"') => string(cursor)?,
        Some('&' | '-' | '0'..='9') => number(cursor)?,
        Some(c) if c.is_alphabetic() || c == '_' => named(cursor)?,
        Some('$') => variable(cursor)?,
        None | Some(',' | ')' | '=' | '<' | '>') => return Ok(None),
        Some('\'' | '\u{201c}' | '\u{201d}') => {
            return Err(cursor.error("a value").hint("a text stands in straight double quotes: \"...\""));
        }
        Some(_) => return Err(cursor.error("a value")),
    };
    Ok(Some(Node { at: cursor.span_from(start), kind }))
}

/// `[name]`. The name may itself hold brackets and quoted text, as in `[emails[type eq "work"].value]`.
fn attribute(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    let open = cursor.at();
    let unclosed = |cursor: &Cursor<'_>| {
        SyntaxError::new(cursor.span_from(open), "']' that closes this attribute name", cursor.found())
    };
    cursor.bump();
    let start = cursor.at();
    let mut depth = 1_usize;
    let mut quoted = false;
    loop {
        let before = cursor.at();
        match cursor.bump() {
            None => return Err(unclosed(cursor)),
            Some('"') => quoted = !quoted,
            Some('[') if !quoted => depth += 1,
            Some(']') if !quoted => {
                depth -= 1;
                if depth == 0 {
                    let taken = cursor.text_from(start);
                    let name = taken.get(..before - start).unwrap_or("").trim();
                    if name.is_empty() {
                        return Err(SyntaxError::new(cursor.span_from(open), "a name in the brackets", "none"));
                    }
                    return Ok(Kind::Attribute(name.to_owned()));
                }
            }
            Some(_) => {}
        }
    }
}

/// `"text"`. Backslash escapes backslash and quote; before anything else it stands for itself, so that `"\+"` works.
fn string(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    let open = cursor.at();
    cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump() {
            Some('"') => return Ok(Kind::Text(text)),
            Some('\\') => match cursor.peek() {
                Some(escaped @ ('"' | '\\')) => {
                    cursor.bump();
                    text.push(escaped);
                }
                _ => text.push('\\'),
            },
            Some(c) => text.push(c),
            None => {
                return Err(SyntaxError::new(cursor.span_from(open), "'\"' that closes this text", "the end")
                    .hint("a quote inside a text is written \\\""));
            }
        }
    }
}

/// `12`, `-3`, `0.5`, `&HF`.
fn number(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    let start = cursor.at();
    if cursor.eat("&H") || cursor.eat("&h") {
        let digits = cursor.take_while(|c| c.is_ascii_hexdigit());
        return match i64::from_str_radix(digits, 16) {
            Ok(number) => Ok(Kind::Number(number.to_string())),
            Err(_) => Err(SyntaxError::new(cursor.span_from(start), "at most 15 hexadecimal digits", "others")),
        };
    }
    cursor.eat("-");
    let whole = cursor.take_while(|c| c.is_ascii_digit());
    if whole.is_empty() {
        return Err(cursor.error("a digit"));
    }
    if cursor.eat(".") && cursor.take_while(|c| c.is_ascii_digit()).is_empty() {
        return Err(cursor.error("a digit after the point"));
    }
    Ok(Kind::Number(cursor.text_from(start).to_owned()))
}

/// `$item`.
fn variable(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    cursor.bump();
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() { Err(cursor.error("a variable's name after '$'")) } else { Ok(Kind::Variable(name.to_owned())) }
}

/// A function call or a keyword.
fn named(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    let start = cursor.at();
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
    let at = cursor.span_from(start);
    cursor.skip_space();
    if !cursor.eat("(") {
        if let Some((_, keyword)) = KEYWORDS.iter().find(|(text, _)| *text == name) {
            return Ok(Kind::Keyword(*keyword));
        }
        if BARE_TEXTS.contains(&name) {
            return Ok(Kind::Text(name.to_owned()));
        }
        let hint = crate::nearest(name, KEYWORDS.iter().map(|(text, _)| *text)).map_or_else(
            || format!("a text stands in double quotes (\"{name}\"), an attribute in brackets ([{name}])"),
            |near| format!("did you mean {near}?"),
        );
        return Err(SyntaxError::new(at, "a function, an attribute or a text", format!("'{name}'")).hint(hint));
    }
    let mut arguments = Vec::new();
    loop {
        let argument = argument(cursor)?;
        cursor.skip_space();
        if cursor.eat(",") {
            arguments.push(argument);
        } else if cursor.eat(")") {
            // `Now()` has no argument; `Replace(a, )` has an empty last one.
            if argument.node.is_some() || !arguments.is_empty() {
                arguments.push(argument);
            }
            return Ok(Kind::Call { name: name.to_owned(), name_at: at, arguments });
        } else {
            let own = match cursor.rest() {
                "" => format!("write ) behind the last argument of {name}"),
                _ => format!("the arguments of {name} begin at {}", at.end),
            };
            return Err(cursor.error("',' or ')'").hint(foreign(cursor.rest()).map_or(own, str::to_owned)));
        }
    }
}

/// What to write instead of an operator of other languages that `rest` begins with.
fn foreign(rest: &str) -> Option<&'static str> {
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    match () {
        () if word.eq_ignore_ascii_case("and") || rest.starts_with('&') => Some("write And(condition, condition)"),
        () if word.eq_ignore_ascii_case("or") || rest.starts_with('|') => Some("write Or(condition, condition)"),
        () if rest.starts_with("!=") => Some("different is written <>"),
        () if rest.starts_with('+') => Some("texts are joined by & or Join"),
        () => None,
    }
}

#[cfg(test)]
mod tests;
