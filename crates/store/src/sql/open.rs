//! Opening a database, and what the store says about itself.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rollcall_model::Timestamp;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::intake::Room;
use super::writer::{self, Writer};
use super::{Db, Pool, Sql, checkpoint, migrations};
use crate::{Error, Store};

/// The SQLite file under the data directory. SQLite gives the files beside it (`-wal`, `-shm`) its mode.
pub const SQLITE_FILE_NAME: &str = "rollcall.db";
/// Connections that read the SQLite file.
const READERS: u32 = 4;
/// Connections to PostgreSQL of one process.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// Longest wait for a connection to PostgreSQL: a client is told that the database is gone while it still listens.
const POSTGRES_WAIT: Duration = Duration::from_secs(5);
/// Cache of the writing connection, in KiB as a negative number: the upper pages of the large tables and their indexes
/// at a million persons. It is never emptied by others' writes, as those of readers are.
const WRITE_CACHE: &str = "-32768";
/// Cache of each reading connection. No file is mapped: mapped pages would count as memory of the process.
const READ_CACHE: &str = "-8192";
/// Rows of an answer that wait for their reader: a whole batch, so that the two threads change places but once.
const ROW_BUFFER: usize = 1_024;
/// How long a checkpoint for which writers wait does so for readers.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(50);

const NOW: Sql = Sql {
    sqlite: "select 0 as now",
    postgres: "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now",
};

/// The store on SQLite or PostgreSQL.
#[derive(Debug)]
pub struct SqlStore {
    pub(crate) db: Db,
    pub(crate) room: Room,
}

/// Opens the store and brings its schema up to date. `url`: `sqlite`, for the file `rollcall.db` in `data_dir`, which
/// must exist; or `postgres://...`.
pub async fn open(url: &str, data_dir: &Path) -> Result<Arc<dyn Store>, Error> {
    let store = if url == "sqlite" {
        SqlStore::sqlite(&data_dir.join(SQLITE_FILE_NAME)).await?
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        SqlStore::postgres(url).await?
    } else {
        // Not the whole text: a mistyped URL may hold a password.
        return Err(Error::Url(url.split([':', '@']).next().unwrap_or_default().to_owned()));
    };
    Ok(Arc::new(store))
}

impl SqlStore {
    /// On SQLite, in the given file, which is made where it is missing.
    pub async fn sqlite(file: &Path) -> Result<Self, Error> {
        let failed = |source| Error::database("opening the SQLite file", source);
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A 202 means on disk. With `normal` a commit is not synced in this journal mode, and a power cut takes
            // the last ones away.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Checkpoints come from a connection of their own.
            .pragma("wal_autocheckpoint", "0")
            // What a savepoint or a sort sets aside is small: no file for it.
            .pragma("temp_store", "memory")
            .pragma("cache_size", READ_CACHE)
            .row_buffer_size(ROW_BUFFER)
            .busy_timeout(writer::WAIT);
        let writing = options.clone().pragma("cache_size", WRITE_CACHE);
        let one = SqlitePoolOptions::new().max_connections(1).connect_with(writing).await.map_err(failed)?;
        migrations::sqlite(&one).await?;
        let connection = one.acquire().await.map_err(failed)?.detach();
        // Readers are waited for at most so long while writers wait too.
        let copying = options.clone().busy_timeout(CHECKPOINT_WAIT).connect().await.map_err(failed)?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(writer::WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        let write = Arc::new(Writer::new(connection));
        tokio::spawn(checkpoint::run(Arc::downgrade(&write), copying));
        Ok(Self::new(Pool::Sqlite { write, read }))
    }

    /// On PostgreSQL.
    pub async fn postgres(url: &str) -> Result<Self, Error> {
        let failed = |source| Error::database("connecting to PostgreSQL", source);
        let options = PgConnectOptions::from_str(url).map_err(failed)?;
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(POSTGRES_WAIT)
            .connect_with(options)
            .await
            .map_err(failed)?;
        migrations::postgres(&pool).await?;
        Ok(Self::new(Pool::Postgres(pool)))
    }

    fn new(pool: Pool) -> Self {
        Self { db: Db::new(pool), room: Room::default() }
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), Error> {
        self.db.row("asking whether the database answers", sql!("select 1 as one"), args![]).await.map(|_| ())
    }

    async fn shared_now(&self, local: Timestamp) -> Result<Timestamp, Error> {
        if matches!(self.db.pool, Pool::Sqlite { .. }) {
            return Ok(local);
        }
        let row = self.db.row("asking for the time", NOW, args![]).await?;
        row.map_or(Ok(local), |row| row.time("now"))
    }

    fn engine(&self) -> &'static str {
        match self.db.pool {
            Pool::Sqlite { .. } => "sqlite",
            Pool::Postgres(_) => "postgres",
        }
    }

    fn statements(&self) -> u64 {
        self.db.statements()
    }

    async fn close(&self) {
        match &self.db.pool {
            Pool::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}
