//! The agent's key, and its exchange for a new one.
//!
//! `agent.key` is the key that the service accepts. A new one is made in `agent.key.new`, and takes its place when the
//! service has said that it knows it; until then the one before is used. So at each moment one of the two files holds a
//! key that the service accepts, and after a crash the other one is tried where the first is refused.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_model::ids::AgentId;
use rollcall_wire::link as wire;
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::{Error, files};

/// The file of the key that is used.
pub(crate) const FILE: &str = "agent.key";
/// The file of the key that is to be used.
const NEW_FILE: &str = "agent.key.new";

/// The keys of one data folder.
pub(crate) struct Keys {
    folder: PathBuf,
    key: Ed25519KeyPair,
    new: Option<Ed25519KeyPair>,
    /// The new one is shown, because the other was refused.
    tries_new: bool,
}

impl Keys {
    /// Reads what enrolment and an exchange that did not end have left.
    pub(crate) fn load(folder: &Path) -> Result<Self, Error> {
        let key = read(&folder.join(FILE))?;
        let path = folder.join(NEW_FILE);
        let new = if files::exists(&path) {
            let read = read(&path);
            if let Err(error) = &read {
                warn!(path = %path.display(), %error, "the new key cannot be used; the one before is");
            }
            read.ok()
        } else {
            None
        };
        Ok(Self { folder: folder.to_owned(), key, new, tries_new: false })
    }

    /// The key to say hello with.
    pub(crate) fn current(&self) -> &Ed25519KeyPair {
        self.new.as_ref().filter(|_| self.tries_new).unwrap_or(&self.key)
    }

    /// A hello led to nothing: if there is another key, it is its turn.
    pub(crate) fn refused(&mut self) {
        self.tries_new = self.new.is_some() && !self.tries_new;
    }

    /// The key shown was believed: if it was the new one, it is the agent's key from now on.
    pub(crate) async fn believed(&mut self) -> Result<(), Error> {
        if self.tries_new { self.promote().await } else { Ok(()) }
    }

    /// Makes a new key, unless there is one; its public half (base64), and the proof that we hold it (base64).
    pub(crate) async fn renew(&mut self, agent: AgentId) -> Result<(String, String), Error> {
        let new = if let Some(new) = self.new.take() {
            new
        } else {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Error::Key)?;
            let new = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| Error::Key)?;
            let path = self.folder.join(NEW_FILE);
            off_thread(move || files::replace(&path, document.as_ref())).await?;
            new
        };
        let public_key = public(&new);
        let signature = BASE64.encode(new.sign(&wire::key_message(agent, &public_key)));
        self.new = Some(new);
        Ok((public_key, signature))
    }

    /// The service knows the new key: it is used from the next hello on.
    pub(crate) async fn accepted(&mut self, public_key: &str) -> Result<(), Error> {
        match &self.new {
            Some(new) if public(new) == public_key => self.promote().await,
            _ => Ok(()),
        }
    }

    async fn promote(&mut self) -> Result<(), Error> {
        if let Some(new) = self.new.take() {
            let (from, to) = (self.folder.join(NEW_FILE), self.folder.join(FILE));
            off_thread(move || files::rename(&from, &to)).await?;
            (self.key, self.tries_new) = (new, false);
            info!("the agent has a new key");
        }
        Ok(())
    }
}

fn public(key: &Ed25519KeyPair) -> String {
    BASE64.encode(key.public_key().as_ref())
}

fn read(path: &Path) -> Result<Ed25519KeyPair, Error> {
    let document = Zeroizing::new(files::read_bytes(path)?);
    Ed25519KeyPair::from_pkcs8(&document).map_err(|_| Error::Key)
}

/// The link has renewals to send, and must not wait for the disk.
async fn off_thread(work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Key))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        files::replace(&folder.path().join(FILE), document.as_ref()).unwrap();
        folder
    }

    fn shown(keys: &Keys) -> String {
        public(keys.current())
    }

    #[tokio::test]
    async fn a_new_key_is_used_once_it_is_accepted() {
        let folder = folder();
        let agent = AgentId(uuid::Uuid::from_u128(7));
        let mut keys = Keys::load(folder.path()).unwrap();
        let old = shown(&keys);
        let (new, signature) = keys.renew(agent).await.unwrap();
        let (bytes, signature) = (BASE64.decode(&new).unwrap(), BASE64.decode(signature).unwrap());
        UnparsedPublicKey::new(&ED25519, bytes).verify(&wire::key_message(agent, &new), &signature).unwrap();
        assert!(new != old && shown(&keys) == old, "not before it is accepted");
        // Asked again, also by another process: the same key, so that what was accepted stays ours.
        assert_eq!(Keys::load(folder.path()).unwrap().renew(agent).await.unwrap().0, new);
        keys.accepted("another").await.unwrap();
        assert_eq!(shown(&keys), old);
        keys.accepted(&new).await.unwrap();
        assert_eq!(shown(&keys), new);
        let mut keys = Keys::load(folder.path()).unwrap();
        assert_eq!(shown(&keys), new);
        keys.refused();
        assert_eq!(shown(&keys), new, "there is no other");
    }

    /// Wherever the process dies, a key that the service accepts is found: before it was accepted the old one, after
    /// that either, and once the new one was used only that.
    #[tokio::test]
    async fn after_a_crash_the_other_key_is_tried() {
        let folder = folder();
        let mut keys = Keys::load(folder.path()).unwrap();
        let (old, (new, _)) = (shown(&keys), keys.renew(AgentId(uuid::Uuid::from_u128(7))).await.unwrap());
        drop(keys);
        let mut keys = Keys::load(folder.path()).unwrap();
        assert_eq!(shown(&keys), old);
        keys.believed().await.unwrap();
        assert!(files::exists(&folder.path().join(NEW_FILE)), "the old one was believed");
        keys.refused();
        assert_eq!(shown(&keys), new);
        keys.refused();
        assert_eq!(shown(&keys), old, "the service may have been away");
        keys.refused();
        keys.believed().await.unwrap();
        assert!(!files::exists(&folder.path().join(NEW_FILE)));
        assert_eq!(shown(&Keys::load(folder.path()).unwrap()), new);
        // Half a file is no key.
        files::replace(&folder.path().join(NEW_FILE), b"torn").unwrap();
        assert_eq!(shown(&Keys::load(folder.path()).unwrap()), new);
    }
}
