//! SQLite's one writing connection, and commits that several transactions share.
//!
//! A commit costs a sync of the disk. Transactions that are begun as [`Pace::Shared`] while another of the kind is at
//! work go into one commit: each is a savepoint of its own, so that one that fails leaves its neighbours alone, and
//! each has its answer once the commit is on disk. The commit comes when nobody else is waiting, or after
//! `GROUP_COMMIT_MS_MAX` or `GROUP_COMMIT_ROWS_MAX`; one alone never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollcall_model::limits::{GROUP_COMMIT_MS_MAX, GROUP_COMMIT_ROWS_MAX};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout};

use super::Pace;
use crate::Error;

/// How long a caller waits for its turn.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// What a commit came to, told to each of its transactions.
type Ending = Result<(), Failure>;

/// A failed commit.
#[derive(Clone, Debug)]
struct Failure {
    is_full: bool,
    text: String,
}

impl Failure {
    fn of(error: &sqlx::Error) -> Self {
        Self { is_full: crate::is_full(error), text: error.to_string() }
    }

    fn error(self, doing: &'static str) -> Error {
        if self.is_full {
            return Error::NoSpace { doing };
        }
        Error::Database { doing, source: sqlx::Error::Protocol(self.text) }
    }
}

/// The connection, and the commit that is being gathered.
#[derive(Debug)]
struct Channel {
    /// `None` once closed.
    connection: Option<SqliteConnection>,
    /// Since when the commit is being gathered; `None`: no transaction is open.
    began: Option<Instant>,
    /// Which commit it is.
    number: u64,
    rows: usize,
    /// Transactions that are done and wait for it.
    members: Vec<oneshot::Sender<Ending>>,
    /// Whether a transaction is at work, or vanished at work.
    is_inside: bool,
}

/// The queue before the connection.
#[derive(Debug)]
pub(crate) struct Writer {
    channel: Arc<Mutex<Channel>>,
    /// Transactions of the shared pace that wait for their turn.
    queued: AtomicUsize,
    /// Told of every commit, for the checkpoints.
    pub(super) committed: Notify,
}

/// One of those that wait; counted until its turn comes or it gives up.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Self(counter)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A transaction's turn at the connection.
pub(crate) struct Turn {
    channel: Option<OwnedMutexGuard<Channel>>,
    writer: Arc<Writer>,
    is_shared: bool,
    /// Whether it is a savepoint behind others.
    is_savepoint: bool,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        let channel = Channel {
            connection: Some(connection),
            began: None,
            number: 0,
            rows: 0,
            members: Vec::new(),
            is_inside: false,
        };
        Self { channel: Arc::new(Mutex::new(channel)), queued: AtomicUsize::new(0), committed: Notify::new() }
    }

    async fn lock(&self) -> Result<OwnedMutexGuard<Channel>, sqlx::Error> {
        timeout(WAIT, Arc::clone(&self.channel).lock_owned()).await.map_err(|_| sqlx::Error::PoolTimedOut)
    }

    /// A transaction that has the write lock.
    pub(crate) async fn begin(self: &Arc<Self>, pace: Pace) -> Result<Turn, sqlx::Error> {
        let queued = (pace == Pace::Shared).then(|| Queued::new(&self.queued));
        let mut channel = self.lock().await?;
        drop(queued);
        channel.tidy().await?;
        if pace == Pace::Own && channel.began.is_some() {
            // In a task of its own: the members' answers do not depend on this caller's patience.
            let writer = Arc::clone(self);
            let ended = tokio::spawn(async move {
                writer.end(&mut channel).await;
                channel
            });
            channel = ended.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        }
        let is_savepoint = channel.began.is_some();
        channel.is_inside = true;
        let mut turn =
            Turn { channel: Some(channel), writer: Arc::clone(self), is_shared: pace == Pace::Shared, is_savepoint };
        let channel = turn.channel()?;
        if is_savepoint {
            channel.run("savepoint member").await?;
        } else {
            channel.began = Some(Instant::now());
            channel.run("begin immediate").await?;
        }
        Ok(turn)
    }

    /// Commits what was gathered and tells everybody.
    async fn end(&self, channel: &mut Channel) {
        let ending = channel.run("commit").await.map_err(|error| Failure::of(&error));
        if ending.is_err() {
            // It fails where the engine has rolled back itself.
            let _ = channel.run("rollback").await;
        }
        channel.finish(&ending);
        self.committed.notify_one();
    }

    /// Ends the gathering whatever becomes of the caller.
    fn end_soon(self: &Arc<Self>, mut channel: OwnedMutexGuard<Channel>) {
        let writer = Arc::clone(self);
        tokio::spawn(async move { writer.end(&mut channel).await });
    }

    /// Does something on another connection while nobody writes.
    pub(super) async fn alone<T>(&self, work: impl Future<Output = T>) -> Result<T, sqlx::Error> {
        let mut channel = self.lock().await?;
        channel.tidy().await?;
        if channel.began.is_some() {
            self.end(&mut channel).await;
        }
        Ok(work.await)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.channel.try_lock().is_ok_and(|channel| channel.connection.is_none())
    }

    pub(crate) async fn close(&self) {
        let mut channel = self.channel.lock().await;
        let _ = channel.tidy().await;
        if channel.began.is_some() {
            self.end(&mut channel).await;
        }
        if let Some(connection) = channel.connection.take() {
            let _ = connection.close().await;
        }
        self.committed.notify_one();
    }
}

impl Channel {
    fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(text).execute(self.connection()?).await.map(|_| ())
    }

    fn finish(&mut self, ending: &Ending) {
        for member in self.members.drain(..) {
            // One that vanished does not want to know.
            let _ = member.send(ending.clone());
        }
        self.began = None;
        self.is_inside = false;
        self.rows = 0;
        self.number += 1;
    }

    /// Undoes what a transaction left that ended without a commit.
    async fn tidy(&mut self) -> Result<(), sqlx::Error> {
        if self.connection.is_none() {
            return Err(sqlx::Error::PoolClosed);
        }
        if !self.is_inside {
            return Ok(());
        }
        self.is_inside = false;
        if self.members.is_empty() {
            let _ = self.run("rollback").await;
            self.finish(&Ok(()));
            return Ok(());
        }
        let undone = match self.run("rollback to member").await {
            Ok(()) => self.run("release member").await,
            Err(error) => Err(error),
        };
        if let Err(error) = undone {
            // The engine has rolled everything back: a full disk does that.
            let _ = self.run("rollback").await;
            self.finish(&Err(Failure::of(&error)));
        }
        Ok(())
    }
}

impl Turn {
    fn channel(&mut self) -> Result<&mut Channel, sqlx::Error> {
        self.channel.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.channel()?.connection()
    }

    /// Counts what goes into the commit.
    pub(crate) fn changed(&mut self, rows: usize) {
        if let Ok(channel) = self.channel() {
            channel.rows += rows;
        }
    }

    /// Returns when it is on disk.
    pub(crate) async fn commit(mut self, doing: &'static str) -> Result<(), Error> {
        let failed = |source| Error::database(doing, source);
        let is_savepoint = self.is_savepoint;
        if is_savepoint {
            self.channel().map_err(failed)?.run("release member").await.map_err(failed)?;
        }
        let (sender, ending) = oneshot::channel();
        let Some(mut channel) = self.channel.take() else { return Err(failed(sqlx::Error::PoolClosed)) };
        channel.is_inside = false;
        channel.members.push(sender);
        let number = channel.number;
        let is_over = channel.began.is_none_or(|began| began.elapsed() >= GROUP_COMMIT)
            || channel.rows >= GROUP_COMMIT_ROWS_MAX
            || self.writer.queued.load(Ordering::Acquire) == 0;
        if is_over || !self.is_shared {
            self.writer.end_soon(channel);
        } else {
            drop(channel);
        }
        self.ended(number, ending).await.map_err(|failure| failure.error(doing))
    }

    /// The commit's ending. Whoever was to come next may have given up, so each member sees to it after a while.
    async fn ended(&self, number: u64, mut ending: oneshot::Receiver<Ending>) -> Ending {
        let lost = || Failure { is_full: false, text: "the commit was given up".to_owned() };
        if let Ok(told) = timeout(GROUP_COMMIT, &mut ending).await {
            return told.unwrap_or_else(|_| Err(lost()));
        }
        if let Ok(channel) = self.writer.lock().await
            && channel.number == number
            && !channel.is_inside
        {
            self.writer.end_soon(channel);
        }
        ending.await.unwrap_or_else(|_| Err(lost()))
    }
}

const GROUP_COMMIT: Duration = Duration::from_millis(GROUP_COMMIT_MS_MAX);

impl Drop for Turn {
    /// One that ends without a commit is undone at once; without a runtime, by the next.
    fn drop(&mut self) {
        let Some(mut channel) = self.channel.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let writer = Arc::clone(&self.writer);
            runtime.spawn(async move {
                if channel.tidy().await.is_ok() && channel.began.is_some() {
                    writer.end(&mut channel).await;
                }
            });
        }
    }
}
