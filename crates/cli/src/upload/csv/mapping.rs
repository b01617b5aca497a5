//! MAP.toml: which column is which attribute. Without one the header says it.

use encoding_rs::Encoding;
use serde::Deserialize;
use serde_json::Value;

use rollcall_model::fold;

use super::date::DatePattern;
use super::problem::shown;
use super::target::{Kind, Target};
use super::{parse_encoding, parse_separator};

/// MAP.toml as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    encoding: Option<String>,
    separator: Option<String>,
    active: Option<WordLists>,
    columns: toml::Table,
    #[serde(default)]
    fixed: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordLists {
    #[serde(rename = "true")]
    yes: Vec<String>,
    #[serde(rename = "false")]
    no: Vec<String>,
}

/// A column's settings where a path alone does not say enough.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    to: String,
    /// An empty cell clears the attribute.
    #[serde(default)]
    clear: bool,
    /// An empty cell is an error.
    #[serde(default)]
    required: bool,
    date: Option<String>,
}

/// What an empty cell means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    Omitted,
    Clears,
    Refused,
}

/// One column's rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    header: String,
    pub(crate) target: Target,
    pub(crate) empty: Empty,
    pub(crate) date: Option<DatePattern>,
}

/// Words for true and false, folded.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    yes: Vec<String>,
    no: Vec<String>,
}

impl Default for Words {
    fn default() -> Self {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { yes: all(&["true", "yes", "1"]), no: all(&["false", "no", "0"]) }
    }
}

impl Words {
    pub(crate) fn read(&self, text: &str) -> Result<bool, String> {
        let word = fold(text);
        if self.yes.contains(&word) {
            Ok(true)
        } else if self.no.contains(&word) {
            Ok(false)
        } else {
            let (yes, no) = (self.yes.join(", "), self.no.join(", "));
            Err(format!("is neither true ({yes}) nor false ({no}); the mapping's [active] can name other words"))
        }
    }
}

#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) separator: Option<u8>,
    rules: Vec<Rule>,
    pub(crate) fixed: Vec<(Target, Value)>,
    pub(crate) words: Words,
}

impl Mapping {
    /// Reads a MAP.toml; the error names the entry and the remedy.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|cause| cause.to_string().trim_end().to_owned())?;
        let encoding = file.encoding.as_deref().map(parse_encoding).transpose();
        let separator = file.separator.as_deref().map(parse_separator).transpose();
        let mut mapping = Self {
            encoding: encoding.map_err(|why| format!("encoding: {why}"))?,
            separator: separator.map_err(|why| format!("separator: {why}"))?,
            rules: Vec::new(),
            fixed: Vec::new(),
            words: file.active.map(words).transpose()?.unwrap_or_default(),
        };
        for (header, value) in file.columns {
            let rule = rule(&header, value).map_err(|why| format!("columns.\"{header}\": {why}"))?;
            mapping.rules.push(rule);
        }
        for (path, value) in file.fixed {
            let fixed = fixed(&path, &value, &mapping.words).map_err(|why| format!("fixed.\"{path}\": {why}"))?;
            mapping.fixed.push(fixed);
        }
        mapping.check()?;
        Ok(mapping)
    }

    /// Every header that names an attribute is a column; the others are not used.
    pub(crate) fn of_header(header: &[String]) -> Result<Self, String> {
        let rule = |name: &String| {
            let target = Target::of_header(name)?;
            let empty = if target.is_external_id() { Empty::Refused } else { Empty::Omitted };
            Some(Rule { header: name.clone(), target, empty, date: None })
        };
        let rules = header.iter().filter_map(rule).collect();
        let words = Words::default();
        let mapping = Self { encoding: None, separator: None, rules, fixed: Vec::new(), words };
        if !mapping.rules.iter().any(|rule| rule.target.is_external_id()) {
            let names = listed(header);
            return Err(format!("no column is called externalId; there are: {names}. Name it in a --mapping file"));
        }
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), String> {
        let all = self.rules.iter().map(|rule| (&rule.target, format!("column {}", shown(&rule.header))));
        let all: Vec<_> =
            all.chain(self.fixed.iter().map(|(target, _)| (target, "a fixed value".to_owned()))).collect();
        for (at, (target, name)) in all.iter().enumerate() {
            let clash = |(other, its_name): &(&Target, String)| target.clash(other).map(|why| (its_name.clone(), why));
            if let Some((other, why)) = all.iter().skip(at + 1).find_map(clash) {
                return Err(format!("{name} and {other} {why}"));
            }
        }
        let mut headers: Vec<String> = self.rules.iter().map(|rule| fold(rule.header.trim())).collect();
        headers.sort();
        if let Some(pair) = headers.array_windows().find(|[one, other]| one == other) {
            let [twice, _] = pair;
            return Err(format!("column {} is named twice", shown(twice)));
        }
        if !self.rules.iter().any(|rule| rule.target.is_external_id()) {
            return Err("columns: none is externalId; add one, as in \"Personnel no\" = \"externalId\"".to_owned());
        }
        Ok(())
    }

    /// Finds each rule's column. Names are compared without case.
    pub(crate) fn bind<'a>(&'a self, header: &[String]) -> Result<Bound<'a>, String> {
        let mut rules = vec![None; header.len()];
        let mut missing = Vec::new();
        for rule in &self.rules {
            let wanted = fold(rule.header.trim());
            let found: Vec<usize> = (0..header.len()).filter(|at| fold(&header[*at]) == wanted).collect();
            match found.as_slice() {
                [] => missing.push(shown(&rule.header)),
                [at] => rules[*at] = Some(rule),
                [_, _, ..] => {
                    let name = shown(&rule.header);
                    return Err(format!("row 1: the header has {name} {} times: rename all but one", found.len()));
                }
            }
        }
        if !missing.is_empty() {
            let (missing, names) = (missing.join(", "), listed(header));
            return Err(format!(
                "row 1: the header has no column {missing}, which the mapping names; there are: {names}"
            ));
        }
        Ok(Bound { rules })
    }
}

/// Rules by column.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) rules: Vec<Option<&'a Rule>>,
}

impl Bound<'_> {
    /// Columns that no rule uses.
    pub(crate) fn ignored(&self, header: &[String]) -> Vec<String> {
        let unused = self.rules.iter().zip(header).filter(|(rule, _)| rule.is_none());
        unused.map(|(_, name)| shown(name)).collect()
    }

    pub(crate) fn external_id_header<'h>(&self, header: &'h [String]) -> &'h str {
        let at = self.rules.iter().position(|rule| rule.is_some_and(|rule| rule.target.is_external_id()));
        at.and_then(|at| header.get(at)).map_or("externalId", String::as_str)
    }
}

fn listed(header: &[String]) -> String {
    const SHOWN_MAX: usize = 30;
    let mut names: Vec<String> = header.iter().take(SHOWN_MAX).map(|name| shown(name)).collect();
    if header.len() > SHOWN_MAX {
        names.push(format!("and {} more", header.len() - SHOWN_MAX));
    }
    names.join(", ")
}

fn words(lists: WordLists) -> Result<Words, String> {
    let folded = |words: Vec<String>| words.iter().map(|word| fold(word.trim())).collect::<Vec<_>>();
    let words = Words { yes: folded(lists.yes), no: folded(lists.no) };
    if words.yes.is_empty() && words.no.is_empty() {
        return Err("active: give the words for true, for false, or for both".to_owned());
    }
    if let Some(word) = words.yes.iter().chain(&words.no).find(|word| word.is_empty()) {
        return Err(format!("active: '{word}' is an empty cell, which leaves `active` out; take it from the list"));
    }
    match words.yes.iter().find(|word| words.no.contains(word)) {
        Some(word) => Err(format!("active: '{word}' is in both lists")),
        None => Ok(words),
    }
}

fn rule(header: &str, value: toml::Value) -> Result<Rule, String> {
    let settings = match value {
        toml::Value::String(to) => Settings { to, clear: false, required: false, date: None },
        toml::Value::Table(table) => table.try_into().map_err(|cause: toml::de::Error| cause.message().to_owned())?,
        _ => return Err("give a path in quotes, or { to = \"...\" }".to_owned()),
    };
    let target = Target::parse(&settings.to)?;
    let date = settings.date.as_deref().map(DatePattern::parse).transpose().map_err(|why| format!("date: {why}"))?;
    if date.is_some() && target.kind == Kind::Flag {
        return Err("date: active is no date".to_owned());
    }
    let empty = match (settings.clear, settings.required || target.is_external_id()) {
        (true, true) => {
            return Err("clear: this column must have a value, so that there is nothing to clear".to_owned());
        }
        (true, false) => Empty::Clears,
        (false, true) => Empty::Refused,
        (false, false) => Empty::Omitted,
    };
    Ok(Rule { header: header.to_owned(), target, empty, date })
}

fn fixed(path: &str, value: &toml::Value, words: &Words) -> Result<(Target, Value), String> {
    let target = Target::parse(path)?;
    if target.is_external_id() {
        return Err("externalId tells people apart: it comes from a column".to_owned());
    }
    let value = match (value, target.kind) {
        (toml::Value::Boolean(flag), Kind::Flag) => Value::Bool(*flag),
        (toml::Value::String(text), Kind::Flag) => {
            Value::Bool(words.read(text).map_err(|why| format!("'{text}' {why}"))?)
        }
        (toml::Value::String(text), Kind::Text) if !text.trim().is_empty() => Value::String(text.clone()),
        (toml::Value::Integer(number), Kind::Text) => Value::String(number.to_string()),
        _ => return Err("give a text in quotes that is not empty; for active also true or false".to_owned()),
    };
    Ok((target, value))
}
