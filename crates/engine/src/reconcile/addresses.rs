//! proxyAddresses: the mail addresses of an account, which several systems write side by side.
//!
//! A value is a kind, a colon and an address; the kind `SMTP` in capitals marks the primary address, `smtp` any other.
//! A new primary address demotes the one before, which stays as another address, so that mail to it still arrives. Of
//! the rest only what we wrote is taken away when it leaves the mapping, and addresses of other kinds never are.

/// LDAP display name.
pub(super) const PROXY_ADDRESSES: &str = "proxyAddresses";

/// The same, folded.
pub(crate) const ADDRESSES_FOLDED: &str = "proxyaddresses";

/// The kind of mail addresses; in capitals, of the primary one.
const MAIL: &str = "smtp";
const PRIMARY: &str = "SMTP";

/// What leaves with the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    WhatWeWrote,
    Nothing,
}

/// The values that an account is to have which has `found`. `owned` are those that we last confirmed.
pub(super) fn after(found: &[String], wanted: &[String], owned: &[String], leaving: Leaving) -> Vec<String> {
    let (wanted, owned) = (normal(wanted), normal(owned));
    let names_primary = wanted.iter().any(|value| is_primary(value));
    let mut all: Vec<String> = Vec::with_capacity(found.len() + wanted.len());
    for value in &wanted {
        // Nobody loses the primary address without another one.
        let held = found.iter().find(|held| !names_primary && is_primary(held) && is_same(held, value));
        all.push(held.unwrap_or(value).clone());
    }
    for held in found.iter().filter(|held| !wanted.iter().any(|value| is_same(value, held))) {
        let stays = if names_primary { demoted(held) } else { held.clone() };
        let may_go = leaving == Leaving::WhatWeWrote && is_mail(&stays) && owned.contains(&stays);
        if !may_go || (is_primary(&stays) && !wanted.is_empty()) {
            all.push(stays);
        }
    }
    all
}

/// The values as they may be written: each address once, and one primary address at most, the first.
pub(super) fn normal(values: &[String]) -> Vec<String> {
    let primary = values.iter().find(|value| is_primary(value));
    let mut all: Vec<String> = Vec::with_capacity(values.len());
    for value in values.iter().filter(|value| !value.is_empty()) {
        if !all.iter().any(|held| is_same(held, value)) {
            let is_first = primary.is_some_and(|primary| is_same(primary, value));
            all.push(if is_first { primary.unwrap_or(value).clone() } else { demoted(value) });
        }
    }
    all
}

/// How many different primary addresses there are.
pub(super) fn primaries(values: &[String]) -> usize {
    let mut all: Vec<&String> = Vec::new();
    for value in values.iter().filter(|value| is_primary(value)) {
        if !all.iter().any(|held| is_same(held, value)) {
            all.push(value);
        }
    }
    all.len()
}

/// A mail address that is not the primary one; any other value as it is.
fn demoted(value: &str) -> String {
    match value.split_once(':') {
        Some((kind, address)) if kind.eq_ignore_ascii_case(MAIL) => format!("{MAIL}:{address}"),
        _ => value.to_owned(),
    }
}

fn is_primary(value: &str) -> bool {
    value.split_once(':').is_some_and(|(kind, _)| kind == PRIMARY)
}

/// Whether it is a mail address: what has no kind is one too.
fn is_mail(value: &str) -> bool {
    value.split_once(':').is_none_or(|(kind, _)| kind.eq_ignore_ascii_case(MAIL))
}

/// Whether the directory takes both for one value.
fn is_same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}
