//! Questions of the service that are answered beside the work: who has changed, and what the directory is like. They
//! have the reading connection, and never wait behind a write.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use rollcall_directory::{Error as DirectoryError, Filter, Scope, Search};
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{Epoch, ObjectGuid};
use rollcall_model::observed::Entry;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, limits};
use rollcall_wire::link::{FromAgent, Question};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::controller::{Domain, Session, Tombstones, within};
use crate::link::{Outgoing, QUESTIONS_MAX};
use crate::policy::Rules;
use crate::preview::Viewer;
use crate::replication::Awaited;
use crate::schema::Schemas;

/// Accounts asked about in one search.
const GUIDS_IN_ONE_SEARCH: usize = 100;

/// From the link to whoever answers.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The connection on which it was asked: the answer belongs to that one alone.
    pub(crate) connection: u64,
    pub(crate) request: u64,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Look { epoch: Epoch, since: Option<i64>, guids: Vec<ObjectGuid> },
    Ask(Question),
}

/// Answers until it is stopped.
pub(crate) struct Looker {
    pub(crate) domain: Domain,
    pub(crate) schemas: Schemas,
    pub(crate) policy: Rules,
    pub(crate) replication: Awaited,
    pub(crate) inbox: mpsc::Receiver<Asked>,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
}

impl Looker {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let inbox = &mut self.inbox;
        let asked = stream::poll_fn(|context| inbox.poll_recv(context));
        let answerer = Answerer {
            domain: &self.domain,
            schemas: &self.schemas,
            policy: &self.policy,
            replication: &self.replication,
        };
        let (looks, previews) =
            (Semaphore::new(limits::SEARCHES_OUTSTANDING_MAX), Semaphore::new(limits::PREVIEW_QUESTIONS_MAX));
        let (answerer, outgoing, looks, previews) = (&answerer, &self.outgoing, &looks, &previews);
        let answering = asked.for_each_concurrent(QUESTIONS_MAX, |asked| async move {
            // The work waits for looks: a preview, which may take long, is never before them.
            let turn = if matches!(asked.what, What::Ask(Question::Preview { .. })) { previews } else { looks };
            let _turn = turn.acquire().await;
            let frame = Box::new(answerer.answer(asked.request, asked.what).await);
            let _ = outgoing.send(Outgoing::Answer { connection: asked.connection, frame }).await;
        });
        tokio::select! {
            () = stop.cancelled() => {}
            () = answering => {}
            () = self.schemas.keep(&self.domain) => {}
        }
    }
}

/// What answers are made from.
struct Answerer<'a> {
    domain: &'a Domain,
    schemas: &'a Schemas,
    policy: &'a Rules,
    replication: &'a Awaited,
}

impl Answerer<'_> {
    async fn answer(&self, request: u64, what: What) -> FromAgent {
        match what {
            What::Ask(Question::Schema) => FromAgent::Answer { request, answer: self.schemas.read(self.domain).await },
            What::Ask(Question::Preview { states }) => {
                FromAgent::Answer { request, answer: self.preview(states).await }
            }
            What::Look { epoch, since, guids } => {
                let seen = match self.domain.any_session() {
                    Some(session) => look(&session, since, &guids).await,
                    None => Seen::nothing(since),
                };
                let Seen { invocation_id, up_to, complete, accounts: seen } = seen;
                FromAgent::Looked { request, epoch, invocation_id, up_to, complete, seen }
            }
        }
    }

    /// Only the reading half of the session goes in.
    async fn preview(&self, states: Vec<DesiredState>) -> Result<serde_json::Value, Failure> {
        let session = self.domain.any_session().ok_or_else(no_directory)?;
        let viewer = Viewer {
            read: &*session.reader,
            domain: &session.root.default_naming_context,
            controller: &session.root.invocation_id,
            rules: self.policy,
            replication: self.replication,
        };
        let planned = viewer.preview(states).await?;
        let unusable = |why: String| Failure::new(Code::InternalError, None, why);
        let bytes = serde_json::to_vec(&planned).map_or(usize::MAX, |text| text.len());
        if bytes > limits::FRAME_BYTES_MAX / 2 {
            return Err(unusable(format!("the preview is {bytes} bytes: ask about fewer persons at once")));
        }
        serde_json::to_value(&planned).map_err(|error| unusable(error.to_string()))
    }
}

/// How far below the controller's number its last change of the domain is looked for: it gives numbers out for its
/// other partitions too, and a successor that waits for one of those would wait in vain.
const LAST_CHANGE_WITHIN: [i64; 3] = [100, 1_000, 10_000];

/// The highest `uSNChanged` in the domain, where it can be found.
pub(crate) async fn last_change(session: &Session) -> Option<i64> {
    let root = within(session.reader.root_dse()).await.ok()?;
    for near in LAST_CHANGE_WITHIN {
        let seen = look(session, Some(root.highest_committed_usn.saturating_sub(near)), &[]).await;
        if let Some(last) = seen.accounts.iter().map(|(_, number)| *number).max() {
            return Some(last);
        }
    }
    None
}

/// What a look saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    invocation_id: String,
    up_to: i64,
    complete: bool,
    accounts: Vec<(ObjectGuid, i64)>,
}

impl Seen {
    /// The controller could not be asked: nothing is newer than what was asked about, and nothing may be concluded.
    fn nothing(since: Option<i64>) -> Self {
        Self { invocation_id: String::new(), up_to: since.unwrap_or(0), complete: false, accounts: vec![] }
    }
}

/// Looks for accounts that have changed since a number, and for the present numbers of some.
pub(crate) async fn look(session: &Session, since: Option<i64>, guids: &[ObjectGuid]) -> Seen {
    // The number first: what changes while the search goes on is newer than it.
    let Ok(root) = within(session.reader.root_dse()).await else { return Seen::nothing(since) };
    let changed = since.map(|since| Filter::AtLeast("uSNChanged".to_owned(), since.saturating_add(1)));
    let one_of = |some: &[ObjectGuid]| Filter::Or(some.iter().copied().map(Filter::Guid).collect());
    let filters: Vec<Filter> = changed.into_iter().chain(guids.chunks(GUIDS_IN_ONE_SEARCH).map(one_of)).collect();
    let mut answers =
        stream::iter(filters).map(|filter| search(session, filter)).buffer_unordered(limits::SEARCHES_OUTSTANDING_MAX);
    let mut complete = session.tombstones == Tombstones::Seen;
    let mut seen: BTreeMap<ObjectGuid, i64> = BTreeMap::new();
    while let Some(answer) = answers.next().await {
        let Ok(entries) = answer else {
            complete = false;
            continue;
        };
        for entry in entries {
            match entry.usn_changed {
                Some(number) if seen.len() < limits::LOOK_SEEN_MAX => {
                    // Of two answers the later one may have the greater number.
                    let held = seen.entry(entry.guid).or_insert(number);
                    *held = number.max(*held);
                }
                _ => complete = false,
            }
        }
    }
    let up_to = root.highest_committed_usn;
    Seen { invocation_id: root.invocation_id, up_to, complete, accounts: seen.into_iter().collect() }
}

async fn search(session: &Session, filter: Filter) -> Result<Vec<Entry>, DirectoryError> {
    let base = session.root.default_naming_context.clone();
    let search = Search { base, scope: Scope::Subtree, filter, attributes: vec![] };
    match session.tombstones {
        Tombstones::Seen => within(session.reader.search_with_deleted(&search)).await,
        Tombstones::Hidden => within(session.reader.search(&search)).await,
    }
}

/// What is said while the directory cannot be asked.
pub(crate) fn no_directory() -> Failure {
    Failure::new(Code::EndpointUnavailable, None, "the agent is not connected to its directory")
}

#[cfg(test)]
mod tests;
