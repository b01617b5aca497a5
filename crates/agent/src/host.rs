//! The service manager that the agent runs under: told when it works, that it lives, and when it stops.

#[cfg(unix)]
mod systemd;
#[cfg(windows)]
pub mod windows;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::controller::Condition;
use crate::pulse::{Progress, Pulse, Work};

#[cfg(unix)]
pub use systemd::Systemd;

/// What a service manager is told. Nothing of it may block.
pub trait Host: Send + Sync {
    /// The service knows this agent; said once.
    fn ready(&self);
    /// A sentence for whoever asks how it is.
    fn status(&self, text: &str);
    /// All parts of the agent live.
    fn alive(&self);
    /// It stops; nothing is said after this.
    fn stopping(&self);
    /// How long silence may last before the manager ends the process; `None`: it does not watch.
    fn watchdog(&self) -> Option<Duration>;
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Host for Nobody {
    fn ready(&self) {}
    fn status(&self, _: &str) {}
    fn alive(&self) {}
    fn stopping(&self) {}
    fn watchdog(&self) -> Option<Duration> {
        None
    }
}

/// How often the agent's parts are looked at where no watchdog asks for more.
const LOOK_MS: u64 = 5_000;

/// What is watched.
pub(crate) struct Watched {
    pub(crate) pulse: Pulse,
    pub(crate) busy: watch::Receiver<bool>,
    pub(crate) condition: watch::Receiver<Condition>,
}

/// Tells the manager how the agent is until it stops. It is ready once the link is known and the directory is bound or
/// known not to be: from then on whoever asks the service is told.
pub(crate) async fn tell(host: Arc<dyn Host>, watched: Watched, stop: CancellationToken) {
    let Watched { pulse, busy, mut condition } = watched;
    let (mut linked, mut progress) = (pulse.linked(), Progress::new(busy));
    // Three chances in one limit.
    let every = host.watchdog().map_or(Duration::from_millis(LOOK_MS), |limit| limit / 3);
    let mut looks = tokio::time::interval(every);
    let (mut is_ready, mut said) = (false, String::new());
    loop {
        let is_linked = *linked.borrow_and_update();
        let (text, known, work) = {
            let condition = condition.borrow_and_update();
            (sentence(is_linked, &condition), is_known(&condition), work(&condition))
        };
        if text != said {
            host.status(&text);
            said = text;
        }
        if !is_ready && is_linked && known {
            is_ready = true;
            host.ready();
        }
        let looked = tokio::select! {
            () = stop.cancelled() => return host.stopping(),
            _ = linked.changed() => false,
            changed = condition.changed() => {
                if changed.is_err() {
                    return host.stopping();
                }
                false
            }
            _ = looks.tick() => true,
        };
        if looked {
            match pulse.silent() {
                Some(part) => error!(?part, "a part of the agent does not run; the watchdog is not told otherwise"),
                None if progress.is_stuck(work) => {
                    error!("the work in hand does not get on; the watchdog is told nothing");
                }
                None => host.alive(),
            }
        }
    }
}

fn is_known(condition: &Condition) -> bool {
    condition.session.is_some() || condition.trouble.is_some()
}

fn work(condition: &Condition) -> Work {
    if condition.session.is_some() { Work::Possible } else { Work::Waits }
}

fn sentence(is_linked: bool, condition: &Condition) -> String {
    let link = if is_linked { "linked to the service" } else { "no link to the service" };
    let directory = match (&condition.session, &condition.trouble) {
        (Some(session), _) => format!("bound at {}", session.root.dns_host_name),
        (None, Some(trouble)) => format!("directory: {}", trouble.code),
        (None, None) => "connecting to the directory".to_owned(),
    };
    format!("{link}; {directory}")
}
