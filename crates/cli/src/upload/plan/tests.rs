use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

/// Operations of these persons; `-` has none.
fn operations(persons: &[&str]) -> Vec<Operation> {
    let one = |person: &&str| Operation {
        json: RawValue::from_string("{}".to_owned()).unwrap(),
        external_id: Some((*person).to_owned()).filter(|it| it != "-"),
        person: Some(rollcall_model::fold(person)).filter(|it| it != "-"),
    };
    persons.iter().map(one).collect()
}

/// What goes out when each round's requests are all answered before the next round.
fn rounds(persons: &[&str]) -> Vec<Vec<Vec<usize>>> {
    let mut planner = Planner::new(&operations(persons));
    let mut rounds = Vec::new();
    loop {
        let round: Vec<_> = std::iter::from_fn(|| planner.next()).collect();
        if round.is_empty() {
            assert_eq!(planner.waiting(), 0);
            return rounds;
        }
        for batch in &round {
            planner.answered(batch);
        }
        rounds.push(round);
    }
}

#[test]
fn persons_wait_for_themselves_and_for_nobody_else() {
    let check = |persons: &[&str], expected: &[&[&[usize]]]| assert_eq!(rounds(persons), expected, "{persons:?}");
    check(&[], &[]);
    check(&["a", "b"], &[&[&[0, 1]]]);
    check(&["a", "b", "a"], &[&[&[0, 1]], &[&[2]]]);
    check(&["a", "A", "a", "b"], &[&[&[0, 3]], &[&[1]], &[&[2]]]);
    check(&["É", "é"], &[&[&[0]], &[&[1]]]);
    // Without an externalId nobody can be the same.
    check(&["-", "-", "a"], &[&[&[0, 1, 2]]]);
}

#[test]
fn a_request_holds_fifty() {
    let names: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sizes: Vec<Vec<usize>> = rounds(&names).iter().map(|round| round.iter().map(Vec::len).collect()).collect();
    assert_eq!(sizes, [[50, 50, 20]]);
}

#[test]
fn a_request_holds_no_more_bytes_than_the_service_reads() {
    let big = |bytes: usize| Operation {
        json: RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap(),
        external_id: None,
        person: None,
    };
    let third = limits::BODY_BYTES_MAX / 3;
    let operations = [big(third), big(third), big(third), big(limits::BODY_BYTES_MAX + 1), big(10)];
    let mut planner = Planner::new(&operations);
    let batches: Vec<_> = std::iter::from_fn(|| planner.next()).collect();
    assert_eq!(batches, [vec![0, 1], vec![2], vec![3], vec![4]]);
}

proptest! {
    /// Whatever the file and in whatever order the answers come.
    #[test]
    fn every_operation_once_in_order_per_person_never_two_in_flight(
        persons in proptest::collection::vec("-|[aAbB]|[c-z]{1,2}", 0..400),
        choices in proptest::collection::vec((0_usize..8, any::<bool>()), 0..400),
    ) {
        let persons: Vec<&str> = persons.iter().map(String::as_str).collect();
        let operations = operations(&persons);
        let mut planner = Planner::new(&operations);
        let mut in_flight: VecDeque<Vec<usize>> = VecDeque::new();
        let (mut sent, mut answered) = (Vec::<usize>::new(), BTreeSet::new());
        let mut choices = choices.into_iter().chain(std::iter::repeat((0, false)));
        loop {
            let (which, send_first) = choices.next().unwrap_or_default();
            let batch = if send_first || in_flight.is_empty() { planner.next() } else { None };
            if let Some(batch) = batch {
                prop_assert!(!batch.is_empty() && batch.len() <= 50);
                for at in &batch {
                    let person = &operations[*at].person;
                    // Everything earlier of this person is answered: so none of them is in flight either.
                    let earlier = (0..*at).filter(|e| person.is_some() && operations[*e].person == *person);
                    for earlier in earlier {
                        prop_assert!(answered.contains(&earlier), "{at} went before {earlier} was answered");
                    }
                }
                sent.extend(&batch);
                in_flight.push_back(batch);
            } else if in_flight.is_empty() {
                break;
            } else if let Some(batch) = in_flight.remove(which % in_flight.len()) {
                planner.answered(&batch);
                answered.extend(batch);
            }
        }
        sent.sort_unstable();
        prop_assert_eq!(sent, (0..persons.len()).collect::<Vec<_>>());
        prop_assert_eq!(planner.waiting(), 0);
    }
}
