//! The agent as a component.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rollcall_directory::ldap::{Bind, LdapDirectory, LdapOptions};
use rollcall_directory::{Error as DirectoryError, Read as _, RootDse, Write};
use rollcall_model::{Clock, Dn, Random, limits};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::address::{self, Address};
use crate::config::{Config, Policy};
use crate::controller::{Connector, Domain};
use crate::fence::{Fence, LeaseClock};
use crate::host::{self, Host, Nobody, Watched};
use crate::journal::Journal;
use crate::keys::Keys;
use crate::link::{Link, QUESTIONS_MAX, WORKER_FRAMES_MAX};
use crate::look::Looker;
use crate::policy::Rules;
use crate::proxy::Proxy;
use crate::pulse::{Part, Pulse};
use crate::replication::Awaited;
use crate::schema::Schemas;
use crate::worker::{Desk, Shared, Worker};
use crate::{Error, enrol, files};

/// Messages from the worker that wait for the link.
const OUTGOING_MAX: usize = 16;
/// How much longer than one LDAP answer a stop waits for the worker.
const STOP_GRACE_MS: u64 = 3_000;

/// Sets what is logged from now on, in the syntax of the configuration's `log.level`; `None`: what the configuration
/// says. An `Err` says why it cannot be.
pub type LogLevel = Arc<dyn Fn(Option<&str>) -> Result<(), String> + Send + Sync>;

/// What an agent is made of.
pub struct Options {
    /// `service.url`.
    pub url: String,
    pub ca: Option<PathBuf>,
    /// The way to the service, where it is not a straight one.
    pub proxy: Option<Proxy>,
    /// Data folder with identity and key, as enrolment left it.
    pub data: PathBuf,
    pub directory: Arc<dyn Connector>,
    /// What may be done at all.
    pub policy: Policy,
    /// Obeys the service's wish for another log level.
    pub log_level: LogLevel,
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
    host: Arc<dyn Host>,
}

impl Agent {
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, handle: Handle::default(), host: Arc::new(Nobody) }
    }

    /// Tells a service manager how it is.
    #[must_use]
    pub fn under(self, host: Arc<dyn Host>) -> Self {
        Self { host, ..self }
    }

    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until it is stopped. Errors: data folder, key or journal cannot be used. Trouble with service or directory
    /// is no error: it is tried again, and reported to whichever of the two can be reached.
    pub async fn run(self) -> Result<(), Error> {
        let Options { url, ca, proxy, data, directory, policy, log_level, clock, lease_clock, random } = self.options;
        let stop = self.handle.stop;
        let address = Address::parse(&url)?;
        let tls = address::tls(ca.as_deref())?;
        files::create_folder(&data)?;
        let _lock = files::Lock::take(&data)?;
        let identity = enrol::load(&data)?;
        let keys = Keys::load(&data)?;
        let journal = Journal::open(&data)?;
        info!(agent = %identity.agent, domain = %identity.domain, "the agent starts");

        let (fence, domain) = (Fence::new(lease_clock), Domain::new());
        let (to_worker, inbox) = mpsc::channel(WORKER_FRAMES_MAX);
        let (outgoing, from_worker) = mpsc::channel(OUTGOING_MAX);
        let (to_looker, questions) = mpsc::channel(QUESTIONS_MAX);
        let replication = Awaited::default();
        let (busy, pulse) = (watch::Sender::new(false), Pulse::new());
        let watched = Watched { pulse: pulse.clone(), busy: busy.subscribe(), condition: domain.watch() };
        let named = domain.clone();
        let link = Link {
            address,
            tls,
            proxy,
            identity,
            keys,
            fence: fence.clone(),
            random: random.clone(),
            condition: domain.watch(),
            writing_controller: Box::new(move |controller| named.write_to(controller)),
            replication: replication.clone(),
            log_level,
            to_worker,
            to_looker,
            outgoing: from_worker,
            busy: busy.subscribe(),
            sequence: 0,
            connections: 0,
            pulse: pulse.clone(),
        };
        // The link outlives the worker, so that the last outcomes can still be told.
        let keeping = tokio::spawn(
            pulse.clone().through(Part::Directory, domain.clone().keep(directory, random.clone(), stop.clone())),
        );
        let policy = Rules::new(&policy);
        let looker = Looker {
            domain: domain.clone(),
            schemas: Schemas::default(),
            policy: policy.clone(),
            replication: replication.clone(),
            inbox: questions,
            outgoing: outgoing.clone(),
        };
        let desk = Desk::default();
        let shared =
            Shared { journal, domain, fence, policy, replication, clock, random, outgoing, stop: stop.clone(), desk };
        let worker = Worker::new(shared, inbox, busy);
        let looking = tokio::spawn(looker.run(stop.clone()));
        let working = tokio::spawn(pulse.clone().through(Part::Worker, worker.run()));
        let linking = tokio::spawn(pulse.through(Part::Link, link.run(stop.clone())));
        tokio::spawn(host::tell(self.host, watched, stop.clone()));

        let parts = Parts { working, keeping, linking, looking };
        parts.until_stopped(&stop).await
    }
}

/// The tasks of a running agent.
struct Parts {
    working: JoinHandle<Result<(), Error>>,
    keeping: JoinHandle<()>,
    linking: JoinHandle<()>,
    looking: JoinHandle<()>,
}

impl Parts {
    /// Until the worker ends, or one of the others abnormally; then all of them end.
    async fn until_stopped(mut self, stop: &CancellationToken) -> Result<(), Error> {
        let ended = tokio::select! {
            ended = &mut self.working => Some(ended),
            // None of these ends before a stop but by a panic.
            Err(panicked) = &mut self.keeping => Some(Err(panicked)),
            Err(panicked) = &mut self.linking => Some(Err(panicked)),
            Err(panicked) = &mut self.looking => Some(Err(panicked)),
            () = stop.cancelled() => {
                let limit = Duration::from_millis(limits::LDAP_TIMEOUT_MS.unsigned_abs() + STOP_GRACE_MS);
                tokio::time::timeout(limit, &mut self.working).await.ok()
            }
        };
        stop.cancel();
        self.working.abort();
        for mut task in [self.looking, self.linking, self.keeping] {
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
    /// From the `[directory]` section; `variable` looks up the environment. Errors: settings, password or certificates
    /// that cannot be used.
    pub fn new(config: &Config, variable: impl FnOnce(&str) -> Option<String>) -> Result<Self, Error> {
        let directory = &config.directory;
        let bind = match (directory.kerberos(), config.bind_password(variable)?) {
            (Some(account), _) => Bind::Kerberos(account),
            (None, password) => Bind::Simple {
                name: directory.bind_name.clone().unwrap_or_default(),
                password: password.unwrap_or_default(),
            },
        };
        let mut options = LdapOptions::over(&directory.url, directory.transport(), bind);
        options.base_dn = directory.base_dn.as_deref().map(Dn::from_directory);
        options.ca_file.clone_from(&directory.ca);
        LdapDirectory::new(options.clone())?;
        Ok(Self { options })
    }

    /// A directory of its own, for a person's questions; it connects at the first. Errors: as in [`Self::new`].
    pub fn open(&self) -> Result<LdapDirectory, Error> {
        Ok(LdapDirectory::new(self.options.clone())?)
    }

    /// Connects, binds, and asks which controller answers.
    pub async fn probe(&self) -> Result<RootDse, Error> {
        Ok(LdapDirectory::new(self.options.clone())?.root_dse().await?)
    }
}

#[async_trait]
impl Connector for LdapConnector {
    async fn connect(&self) -> Result<Arc<dyn Write>, DirectoryError> {
        // Whether the new connection's controller may be written to is for the service to say.
        Ok(Arc::new(LdapDirectory::new(self.options.clone())?))
    }
}
