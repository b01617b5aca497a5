//! The agent as a component.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rollcall_directory::ldap::{LdapDirectory, LdapOptions};
use rollcall_directory::{Error as DirectoryError, Write};
use rollcall_model::{Clock, Dn, Random, limits};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::address::{self, Address};
use crate::config::Config;
use crate::controller::{Connector, Domain};
use crate::fence::{Fence, LeaseClock};
use crate::journal::Journal;
use crate::link::{Link, WORKER_FRAMES_MAX};
use crate::worker::Worker;
use crate::{Error, enrol, files};

/// Messages from the worker that wait for the link.
const OUTGOING_MAX: usize = 16;
/// How much longer than one LDAP answer a stop waits for the worker.
const STOP_GRACE_MS: u64 = 3_000;

/// What an agent is made of.
pub struct Options {
    /// `service.url`.
    pub url: String,
    pub ca: Option<PathBuf>,
    /// Data folder with identity and key, as enrolment left it.
    pub data: PathBuf,
    pub directory: Arc<dyn Connector>,
    pub clock: Arc<dyn Clock>,
    pub lease_clock: Arc<dyn LeaseClock>,
    pub random: Arc<dyn Random>,
}

/// Stops a running agent.
#[derive(Clone, Debug, Default)]
pub struct Handle {
    stop: CancellationToken,
}

impl Handle {
    /// Asks for a stop: the write under way is finished and reported if there is a link, the rest is left.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

/// One agent. [`Agent::run`] works until it is stopped.
pub struct Agent {
    options: Options,
    handle: Handle,
}

impl Agent {
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, handle: Handle::default() }
    }

    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until it is stopped. Errors: data folder, key or journal cannot be used. Trouble with service or directory
    /// is no error: it is tried again, and reported to whichever of the two can be reached.
    pub async fn run(self) -> Result<(), Error> {
        let Options { url, ca, data, directory, clock, lease_clock, random } = self.options;
        let stop = self.handle.stop;
        let address = Address::parse(&url)?;
        let tls = address::tls(ca.as_deref())?;
        files::create_folder(&data)?;
        let _lock = files::Lock::take(&data)?;
        let (identity, key) = enrol::load(&data)?;
        let journal = Journal::open(&data)?;
        info!(agent = %identity.agent, domain = %identity.domain, "the agent starts");

        let (fence, domain) = (Fence::new(lease_clock), Domain::new());
        let (to_worker, inbox) = mpsc::channel(WORKER_FRAMES_MAX);
        let (outgoing, from_worker) = mpsc::channel(OUTGOING_MAX);
        let busy = watch::Sender::new(false);
        let named = domain.clone();
        let link = Link {
            address,
            tls,
            identity,
            key,
            fence: fence.clone(),
            random: random.clone(),
            condition: domain.watch(),
            writing_controller: Box::new(move |controller| named.write_to(controller)),
            to_worker,
            outgoing: from_worker,
            busy: busy.subscribe(),
            sequence: 0,
        };
        // The link outlives the worker, so that the last outcomes can still be told.
        let mut keeping = tokio::spawn(domain.clone().keep(directory, random.clone(), stop.clone()));
        let worker = Worker { journal, domain, fence, clock, random, inbox, outgoing, busy, stop: stop.clone() };
        let mut working = tokio::spawn(worker.run());
        let mut linking = tokio::spawn(link.run(stop.clone()));

        let ended = tokio::select! {
            ended = &mut working => Some(ended),
            // Neither ends before a stop but by a panic.
            Err(panicked) = &mut keeping => Some(Err(panicked)),
            Err(panicked) = &mut linking => Some(Err(panicked)),
            () = stop.cancelled() => {
                let limit = Duration::from_millis(limits::LDAP_TIMEOUT_MS.unsigned_abs() + STOP_GRACE_MS);
                tokio::time::timeout(limit, &mut working).await.ok()
            }
        };
        stop.cancel();
        working.abort();
        for mut task in [linking, keeping] {
            if !task.is_finished() {
                let _ = tokio::time::timeout(Duration::from_millis(STOP_GRACE_MS), &mut task).await;
            }
        }
        match ended {
            Some(Ok(result)) => result,
            Some(Err(panicked)) => {
                error!(%panicked, "a part of the agent ended abnormally");
                Err(Error::Link("a part of the agent ended abnormally".to_owned()))
            }
            // A write without an answer: the journal knows it.
            None => Ok(()),
        }
    }
}

/// Connects to the controller of the configuration.
pub struct LdapConnector {
    options: LdapOptions,
}

impl LdapConnector {
    /// From the `[directory]` section. Errors: settings or certificates that cannot be used.
    pub fn new(config: &Config, bind_password: SecretString) -> Result<Self, Error> {
        let directory = &config.directory;
        let mut options = LdapOptions::new(&directory.url, &directory.bind_name, bind_password);
        options.base_dn = directory.base_dn.as_deref().map(Dn::from_directory);
        options.ca_file.clone_from(&directory.ca);
        LdapDirectory::new(options.clone())?;
        Ok(Self { options })
    }
}

#[async_trait]
impl Connector for LdapConnector {
    async fn connect(&self) -> Result<Arc<dyn Write>, DirectoryError> {
        // Whether the new connection's controller may be written to is for the service to say.
        Ok(Arc::new(LdapDirectory::new(self.options.clone())?))
    }
}
