//! How long a leaver waits behind a mountain of joiners: from sending the disable to seeing it in the directory.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ldap3::{Ldap, Scope, SearchEntry};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::drive::Connection;
use super::feed::{Draw, disable, external_id, people};
use super::report::{By, Figure, Goal, On, ms, percentile, spread_ms};
use super::stand::Stand;
use super::{Bench, Stage};
use crate::lab::state::Shown;
use crate::lab::{DirectoryClient, Kind};

pub(super) const GOAL: Goal = Goal::new(On::Value, By::Below, 1_000.0);
/// Between two looks into the directory.
const LOOK: Duration = Duration::from_millis(5);
/// A disable that takes longer is an error.
const SEEN_MAX: Duration = Duration::from_mins(2);

/// Who was disabled and not seen so yet, and when the request was sent.
type Waiting = Arc<Mutex<BTreeMap<String, Instant>>>;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<Vec<Figure>> {
    let mode = bench.mode;
    let number = mode.pick(200, 10);
    let stand = bench.stand(Kind::Samba, Stage::Fresh).await?;
    let leavers = stand.take(number);
    stand.run(&people(leavers.clone()), "done").await?;
    let mut observer = Observer::open(&stand.lab.shown).await?;
    observer.must_be_enabled(leavers.clone()).await?;

    let joiners = people(stand.take(mode.pick(100_000, 500)));
    let (_, start) = stand.send(&joiners).await?;
    eprintln!("urgent: {} creates accepted in {:.1} s", joiners.len(), start.elapsed().as_secs_f64());
    let mut order: Vec<u32> = leavers.collect();
    let mut draw = Draw(7);
    draw.shuffle(&mut order);
    // Evenly drawn moments of one stretch: as many senders who know nothing of each other would choose.
    let stretch = mode.pick(Duration::from_mins(1), Duration::from_secs(2));
    let mut moments: Vec<Duration> =
        order.iter().map(|_| stretch * u32::try_from(draw.below(10_000)).unwrap_or(0) / 10_000).collect();
    moments.sort_unstable();
    let times = disable_all(stand, &mut observer, &order, &moments).await?;

    let left = stand.open_operations().await?;
    eprintln!("urgent: {left} creates still wait");
    if left == 0 {
        bail!("the creates were all made before the last disable: nothing was overtaken");
    }
    let (median, p99) = (percentile(&times, 50), percentile(&times, 99));
    let p99 = p99.context("no disable was seen")?;
    eprintln!("urgent: median {median:?}, p99 {p99:?}, slowest {:?}", times.iter().max());
    let figure = Figure {
        name: "urgent",
        case: format!("p99 of {number} disables, sent to seen"),
        value: ms(p99),
        unit: "ms",
        limit: None,
        goal: Some(GOAL),
        directory: Some(stand.directory()),
        store: Some(stand.store.clone()),
        n: u32::try_from(times.len())?,
        runs: 1,
        spread: spread_ms(&times),
    };
    // The rest of the creates would take hours.
    bench.end(Kind::Samba)?;
    Ok(vec![figure])
}

/// Sends each disable at its moment, and gives the time of each from sending to seeing.
async fn disable_all(
    stand: &Stand,
    observer: &mut Observer,
    order: &[u32],
    moments: &[Duration],
) -> anyhow::Result<Vec<Duration>> {
    let waiting = Waiting::default();
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(Arc::new(AsyncMutex::new(Connection::open(&stand.target).await?)));
    }
    let (start, mut tasks) = (Instant::now(), JoinSet::new());
    for (at, (number, moment)) in order.iter().zip(moments).enumerate() {
        let (connection, waiting) = (Arc::clone(&connections[at % connections.len()]), Arc::clone(&waiting));
        let (number, due) = (*number, start + *moment);
        tasks.spawn(async move {
            let body = disable(number);
            tokio::time::sleep_until(due).await;
            // The clock runs while a connection is waited for: the sender has sent.
            waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(external_id(number), Instant::now());
            let answer = connection.lock().await.post(&body).await?;
            if answer.status != 202 {
                bail!("bulkUpload: {} {}", answer.status, answer.body);
            }
            Ok(())
        });
    }
    let mut times = Vec::with_capacity(order.len());
    while times.len() < order.len() {
        let outstanding = waiting.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((who, sent)) = outstanding.iter().find(|(_, sent)| sent.elapsed() > SEEN_MAX) {
            bail!("{who} is not disabled {:?} after it was asked for", sent.elapsed());
        }
        for id in observer.disabled(outstanding.keys()).await? {
            let sent = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            times.extend(sent.map(|sent| sent.elapsed()));
        }
        while let Some(sent) = tasks.try_join_next() {
            sent??;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(times)
}

/// A connection of the benchmark's own.
struct Observer {
    ldap: Ldap,
    base: String,
}

impl Observer {
    async fn open(shown: &Shown) -> anyhow::Result<Self> {
        let bound = DirectoryClient::bind(&shown.ldap, &shown.ca, &shown.bind_dn, &shown.bind_password).await?;
        Ok(Self { ldap: bound.0, base: shown.base_dn.clone() })
    }

    /// Who of these is disabled.
    async fn disabled(&mut self, ids: impl Iterator<Item = &String>) -> anyhow::Result<HashSet<String>> {
        let terms: Vec<String> = ids.map(|id| format!("(employeeID={id})")).collect();
        let mut out = HashSet::new();
        for some in terms.chunks(100) {
            let filter = format!("(&(objectCategory=person)(objectClass=user)(|{}))", some.concat());
            let names = vec!["employeeID", "userAccountControl"];
            let (entries, _) = self.ldap.search(&self.base, Scope::Subtree, &filter, names).await?.success()?;
            for entry in entries.into_iter().map(SearchEntry::construct) {
                let one = |name: &str| entry.attrs.get(name).and_then(|values| values.first()).cloned();
                let control: u32 = one("userAccountControl").context("no userAccountControl")?.parse()?;
                // 0x2: disabled.
                if control & 0x2 != 0 {
                    out.insert(one("employeeID").context("no employeeID")?);
                }
            }
        }
        Ok(out)
    }

    async fn must_be_enabled(&mut self, numbers: std::ops::Range<u32>) -> anyhow::Result<()> {
        let ids: Vec<String> = numbers.map(external_id).collect();
        let disabled = self.disabled(ids.iter()).await?;
        if disabled.is_empty() { Ok(()) } else { bail!("disabled before anybody asked for it: {disabled:?}") }
    }
}
