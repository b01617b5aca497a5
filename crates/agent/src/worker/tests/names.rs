//! Values of new accounts that nobody else may have.

use std::collections::HashMap;

use rollcall_model::config::target;
use rollcall_model::desired::{IfAbsent, UniqueAttribute};
use rollcall_model::ids::PersonId;
use rollcall_model::{fold, fold_taken};
use rollcall_wire::link::{Reservation, Want};
use uuid::Uuid;

use super::*;

const SAM: &str = target::SAM_ACCOUNT_NAME;

fn unique(name: &str, candidates: &[&str]) -> UniqueAttribute {
    UniqueAttribute {
        name: name.to_owned(),
        candidates: candidates.iter().map(|&value| value.to_owned()).collect(),
        redacted: false,
    }
}

/// Somebody whose account name is one of these.
fn one_of(number: u128, candidates: &[&str]) -> DesiredState {
    let mut desired = person(number, &format!("Person {number}"), &[]);
    desired.attributes.retain(|own| own.name != SAM);
    desired.unique = vec![unique(SAM, candidates)];
    desired
}

fn name_of(bench: &Bench, number: u128) -> Option<String> {
    bench.directory.entry(&format!("CN=Person {number},{STAFF}")).value(SAM).map(str::to_owned)
}

fn reason(outcome: &Outcome) -> &str {
    match &outcome.result {
        Conclusion::Failed(failure) => &failure.reason,
        other => panic!("{other:?}"),
    }
}

/// semantics: unique
#[tokio::test]
async fn each_gets_the_first_that_is_free() {
    let bench = Bench::new();
    bench.directory.put("CN=Group,DC=corp,DC=test", &[(SAM, "JSMITH"), ("objectclass", "group")]);
    bench.directory.put("CN=Other,DC=corp,DC=test", &[(SAM, "jsmith2")]);
    let candidates: Vec<String> =
        (1..80).map(|n| if n == 1 { "jsmith".into() } else { format!("jsmith{n}") }).collect();
    let candidates: Vec<&str> = candidates.iter().map(String::as_str).collect();
    // Somebody else's by the service's word, whatever the directory says.
    bench.reserve(SAM, "jsmith4", 99);
    let outcomes = bench.work((1..=40).map(|number| one_of(number, &candidates)).collect()).await;
    assert!(outcomes.iter().all(|outcome| outcome.result == Conclusion::Done), "{outcomes:?}");
    let names: Vec<_> = (1..=40).filter_map(|number| name_of(&bench, number)).collect();
    let expected: Vec<_> = [3].into_iter().chain(5..44).map(|n| format!("jsmith{n}")).collect();
    assert_eq!(names, expected);
    for outcome in &outcomes {
        let own = name_of(&bench, outcome.person.0.as_u128()).unwrap();
        let told = outcome.changes[0].properties.iter().find(|own| own.name == SAM).unwrap();
        assert_eq!(told.new, [own]);
    }
    assert!(bench.wants().len() <= 4, "{}", bench.wants().len());
    // Found again, nothing is chosen.
    let asked = bench.wants().len();
    let again = bench.one(one_of(7, &["another"])).await;
    assert_eq!((code(&again), bench.wants().len()), (Some(Code::RedundantExport), asked));
}

/// semantics: unique
#[tokio::test]
async fn several_attributes_are_chosen_together() {
    let bench = Bench::new();
    let held = [("cn", "Ada"), ("mail", "ada@x.test"), ("proxyaddresses", "smtp:ADA@x.test")];
    bench.directory.put("CN=Ada,OU=Other,DC=corp,DC=test", &held);
    let mut desired = one_of(1, &["ada"]);
    desired.cn = None;
    desired.unique.push(unique("mail", &["ada@x.test", "ada2@x.test"]));
    desired.unique.push(unique("proxyAddresses", &["SMTP:ada@x.test", "SMTP:ada2@x.test"]));
    desired.unique.push(unique(target::CN, &["Ada", "Ada 2"]));
    let outcome = bench.one(desired).await;
    assert_eq!((&outcome.result, outcome.dn.as_deref()), (&Conclusion::Done, Some(&*format!("CN=Ada 2,{STAFF}"))));
    let entry = bench.directory.entry(&format!("CN=Ada 2,{STAFF}"));
    let values = ["sAMAccountName", "mail", "proxyAddresses"].map(|name| entry.value(name));
    assert_eq!(values, [Some("ada"), Some("ada2@x.test"), Some("SMTP:ada2@x.test")]);
    assert_eq!(bench.wants().len(), 1);
}

/// semantics: unique (the directory's comparison is its own)
#[tokio::test]
async fn what_is_equal_to_the_directory_is_taken() {
    let bench = Bench::new();
    for (number, (held, candidates, expected)) in [
        ("Jürgen", ["JURGEN", "x1"], "x1"),
        ("jurgen3", ["Jürgen3", "x2"], "x2"),
        ("a*b", ["a*b", "x3"], "x3"),
        ("plain", ["pla*", "x4"], "pla*"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u128::try_from(number).unwrap() + 1;
        bench.directory.put(&format!("CN=H{number},DC=corp,DC=test"), &[(SAM, held)]);
        bench.directory.set(|inner| inner.folds = true);
        bench.one(one_of(number, &candidates)).await;
        assert_eq!(name_of(&bench, number).as_deref(), Some(expected), "{held}");
    }
}

/// semantics: unique
#[tokio::test]
async fn without_a_value_no_account_is_made() {
    let bench = Bench::new();
    bench.directory.put("CN=Other,DC=corp,DC=test", &[(SAM, "a")]);
    bench.reserve(SAM, "b", 99);
    let outcome = bench.one(one_of(1, &["a", "b", "B"])).await;
    assert_eq!((code(&outcome), reason(&outcome)), (Some(Code::NoUniqueValueLeft), "every value is taken: a, b, B"));
    let last = bench.wants().pop().unwrap().remove(0);
    assert_eq!((last.free.len(), last.taken.as_slice()), (0, &["a".to_owned()][..]), "offered to nobody for a while");
    let outcome = bench.one(one_of(1, &[])).await;
    assert_eq!((code(&outcome), reason(&outcome)), (Some(Code::NoUniqueValueLeft), "the mapping yields no value"));
    // Nobody is asked about who gets no account.
    let asked = bench.wants().len();
    let skipped = DesiredState { if_absent: IfAbsent::Skip, ..one_of(1, &["c"]) };
    assert_eq!(code(&bench.one(skipped).await), Some(Code::InactiveWithoutAccount));
    assert_eq!((bench.wants().len(), bench.directory.made().len()), (asked, 0));
}

/// semantics: unique
#[tokio::test]
async fn a_refused_value_gives_way_to_the_next() {
    let bench = Bench::new();
    // Somebody out of sight holds it.
    bench.directory.set(|inner| inner.strikes.extend([Strike::Refuse(Code::EntryConflict)]));
    let outcome = bench.one(one_of(1, &["a", "a2", "a3"])).await;
    assert_eq!((actions(&outcome), name_of(&bench, 1).as_deref()), (vec![(Action::Create, true)], Some("a2")));
    assert_eq!(bench.wants()[1][0].taken, ["a"]);
    // The name in the container is one of them too, and has no other way out.
    bench.directory.put(&format!("CN=Cy,{STAFF}"), &[]);
    let mut desired = one_of(2, &["cy"]);
    desired.unique.push(unique(target::CN, &["Cy", "Cy 2"]));
    bench.directory.set(|inner| inner.blind = true);
    let outcome = bench.one(desired).await;
    assert_eq!(outcome.dn.as_deref(), Some(&*format!("CN=Cy 2,{STAFF}")), "{outcome:?}");
    bench.directory.set(|inner| inner.blind = false);
    // Not for ever.
    let times = rollcall_model::limits::UNIQUE_REFUSALS_MAX;
    bench.directory.set(|inner| inner.strikes.extend((0..times).map(|_| Strike::Refuse(Code::EntryConflict))));
    let outcome = bench.one(one_of(3, &["b", "b2", "b3", "b4", "b5", "b6"])).await;
    assert_eq!((code(&outcome), actions(&outcome)), (Some(Code::NoUniqueValueLeft), vec![(Action::Create, false)]));
    assert!(reason(&outcome).contains("b, b2, b3, b4, b5"), "{}", reason(&outcome));
}

/// semantics: unique (a crash, or a lost answer, between the reservation and the create)
#[tokio::test]
async fn what_is_reserved_is_kept() {
    for strike in [Strike::LoseBefore, Strike::LoseAfter] {
        let bench = Bench::new();
        bench.reserve(SAM, "a2", 1);
        bench.directory.set(|inner| inner.strikes.push_back(strike));
        let outcome = bench.one(one_of(1, &["a", "a2", "a3"])).await;
        assert_eq!(outcome.result, Conclusion::Done);
        assert_eq!((name_of(&bench, 1).as_deref(), bench.directory.made().len()), (Some("a2"), 1));
    }
}

/// semantics: unique
#[tokio::test]
async fn a_value_that_kills_the_connection_holds_nobody_up_for_ever() {
    let bench = Bench::new();
    bench.directory.set(|inner| inner.deadly_value = Some("boom".to_owned()));
    let outcomes = bench.work_for(vec![one_of(1, &["boom"]), person(2, "Person 2", &[])], 60).await;
    let codes: Vec<_> = outcomes.iter().map(|outcome| (outcome.person.0.as_u128(), code(outcome))).collect();
    assert!(codes.contains(&(1, Some(Code::EndpointUnavailable))) && codes.contains(&(2, None)), "{codes:?}");
}

impl Bench {
    /// Reserves a value for somebody.
    fn reserve(&self, attribute: &str, value: &str, person: u128) {
        let key = (fold(attribute), fold_taken(value));
        self.reserved.lock().unwrap().values.insert(key, PersonId(Uuid::from_u128(person)));
    }

    /// What the service was asked for.
    fn wants(&self) -> Vec<Vec<Want>> {
        self.reserved.lock().unwrap().asked.clone()
    }
}

/// What the service does about unique values.
#[derive(Default)]
pub(super) struct Reserved {
    values: HashMap<(String, String), PersonId>,
    asked: Vec<Vec<Want>>,
}

impl Reserved {
    pub(super) fn answer(&mut self, wants: Vec<Want>) -> Vec<Reservation> {
        self.asked.push(wants.clone());
        wants.into_iter().map(|want| self.choose(want)).collect()
    }

    fn choose(&mut self, want: Want) -> Reservation {
        let key = |value: &String| (fold(&want.attribute), fold_taken(value));
        let own = want.free.iter().find(|value| self.values.get(&key(value)) == Some(&want.person));
        let value = own.or_else(|| want.free.iter().find(|value| !self.values.contains_key(&key(value)))).cloned();
        if let Some(value) = &value {
            self.values.insert(key(value), want.person);
        }
        Reservation { person: want.person, attribute: want.attribute, value }
    }
}
