//! Persons who want each other's names, on a model in which a value is taken or not.

use proptest::prelude::*;
use rollcall_model::fold;

use super::applied::apply;
use super::*;

/// Who has a name, an account name and a principal name, and wants which.
type Names = [u8; 3];

fn text(number: u8) -> String {
    format!("person {number}")
}

fn principal(number: u8) -> String {
    format!("p{number}@corp.example")
}

fn account(at: usize, [name, account, principal_name]: Names) -> Entry {
    let dn = Dn::parse(STAFF).unwrap().child("CN", &text(name));
    let mut account =
        entry(&[("sAMAccountName", &[&text(account)]), ("userPrincipalName", &[&principal(principal_name)])]);
    account.guid = ObjectGuid(uuid::Uuid::from_u128((at as u128 + 1) << 80));
    Entry { dn, ..account }
}

fn wants([name, account, principal_name]: Names) -> DesiredState {
    let always = |name: &str, value: String| DesiredAttribute {
        apply: Apply::Always,
        ..attribute(name, &[&value], MayWrite::Yes)
    };
    DesiredState {
        attributes: vec![
            always("sAMAccountName", text(account)),
            always("userPrincipalName", principal(principal_name)),
        ],
        cn: Some(text(name)),
        rename: Some(MayWrite::Yes),
        ..desired()
    }
}

/// What is unique of an account.
fn unique(entry: &Entry) -> [String; 3] {
    let value = |name| fold(entry.value(name).unwrap());
    [entry.dn.normalised(), value("sAMAccountName"), value("userPrincipalName")]
}

/// Passes until everybody has what they want. A write that meets a taken value fails the test.
fn passes(held: &[Names], wanted: &[Names]) -> usize {
    let mut accounts: Vec<Entry> = held.iter().enumerate().map(|(at, names)| account(at, *names)).collect();
    for pass in 0.. {
        assert!(pass < 4 * held.len() + 2, "no end");
        let plans: Vec<Plan> = accounts
            .iter()
            .zip(wanted)
            .map(|(account, names)| plan(&wants(*names), &linked(account.clone())))
            .collect();
        if plans.iter().all(|plan| plan.writes.is_empty()) {
            return pass;
        }
        let turns = turns(&plans.iter().collect::<Vec<_>>());
        let mut wrote = false;
        for (at, (planned, turn)) in plans.iter().zip(turns).enumerate() {
            let (writes, aside) = match turn {
                Turn::Now => (planned.writes.len(), None),
                Turn::Wait { writes } => (writes, None),
                Turn::StepAside { writes, aside } => (writes, Some(aside)),
            };
            for write in planned.writes[..writes].iter().chain(&aside) {
                accounts[at] = apply(write, Some(accounts[at].clone()));
                wrote = true;
                for (other, account) in accounts.iter().enumerate().filter(|(other, _)| *other != at) {
                    let taken = unique(account).into_iter().zip(unique(&accounts[at])).any(|(a, b)| a == b);
                    assert!(!taken, "{} of {at} is taken by {other}", write_short(write));
                }
            }
        }
        assert!(wrote, "nobody moves: {:?}", plans.iter().map(short).collect::<Vec<_>>());
    }
    0
}

/// semantics: swap
#[test]
fn names_are_handed_on() {
    let check = |held: &[u8], wanted: &[u8], expected: usize| {
        for which in 0..3 {
            let names = |numbers: &[u8]| -> Vec<Names> {
                let number = |(at, number): (usize, &u8)| {
                    let mut names = [100 + u8::try_from(at).unwrap(); 3];
                    names[which] = *number;
                    names
                };
                numbers.iter().enumerate().map(number).collect()
            };
            assert_eq!(passes(&names(held), &names(wanted)), expected, "{held:?} -> {wanted:?} of {which}");
        }
    };
    check(&[1, 2], &[1, 2], 0);
    check(&[1, 2], &[3, 4], 1);
    // One after the other.
    check(&[1, 2], &[2, 3], 2);
    check(&[1, 2, 3], &[2, 3, 4], 3);
    // In circles of two, of three, and two circles.
    check(&[1, 2], &[2, 1], 3);
    check(&[1, 2, 3], &[2, 3, 1], 4);
    check(&[1, 2, 3, 4], &[2, 1, 4, 3], 3);
    // Somebody waits for one in a circle.
    check(&[1, 2, 3], &[2, 1, 9], 3);
}

/// semantics: swap (all three at once)
#[test]
fn two_become_each_other() {
    assert_eq!(passes(&[[1; 3], [2; 3]], &[[2; 3], [1; 3]]), 5);
}

/// semantics: swap (the step aside is a write of its own, and the disable does not wait)
#[test]
fn one_steps_aside() {
    let state = |names| DesiredState { account: DesiredAccount::Disabled, ..wants(names) };
    let plans = [
        plan(&state([1, 2, 2]), &linked(account(0, [1, 1, 1]))),
        plan(&state([2, 1, 1]), &linked(account(1, [2, 2, 2]))),
    ];
    let turns = turns(&plans.iter().collect::<Vec<_>>());
    let Turn::StepAside { writes, aside } = &turns[0] else { panic!("{turns:?}") };
    assert_eq!(*writes, 1, "the disable comes first");
    let expected = r#"Update sAMAccountName ["person 1"]->["swap-000000000001000"], userPrincipalName ["p1@corp.example"]->["swap-000000000001000@corp.example"]"#;
    assert_eq!(write_short(aside), expected);
    assert_eq!(turns[1], Turn::Wait { writes: 1 });
    // A name in another container is another name; another case is the same one.
    let moved = DesiredState {
        container: DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: true },
        ..wants([2, 1, 1])
    };
    let plans = [plan(&moved, &linked(account(0, [1, 1, 1]))), plan(&wants([1, 2, 2]), &linked(account(1, [2, 2, 2])))];
    let turns = super::super::turns(&plans.iter().collect::<Vec<_>>());
    assert_eq!(turns, [Turn::Now, Turn::Wait { writes: 0 }]);
}

/// semantics: swap (another case is no other value, and nothing is given up by it)
#[test]
fn a_change_of_case_gives_nothing_up() {
    let capitals = |mut state: DesiredState| {
        for own in &mut state.attributes {
            own.values = own.values.iter().map(|value| value.to_uppercase()).collect();
        }
        state.cn = state.cn.map(|cn| cn.to_uppercase());
        state
    };
    let plans = [
        plan(&capitals(wants([1, 1, 1])), &linked(account(0, [1, 1, 1]))),
        plan(&wants([1, 1, 1]), &linked(account(1, [2, 2, 2]))),
    ];
    assert_eq!(plans[0].writes.len(), 2, "{}", short(&plans[0]));
    assert_eq!(super::super::turns(&plans.iter().collect::<Vec<_>>()), [Turn::Now, Turn::Now]);
}

/// A new account may want what somebody gives up.
#[test]
fn an_add_waits_too() {
    let absent = Observed { account: ObservedAccount::Absent, manager: ObservedManager::NotAsked };
    let plans = [
        plan(&DesiredState { cn: Some(text(1)), ..unlinked() }, &absent),
        plan(&wants([2, 1, 1]), &linked(account(1, [1, 1, 1]))),
    ];
    assert_eq!(super::super::turns(&plans.iter().collect::<Vec<_>>()), [Turn::Wait { writes: 0 }, Turn::Now]);
}

fn any_permutation(count: usize) -> impl Strategy<Value = Vec<u8>> {
    // Two numbers more than persons, so that some names are free.
    Just((0..u8::try_from(count + 2).unwrap()).collect::<Vec<u8>>()).prop_shuffle().prop_map(move |mut numbers| {
        numbers.truncate(count);
        numbers
    })
}

proptest! {
    /// semantics: swap. However names go round, everybody gets theirs, and no write meets a taken value.
    #[test]
    fn everybody_gets_their_names(
        held in proptest::array::uniform3(any_permutation(6)), wanted in proptest::array::uniform3(any_permutation(6)),
    ) {
        let names = |lists: &[Vec<u8>; 3]| -> Vec<Names> {
            (0..6).map(|at| [lists[0][at], lists[1][at], lists[2][at]]).collect()
        };
        passes(&names(&held), &names(&wanted));
    }
}
