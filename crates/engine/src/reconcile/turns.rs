//! Persons of one batch who want each other's names: who goes first.
//!
//! A name, a sAMAccountName and a userPrincipalName belong to one account at a time, and a directory knows no write of
//! two accounts at once. Whoever wants a value that another person of the batch holds and is to give up waits until
//! that is done. In a circle somebody steps aside first: takes a value that nobody wants, by a write of its own that is
//! logged as every other, and gets the wanted one as soon as it is free. A crash on the way is nothing special: whoever
//! stands aside is planned like everybody else.

use std::collections::HashMap;

use rollcall_model::config::target;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::plan::{Action, AttributeChange, Plan, Write, WriteRequest};
use rollcall_model::{Dn, fold};

use super::moved_to;

/// How much of a plan may be carried out now. After anything but `Now` the person is looked at and planned anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Now,
    /// The first so many writes; what the next one asks for is somebody else's who is about to give it up.
    Wait {
        writes: usize,
    },
    /// As many, and then this one, for which nobody has to wait.
    StepAside {
        writes: usize,
        aside: Write,
    },
}

/// A value of which there is one, folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Unique {
    /// The name in its container.
    Name(String),
    AccountName(String),
    PrincipalName(String),
}

/// The first write of a plan that has to wait, and for whom: the giver and the number of the giving write.
struct Block {
    write: usize,
    givers: Vec<(usize, usize)>,
}

/// Whose turn it is, plan by plan. Within one answer nobody goes who would have to wait for another.
#[must_use]
pub fn turns(plans: &[&Plan]) -> Vec<Turn> {
    let mut givers: HashMap<Unique, (usize, usize)> = HashMap::new();
    for (person, plan) in plans.iter().enumerate() {
        for (at, write) in plan.writes.iter().enumerate() {
            givers.extend(given(write).into_iter().map(|value| (value, (person, at))));
        }
    }
    if givers.is_empty() {
        return vec![Turn::Now; plans.len()];
    }
    let blocks: Vec<Option<Block>> =
        plans.iter().enumerate().map(|(person, plan)| block(person, plan, &givers)).collect();
    let asides = asides(plans, &blocks);
    let turn = |(block, aside): (&Option<Block>, Option<Write>)| match (block, aside) {
        (None, _) => Turn::Now,
        (Some(block), None) => Turn::Wait { writes: block.write },
        (Some(block), Some(aside)) => Turn::StepAside { writes: block.write, aside },
    };
    blocks.iter().zip(asides).map(turn).collect()
}

fn block(person: usize, plan: &Plan, givers: &HashMap<Unique, (usize, usize)>) -> Option<Block> {
    plan.writes.iter().enumerate().find_map(|(write, asked)| {
        let givers: Vec<(usize, usize)> = taken(asked)
            .iter()
            .filter_map(|value| givers.get(value).copied())
            .filter(|(giver, _)| *giver != person)
            .collect();
        (!givers.is_empty()).then_some(Block { write, givers })
    })
}

/// For each circle the write by which one of it steps aside.
fn asides(plans: &[&Plan], blocks: &[Option<Block>]) -> Vec<Option<Write>> {
    let mut asides: Vec<Option<Write>> = vec![None; plans.len()];
    let mut resolved: Vec<bool> = blocks.iter().map(Option::is_none).collect();
    // Whether the giver comes to the giving write without waiting for anybody who is not resolved.
    let gives = |resolved: &[bool], (giver, at): (usize, usize)| {
        resolved[giver] || blocks[giver].as_ref().is_none_or(|block| block.write > at)
    };
    loop {
        let mut is_over = true;
        for (person, block) in blocks.iter().enumerate() {
            let Some(block) = block.as_ref().filter(|_| !resolved[person]) else { continue };
            if block.givers.iter().all(|giver| gives(&resolved, *giver)) {
                resolved[person] = true;
                is_over = false;
            }
        }
        let Some(first) = resolved.iter().position(|resolved| !resolved) else { return asides };
        if !is_over {
            continue;
        }
        // Everybody left waits for somebody left: to follow them leads into a circle.
        let mut seen = vec![false; plans.len()];
        let mut person = first;
        while !seen[person] {
            seen[person] = true;
            let next = blocks[person].iter().flat_map(|block| &block.givers).find(|giver| !gives(&resolved, **giver));
            person = next.map_or(person, |(giver, _)| *giver);
        }
        asides[person] = blocks[person].as_ref().and_then(|block| aside(plans[person].writes.get(block.write)?));
        resolved[person] = true;
    }
}

/// The write that frees what `write` would free, and asks for nothing that anybody has or wants.
fn aside(write: &Write) -> Option<Write> {
    match &write.request {
        WriteRequest::Move { guid, dn, .. } => {
            let request =
                WriteRequest::Move { guid: *guid, dn: dn.clone(), container: dn.parent()?, cn: Some(nobodys(*guid)) };
            Some(Write { action: Action::Rename, request, redacted: write.redacted.clone() })
        }
        WriteRequest::Modify { guid, dn, changes } => {
            let changes: Vec<AttributeChange> = changes
                .iter()
                .filter(|change| unique(&change.name, "").is_some())
                .filter_map(|change| {
                    let held = change.old.first()?;
                    let suffix = held.rfind('@').map_or("", |at| &held[at..]);
                    let new = vec![format!("{}{suffix}", nobodys(*guid))];
                    Some(AttributeChange { new, ..change.clone() })
                })
                .collect();
            let request = WriteRequest::Modify { guid: *guid, dn: dn.clone(), changes };
            Some(Write { action: Action::Update, request, redacted: write.redacted.clone() })
        }
        WriteRequest::Add { .. } | WriteRequest::Delete { .. } => None,
    }
}

/// A name that no other account has; twenty characters, as many as a sAMAccountName may have.
fn nobodys(guid: ObjectGuid) -> String {
    let digits = guid.0.simple().to_string();
    format!("swap-{}", &digits[..15])
}

/// What an account no longer has once the write is made.
fn given(write: &Write) -> Vec<Unique> {
    match &write.request {
        WriteRequest::Move { dn, .. } => {
            let after = moved_to(&write.request);
            if after.is_some_and(|after| after.same_as(dn)) { vec![] } else { vec![name(dn)] }
        }
        WriteRequest::Modify { changes, .. } => changes.iter().filter_map(|change| swapped(change)?.0).collect(),
        WriteRequest::Delete { dn, .. } => vec![name(dn)],
        WriteRequest::Add { .. } => vec![],
    }
}

/// What an account needs for the write.
fn taken(write: &Write) -> Vec<Unique> {
    match &write.request {
        WriteRequest::Move { dn, .. } => {
            moved_to(&write.request).filter(|after| !after.same_as(dn)).iter().map(name).collect()
        }
        WriteRequest::Modify { changes, .. } => changes.iter().filter_map(|change| swapped(change)?.1).collect(),
        WriteRequest::Add { container, cn, attributes, .. } => {
            let values = attributes.iter().filter_map(|own| unique(&own.name, own.values.first()?));
            values.chain([name(&container.child("CN", cn))]).collect()
        }
        WriteRequest::Delete { .. } => vec![],
    }
}

/// What a change of a unique value frees and takes; `None` where it is about another attribute or about case alone.
fn swapped(change: &AttributeChange) -> Option<(Option<Unique>, Option<Unique>)> {
    let value = |values: &[String]| values.first().and_then(|value| unique(&change.name, value));
    let (old, new) = (value(&change.old), value(&change.new));
    (old != new).then_some((old, new))
}

fn unique(attribute: &str, value: &str) -> Option<Unique> {
    if attribute.eq_ignore_ascii_case(target::SAM_ACCOUNT_NAME) {
        Some(Unique::AccountName(fold(value)))
    } else if attribute.eq_ignore_ascii_case(target::USER_PRINCIPAL_NAME) {
        Some(Unique::PrincipalName(fold(value)))
    } else {
        None
    }
}

fn name(dn: &Dn) -> Unique {
    Unique::Name(dn.normalised())
}
