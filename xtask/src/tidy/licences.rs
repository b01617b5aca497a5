//! Licences, bans and duplicates of the resolved graph, held against `licences.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::graph::{self, Members, Package};

/// `licences.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    licence: Vec<Licence>,
    ban: Vec<Ban>,
    #[serde(default)]
    duplicate: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licence {
    spdx: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    name: String,
    /// Only this feature of the crate is banned.
    feature: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    reason: String,
}

/// What breaks the rules, and rules without a reason or without a use.
pub(super) fn complaints(root: &Path, members: &Members) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("licences.toml")).context("licences.toml")?;
    let rules: Rules = toml::from_str(&text).context("licences.toml")?;
    let packages = graph::packages(root)?;
    let mut out = without_reason(&rules);
    let allowed: BTreeSet<&str> = rules.licence.iter().map(|licence| licence.spdx.as_str()).collect();
    for package in &packages {
        if !is_allowed(&package.licence, &allowed) {
            out.push(format!("{} {}: licence '{}' is not allowed", package.name, package.version, package.licence));
        }
    }
    for ban in &rules.ban {
        let mut named = packages.iter().filter(|package| package.name == ban.name);
        if named.any(|package| ban.feature.as_ref().is_none_or(|feature| package.features.contains(feature))) {
            out.push(format!("{} is banned: {}", ban.name, ban.reason));
        }
    }
    out.extend(duplicates(&rules, &packages, members));
    Ok(out)
}

fn without_reason(rules: &Rules) -> Vec<String> {
    let licences = rules.licence.iter().map(|entry| (&entry.spdx, &entry.reason));
    let bans = rules.ban.iter().map(|entry| (&entry.name, &entry.reason));
    let duplicates = rules.duplicate.iter().map(|entry| (&entry.name, &entry.reason));
    licences
        .chain(bans)
        .chain(duplicates)
        .filter(|(_, reason)| reason.trim().is_empty())
        .map(|(name, _)| format!("licences.toml: {name} has no reason"))
        .collect()
}

/// Direct normal dependencies of ours that are there in several versions, and excuses that nothing needs any more.
fn duplicates(rules: &Rules, packages: &[Package], members: &Members) -> Vec<String> {
    let direct: BTreeSet<&str> = members.0.iter().flat_map(|member| &member.imports).map(String::as_str).collect();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages.iter().filter(|package| direct.contains(package.name.as_str())) {
        versions.entry(package.name.as_str()).or_default().insert(package.version.clone());
    }
    let several: BTreeMap<&str, &BTreeSet<String>> =
        versions.iter().filter(|(_, found)| found.len() > 1).map(|(name, found)| (*name, found)).collect();
    let excused: BTreeSet<&str> = rules.duplicate.iter().map(|entry| entry.name.as_str()).collect();
    let mut out: Vec<String> = several
        .iter()
        .filter(|(name, _)| !excused.contains(*name))
        .map(|(name, found)| format!("{name}: a direct dependency in several versions: {found:?}"))
        .collect();
    let idle = excused.iter().filter(|name| !several.contains_key(*name));
    out.extend(idle.map(|name| format!("licences.toml: {name} is there once only; remove the entry")));
    out
}

/// Whether an SPDX expression can be satisfied with the allowed licences: OR needs one side, AND both. A `/` is the
/// old spelling of OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = any_of(&words, &mut at, allowed);
    result == Some(true) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut value = all_of(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        value |= all_of(words, at, allowed)?;
    }
    Some(value)
}

fn all_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut value = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        value &= one(words, at, allowed)?;
    }
    Some(value)
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> Option<bool> {
    let word = *words.get(*at)?;
    *at += 1;
    if word == "(" {
        let value = any_of(words, at, allowed)?;
        let closes = words.get(*at) == Some(&")");
        *at += 1;
        return closes.then_some(value);
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        return Some(allowed.contains(format!("{word} WITH {exception}").as_str()));
    }
    Some(allowed.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"]);
        let check = |expression: &str, expected: bool| {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        };
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0 AND MIT", false);
        check("ISC AND (Apache-2.0 OR GPL-3.0)", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH odd-exception", false);
        check("", false);
        check("(MIT", false);
        check("MIT MIT", false);
    }
}
