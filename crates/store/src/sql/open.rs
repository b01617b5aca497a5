//! Opening a database, and what the store says about itself.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::JobId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Db, Pool, Sql, migrations};
use crate::{Error, Store};

/// The SQLite file under the data directory. SQLite gives the files beside it (`-wal`, `-shm`) its mode.
pub const SQLITE_FILE_NAME: &str = "rollcall.db";
/// Connections that read the SQLite file.
const READERS: u32 = 4;
/// Connections to PostgreSQL of one process.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;
/// How long another process may hold SQLite's write lock, and how long a caller waits for a connection.
const WAIT: Duration = Duration::from_secs(30);

const NOW: Sql = Sql {
    sqlite: "select 0 as now",
    postgres: "select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now",
};

/// The store on SQLite or PostgreSQL.
#[derive(Debug)]
pub struct SqlStore {
    pub(crate) db: Db,
    /// By job, how many more operations this process may accept before it has to count the open ones again.
    pub(crate) room: Mutex<HashMap<JobId, i64>>,
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
        let failed = |source| Error::Database { doing: "opening the SQLite file", source };
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A 202 means on disk: every commit is synced.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(WAIT);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        Self::ready(Pool::Sqlite { write, read }).await
    }

    /// On PostgreSQL.
    pub async fn postgres(url: &str) -> Result<Self, Error> {
        let failed = |source| Error::Database { doing: "connecting to PostgreSQL", source };
        let options = PgConnectOptions::from_str(url).map_err(failed)?;
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(WAIT)
            .connect_with(options)
            .await
            .map_err(failed)?;
        Self::ready(Pool::Postgres(pool)).await
    }

    async fn ready(pool: Pool) -> Result<Self, Error> {
        migrations::run(&pool).await?;
        Ok(Self { db: Db::new(pool), room: Mutex::default() })
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
