//! What an administrator wants of agents beside work: to be drained, to log otherwise, to make a new key.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{Draining, Error};
use rollcall_wire::link::{self, Capability, ToAgent};
use tracing::{info, warn};

use super::domain::Worker;
use super::is_fresh;
use super::session::{SessionId, key_audit};

impl Worker {
    pub(super) fn is_draining(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| self.drained_agents.contains(&session.agent.id))
    }

    /// Looks from time to time what is wanted of the agents connected here, and tells them what is news.
    pub(super) async fn heed_wishes(&mut self, now: Timestamp) -> Result<(), Error> {
        let is_known = self.wishes_read.is_some_and(|read| is_fresh(read, limits::AGENT_WISHES_MS, now));
        if is_known || self.sessions.is_empty() {
            return Ok(());
        }
        self.wishes_read = Some(now);
        let agents = self.options.store.agents(self.tenant).await?;
        self.drained_agents =
            agents.iter().filter(|agent| agent.draining == Draining::Yes).map(|agent| agent.id).collect();
        let mut frames = Vec::new();
        for session in self.sessions.values_mut().filter(|session| session.can(Capability::Release)) {
            let Some(agent) = agents.iter().find(|agent| agent.id == session.agent.id) else { continue };
            let log_level = ToAgent::LogLevel { filter: agent.log_filter.clone() };
            if session.log_level.as_ref() != Some(&log_level) {
                session.log_level = Some(log_level.clone());
                frames.push((session.id, log_level));
            }
            if agent.rotate_key_wanted.is_some() && !session.rotating {
                session.rotating = true;
                frames.push((session.id, ToAgent::RotateKey {}));
            }
        }
        for (id, frame) in frames {
            self.send_to(id, frame);
        }
        Ok(())
    }

    /// A new key of an agent, which has proved that it holds it; the one before stays valid until the new one is used.
    pub(super) async fn new_key(&mut self, id: SessionId, public_key: String, signature: &str) -> Result<(), Error> {
        let Some(agent) = self.sessions.get(&id).map(|session| session.agent.id) else { return Ok(()) };
        let message = link::key_message(agent, &public_key);
        let key = BASE64.decode(&public_key).ok().filter(|key| key.len() == 32);
        let proved = key
            .as_deref()
            .zip(BASE64.decode(signature).ok())
            .is_some_and(|(key, signature)| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok());
        let Some(key) = key.filter(|_| proved) else {
            warn!(agent.id = %agent, "an agent's new key is not proved");
            return Ok(());
        };
        let now = self.options.clock.now();
        let audit = key_audit(self.options.random.uuid_v7(now), now, agent, "agent.key.add");
        if self.options.store.add_agent_key(agent, &key, &audit).await?
            && let Some(session) = self.sessions.get_mut(&id)
        {
            // There may be another after it.
            session.rotating = false;
        }
        info!(agent.id = %agent, "an agent has a new key");
        self.send_to(id, ToAgent::KeyAccepted { public_key });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
