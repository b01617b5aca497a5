//! Questions to the agent that works on a domain, by whoever serves a request. They go past the worker's own work: only
//! who the agent is has to be asked there. A node without the agent leaves its question in the store, where the node
//! that holds the domain's lease takes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{Epoch, ObjectGuid, TenantId};
use rollcall_model::limits;
use rollcall_model::plan::Failure;
use rollcall_model::schema::Schema;
use rollcall_store::{Ask, Error, Store};
use rollcall_wire::link::{Capability, FromAgent, Planned, Question, ToAgent};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use uuid::Uuid;

use super::domain::{Event, Worker, chain};
use super::session::Questions;
use super::{Hub, WorkOptions, is_fresh};
use crate::body;

/// The agent that works on a domain, ready to be asked.
#[derive(Clone)]
pub(crate) struct Asker {
    way: Way,
    /// `invocationId` of the writing controller.
    pub(crate) controller: String,
}

/// Where the agent is.
#[derive(Clone)]
enum Way {
    Here { frames: mpsc::Sender<ToAgent>, questions: Questions, epoch: Epoch, can_preview: bool },
    Elsewhere { options: Arc<WorkOptions>, tenant: TenantId, domain: String },
}

/// What can be asked, as it lies in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Asked {
    Preview(Vec<DesiredState>),
    Schema,
    Numbers(Vec<ObjectGuid>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NoAnswer {
    #[error("no agent of the domain is at work")]
    NoAgent,
    #[error("the active agent cannot preview; update it")]
    TooOld,
    #[error("the agent gave no answer")]
    Silent,
    #[error("{}: {}", .0.code, .0.reason)]
    Refused(Failure),
}

impl Asker {
    /// What would be written to make these so, in their order.
    pub(crate) async fn plan(&self, states: Vec<DesiredState>) -> Result<Vec<Planned>, NoAnswer> {
        let count = states.len();
        let planned: Vec<Planned> = read(self.ask(Asked::Preview(states)).await?)?;
        if planned.len() == count { Ok(planned) } else { Err(NoAnswer::Silent) }
    }

    /// The directory's own schema, read anew.
    pub(crate) async fn schema(&self) -> Result<Schema, NoAnswer> {
        read(self.ask(Asked::Schema).await?)
    }

    /// The present `uSNChanged` of these accounts, of those that could be asked about.
    pub(crate) async fn numbers(&self, guids: Vec<ObjectGuid>) -> HashMap<ObjectGuid, i64> {
        if guids.is_empty() {
            return HashMap::new();
        }
        let answer = self.ask(Asked::Numbers(guids)).await.and_then(read::<Vec<(ObjectGuid, i64)>>);
        answer.unwrap_or_default().into_iter().collect()
    }

    async fn ask(&self, asked: Asked) -> Result<Value, NoAnswer> {
        let limit = Duration::from_millis(limits::PREVIEW_ANSWER_MS_MAX.unsigned_abs());
        let answer = async {
            match &self.way {
                Way::Here { frames, questions, epoch, can_preview } => {
                    let asked = Here { frames, questions, epoch: *epoch, can_preview: *can_preview }.ask(asked);
                    asked.await.and_then(|frame| answer(frame, &self.controller))
                }
                Way::Elsewhere { options, tenant, domain } => elsewhere(options, *tenant, domain, &asked).await,
            }
        };
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(NoAnswer::Silent))
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, NoAnswer> {
    serde_json::from_value(answer).map_err(|_| NoAnswer::Silent)
}

/// The agent at the other end of a connection to this node.
struct Here<'a> {
    frames: &'a mpsc::Sender<ToAgent>,
    questions: &'a Questions,
    epoch: Epoch,
    can_preview: bool,
}

impl Here<'_> {
    async fn ask(self, asked: Asked) -> Result<FromAgent, NoAnswer> {
        let (request, answered) = self.questions.ask();
        let frame = match asked {
            Asked::Preview(_) if !self.can_preview => return Err(NoAnswer::TooOld),
            Asked::Preview(states) => ToAgent::Ask { request, question: Question::Preview { states } },
            Asked::Schema => ToAgent::Ask { request, question: Question::Schema },
            Asked::Numbers(guids) => ToAgent::Look { request, epoch: self.epoch, since: None, guids },
        };
        self.frames.send(frame).await.map_err(|_| NoAnswer::Silent)?;
        answered.await.map_err(|_| NoAnswer::Silent)
    }
}

fn answer(frame: FromAgent, controller: &str) -> Result<Value, NoAnswer> {
    match frame {
        FromAgent::Answer { answer, .. } => answer.map_err(NoAnswer::Refused),
        FromAgent::Looked { invocation_id, seen, .. } if invocation_id == controller => {
            serde_json::to_value(seen).map_err(|_| NoAnswer::Silent)
        }
        _ => Err(NoAnswer::Silent),
    }
}

/// Takes a question out of the store once nobody waits for its answer, be it that the client hung up. What a node leaves
/// behind that stops meanwhile goes with a later question.
struct Waiting {
    store: Arc<dyn Store>,
    id: Uuid,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (store, id) = (Arc::clone(&self.store), self.id);
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = store.drop_ask(id).await {
                warn!(error = %chain(&error), "a question that nobody waits for could not be dropped");
            }
        });
    }
}

/// Leaves the question in the store and waits for its answer there.
async fn elsewhere(options: &WorkOptions, tenant: TenantId, domain: &str, asked: &Asked) -> Result<Value, NoAnswer> {
    let failed = |error: Error| {
        warn!(domain, error = %chain(&error), "a question could not be passed on");
        NoAnswer::Silent
    };
    let text = serde_json::to_string(asked).map_err(|_| NoAnswer::Silent)?;
    let now = options.clock.now();
    let at = options.store.shared_now(now).await.map_err(failed)?;
    let ask = Ask { id: options.random.uuid_v7(now), at, question: body::pack(&[text]) };
    let since = at.plus_ms(-limits::PREVIEW_ANSWER_MS_MAX);
    let _waiting = Waiting { store: Arc::clone(&options.store), id: ask.id };
    let stored = options.store.put_ask(tenant, domain, &ask, limits::ASKS_WAITING_MAX, since).await.map_err(failed)?;
    if !stored {
        return Err(NoAnswer::Silent);
    }
    let waited = async {
        loop {
            if let Some(bytes) = options.store.ask_answer(ask.id).await.map_err(failed)? {
                return Ok::<_, NoAnswer>(bytes);
            }
            tokio::time::sleep(Duration::from_millis(limits::ASKS_LOOK_MS.unsigned_abs())).await;
        }
    };
    let limit = Duration::from_millis(limits::PREVIEW_ANSWER_MS_MAX.unsigned_abs() - 1_000);
    let waited = tokio::time::timeout(limit, waited).await.unwrap_or(Err(NoAnswer::Silent));
    let mut values = body::unpack(&waited?).map_err(|_| NoAnswer::Silent)?;
    let answer: Result<Value, NoAnswer> = read(values.pop().unwrap_or_default())?;
    answer
}

impl Hub {
    /// The agent that works on a domain, wherever it is connected.
    pub(crate) async fn asker(&self, tenant: TenantId, domain: &str) -> Result<Asker, NoAnswer> {
        if let Some(asker) = self.asker_here(tenant, domain).await {
            return Ok(asker);
        }
        let options = Arc::clone(&self.options);
        let failed = |error: Error| {
            warn!(domain, error = %chain(&error), "who works on the domain could not be read");
            NoAnswer::NoAgent
        };
        let shared = options.store.shared_now(options.clock.now()).await.map_err(failed)?;
        let lease = options.store.lease(tenant, domain).await.map_err(failed)?;
        let lease = lease.filter(|lease| lease.until > shared && lease.node != options.node);
        let controller = lease.ok_or(NoAnswer::NoAgent)?.writing_controller.unwrap_or_default();
        Ok(Asker { way: Way::Elsewhere { options, tenant, domain: domain.to_lowercase() }, controller })
    }

    async fn asker_here(&self, tenant: TenantId, domain: &str) -> Option<Asker> {
        let events = self.known_worker(tenant, domain)?;
        let (answer, answered) = oneshot::channel();
        let limit = Duration::from_millis(limits::PREVIEW_ANSWER_MS_MAX.unsigned_abs());
        let asked = async {
            events.send(Event::WhoWorks(answer)).await.ok()?;
            answered.await.ok().flatten()
        };
        tokio::time::timeout(limit, asked).await.ok().flatten()
    }
}

impl Worker {
    /// The active agent, while it has the writing controller.
    pub(super) fn asker(&self) -> Option<Asker> {
        let active = self.active.as_ref().filter(|_| self.has_writing_controller())?;
        let session = self.sessions.get(&active.session)?;
        let way = Way::Here {
            frames: session.frames.clone(),
            questions: session.questions.clone(),
            epoch: active.lease.epoch,
            can_preview: session.can(Capability::Preview),
        };
        Some(Asker { way, controller: session.controller.as_ref()?.invocation_id.clone() })
    }

    /// Takes questions of other nodes, and answers each beside the work.
    pub(super) async fn take_asks(&mut self) -> Result<(), Error> {
        let now = self.options.clock.now();
        let store = &self.options.store;
        // SQLite has one node.
        if store.engine() == "sqlite" || self.asks_read.is_some_and(|read| is_fresh(read, limits::ASKS_LOOK_MS, now)) {
            return Ok(());
        }
        self.asks_read = Some(now);
        let (Some(asker), Some(active)) = (self.asker(), &self.active) else { return Ok(()) };
        let since = store.shared_now(now).await?.plus_ms(-limits::PREVIEW_ANSWER_MS_MAX);
        for ask in store.take_asks(&active.lease, since).await? {
            let (asker, store) = (asker.clone(), Arc::clone(store));
            tokio::spawn(async move {
                let question = body::unpack(&ask.question).ok().and_then(|mut all| read(all.pop()?).ok());
                let answer = match question {
                    Some(question) => asker.ask(question).await,
                    None => Err(NoAnswer::Silent),
                };
                let text = serde_json::to_string(&answer).unwrap_or_default();
                if let Err(error) = store.answer_ask(ask.id, &body::pack(&[text])).await {
                    warn!(error = %chain(&error), "an answer to another node could not be stored");
                }
            });
        }
        Ok(())
    }
}

#[cfg(test)]
impl Asker {
    /// An agent that plans as it is told here, and knows these numbers.
    pub(crate) fn of(plan: impl Fn(DesiredState) -> Planned + Send + 'static, known: HashMap<ObjectGuid, i64>) -> Self {
        let (frames, mut asked) = mpsc::channel(8);
        let questions = Questions::default();
        let answers = questions.clone();
        tokio::spawn(async move {
            while let Some(frame) = asked.recv().await {
                match frame {
                    ToAgent::Ask { request, question: Question::Preview { states } } => {
                        let planned: Vec<Planned> = states.into_iter().map(&plan).collect();
                        let answer = Ok(serde_json::to_value(planned).unwrap());
                        answers.answer(request, FromAgent::Answer { request, answer });
                    }
                    ToAgent::Look { request, epoch, guids, .. } => {
                        let seen = guids.iter().filter_map(|guid| Some((*guid, *known.get(guid)?))).collect();
                        let invocation_id = "dc1".to_owned();
                        let looked =
                            FromAgent::Looked { request, epoch, invocation_id, up_to: 9, complete: true, seen };
                        answers.answer(request, looked);
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        let way = Way::Here { frames, questions, epoch: Epoch(1), can_preview: true };
        Self { way, controller: "dc1".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::Timestamp;

    use super::super::bench::Bench;
    use super::*;

    #[tokio::test]
    async fn the_question_of_a_client_that_hung_up_is_dropped() {
        let bench = Bench::new().await;
        let (options, lease) = (Arc::clone(&bench.node().options), bench.world.lease.clone());
        let way = Way::Elsewhere { options, tenant: lease.tenant, domain: lease.domain.clone() };
        let asker = Asker { way, controller: "dc1".to_owned() };
        let asking = tokio::spawn(async move { asker.schema().await });
        let look = async || tokio::time::sleep(Duration::from_millis(20)).await;
        let ask = loop {
            let taken = bench.store.take_asks(&lease, Timestamp(0)).await.unwrap();
            match taken.into_iter().next() {
                Some(ask) => break ask,
                None => look().await,
            }
        };
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        for _ in 0..100 {
            bench.store.answer_ask(ask.id, &[1]).await.unwrap();
            if bench.store.ask_answer(ask.id).await.unwrap().is_none() {
                return;
            }
            look().await;
        }
        panic!("it still waits for an answer");
    }
}
