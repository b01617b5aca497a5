//! The certificate while the service runs: changed files are taken up without a restart.
//!
//! Files are compared by what they hold, not by their time: a link that is turned to another folder, a copy that keeps
//! its time and a second write within one tick all count.

use std::path::PathBuf;
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rollcall_model::{Clock, Timestamp, limits};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Duration, MissedTickBehavior};

use super::{Loaded, load_pair, read_key, read_pem};
use crate::config::Config;
use crate::{Error, counters, moment};

/// Certificate and key of a configuration that names them.
#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What new connections are given, and how it is renewed.
pub(crate) struct Reloader {
    /// `None`: the development certificate, which is made at each start.
    files: Option<Files>,
    clock: Arc<dyn Clock>,
    serving: RustlsConfig,
    /// Fingerprint of the certificate that new connections are given.
    in_use: String,
    /// SHA-256 of what was in the files when they were looked at last, in use or not: a broken pair is told once.
    looked_at: Option<[u8; 32]>,
    /// When the certificate that was looked at last begins, where it was too early for it.
    begins: Option<Timestamp>,
    hang_up: Signal,
}

/// Why the files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// They may have changed.
    Tick,
    /// Somebody asked, and wants to be told whatever comes of it.
    HangUp,
}

impl Reloader {
    /// Loads the certificate; an error ends the start. From here on SIGHUP is caught.
    pub(crate) fn start(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, Error> {
        let hang_up = signal(SignalKind::hangup()).map_err(Error::Server)?;
        let named = config.tls.certificate.clone().zip(config.tls.key.clone());
        let files = named.map(|(certificate, key)| Files { certificate, key });
        // Before the files are read: should they change in between, the first look sees it.
        let looked_at = files.as_ref().and_then(|files| digest(files).ok());
        let loaded = super::load(config, &**clock)?;
        if loaded.ends <= clock.now() {
            let not_after = moment::seconds(loaded.ends);
            tracing::warn!(sha256 = %loaded.fingerprint, not_after, "the certificate has expired: renew it");
        }
        if loaded.begins > clock.now() {
            let not_before = moment::seconds(loaded.begins);
            tracing::warn!(sha256 = %loaded.fingerprint, not_before, "the certificate is not valid yet");
        }
        tell(&loaded);
        let serving = RustlsConfig::from_config(loaded.config);
        let in_use = loaded.fingerprint;
        Ok(Self { files, clock: Arc::clone(clock), serving, in_use, looked_at, begins: None, hang_up })
    }

    /// What listeners take; it follows the files.
    pub(crate) fn serving(&self) -> RustlsConfig {
        self.serving.clone()
    }

    /// Looks at the files from time to time and at SIGHUP, for ever.
    pub(crate) async fn run(mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(limits::CERTIFICATE_LOOK_MS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let cause = tokio::select! {
                _ = tick.tick() => Cause::Tick,
                _ = self.hang_up.recv() => Cause::HangUp,
            };
            self.look(cause);
        }
    }

    fn look(&mut self, cause: Cause) {
        let Some(files) = self.files.clone() else {
            if cause == Cause::HangUp {
                tracing::info!(
                    "SIGHUP: no certificate is configured (tls.certificate), so that there is none to reload"
                );
            }
            return;
        };
        let found = digest(&files);
        let is_new = match &found {
            Ok(found) => self.looked_at.as_ref() != Some(found),
            // Away, as it may be for a moment while it is replaced: told once, and looked for again.
            Err(_) => self.looked_at.is_some(),
        };
        let has_begun = self.begins.is_some_and(|begins| begins <= self.clock.now());
        if !is_new && !has_begun && cause == Cause::Tick {
            return;
        }
        self.looked_at = found.as_ref().ok().copied();
        self.begins = None;
        match found.and_then(|_| self.load(&files)) {
            Ok(loaded) => {
                tell(&loaded);
                counters::certificate_reload("loaded");
                self.in_use = loaded.fingerprint;
                self.serving.reload_from_config(loaded.config);
            }
            Err(error) => {
                counters::certificate_reload("refused");
                tracing::error!(
                    %error,
                    certificate = %files.certificate.display(),
                    key = %files.key.display(),
                    in_use_sha256 = self.in_use,
                    "the new certificate is not taken and the one in use stays; correct the files, they are looked at \
                     again by themselves"
                );
            }
        }
    }

    fn load(&mut self, files: &Files) -> Result<Loaded, Error> {
        let loaded = load_pair(&read_pem(&files.certificate)?, &read_key(&files.key)?)?;
        let now = self.clock.now();
        if loaded.ends <= now {
            let ended = moment::seconds(loaded.ends);
            return Err(Error::Tls(format!("tls.certificate ended at {ended}: put a current one there")));
        }
        if loaded.begins > now {
            self.begins = Some(loaded.begins);
            let begins = moment::seconds(loaded.begins);
            return Err(Error::Tls(format!("tls.certificate begins at {begins}: it is taken up then")));
        }
        Ok(loaded)
    }
}

/// SHA-256 over both files.
fn digest(files: &Files) -> Result<[u8; 32], Error> {
    let (certificate, key) = (read_pem(&files.certificate)?, read_key(&files.key)?);
    let mut digest = Sha256::new();
    digest.update(certificate.len().to_le_bytes());
    digest.update(certificate);
    digest.update(&*key);
    Ok(digest.finalize().into())
}

fn tell(loaded: &Loaded) {
    counters::certificate_ends(loaded.ends);
    let not_after = moment::seconds(loaded.ends);
    tracing::info!(sha256 = %loaded.fingerprint, not_after, "certificate in use");
}

#[cfg(test)]
mod tests;
