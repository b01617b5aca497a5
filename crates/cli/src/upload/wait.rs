//! Waiting for outcomes: looking at the uploads until every operation is final.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use rollcall_model::limits;
use serde::Deserialize;
use tokio::time::{Duration, Instant};

use crate::error::Error;
use crate::http::Client;
use crate::upload::progress::Progress;
use crate::upload::report::Report;

/// `GET /rollcall/v1/uploads/{id}` (design 9), as far as it is read here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// Whether every operation is.
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
    pub(crate) operations: Vec<OperationStatus>,
}

/// One operation of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationStatus {
    pub(crate) index: usize,
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    /// A newer service may know more states than we: shown as they come.
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// How the wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    AllFinal,
    TimedOut,
}

/// Looks at uploads.
pub(crate) struct Waiter<'a> {
    pub(crate) client: &'a Client,
    pub(crate) deadline: Instant,
}

impl Waiter<'_> {
    /// Until all uploads of the report are final or the deadline has passed; states go into the report.
    ///
    /// A round goes through the uploads, oldest first, until it has met enough unfinished ones; those go to the back,
    /// so that one that hangs does not hide the others.
    pub(crate) async fn wait(&self, report: &mut Report, progress: &Progress) -> Result<End, Error> {
        let mut open: VecDeque<usize> = (0..report.uploads.len()).collect();
        let mut wait_ms = limits::CLIENT_POLL_FIRST_MS;
        let mut last = 0;
        loop {
            let in_time = tokio::time::timeout_at(self.deadline, self.round(&mut open, report, progress)).await;
            match in_time {
                Ok(done) => done?,
                Err(_) => return Ok(End::TimedOut),
            }
            if open.is_empty() {
                return Ok(End::AllFinal);
            }
            progress.hint(report.hint());
            let now = report.ended();
            wait_ms = if now > last {
                limits::CLIENT_POLL_FIRST_MS
            } else {
                (wait_ms + wait_ms / 2).min(limits::CLIENT_POLL_MS_MAX)
            };
            last = now;
            let next = Instant::now() + Duration::from_millis(wait_ms);
            if next >= self.deadline {
                tokio::time::sleep_until(self.deadline).await;
                return Ok(End::TimedOut);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn round(&self, open: &mut VecDeque<usize>, report: &mut Report, progress: &Progress) -> Result<(), Error> {
        let (mut left, mut unfinished) = (open.len(), 0);
        while left > 0 && unfinished < limits::CLIENT_POLL_UNFINISHED_MAX {
            let few = left.min(limits::CLIENT_POLL_UNFINISHED_MAX - unfinished);
            // Taken out only once they are read: a round that is cut off loses none.
            let looks = open.iter().take(few).map(|at| self.look(&report.uploads[*at].id));
            let seen = try_join_all(looks).await?;
            for status in seen {
                left -= 1;
                let Some(at) = open.pop_front() else { break };
                if !status.is_final {
                    unfinished += 1;
                    open.push_back(at);
                }
                report.seen(at, status);
            }
            progress.at(report.ended());
        }
        Ok(())
    }

    async fn look(&self, id: &str) -> Result<Status, Error> {
        self.client.get(self.client.ours(&["uploads", id])?).await
    }
}
