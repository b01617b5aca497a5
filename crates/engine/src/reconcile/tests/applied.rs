//! Plans carried out on a model of a directory entry: they reach the desired state, touch nothing else, and leave
//! nothing to plan.

use proptest::prelude::*;

use super::super::addresses::{Leaving, after};
use super::*;

/// Carries out one write as Active Directory does: attribute by attribute, deletes before adds, and two values of one
/// attribute are the same whatever their case.
pub(super) fn apply(write: &Write, account: Option<Entry>) -> Entry {
    match &write.request {
        WriteRequest::Add { container, cn, attributes, enabled, .. } => {
            let mut made = entry(&[("title", &[])]);
            made.dn = container.child("CN", cn);
            let bits = if *enabled { "512" } else { "514" };
            made.attributes.insert("useraccountcontrol".to_owned(), vec![bits.to_owned()]);
            for own in attributes {
                made.attributes.insert(own.name.to_lowercase(), own.values.clone());
            }
            made
        }
        WriteRequest::Modify { changes, .. } => {
            let mut changed = account.unwrap();
            for change in changes {
                let held = changed.attributes.entry(change.name.to_lowercase()).or_default();
                for old in &change.old {
                    let at = held.iter().position(|value| value == old).expect("the old value is held");
                    held.remove(at);
                }
                for new in &change.new {
                    let is_it = |value: &String| value.to_lowercase() == new.to_lowercase();
                    assert!(!held.iter().any(is_it), "{new} is held already: {held:?}");
                    held.push(new.clone());
                }
            }
            changed
        }
        WriteRequest::Move { .. } => {
            let mut moved = account.unwrap();
            moved.dn = moved_to(&write.request).unwrap();
            moved
        }
        WriteRequest::Delete { .. } => panic!("nothing is left to plan"),
    }
}

/// Values of which no two are one to a directory.
fn any_values() -> impl Strategy<Value = Vec<String>> {
    let value =
        prop_oneof![Just("0".to_owned()), Just("9223372036854775807".to_owned()), "[a-cA-C]{1,2}", any::<String>()];
    proptest::collection::vec(value, 0..4).prop_map(|mut values| {
        values.sort_by_key(|value| value.to_lowercase());
        values.dedup_by_key(|value| value.to_lowercase());
        values
    })
}

/// As mappings yield them: anything, also twice.
fn any_wanted() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(prop_oneof!["[a-cA-C]{1,2}", any::<String>()], 0..4)
}

fn any_addresses() -> impl Strategy<Value = Vec<String>> {
    let value = ("(SMTP|smtp|Smtp|sip|X500)", "[a-dA-D]").prop_map(|(kind, address)| format!("{kind}:{address}@x"));
    proptest::collection::vec(prop_oneof![9 => value, 1 => "[a-d]"], 0..5)
}

fn any_account() -> impl Strategy<Value = DesiredAccount> {
    prop_oneof![
        Just(DesiredAccount::Disabled),
        Just(DesiredAccount::Enabled),
        Just(DesiredAccount::EnabledIfNew),
        Just(DesiredAccount::EnabledIfNewOrFirstLink),
    ]
}

fn any_apply() -> impl Strategy<Value = Apply> {
    prop_oneof![
        3 => Just(Apply::Always),
        1 => Just(Apply::OnCreate),
        1 => Just(Apply::ValueAddOnly),
        1 => Just(Apply::MultiValueAddOnly),
        1 => Just(Apply::AttributeAddOnly),
    ]
}

/// How the person stands to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Absent,
    Matched,
    Unconfirmed,
    Linked,
}

#[derive(Clone, Debug)]
struct Case {
    state: DesiredState,
    found: Entry,
    stands: Stands,
}

const NAMES: [&str; 5] = ["title", "accountExpires", "secretary", "otherTelephone", "proxyAddresses"];
/// Held by every account, and mapped by nobody.
const OTHERS: [(&str, &str); 3] = [("description", "by hand"), ("info", "Z"), ("extensionattribute1", "1")];

prop_compose! {
    fn any_case()(
        wanted in proptest::collection::vec(any_wanted(), 4), held in proptest::collection::vec(any_values(), 4),
        addresses in [any_addresses(), any_addresses(), any_addresses()],
        applies in proptest::collection::vec(any_apply(), 5), account in any_account(),
        stands in prop_oneof![
            1 => Just(Stands::Absent), 1 => Just(Stands::Matched), 1 => Just(Stands::Unconfirmed),
            3 => Just(Stands::Linked)
        ],
        bits in prop_oneof![Just("512"), Just("514"), Just("66048"), Just("-2147483134")],
        (move_it, rename_it, may) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) -> Case {
        let is_new = matches!(stands, Stands::Absent | Stands::Matched);
        let mut state = DesiredState { account, ..if is_new { unlinked() } else { desired() } };
        if stands == Stands::Unconfirmed {
            state.link.as_mut().unwrap().confirmed = false;
        }
        let may_write = if may { MayWrite::Yes } else { MayWrite::FirstLinkOnly };
        state.enable_found_disabled = may;
        state.attributes.truncate(2);
        let mut found = entry(&[("userAccountControl", &[bits])]);
        let (wanted, held) = (wanted.iter().chain([&addresses[0]]), held.iter().chain([&addresses[1]]));
        for (((name, wanted), held), apply) in NAMES.iter().zip(wanted).zip(held).zip(applies) {
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            state.attributes.push(DesiredAttribute { apply, ..attribute(name, &wanted, may_write) });
            let mut held = held.clone();
            held.sort_by_key(|value| value.to_lowercase());
            held.dedup_by_key(|value| value.to_lowercase());
            found.attributes.insert(name.to_lowercase(), held);
        }
        state.attributes[6].owned = addresses[2].clone();
        if rename_it {
            state.cn = Some("ada byron".to_owned());
            state.rename = Some(may_write);
        }
        if move_it {
            state.container = DesiredContainer { mapped: Some(OTHER.to_owned()), default: None, may_move: may };
        }
        for (name, value) in OTHERS {
            found.attributes.insert(name.to_owned(), vec![value.to_owned()]);
        }
        Case { state, found, stands }
    }
}

fn look(entry: Option<Entry>, stands: Stands) -> Observed {
    let account = match (entry, stands) {
        (None, _) => ObservedAccount::Absent,
        (Some(entry), Stands::Absent | Stands::Matched) => ObservedAccount::Matched(entry),
        (Some(entry), Stands::Unconfirmed | Stands::Linked) => ObservedAccount::Linked(entry),
    };
    Observed { account, manager: ObservedManager::NotAsked }
}

fn folded(values: &[String]) -> Vec<String> {
    let mut all: Vec<String> = values.iter().map(|value| value.to_lowercase()).collect();
    all.sort();
    all.dedup();
    all
}

/// Whether the attribute is as it was asked for; said without the code that plans.
fn is_reached(own: &DesiredAttribute, before: &[String], now: &[String]) -> bool {
    let (wanted, now_folded) = (folded(&own.values), folded(now));
    // Numbers and names have several spellings; that nothing is left to plan says enough.
    let is_spelled = ["accountExpires", "secretary"].contains(&own.name.as_str());
    match own.apply {
        Apply::OnCreate => before == now,
        Apply::AttributeAddOnly if !before.is_empty() => before == now,
        _ if own.name == "proxyAddresses" => {
            let primaries = now.iter().filter(|value| value.starts_with("SMTP:")).count();
            let named = own.values.iter().find(|value| value.starts_with("SMTP:"));
            let kept = before.iter().filter(|value| !own.owned.contains(value));
            // Lower case, because demotion changes nothing else.
            wanted.iter().all(|value| now_folded.contains(value))
                && named.is_none_or(|named| primaries == 1 && now.contains(named))
                && folded(&kept.cloned().collect::<Vec<_>>()).iter().all(|value| {
                    now_folded.contains(value) || own.owned.iter().any(|owned| owned.to_lowercase() == *value)
                })
        }
        Apply::ValueAddOnly | Apply::MultiValueAddOnly => {
            before.iter().all(|value| now.contains(value))
                && (is_spelled || wanted.iter().all(|value| now_folded.contains(value)))
        }
        Apply::Always | Apply::AttributeAddOnly => {
            is_spelled || (now_folded == wanted && now.iter().all(|value| own.values.contains(value)))
        }
    }
}

proptest! {
    /// semantics: comparison. A plan that was carried out plans to nothing, has reached what was asked for, and has
    /// changed nothing that no mapping owns.
    #[test]
    fn applying_a_plan_reaches_the_desired_state(case in any_case()) {
        let Case { state, found, stands } = case;
        let mut now = (stands != Stands::Absent).then(|| found.clone());
        let first = plan(&state, &look(now.clone(), stands));
        for write in &first.writes {
            let next = apply(write, now);
            prop_assert_eq!(happened(write, Some(&next)), Happened::Yes);
            now = Some(next);
        }
        let again = plan(&state, &look(now.clone(), stands));
        prop_assert!(again.writes.is_empty(), "{} and again {}", short(&first), short(&again));
        let _ = confirmed(&state, &first, &[], None);
        let now = now.unwrap();
        if state.account == DesiredAccount::Disabled {
            prop_assert!(now.is_disabled());
        }
        if stands == Stands::Absent {
            return Ok(());
        }
        for (name, value) in OTHERS {
            prop_assert_eq!(now.value(name), Some(value));
        }
        let bits = |entry: &Entry| entry.account_control().unwrap() & !ACCOUNT_DISABLE;
        prop_assert_eq!(bits(&now), bits(&found));
        for own in &state.attributes[2..] {
            let (before, held) = (found.values(&own.name), now.values(&own.name));
            if stands == Stands::Linked && own.may_write == MayWrite::FirstLinkOnly {
                prop_assert_eq!(before, held);
            } else if stands == Stands::Linked || !own.values.is_empty() {
                prop_assert!(is_reached(own, before, held), "{:?}: {:?} -> {:?}", own, before, held);
            } else {
                prop_assert_eq!(before, held, "a first link clears nothing");
            }
        }
        let leaf = now.dn.leaf_value().unwrap();
        let may = stands != Stands::Linked || state.rename == Some(MayWrite::Yes);
        prop_assert_eq!(leaf == "ada byron", state.rename.is_some() && may);
    }

    /// semantics: addresses
    #[test]
    fn addresses_settle_at_once(
        found in any_addresses(), wanted in any_addresses(), owned in any_addresses(), adds in any::<bool>(),
    ) {
        let leaving = if adds { Leaving::Nothing } else { Leaving::WhatWeWrote };
        let mut held: Vec<String> = Vec::new();
        for value in found {
            if !held.iter().any(|other| other.eq_ignore_ascii_case(&value)) {
                held.push(value);
            }
        }
        let once = after(&held, &wanted, &owned, leaving);
        prop_assert_eq!(&after(&once, &wanted, &owned, leaving), &once);
        let mut distinct = folded(&once);
        distinct.dedup();
        prop_assert_eq!(distinct.len(), once.len(), "none twice: {:?}", once);
        for other in held.iter().filter(|value| value.starts_with("sip") || value.starts_with("X500")) {
            prop_assert!(once.iter().any(|value| value.eq_ignore_ascii_case(other)), "{} is gone", other);
        }
        if wanted.iter().any(|value| value.starts_with("SMTP:")) {
            prop_assert_eq!(once.iter().filter(|value| value.starts_with("SMTP:")).count(), 1);
        }
    }
}
