//! From the tree of what was written to what can be evaluated: names, numbers of arguments and types are checked, and
//! patterns, date formats and intervals worked out.

use rollcall_model::limits::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};
use rollcall_syntax::attribute::{self, AttributePath};
use rollcall_syntax::expression::{self as syntax, Keyword, Kind, Node};
use rollcall_syntax::{Limits, Span, nearest};

use super::date::{format, interval, recognise};
use super::functions::{FunctionInfo, Nature, Parameter, Type, functions};
use super::pattern::{PATTERN_HINT, Pattern};
use super::value::{hexadecimal, numeric};
use super::{Argument, Call, Compiled, Expr, Natures, Ready, Unusable};

/// Parses, looks names up, checks numbers and types of arguments, and compiles patterns.
pub fn compile(text: &str) -> Result<Compiled, Unusable> {
    let node = parse(text)?;
    let mut compiler = Compiler { sources: Vec::new(), natures: Natures::default(), variables: Vec::new(), deepest: 0 };
    let expr = compiler.expr(&node, Place::Outermost)?;
    if let Kind::Keyword(keyword @ (Keyword::TextCompare | Keyword::BinaryCompare)) = &node.kind {
        return Err(misplaced(node.at, *keyword));
    }
    let root = Argument { expr: Some(expr), at: node.at, ready: Ready::Nothing };
    let Compiler { sources, natures, deepest, .. } = compiler;
    Ok(Compiled { root, sources, natures, variables: deepest })
}

/// The tree of a text, within the limits of the language.
pub(super) fn parse(text: &str) -> Result<Node, Unusable> {
    let limits = Limits { chars_max: EXPRESSION_CHARS_MAX, depth_max: EXPRESSION_DEPTH_MAX };
    syntax::parse(text, limits).map_err(|error| Unusable {
        at: error.at,
        message: format!("expected {}, found {}", error.expected, error.found),
        hint: error.hint,
    })
}

/// Where a node stands, as far as functions that yield candidates care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outermost,
    Rule,
    Inside,
}

struct Compiler {
    sources: Vec<AttributePath>,
    natures: Natures,
    /// Names of the variables in force.
    variables: Vec<String>,
    /// The most that were in force at once.
    deepest: usize,
}

impl Compiler {
    fn expr(&mut self, node: &Node, place: Place) -> Result<Expr, Unusable> {
        Ok(match &node.kind {
            Kind::Text(text) => Expr::Text(text.clone()),
            Kind::Number(digits) => number(digits),
            Kind::Keyword(keyword) => Expr::Keyword(*keyword),
            Kind::Concat(parts) => Expr::Concat(parts.iter().map(|part| self.side(part)).collect::<Result<_, _>>()?),
            Kind::Compare { operator, left, right } => {
                Expr::Compare { operator: *operator, sides: Box::new((self.side(left)?, self.side(right)?)) }
            }
            Kind::Variable(name) => {
                let Some(slot) = self.variables.iter().rposition(|known| known == name) else {
                    let message = format!("there is no variable ${name} here");
                    return Err(unusable(node.at, message, "a variable is named first, as in With($name, value, ...)"));
                };
                Expr::Variable(slot)
            }
            Kind::Attribute(name) => Expr::Attribute(self.attribute(node.at, name)?),
            Kind::Call { name, name_at, arguments } => {
                Expr::Call(Box::new(self.call(node.at, name, *name_at, arguments, place)?))
            }
        })
    }

    /// A side of a comparison or a part of a concatenation.
    fn side(&mut self, node: &Node) -> Result<Argument, Unusable> {
        if let Kind::Keyword(keyword) = &node.kind {
            return Err(misplaced(node.at, *keyword));
        }
        Ok(Argument { expr: Some(self.expr(node, Place::Inside)?), at: node.at, ready: Ready::Nothing })
    }

    fn attribute(&mut self, at: Span, name: &str) -> Result<AttributePath, Unusable> {
        let path = attribute::parse(name).map_err(|error| {
            let message = format!("[{name}] is no attribute's name: {error}");
            unusable(at, message, "write it as in [name.givenName] or [emails[type eq \"work\"].value]")
        })?;
        if !self.sources.contains(&path) {
            self.sources.push(path.clone());
        }
        Ok(path)
    }

    fn call(
        &mut self,
        at: Span,
        name: &str,
        name_at: Span,
        nodes: &[syntax::Argument],
        place: Place,
    ) -> Result<Call, Unusable> {
        let function = find(name, name_at)?;
        self.admit(function, name_at, place)?;
        let arity = function.arity();
        if !arity.fits(nodes.len()) {
            // One too many is shown where it stands, one too few where it should have been.
            let wrong = arity.most.and_then(|most| nodes.get(most)).map_or(at, |argument| argument.at);
            let message = format!("{name} takes {arity}, not {}", nodes.len());
            return Err(unusable(wrong, message, &format!("write {}", function.signature())));
        }
        let inner = if function.nature == Nature::Unique { Place::Rule } else { Place::Inside };
        let in_force = self.variables.len();
        let mut arguments = Vec::with_capacity(nodes.len());
        for argument in nodes {
            if function.skipped == Some(arguments.len()) && nodes.len() == arity.least {
                arguments.push(Argument { expr: None, at: argument.at, ready: Ready::Nothing });
            }
            arguments.push(self.argument(function, arguments.len(), argument, inner)?);
        }
        self.variables.truncate(in_force);
        (function.check)(at, &arguments)?;
        Ok(Call { function, arguments, at })
    }

    /// Notes what a function depends on, and refuses one in the wrong place.
    fn admit(&mut self, function: &FunctionInfo, at: Span, place: Place) -> Result<(), Unusable> {
        let name = function.name;
        match (function.nature, place) {
            (Nature::Plain, _) => {}
            (Nature::Clock, _) => self.natures.clock = true,
            (Nature::Random, _) => self.natures.random = true,
            (Nature::Redacting, _) => self.natures.redacting = true,
            (Nature::Unique, Place::Outermost) | (Nature::UniqueRule, Place::Outermost | Place::Rule) => {
                self.natures.unique = true;
            }
            (Nature::Unique, _) => {
                let hint = format!("make {name} the outermost function and move the others into its rules");
                return Err(unusable(at, format!("{name} must be the outermost function"), &hint));
            }
            (Nature::UniqueRule, Place::Inside) => {
                let hint = "make it the outermost function, or a rule of an outermost SelectUniqueValue";
                return Err(unusable(at, format!("{name} cannot stand inside another function"), hint));
            }
            (Nature::Refused(why), _) => return Err(unusable(at, format!("{name} cannot be used"), why)),
        }
        Ok(())
    }

    fn argument(
        &mut self,
        function: &FunctionInfo,
        index: usize,
        argument: &syntax::Argument,
        place: Place,
    ) -> Result<Argument, Unusable> {
        let at = argument.at;
        let parameter = function.parameter(index).copied();
        let Some(parameter) = parameter else { return Ok(Argument { expr: None, at, ready: Ready::Nothing }) };
        let Some(node) = &argument.node else {
            return match parameter.kind {
                Type::Number | Type::Interval | Type::Format | Type::Flag | Type::Variable if parameter.required => {
                    let message = format!(
                        "{}: expected {} as {}, found none",
                        function.name,
                        parameter.kind.describe(),
                        parameter.name
                    );
                    Err(unusable(at, message, &format!("write {}", function.signature())))
                }
                _ => Ok(Argument { expr: None, at, ready: Ready::Nothing }),
            };
        };
        if parameter.kind == Type::Variable {
            let Kind::Variable(name) = &node.kind else {
                return Err(mismatch(
                    function,
                    &parameter,
                    node.at,
                    "something else",
                    Some("write a name such as $item"),
                ));
            };
            self.variables.push(name.clone());
            self.deepest = self.deepest.max(self.variables.len());
        }
        let expr = self.expr(node, place)?;
        let ready = fit(function, &parameter, node.at, &expr)?;
        Ok(Argument { expr: Some(expr), at: node.at, ready })
    }
}

/// The function of that exact name.
fn find(name: &str, at: Span) -> Result<&'static FunctionInfo, Unusable> {
    functions().find(|function| function.name == name).ok_or_else(|| {
        let near = nearest(name, functions().filter(|it| it.refusal().is_none()).map(|function| function.name));
        let hint = near.map(|near| format!("did you mean {near}?"));
        Unusable { at, message: format!("there is no function {name}"), hint }
    })
}

fn number(digits: &str) -> Expr {
    match digits.parse() {
        Ok(number) => Expr::Number(number),
        // Longer than any number: an identifier.
        Err(_) if !digits.contains('.') => Expr::Text(digits.to_owned()),
        Err(_) => digits.parse().map_or_else(|_| Expr::Text(digits.to_owned()), Expr::Decimal),
    }
}

pub(super) fn unusable(at: Span, message: impl Into<String>, hint: &str) -> Unusable {
    Unusable { at, message: message.into(), hint: Some(hint.to_owned()) }
}

fn misplaced(at: Span, keyword: Keyword) -> Unusable {
    let hint = match keyword {
        Keyword::TextCompare | Keyword::BinaryCompare => "it is the last argument of InStr, InStrRev and Contains",
        Keyword::IgnoreAttributeFlow | Keyword::IgnoreObjectFlow => {
            "it is a result, as in IIF(condition, IgnoreAttributeFlow, value)"
        }
    };
    unusable(at, format!("{} cannot stand here", keyword.name()), hint)
}

fn mismatch(function: &FunctionInfo, parameter: &Parameter, at: Span, found: &str, hint: Option<&str>) -> Unusable {
    let expected = parameter.kind.describe();
    let message = format!("{}: expected {expected} as {}, found {found}", function.name, parameter.name);
    Unusable { at, message, hint: hint.map(str::to_owned) }
}

/// Whether an argument can be what its parameter takes, as far as that is known, and what a constant one means.
fn fit(function: &FunctionInfo, parameter: &Parameter, at: Span, expr: &Expr) -> Result<Ready, Unusable> {
    let wrong = |found: &str, hint: Option<&str>| Err(mismatch(function, parameter, at, found, hint));
    if let Expr::Keyword(keyword) = expr {
        let is_comparison = matches!(keyword, Keyword::TextCompare | Keyword::BinaryCompare);
        let fits = if is_comparison { parameter.kind == Type::Comparison } else { parameter.kind == Type::Any };
        return if fits { Ok(Ready::Nothing) } else { Err(misplaced(at, *keyword)) };
    }
    match expr {
        Expr::Text(text) => return constant(function, parameter, at, text),
        Expr::Number(number) => return constant(function, parameter, at, &number.to_string()),
        Expr::Decimal(_) if matches!(parameter.kind, Type::Number | Type::Date | Type::Interval | Type::Format) => {
            return wrong("a number with a fraction", None);
        }
        _ => {}
    }
    if parameter.kind == Type::Pattern {
        return wrong("a value that differs per person", Some("write the pattern as a text in double quotes"));
    }
    let actual = match expr {
        Expr::Call(call) => call.function.returns,
        Expr::Compare { .. } => Type::Flag,
        Expr::Concat(_) => Type::Text,
        _ => Type::Any,
    };
    let never = matches!(
        (parameter.kind, actual),
        (Type::Number, Type::Flag | Type::Date | Type::List)
            | (Type::Date, Type::Flag | Type::Number | Type::Decimal | Type::List)
            | (Type::Flag, Type::Date | Type::List)
            | (Type::Interval | Type::Format, Type::Flag | Type::Date | Type::Number | Type::Decimal | Type::List)
            | (Type::Text, Type::List)
    );
    if !never {
        return Ok(Ready::Nothing);
    }
    let found = match expr {
        Expr::Call(call) => format!("{}, which yields {}", call.function.name, actual.describe()),
        _ => actual.describe().to_owned(),
    };
    let hint = (parameter.kind == Type::Date && matches!(actual, Type::Number))
        .then_some("DateFromNum makes a date of a number of the directory");
    wrong(&found, hint)
}

/// The same for a constant.
fn constant(function: &FunctionInfo, parameter: &Parameter, at: Span, text: &str) -> Result<Ready, Unusable> {
    let wrong = |hint: Option<&str>| {
        let shown: String = text.chars().take(40).collect();
        Err(mismatch(function, parameter, at, &format!("\"{shown}\""), hint))
    };
    match parameter.kind {
        Type::Number if text.trim().parse::<i64>().is_err() && hexadecimal(text.trim()).is_none() => {
            wrong(Some("write it in digits, as in 20"))
        }
        Type::Decimal if numeric(text.trim()).is_none() => wrong(Some("write it in digits, as in 20 or 0.5")),
        Type::Flag if !["true", "false"].iter().any(|it| text.eq_ignore_ascii_case(it)) && numeric(text).is_none() => {
            wrong(Some("write a comparison such as [department] = \"Sales\", or a function such as IsPresent([title])"))
        }
        Type::Date if recognise::recognise(text, None).is_none() && !recognise::needs_today(text) => {
            wrong(Some("write it as in \"2026-03-01\" or \"2026-03-01T08:30:00+02:00\""))
        }
        Type::Interval => match interval::Interval::parse(text) {
            Some(interval) => Ok(Ready::Interval(interval)),
            None => wrong(Some(interval::HINT)),
        },
        Type::Pattern => match Pattern::new(text) {
            Ok(pattern) => Ok(Ready::Pattern(Box::new(pattern))),
            Err(why) => {
                let message = format!("{}: the pattern cannot be used: {why}", function.name);
                Err(unusable(at, message, PATTERN_HINT))
            }
        },
        Type::Format => match format::Format::parse(text) {
            Ok(format) => Ok(Ready::Format(format)),
            Err(why) => wrong(Some(&why.to_string())),
        },
        Type::Styles => match format::Styles::parse(text) {
            Ok(_) => Ok(Ready::Nothing),
            Err(why) => wrong(Some(&why)),
        },
        Type::Comparison if !["vbTextCompare", "vbBinaryCompare"].contains(&text) => {
            wrong(Some("write vbTextCompare, without quotes, to ignore case"))
        }
        Type::Culture if !is_culture(text) => wrong(Some("write its code, as in \"tr-TR\"")),
        Type::Variable => wrong(Some("write a name such as $item")),
        _ => Ok(Ready::Nothing),
    }
}

/// Whether a text has the shape of a culture's name (RFC 4646 2.1); the empty one is the invariant culture.
fn is_culture(text: &str) -> bool {
    let is_part = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.is_empty() || text.split('-').all(is_part)
}
