//! People who come, change, move, leave and return while the faults last, sent as a client does that gives nothing up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use rollcall_tests::collect::Api;
use serde_json::{Value, json};

use crate::e2e::lab::{Lab, bulk};
use crate::e2e::person::{ENTERPRISE, partial, person};
use crate::e2e::seeded::Seeded;

/// Records of one request.
const BATCH: usize = 25;
/// A request that is not accepted for so long fails the run.
const ACCEPTED_S_MAX: u64 = 120;

/// What faults and load tell each other.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) faults: usize,
    pub(super) done: AtomicUsize,
    pub(super) over: AtomicBool,
    /// Requests follow each other without a pause.
    pub(super) hurry: AtomicBool,
    /// How requests were answered that were not accepted; 0: not at all.
    refused: Mutex<BTreeMap<u16, u32>>,
}

impl Progress {
    pub(super) fn of(faults: usize) -> Self {
        Self { faults, ..Self::default() }
    }

    pub(super) fn refused(&self) -> BTreeMap<u16, u32> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, status: u16) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }
}

/// Who sends.
pub(super) struct Load<'a> {
    lab: &'a Lab,
    api: Api,
    progress: &'a Progress,
    random: Seeded,
    persons: usize,
    requests: u64,
    /// The last record of each person who was sent.
    last: Vec<Value>,
    /// Who was last said to be in the other division.
    pub(super) elsewhere: Vec<bool>,
}

/// A person's externalId.
pub(super) fn id(at: usize) -> String {
    format!("f{at}")
}

/// The number of a person's manager; the first has none.
pub(super) fn manager(at: usize) -> Option<usize> {
    (at > 0).then_some(at / 2)
}

impl<'a> Load<'a> {
    pub(super) async fn new(lab: &'a Lab, progress: &'a Progress, seed: u64, persons: usize) -> anyhow::Result<Self> {
        let api = Api::connect(&lab.info).await?;
        let (last, elsewhere) = (Vec::new(), Vec::new());
        Ok(Self { lab, api, progress, random: Seeded(seed), persons, requests: 0, last, elsewhere })
    }

    /// Sends until the faults are over and everybody was sent. Creates are spread over the whole run.
    pub(super) async fn run(mut self) -> anyhow::Result<Vec<bool>> {
        loop {
            let is_over = self.progress.over.load(Ordering::SeqCst);
            if is_over && self.last.len() >= self.persons {
                return Ok(self.elsewhere);
            }
            let done = self.progress.done.load(Ordering::SeqCst) + 2;
            let may_be_there = self.persons * done / self.progress.faults.max(1);
            let records = if is_over || self.last.len() < may_be_there.min(self.persons) {
                self.creates()
            } else {
                self.changes()
            };
            self.send(&records).await?;
            if !self.progress.hurry.load(Ordering::SeqCst) {
                self.random.pause_ms(100, 1_200).await;
            }
        }
    }

    fn creates(&mut self) -> Vec<Value> {
        let from = self.last.len();
        let new = (from..self.persons.min(from + BATCH)).map(|at| {
            let mut record = person(&id(at));
            record[ENTERPRISE]["division"] = "Home".into();
            if let Some(manager) = manager(at) {
                record[ENTERPRISE]["manager"] = json!({ "value": id(manager) });
            }
            record
        });
        self.last.extend(new);
        self.elsewhere.resize(self.last.len(), false);
        self.last[from..].to_vec()
    }

    /// A few of those who are there, each with a change of chance.
    fn changes(&mut self) -> Vec<Value> {
        let mut who: Vec<usize> = (0..BATCH.min(self.last.len())).map(|_| self.random.below(self.last.len())).collect();
        who.sort_unstable();
        who.dedup();
        for at in &who {
            let number = self.random.between(0, 9_999);
            let change = match self.random.below(8) {
                0 | 1 => json!({ "title": format!("Clerk {number}") }),
                2 => json!({ ENTERPRISE: { "department": format!("Records {number}") } }),
                3 => {
                    self.elsewhere[*at] = !self.elsewhere[*at];
                    let division = if self.elsewhere[*at] { "Other" } else { "Home" };
                    json!({ ENTERPRISE: { "division": division } })
                }
                4 => json!({ "active": false }),
                5 | 6 => json!({ "active": true, "displayName": format!("Person {number} {}", id(*at)) }),
                // What was sent last is sent again.
                _ => continue,
            };
            self.last[*at] = partial(&id(*at), change);
        }
        self.random.shuffle(&mut who);
        who.into_iter().map(|at| self.last[at].clone()).collect()
    }

    /// Sends a request, under one key, until there is a 202.
    async fn send(&mut self, records: &[Value]) -> anyhow::Result<()> {
        self.requests += 1;
        let (began, deadline) = (self.lab.tick(), Instant::now() + Duration::from_secs(ACCEPTED_S_MAX));
        let key = format!("faults-{}", self.requests);
        loop {
            let answer = self.api.bulk_upload(bulk(records), Some(&key)).await;
            let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
            match answer {
                Ok(answer) if status == 202 => return self.lab.accepted(began, records, answer).map(drop),
                // The clock was moved: the token is of another time.
                Ok(_) if status == 401 => {
                    if let Ok(api) = Api::connect(&self.lab.info).await {
                        self.api = api;
                    }
                }
                Ok(answer) if answer.status.is_server_error() => {
                    ensure!(!matches!(status, 503 | 507) || answer.retry_after.is_some(), "no Retry-After: {answer:?}");
                    ensure!(status != 500, "{answer:?}");
                }
                Ok(answer) => bail!("bulkUpload: {answer:?}"),
                Err(_) => {}
            }
            self.progress.note(status);
            ensure!(Instant::now() < deadline, "not accepted after {ACCEPTED_S_MAX} s: {:?}", self.progress.refused());
            self.random.pause_ms(50, 200).await;
        }
    }
}
