//! Whether the agent lives: each of its tasks beats while it is polled, and work in hand has to get on. A process whose
//! timer still runs while its worker hangs is not alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rollcall_model::limits;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a task beats while it has nothing else to do.
const BEAT_MS: u64 = 1_000;

/// The tasks that must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Link,
    Directory,
    Worker,
}

const PARTS: [Part; 3] = [Part::Link, Part::Directory, Part::Worker];

/// Shared by the tasks and by whoever watches them.
#[derive(Clone)]
pub(crate) struct Pulse {
    began: Instant,
    /// Of each part: milliseconds from `began` to its last beat.
    beats: Arc<[AtomicU64; 3]>,
    /// Whether the service knows this agent on the present connection.
    linked: watch::Sender<bool>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), beats: Arc::default(), linked: watch::Sender::new(false) }
    }

    /// The link came up, or ended.
    pub(crate) fn set_linked(&self, linked: bool) {
        self.linked.send_replace(linked);
    }

    pub(crate) fn linked(&self) -> watch::Receiver<bool> {
        self.linked.subscribe()
    }

    fn beat(&self, part: Part) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beats[part as usize].store(now_ms, Ordering::Release);
    }

    /// Runs a task, and beats for it as long as it lets the runtime poll it.
    pub(crate) async fn through<F: Future>(self, part: Part, task: F) -> F::Output {
        tokio::pin!(task);
        let mut ticks = interval(Duration::from_millis(BEAT_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                output = &mut task => return output,
                _ = ticks.tick() => self.beat(part),
            }
        }
    }

    /// The part that has not beaten for too long.
    pub(crate) fn silent(&self) -> Option<Part> {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        PARTS.into_iter().find(|part| {
            now_ms.saturating_sub(self.beats[*part as usize].load(Ordering::Acquire)) > limits::AGENT_SILENCE_MS_MAX
        })
    }
}

/// Whether work in hand gets on.
pub(crate) struct Progress {
    /// Sent anew whenever the worker takes something up or has finished something.
    busy: watch::Receiver<bool>,
    since: Instant,
}

impl Progress {
    pub(crate) fn new(busy: watch::Receiver<bool>) -> Self {
        Self { busy, since: Instant::now() }
    }

    /// Whether work has been in hand for longer than any takes, and nothing became of it. `can_work`: there is a
    /// directory to work on; without one waiting is right.
    pub(crate) fn is_stuck(&mut self, can_work: Work) -> bool {
        let moved = self.busy.has_changed().unwrap_or(true);
        let busy = *self.busy.borrow_and_update();
        if moved || !busy || can_work == Work::Waits {
            self.since = Instant::now();
        }
        self.since.elapsed() > Duration::from_millis(limits::AGENT_STUCK_MS_MAX)
    }
}

/// Whether there is a directory to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Possible,
    Waits,
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass_ms(ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_not_polled_is_silent() {
        let pulse = Pulse::new();
        for part in [Part::Link, Part::Directory] {
            tokio::spawn(pulse.clone().through(part, std::future::pending::<()>()));
        }
        // The worker beats for a while, and then is gone.
        let worker = tokio::spawn(pulse.clone().through(Part::Worker, std::future::pending::<()>()));
        pass_ms(5 * limits::AGENT_SILENCE_MS_MAX).await;
        assert_eq!(pulse.silent(), None);
        worker.abort();
        pass_ms(limits::AGENT_SILENCE_MS_MAX + 2 * BEAT_MS).await;
        assert_eq!(pulse.silent(), Some(Part::Worker));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_get_on_is_stuck() {
        let busy = watch::Sender::new(false);
        let mut progress = Progress::new(busy.subscribe());
        pass_ms(2 * limits::AGENT_STUCK_MS_MAX).await;
        assert!(!progress.is_stuck(Work::Possible), "idle is not stuck");
        busy.send_replace(true);
        for _ in 0..10 {
            pass_ms(limits::AGENT_STUCK_MS_MAX / 2).await;
            busy.send_replace(true);
            assert!(!progress.is_stuck(Work::Possible), "it gets on");
        }
        pass_ms(2 * limits::AGENT_STUCK_MS_MAX).await;
        assert!(!progress.is_stuck(Work::Waits), "there is no directory");
        pass_ms(limits::AGENT_STUCK_MS_MAX / 2).await;
        assert!(!progress.is_stuck(Work::Possible), "it has just become possible");
        pass_ms(limits::AGENT_STUCK_MS_MAX).await;
        assert!(progress.is_stuck(Work::Possible));
    }
}
