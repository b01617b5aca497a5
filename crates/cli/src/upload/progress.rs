//! Progress on stderr: a bar on a terminal, a line now and then elsewhere, nothing with `--json`.

use std::sync::Mutex;
use std::sync::PoisonError;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Duration, Instant};

use crate::printer::{Format, Printer};

/// Lines of progress are no closer than this.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One phase: `verb` so many of `total`.
pub(crate) struct Progress {
    printer: Printer,
    verb: &'static str,
    total: usize,
    bar: Option<ProgressBar>,
    lines: Mutex<Lines>,
}

struct Lines {
    at: usize,
    last: Instant,
    hint: Option<&'static str>,
}

impl Progress {
    pub(crate) fn start(printer: &Printer, verb: &'static str, total: usize) -> Self {
        let bar = printer.shows_bars().then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(u64::try_from(total).unwrap_or(u64::MAX)),
                ProgressDrawTarget::stderr(),
            );
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len}  {per_sec}  {eta}  {msg}");
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.with_prefix(verb)
        });
        let lines = Mutex::new(Lines { at: 0, last: Instant::now(), hint: None });
        Self { printer: printer.clone(), verb, total, bar, lines }
    }

    /// So many now.
    pub(crate) fn at(&self, count: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::try_from(count).unwrap_or(u64::MAX));
            return;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.at = count;
        if lines.last.elapsed() >= LINE_EVERY && count < self.total {
            lines.last = Instant::now();
            self.line(count);
        }
    }

    /// What it waits for, said once for each change.
    pub(crate) fn hint(&self, hint: Option<&'static str>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.hint == hint {
            return;
        }
        lines.hint = hint;
        match &self.bar {
            Some(bar) => bar.set_message(hint.unwrap_or_default()),
            None => self.printer.note(hint.unwrap_or("no longer waiting")),
        }
    }

    /// Ends the phase.
    pub(crate) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.printer.format() == Format::Text {
            let count = self.lines.lock().unwrap_or_else(PoisonError::into_inner).at;
            let count = self.bar.as_ref().map_or(count, |bar| usize::try_from(bar.position()).unwrap_or(count));
            self.line(count);
        }
    }

    fn line(&self, count: usize) {
        self.printer.note(&format!("{} {count}/{}", self.verb, self.total));
    }
}
