//! Values that must be unique, between evaluation, store and agent.

use rollcall_model::config::{Apply, target};
use rollcall_model::limits;
use rollcall_model::outcome::AppliedChange;
use rollcall_store::{Taken, Wanted};
use rollcall_wire::link::{Reservation, Want};

use super::*;

const SAM: &str = target::SAM_ACCOUNT_NAME;

/// The account's name is the `userName`, numbered where it is taken.
async fn numbering() -> Bench {
    Bench::new(|job| {
        let source = MappingSource::Expression("SelectNumberedValue([userName])".to_owned());
        let name = Mapping { apply: Apply::OnCreate, ..Mapping::new(SAM, source) };
        job.config.mappings.push(name);
        job.config.unique_quarantine_days = 1;
    })
    .await
}

impl Bench {
    /// Somebody due without an account.
    fn newcomer(&self, external_id: &str, user_name: &str) -> PersonUpdate {
        let mut update = PersonUpdate { due: Some(Timestamp(1)), ..self.world.person(external_id) };
        update.person.record.insert("externalId".to_owned(), json!(external_id));
        update.person.record.insert("userName".to_owned(), json!(user_name));
        update
    }

    /// Who is offered what.
    async fn offers(&mut self) -> Vec<(String, Vec<String>)> {
        while self.worker.dispatch_due().await.unwrap() {}
        let mut offers = Vec::new();
        while let Ok(frame) = self.frames.try_recv() {
            let ToAgent::Work { needs, items, .. } = frame else { continue };
            let any = items.iter().any(|item| !item.unique.is_empty());
            assert_eq!(needs.contains(&Capability::UniqueValues), any);
            offers.extend(items.into_iter().map(|mut item| (item.external_id, item.unique.remove(0).candidates)));
        }
        offers
    }

    fn wants(person: &PersonUpdate, free: &[&str]) -> Want {
        let free = free.iter().map(|&value| value.to_owned()).collect();
        Want { person: person.person.id, attribute: SAM.to_owned(), free, taken: Vec::new() }
    }

    /// What the agent is answered.
    async fn reserve(&mut self, epoch: Epoch, wants: Vec<Want>) -> Option<Vec<Reservation>> {
        let frame = FromAgent::Reserve { request: 7, epoch, wants };
        self.worker.handle(Event::Frame(self.session, Box::new(frame))).await.unwrap();
        match self.frames.try_recv().ok()? {
            ToAgent::Reserved { request: 7, answers } => Some(answers),
            other => panic!("{other:?}"),
        }
    }

    async fn holder(&self, value: &str, in_ms: i64) -> Option<Taken> {
        let now = self.worker.options.clock.now().plus_ms(in_ms);
        let store = &self.worker.options.store;
        store.taken_values(self.world.tenant, DOMAIN, &[(SAM, value)], now).await.unwrap().pop()
    }
}

fn values(answers: Option<Vec<Reservation>>) -> Vec<Option<String>> {
    answers.unwrap().into_iter().map(|answer| answer.value).collect()
}

fn numbered(name: &str, from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|n| if n == 1 { name.to_owned() } else { format!("{name}{n}") }).collect()
}

/// semantics: unique
#[tokio::test]
async fn what_nobody_else_has_is_offered() {
    let mut bench = numbering().await;
    let (a, b, c) = (bench.newcomer("a", "jsmith"), bench.newcomer("b", "JSMITH"), bench.newcomer("c", "ada"));
    let holder = bench.linked("holder");
    bench.merge(&[holder.clone(), a.clone()]).await;
    let taken = |person: &PersonUpdate, candidates: Vec<String>| {
        candidates
            .into_iter()
            .map(|value| Wanted {
                person: person.person.id,
                attribute: SAM.to_owned(),
                candidates: vec![value],
                seen: Vec::new(),
            })
            .collect::<Vec<_>>()
    };
    // A name each: a person has one reservation for an attribute, so these are held by many.
    let many: Vec<_> = (0..99).map(|at| bench.linked(&format!("h{at}"))).collect();
    bench.merge(&many).await;
    let names = numbered("jsmith", 1, 99);
    let held: Vec<Wanted> =
        many.iter().zip(&names).flat_map(|(person, name)| taken(person, vec![name.clone()])).collect();
    let store = bench.worker.options.store.clone();
    let now = bench.worker.options.clock.now();
    assert!(matches!(store.reserve(&bench.world.lease, &held, now).await.unwrap(), Fenced::Done(_)));
    let own = taken(&a, vec!["jsmith100".to_owned()]);
    assert!(matches!(store.reserve(&bench.world.lease, &own, now).await.unwrap(), Fenced::Done(_)));
    bench.merge(&[b, c]).await;
    let mut offers = bench.offers().await;
    offers.sort();
    let sent = limits::UNIQUE_CANDIDATES_SENT_MAX;
    assert_eq!(offers[0], ("a".to_owned(), numbered("jsmith", 100, 99 + sent)), "the person's own is free");
    assert_eq!(offers[1], ("b".to_owned(), numbered("JSMITH", 101, 100 + sent)));
    assert_eq!(offers[2], ("c".to_owned(), numbered("ada", 1, sent)));
}

/// semantics: unique
#[tokio::test]
async fn who_is_offered_nothing_may_have_an_account_all_the_same() {
    let mut bench = Bench::new(|job| {
        let source = MappingSource::Expression("SelectUniqueValue([userName], \"guest\")".to_owned());
        job.config.mappings.push(Mapping { apply: Apply::OnCreate, ..Mapping::new(SAM, source) });
    })
    .await;
    let (a, b, c) = (bench.newcomer("a", "x"), bench.newcomer("b", "guest"), bench.newcomer("c", "x"));
    bench.merge(&[a.clone(), b.clone(), c]).await;
    let epoch = bench.world.lease.epoch;
    let wants = vec![Bench::wants(&a, &["x"]), Bench::wants(&b, &["guest"])];
    assert_eq!(values(bench.reserve(epoch, wants).await), [Some("x".to_owned()), Some("guest".to_owned())]);
    let offers = bench.offers().await;
    assert_eq!(offers[2], ("c".to_owned(), vec!["x".to_owned(), "guest".to_owned()]));
    // An older agent is not given what it cannot read.
    let session = bench.worker.sessions.get_mut(&bench.session).unwrap();
    session.capabilities.retain(|own| *own != Capability::UniqueValues);
    let d = bench.newcomer("d", "y");
    bench.merge(&[d]).await;
    assert_eq!(bench.offers().await, []);
    let d = bench.worker.options.store.person(&bench.world.job, "d").await.unwrap().unwrap();
    assert_eq!(d.last_code, Some(Code::HybridIdentityServiceNoActiveAgents));
}

/// semantics: unique
#[tokio::test]
async fn a_reservation_lasts_as_long_as_it_is_needed() {
    let mut bench = numbering().await;
    let newcomers = ["a", "b", "c", "d"].map(|key| bench.newcomer(key, "jsmith"));
    bench.merge(&newcomers).await;
    assert_eq!(bench.offers().await.len(), 4);
    let epoch = bench.world.lease.epoch;
    let free = ["jsmith", "jsmith2", "jsmith3", "jsmith4"];
    let wants = || newcomers.iter().map(|person| Bench::wants(person, &free)).collect::<Vec<_>>();
    assert!(bench.reserve(Epoch(epoch.0 - 1), wants()).await.is_none(), "another epoch");
    let answers = values(bench.reserve(epoch, wants()).await);
    assert_eq!(answers, free.map(|value| Some(value.to_owned())));
    let end = |result: Conclusion, person: &PersonUpdate| Outcome { result, ..bench.outcome(&person.person, 1, &[]) };
    let failed = |code| Conclusion::Failed(Failure::new(code, None, "why"));
    let guid = ObjectGuid(bench.world.id());
    let link = Link { guid, confirmed: true, invocation_id: None, usn_changed: None };
    let created = Outcome { link: Some(link), ..bench.outcome(&newcomers[0].person, 1, &[Action::Create]) };
    let permanent = end(failed(Code::ContainerNotFound), &newcomers[1]);
    let transient = end(failed(Code::DirectoryBusy), &newcomers[2]);
    let skipped = end(Conclusion::Skipped(Code::InactiveWithoutAccount), &newcomers[3]);
    for outcome in [created, permanent, transient, skipped] {
        bench.report(outcome).await;
    }
    let whose = |person: &PersonUpdate| Some(Taken { n: 0, person: Some(person.person.id) });
    for (value, expected) in
        [("jsmith", whose(&newcomers[0])), ("jsmith2", None), ("jsmith3", whose(&newcomers[2])), ("jsmith4", None)]
    {
        assert_eq!(bench.holder(value, 0).await, expected, "{value}");
    }
    // The account is deleted: a day long, as the job says, nobody else gets its name.
    let leaver = bench.worker.options.store.person(&bench.world.job, "a").await.unwrap().unwrap();
    let leaver = next(&leaver, |update| update.person.pending.method = Method::Delete);
    bench.merge(std::slice::from_ref(&leaver)).await;
    let delete = bench::change(ChangeId(bench.world.id()), Action::Delete);
    let changes = vec![AppliedChange { guid: Some(guid), ..delete }];
    bench.report(Outcome { changes, ..bench.outcome(&leaver.person, 2, &[]) }).await;
    assert_eq!(bench.holder("jsmith", 86_000_000).await, whose(&leaver));
    assert_eq!(bench.holder("jsmith", 86_400_000).await, None);
}
