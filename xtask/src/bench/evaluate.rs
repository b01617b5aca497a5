//! Merged person to desired state with the default mapping, on one thread.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, bail};
use rollcall_engine::default_mapping::default_mapping;
use rollcall_engine::evaluate::{Evaluation, Prepared, Surroundings, evaluate};
use rollcall_engine::merge::{Incoming, Merge, merge};
use rollcall_model::Timestamp;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::PersonId;
use rollcall_model::operation::Method;
use rollcall_model::person::Person;
use serde_json::{Value, json};

use super::feed::{Template, people};
use super::report::{Blocks, By, Figure, Goal, Mode, On};

pub(super) const GOAL: Goal = Goal::new(On::Value, By::AtLeast, 100_000.0);

pub(super) fn run(mode: Mode) -> anyhow::Result<Vec<Figure>> {
    let prepared = prepared()?;
    let people = merged(mode.pick(10_000, 500))?;
    let (rounds, passes) = mode.pick((10, 20), (3, 1));
    // Once without a clock: caches and the branch predictor are those of a running service.
    round(&prepared, &people, 1)?;
    let mut blocks = Blocks::default();
    for _ in 0..rounds {
        let start = Instant::now();
        round(&prepared, &people, passes)?;
        blocks.push(u32::try_from(people.len())? * passes, start.elapsed());
    }
    Ok(vec![Figure {
        name: "evaluate",
        case: "one thread".to_owned(),
        value: blocks.rate(),
        unit: "records/s",
        limit: None,
        goal: Some(GOAL),
        directory: None,
        store: None,
        n: blocks.number(),
        runs: blocks.runs(),
        spread: blocks.spread(),
    }])
}

fn round(prepared: &Prepared, people: &[Person], passes: u32) -> anyhow::Result<()> {
    let reserved = BTreeMap::new();
    let surroundings = surroundings(&reserved);
    for _ in 0..passes {
        for person in people {
            // The desired state is made and dropped: a service does both.
            match black_box(evaluate(prepared, black_box(person), &surroundings).evaluation) {
                Evaluation::Send(_) => {}
                other => bail!("a person that is not sent: {other:?}"),
            }
        }
    }
    Ok(())
}

fn surroundings(reserved: &BTreeMap<String, String>) -> Surroundings<'_> {
    Surroundings { now: Timestamp(1_767_225_600_000_000), manager_link: None, secret: &[7; 32], reserved }
}

fn prepared() -> anyhow::Result<Prepared> {
    let mut config: JobConfig = serde_json::from_value(json!({ "mappings": [] }))?;
    config.container = Some("OU=Staff,DC=corp,DC=example,DC=test".to_owned());
    config.mappings = default_mapping();
    match Prepared::new(&config, 1, "corp.example.test") {
        Ok(prepared) => Ok(prepared),
        Err(problems) => bail!("the default mapping: {problems:?}"),
    }
}

/// People of the feed, merged as the service merges them.
fn merged(number: u32) -> anyhow::Result<Vec<Person>> {
    let mut out = Vec::new();
    for body in Template::new().bodies(&people(0..number)) {
        let body: Value = serde_json::from_slice(&body)?;
        for operation in body["Operations"].as_array().context("no Operations")? {
            let data = operation["data"].as_object().context("no data")?;
            let id = data["externalId"].as_str().context("no externalId")?;
            let number = u128::try_from(out.len())? + 1;
            let new = Person::new(PersonId(uuid::Uuid::from_u128(number)), id);
            match merge(&new, &Incoming { method: Method::Post, data }) {
                Merge::Accepted { person, .. } => out.push(person),
                Merge::Rejected { failure, .. } => bail!("{id}: {failure:?}"),
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_the_feed_have_twenty_attributes() {
        let (prepared, people) = (prepared().unwrap(), merged(50).unwrap());
        assert_eq!(people.len(), 50);
        for person in &people {
            let reserved = BTreeMap::new();
            let evaluated = evaluate(&prepared, person, &surroundings(&reserved)).evaluation;
            let Evaluation::Send(state) = evaluated else { panic!("{person:?}") };
            // With cn and userAccountControl.
            assert_eq!(state.attributes.len() + 2, 20, "{:?}", state.attributes);
            assert!(state.warnings.is_empty(), "{:?}", state.warnings);
        }
    }
}
