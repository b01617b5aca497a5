//! The link to the service: one WebSocket, dialled by the agent, and dialled again whenever it ends.
//!
//! Nothing here waits for the directory: renewals go out on time however slow an LDAP write is. The one exception is
//! wanted: before it says hello again, the link waits until no write is under way ([`Fence::settled`]).

mod dial;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, Epoch};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::Outcome;
use rollcall_model::{Random, limits};
use rollcall_wire::link::{self as wire, Capability, Claim, ClaimAnswer, FromAgent, Lane, Reservation, ToAgent, Want};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::address::Address;
use crate::agent::LogLevel;
use crate::backoff::Backoff;
use crate::controller::Condition;
use crate::enrol::Identity;
use crate::fence::Fence;
use crate::keys::Keys;
use crate::look::{Asked, What};
use crate::proxy::Proxy;
use crate::pulse::Pulse;
use crate::replication::Awaited;
use crate::{Error, fault};
use dial::Socket;

/// Frames that wait for the worker; the service keeps to far fewer ([`limits::WORK_OUTSTANDING_PERSONS_MAX`]).
pub(crate) const WORKER_FRAMES_MAX: usize = 256;

/// Questions that wait for an answer.
pub(crate) const QUESTIONS_MAX: usize = 64;

/// From the link to the worker.
#[derive(Debug)]
pub(crate) enum ToWorker {
    /// Connected and known, or in another role than before: unacknowledged outcomes may be sent. The service answers an
    /// outcome of a time that is over by silence.
    Connected,
    Work {
        epoch: Epoch,
        needs: Vec<Capability>,
        lane: Lane,
        items: Vec<DesiredState>,
    },
    Acknowledged(Vec<ChangeId>),
    /// The domain is to be handed over; the fence is shut already.
    Release(Epoch),
}

/// From the worker to the link. What is sent while there is no connection is dropped: outcomes are sent again from the
/// journal, and a claim's asker sees its answer's channel closed.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Outcomes(Vec<Outcome>),
    Claims {
        epoch: Epoch,
        claims: Vec<Claim>,
        answer: oneshot::Sender<Vec<ClaimAnswer>>,
    },
    Reserve {
        epoch: Epoch,
        wants: Vec<Want>,
        answer: oneshot::Sender<Vec<Reservation>>,
    },
    Frame(Box<FromAgent>),
    /// An answer to what was asked on one connection; on the next it means nothing.
    Answer {
        connection: u64,
        frame: Box<FromAgent>,
    },
}

/// What the link needs.
pub(crate) struct Link {
    pub(crate) address: Address,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) identity: Identity,
    pub(crate) keys: Keys,
    pub(crate) fence: Fence,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) condition: watch::Receiver<Condition>,
    pub(crate) writing_controller: Box<dyn Fn(Option<String>) + Send + Sync>,
    pub(crate) replication: Awaited,
    pub(crate) log_level: LogLevel,
    pub(crate) to_worker: mpsc::Sender<ToWorker>,
    pub(crate) to_looker: mpsc::Sender<Asked>,
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
    /// Whether the worker has work.
    pub(crate) busy: watch::Receiver<bool>,
    pub(crate) sequence: u64,
    /// How many connections there were.
    pub(crate) connections: u64,
    pub(crate) pulse: Pulse,
}

/// Why a connection ended.
enum Ended {
    /// The worker has gone: nothing will be sent any more.
    Finished,
    /// The service asked for it.
    Drained,
}

impl Link {
    /// Connects, serves, and connects again until the worker has gone.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.random.clone());
        loop {
            // No write of an earlier connection may be under way when hello is said: the service may then make
            // another agent active at once.
            self.fence.revoke();
            if self.discarding_until(self.fence.clone().settled()).await.is_none() {
                return;
            }
            let opened = tokio::select! {
                opened = dial::open(&self.address, &self.tls, self.proxy.as_ref()) => opened,
                () = stop.cancelled() => return,
            };
            let ended = match opened {
                Ok(mut socket) => match self.hello(&mut socket).await {
                    Ok(()) => {
                        let (ended, known) = self.serve(socket, &mut backoff).await;
                        if !known {
                            self.keys.refused();
                        }
                        ended
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            self.pulse.set_linked(false);
            match ended {
                Ok(Ended::Finished) => return,
                Ok(Ended::Drained) => info!("the service stops; connecting again"),
                Err(error) => warn!(%error, "no link to the service; the agent keeps trying"),
            }
            let stopped = stop.clone();
            let wait = async {
                tokio::select! {
                    () = backoff.wait() => {}
                    () = stopped.cancelled() => {}
                }
            };
            if self.discarding_until(wait).await.is_none() || stop.is_cancelled() {
                return;
            }
        }
    }

    /// Waits, and drops what the worker sends meanwhile. `None`: the worker has gone.
    async fn discarding_until(&mut self, wait: impl Future<Output = ()>) -> Option<()> {
        tokio::pin!(wait);
        loop {
            tokio::select! {
                () = &mut wait => return Some(()),
                dropped = self.outgoing.recv() => drop(dropped?),
            }
        }
    }

    /// Challenge and hello: proves possession of the key.
    async fn hello(&mut self, socket: &mut Socket) -> Result<(), Error> {
        let limit = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
        let first =
            timeout(limit, next(socket)).await.map_err(|_| Error::Link("the service said nothing".to_owned()))??;
        let ToAgent::Challenge { protocol, nonce } = first else {
            return Err(Error::Link("the service's first frame was no challenge".to_owned()));
        };
        if protocol != wire::PROTOCOL && protocol != wire::PROTOCOL + 1 {
            let text =
                format!("the service speaks protocol {protocol}, this agent {}; update the older", wire::PROTOCOL);
            return Err(Error::Link(text));
        }
        let message = wire::signed_message(&self.address.host, self.identity.agent, &nonce);
        let frame = FromAgent::Hello {
            protocol: wire::PROTOCOL,
            agent: self.identity.agent,
            signature: BASE64.encode(self.keys.current().sign(&message)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: Capability::OURS.to_vec(),
            controller: self.condition.borrow_and_update().controller(),
        };
        self.fence.hello();
        send(socket, &frame).await
    }

    /// One connection, from the hello to its end; and whether the hello was believed.
    async fn serve(&mut self, mut socket: Socket, backoff: &mut Backoff) -> (Result<Ended, Error>, bool) {
        self.connections += 1;
        let mut connection = Connection { number: self.connections, ..Connection::default() };
        let ended = self.exchange(&mut socket, backoff, &mut connection).await;
        (ended, connection.known)
    }

    async fn exchange(
        &mut self,
        socket: &mut Socket,
        backoff: &mut Backoff,
        connection: &mut Connection,
    ) -> Result<Ended, Error> {
        let silence = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
        let mut renewals = interval(Duration::from_millis(limits::LEASE_RENEWAL_MS.unsigned_abs()));
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dead = Instant::now() + silence;
        loop {
            tokio::select! {
                frame = next(socket) => {
                    let frame = frame?;
                    dead = Instant::now() + silence;
                    if !connection.known {
                        // Only now has the signature been believed.
                        backoff.reset();
                        connection.known = true;
                        self.keys.believed().await?;
                        self.pulse.set_linked(true);
                        self.tell(ToWorker::Connected)?;
                    }
                    self.take(frame, socket, connection).await?;
                }
                _ = renewals.tick() => {
                    self.renew(socket).await?;
                    let idle = self.to_worker.capacity() == self.to_worker.max_capacity() && !*self.busy.borrow();
                    if connection.draining && idle {
                        let _ = socket.close(None).await;
                        return Ok(Ended::Drained);
                    }
                }
                changed = self.condition.changed() => {
                    if changed.is_ok() {
                        self.renew(socket).await?;
                    }
                }
                outgoing = self.outgoing.recv() => {
                    let Some(outgoing) = outgoing else {
                        let _ = timeout(silence, socket.close(None)).await;
                        return Ok(Ended::Finished);
                    };
                    self.send_out(socket, outgoing, connection).await?;
                }
                () = sleep_until(dead) => return Err(Error::Link("the service was silent for too long".to_owned())),
            }
        }
    }

    async fn renew(&mut self, socket: &mut Socket) -> Result<(), Error> {
        self.sequence += 1;
        let frame = {
            let condition = self.condition.borrow_and_update();
            let (controller, trouble) = (condition.controller(), condition.trouble.clone());
            FromAgent::Renew { sequence: self.sequence, controller, trouble }
        };
        self.fence.renewal(self.sequence);
        send(socket, &frame).await
    }

    async fn take(&mut self, frame: ToAgent, socket: &mut Socket, connection: &mut Connection) -> Result<(), Error> {
        match frame {
            ToAgent::Challenge { .. } => Err(Error::Link("the service challenged twice".to_owned())),
            ToAgent::Standby { domain } => {
                debug!(%domain, "standing by");
                self.fence.revoke();
                (self.writing_controller)(None);
                self.tell_role(connection, Role::Standby)
            }
            ToAgent::Active { domain, epoch, lease_ms, job_context } => {
                info!(%domain, epoch = epoch.0, "active");
                self.replication.set(job_context.replication);
                (self.writing_controller)(job_context.writing_controller);
                self.fence.activated(epoch, lease_ms.min(limits::LEASE_MS));
                self.tell_role(connection, Role::Active(epoch))
            }
            ToAgent::RenewAck { sequence, epoch, renewed } => {
                self.fence.acknowledged(sequence, renewed.then_some(epoch));
                Ok(())
            }
            ToAgent::Work { epoch, needs, lane, items } => self.tell(ToWorker::Work { epoch, needs, lane, items }),
            ToAgent::ClaimsAnswer { request, answers } => {
                if let Some(asker) = connection.claims.remove(&request) {
                    let _ = asker.send(answers);
                }
                Ok(())
            }
            ToAgent::Reserved { request, answers } => {
                if let Some(asker) = connection.reserves.remove(&request) {
                    let _ = asker.send(answers);
                }
                Ok(())
            }
            ToAgent::OutcomesAck { ids } => self.tell(ToWorker::Acknowledged(ids)),
            ToAgent::Drain {} => {
                connection.draining = true;
                Ok(())
            }
            ToAgent::Look { request, epoch, since, guids } => {
                self.ask(connection, request, What::Look { epoch, since, guids })
            }
            ToAgent::Ask { request, question } => self.ask(connection, request, What::Ask(question)),
            ToAgent::Release { epoch } => {
                if self.fence.holds(epoch) {
                    info!(epoch = epoch.0, "the domain is to be handed over");
                    self.fence.revoke();
                }
                self.tell(ToWorker::Release(epoch))
            }
            ToAgent::LogLevel { filter } => {
                if let Err(why) = (self.log_level)(filter.as_deref()) {
                    warn!(filter = filter.as_deref(), %why, "the service asks for a log level that cannot be set");
                }
                Ok(())
            }
            ToAgent::RotateKey {} => {
                let (public_key, signature) = self.keys.renew(self.identity.agent).await?;
                send(socket, &FromAgent::NewKey { public_key, signature }).await
            }
            ToAgent::KeyAccepted { public_key } => self.keys.accepted(&public_key).await,
        }
    }

    fn ask(&self, connection: &Connection, request: u64, what: What) -> Result<(), Error> {
        let asked = Asked { connection: connection.number, request, what };
        self.to_looker.try_send(asked).map_err(|_| Error::Link("the service asked more than was agreed".to_owned()))
    }

    /// With the role the service's answer to an outcome may change: they are sent again.
    fn tell_role(&self, connection: &mut Connection, role: Role) -> Result<(), Error> {
        match connection.role.replace(role) {
            // The first of a connection comes right after it.
            None => Ok(()),
            Some(before) if before == role => Ok(()),
            Some(_) => self.tell(ToWorker::Connected),
        }
    }

    fn tell(&self, message: ToWorker) -> Result<(), Error> {
        self.to_worker.try_send(message).map_err(|_| Error::Link("the service sent more than was agreed".to_owned()))
    }

    async fn send_out(
        &mut self,
        socket: &mut Socket,
        outgoing: Outgoing,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        match outgoing {
            Outgoing::Outcomes(outcomes) => {
                // Each frame under the limit, each with the epoch its work was given out under.
                for frame in outcome_frames(outcomes) {
                    fault::reached(KillPoint::BeforeOutcomeSend);
                    send(socket, &frame).await?;
                    fault::reached(KillPoint::AfterOutcomeSend);
                }
                Ok(())
            }
            Outgoing::Claims { epoch, claims, answer } => {
                connection.request += 1;
                connection.claims.insert(connection.request, answer);
                send(socket, &FromAgent::Claims { request: connection.request, epoch, claims }).await
            }
            Outgoing::Reserve { epoch, wants, answer } => {
                connection.request += 1;
                connection.reserves.insert(connection.request, answer);
                send(socket, &FromAgent::Reserve { request: connection.request, epoch, wants }).await
            }
            Outgoing::Frame(frame) => send(socket, &frame).await,
            Outgoing::Answer { connection: asked_on, frame } if asked_on == connection.number => {
                send(socket, &frame).await
            }
            Outgoing::Answer { .. } => Ok(()),
        }
    }
}

/// What the service last made of this agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Standby,
    Active(Epoch),
}

/// What lasts as long as one connection. Dropping it tells whoever waits for an answer that there will be none.
#[derive(Default)]
struct Connection {
    number: u64,
    known: bool,
    role: Option<Role>,
    draining: bool,
    request: u64,
    claims: HashMap<u64, oneshot::Sender<Vec<ClaimAnswer>>>,
    reserves: HashMap<u64, oneshot::Sender<Vec<Reservation>>>,
}

/// Outcomes in frames of one epoch each, at most as many as are surely short enough.
fn outcome_frames(outcomes: Vec<Outcome>) -> Vec<FromAgent> {
    let mut frames: Vec<(Epoch, usize, Vec<Outcome>)> = vec![];
    for outcome in outcomes {
        let bytes = serde_json::to_vec(&outcome).map_or(0, |text| text.len());
        let room = limits::FRAME_BYTES_MAX / 2;
        match frames.last_mut() {
            Some((epoch, length, frame)) if *epoch == outcome.epoch && *length + bytes < room => {
                *length += bytes;
                frame.push(outcome);
            }
            _ => frames.push((outcome.epoch, bytes, vec![outcome])),
        }
    }
    frames.into_iter().map(|(epoch, _, outcomes)| FromAgent::Outcomes { epoch, outcomes }).collect()
}

async fn send(socket: &mut Socket, frame: &FromAgent) -> Result<(), Error> {
    let text = serde_json::to_string(frame).map_err(|source| Error::Json { what: "a frame", source })?;
    let limit = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
    match timeout(limit, socket.send(Message::Text(text.into()))).await {
        Ok(sent) => sent.map_err(|error| Error::Link(error.to_string())),
        Err(_) => Err(Error::Link("the service does not take what is sent".to_owned())),
    }
}

/// The next frame. Cancel safe: nothing is taken from the socket that is not returned.
async fn next(socket: &mut Socket) -> Result<ToAgent, Error> {
    loop {
        let message = match socket.next().await {
            None => return Err(Error::Link("the service closed the connection".to_owned())),
            Some(message) => message.map_err(|error| Error::Link(error.to_string()))?,
        };
        match message {
            Message::Text(text) => {
                return serde_json::from_str(&text)
                    .map_err(|source| Error::Json { what: "a frame of the service", source });
            }
            Message::Close(_) => return Err(Error::Link("the service closed the connection".to_owned())),
            Message::Binary(_) => return Err(Error::Link("the service sent bytes that are no frame".to_owned())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
