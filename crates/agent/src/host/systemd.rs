//! systemd, or whoever else reads `NOTIFY_SOCKET` (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

use super::Host;

/// Tells systemd. Where no manager asked for it, nothing is sent.
#[derive(Clone, Copy, Debug)]
pub struct Systemd {
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Reads `WATCHDOG_USEC` and `WATCHDOG_PID`; `NOTIFY_SOCKET` is read at each message.
    #[must_use]
    pub fn from_environment() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }
}

fn send(state: NotifyState<'_>) {
    // A manager that does not listen is no reason to stop working.
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!(%error, "the service manager was not told");
    }
}

impl Host for Systemd {
    fn ready(&self) {
        send(NotifyState::Ready);
    }

    fn status(&self, text: &str) {
        send(NotifyState::Status(text));
    }

    fn alive(&self) {
        if self.watchdog.is_some() {
            send(NotifyState::Watchdog);
        }
    }

    fn stopping(&self) {
        send(NotifyState::Stopping);
    }

    fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}
