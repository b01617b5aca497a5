//! One agent's connection: who it is, then frames in and out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::extract::ws::{Message, WebSocket};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use rollcall_model::ids::AgentId;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{Agent, Audit};
use rollcall_wire::link::{self, Capability, Controller, FromAgent, ToAgent};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::Hub;
use super::domain::Event;

/// Tells one connection from the next of the same agent.
pub(super) type SessionId = uuid::Uuid;

/// What a worker knows of a connected agent.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) agent: Agent,
    pub(super) frames: mpsc::Sender<ToAgent>,
    pub(super) capabilities: Vec<Capability>,
    pub(super) questions: Questions,
    /// What it was last told to log on this connection. It goes by what it was told on an earlier one, so that each
    /// connection begins with it.
    pub(super) log_level: Option<ToAgent>,
    /// It was asked for a new key on this connection and has not sent it yet.
    pub(super) rotating: bool,
    pub(super) controller: Option<Controller>,
    pub(super) trouble: Option<String>,
    /// When it last renewed, or connected.
    pub(super) heard: Timestamp,
    /// Since when it has had no controller to work with.
    pub(super) without_controller: Option<Timestamp>,
    /// When the store was last told of it.
    pub(super) noted: Timestamp,
}

impl Session {
    pub(super) fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// Questions to an agent that somebody waits for. The connection's reader hands the answers over, so that a worker may
/// wait for one in the middle of its work.
#[derive(Clone, Default)]
pub(super) struct Questions(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<FromAgent>>,
}

impl Questions {
    /// The number of a new question, and where its answer will be.
    pub(super) fn ask(&self) -> (u64, oneshot::Receiver<FromAgent>) {
        let (answer, answered) = oneshot::channel();
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.waiting.retain(|_, waiting| !waiting.is_closed());
        asked.last += 1;
        let number = asked.last;
        asked.waiting.insert(number, answer);
        (number, answered)
    }

    pub(super) fn answer(&self, number: u64, frame: FromAgent) {
        let asker = self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&number);
        if let Some(asker) = asker {
            // Whoever asked may have given up.
            let _ = asker.send(frame);
        }
    }
}

/// Frames waiting for a slow agent; beyond it the connection is given up.
const FRAMES_WAITING_MAX: usize = 64;

pub(super) async fn serve(hub: &Hub, socket: WebSocket, host: &str) {
    let (mut out, mut incoming) = socket.split();
    let Some(Known { agent, controller, capabilities }) = authenticate(hub, &mut out, &mut incoming, host).await else {
        let _ = out.close().await;
        return;
    };
    let id = hub.options.random.uuid_v7(hub.options.clock.now());
    info!(agent.id = %agent.id, agent.name = %agent.name, domain = %agent.domain, "agent connected");
    let (frames, queue) = mpsc::channel(FRAMES_WAITING_MAX);
    let writer = tokio::spawn(write(out, queue));
    let events = hub.worker(agent.tenant, &agent.domain);
    let heard = hub.options.clock.now();
    let questions = Questions::default();
    let session = Session {
        id,
        agent: agent.clone(),
        frames,
        capabilities,
        questions: questions.clone(),
        log_level: None,
        rotating: false,
        controller,
        trouble: None,
        heard,
        without_controller: None,
        noted: heard,
    };
    if events.send(Event::Connected(Box::new(session))).await.is_ok() {
        tokio::pin!(writer);
        loop {
            let frame = tokio::select! {
                frame = read(&mut incoming) => frame,
                // The worker has let go of the session, or the agent does not take its frames.
                _ = &mut writer => None,
            };
            let Some(frame) = frame else { break };
            let event = match frame {
                FromAgent::Looked { request, .. } | FromAgent::Answer { request, .. } => {
                    questions.answer(request, frame);
                    Event::Look
                }
                frame => Event::Frame(id, Box::new(frame)),
            };
            if events.send(event).await.is_err() {
                break;
            }
        }
        writer.abort();
        let _ = events.send(Event::Gone(id)).await;
    }
    info!(agent.id = %agent.id, agent.name = %agent.name, "agent disconnected");
}

type Out = stream::SplitSink<WebSocket, Message>;
type In = stream::SplitStream<WebSocket>;

/// An agent that has proved who it is.
struct Known {
    agent: Agent,
    controller: Option<Controller>,
    capabilities: Vec<Capability>,
}

async fn authenticate(hub: &Hub, out: &mut Out, incoming: &mut In, host: &str) -> Option<Known> {
    let mut nonce = [0_u8; 32];
    hub.options.random.fill(&mut nonce);
    let nonce = BASE64.encode(nonce);
    send(out, &ToAgent::Challenge { protocol: link::PROTOCOL, nonce: nonce.clone() }).await.ok()?;
    let FromAgent::Hello { protocol, agent: id, signature, version, capabilities, controller } = read(incoming).await?
    else {
        warn!("an agent's first frame was no hello");
        return None;
    };
    if protocol != link::PROTOCOL && protocol + 1 != link::PROTOCOL {
        warn!(agent.id = %id, agent.version = %version, protocol, "an agent speaks a protocol this build does not");
        return None;
    }
    let agent = match hub.options.store.agent(id).await {
        Ok(Some(agent)) => agent,
        Ok(None) => {
            warn!(agent.id = %id, "an agent that is not enrolled was turned away");
            return None;
        }
        Err(error) => {
            warn!(agent.id = %id, error = %crate::work::domain::chain(&error), "an agent could not be looked up");
            return None;
        }
    };
    let signature = BASE64.decode(signature).ok()?;
    let message = link::signed_message(host, id, &nonce);
    let is_signed_by = |key: &[u8]| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok();
    if let Some(key) = agent.new_public_key.as_deref().filter(|key| is_signed_by(key)) {
        // The agent has its new key in use: the one before is worth nothing any more.
        promote(hub, &agent, key).await;
    } else if !is_signed_by(&agent.public_key) {
        warn!(agent.id = %id, host, "an agent's signature does not verify; was it enrolled under another host name?");
        return None;
    }
    if agent.version.as_deref() != Some(version.as_str())
        && let Err(error) = hub.options.store.note_agent_version(id, &version).await
    {
        warn!(agent.id = %id, error = %crate::work::domain::chain(&error), "an agent's version could not be noted");
    }
    Some(Known { agent, controller, capabilities })
}

async fn promote(hub: &Hub, agent: &Agent, key: &[u8]) {
    let now = hub.options.clock.now();
    let audit = key_audit(hub.options.random.uuid_v7(now), now, agent.id, "agent.key.promote");
    if let Err(error) = hub.options.store.promote_agent_key(agent.id, key, &audit).await {
        warn!(agent.id = %agent.id, error = %crate::work::domain::chain(&error), "an agent's old key could not be dropped");
    }
}

/// What becomes of an agent's key is the agent's and the service's own doing.
pub(super) fn key_audit(id: uuid::Uuid, at: Timestamp, agent: AgentId, action: &str) -> Audit {
    Audit {
        id,
        at,
        actor: "system".to_owned(),
        action: action.to_owned(),
        target: agent.to_string(),
        details: "{}".to_owned(),
    }
}

async fn send(out: &mut Out, frame: &ToAgent) -> Result<(), axum::Error> {
    let text = serde_json::to_string(frame).map_err(axum::Error::new)?;
    out.send(Message::Text(text.into())).await
}

async fn write(mut out: Out, mut queue: mpsc::Receiver<ToAgent>) {
    while let Some(frame) = queue.recv().await {
        if send(&mut out, &frame).await.is_err() {
            break;
        }
    }
    let _ = out.close().await;
}

/// The next frame; `None` at the end of the connection, after too long a silence, or for what is no frame.
async fn read(incoming: &mut In) -> Option<FromAgent> {
    let silence = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
    loop {
        let message = match tokio::time::timeout(silence, incoming.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(_)) | None) => return None,
            Err(_) => {
                warn!("an agent was silent for too long");
                return None;
            }
        };
        let text = match message {
            Message::Text(text) if text.len() <= limits::FRAME_BYTES_MAX => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            _ => return None,
        };
        match serde_json::from_str(&text) {
            Ok(frame) => return Some(frame),
            Err(error) => {
                warn!(%error, "an agent sent what is no frame");
                return None;
            }
        }
    }
}
