//! Connections, transactions, bound values and rows of either engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_model::Timestamp;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, TypeInfo, ValueRef};
use uuid::Uuid;

use super::Sql;
use super::writer::{Turn, Writer};
use crate::Error;

/// A value to bind.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! arg_from {
    ($($type:ty, $value:ident => $arg:expr;)*) => {
        $(impl From<$type> for Arg {
            fn from($value: $type) -> Self {
                $arg
            }
        })*
    };
}

arg_from! {
    i64, v => Self::Int(Some(v));
    i16, v => Self::Int(Some(v.into()));
    Option<i64>, v => Self::Int(v);
    bool, v => Self::Int(Some(v.into()));
    Timestamp, v => Self::Int(Some(v.0));
    &str, v => Self::Text(Some(v.to_owned()));
    String, v => Self::Text(Some(v));
    Option<&str>, v => Self::Text(v.map(str::to_owned));
    Option<String>, v => Self::Text(v);
    &[u8], v => Self::Blob(Some(v.to_owned()));
    Vec<u8>, v => Self::Blob(Some(v));
    Uuid, v => Self::Blob(Some(v.as_bytes().to_vec()));
    Option<Uuid>, v => Self::Blob(v.map(|id| id.as_bytes().to_vec()));
}

macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Arg::from($value)),*] };
}

/// The engine and its connections.
#[derive(Debug)]
pub(crate) enum Pool {
    /// One connection that writes, several that read.
    Sqlite {
        write: Arc<Writer>,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// Whether a transaction shares its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// With others of the kind, where the engine has one writer: small ones that come in numbers.
    Shared,
    Own,
}

/// A pool that counts what it sends.
#[derive(Debug)]
pub(crate) struct Db {
    pub(crate) pool: Pool,
    statements: AtomicU64,
    /// How SQLite goes about each statement: (text, steps).
    #[cfg(test)]
    pub(crate) plans: std::sync::Mutex<std::collections::BTreeMap<String, Vec<String>>>,
}

impl Db {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            statements: AtomicU64::new(0),
            #[cfg(test)]
            plans: std::sync::Mutex::default(),
        }
    }

    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    async fn explain(&self, text: &str) {
        let Pool::Sqlite { read, .. } = &self.pool else { return };
        if self.plans.lock().unwrap().contains_key(text) {
            return;
        }
        let rows = sqlx::query::<Sqlite>(AssertSqlSafe(format!("explain query plan {text}"))).fetch_all(read).await;
        let steps = rows.unwrap().iter().map(|row| row.get::<String, _>("detail")).collect();
        self.plans.lock().unwrap().insert(text.to_owned(), steps);
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// One read outside a transaction.
    pub(crate) async fn rows(&self, doing: &'static str, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, Error> {
        let text = match self.pool {
            Pool::Sqlite { .. } => sql.sqlite,
            Pool::Postgres(_) => sql.postgres,
        };
        self.rows_of(doing, text.into_sql_str(), args).await
    }

    /// The same of a text made of our own fragments, every value bound.
    pub(crate) async fn rows_of_built(
        &self,
        doing: &'static str,
        text: String,
        args: Vec<Arg>,
    ) -> Result<Vec<Row>, Error> {
        self.rows_of(doing, AssertSqlSafe(text).into_sql_str(), args).await
    }

    async fn rows_of(&self, doing: &'static str, text: SqlStr, args: Vec<Arg>) -> Result<Vec<Row>, Error> {
        check(&args)?;
        #[cfg(test)]
        self.explain(text.as_str()).await;
        self.count();
        let failed = |source| Error::database(doing, source);
        Ok(match &self.pool {
            Pool::Sqlite { read, .. } => {
                sqlite_query(text, args).fetch_all(read).await.map_err(failed)?.into_iter().map(Row::Sqlite).collect()
            }
            Pool::Postgres(pool) => postgres_query(text, args)
                .fetch_all(pool)
                .await
                .map_err(failed)?
                .into_iter()
                .map(Row::Postgres)
                .collect(),
        })
    }

    pub(crate) async fn row(&self, doing: &'static str, sql: Sql, args: Vec<Arg>) -> Result<Option<Row>, Error> {
        Ok(self.rows(doing, sql, args).await?.into_iter().next())
    }

    /// A transaction that writes. In SQLite it takes the write lock at once: one that reads first and writes later
    /// fails without waiting.
    pub(crate) async fn begin(&self, doing: &'static str) -> Result<Transaction<'_>, Error> {
        self.begin_at(doing, Pace::Own).await
    }

    pub(crate) async fn begin_at(&self, doing: &'static str, pace: Pace) -> Result<Transaction<'_>, Error> {
        self.count();
        let failed = |source| Error::database(doing, source);
        let connection = match &self.pool {
            Pool::Sqlite { write, .. } => Connection::Sqlite(write.begin(pace).await.map_err(failed)?),
            Pool::Postgres(pool) => Connection::Postgres(pool.begin().await.map_err(failed)?),
        };
        Ok(Transaction { connection, db: self, doing })
    }
}

enum Connection {
    Sqlite(Turn),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Undone unless committed.
pub(crate) struct Transaction<'a> {
    connection: Connection,
    db: &'a Db,
    doing: &'static str,
}

impl Transaction<'_> {
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.connection, Connection::Postgres(_))
    }

    fn failed(&self) -> impl FnOnce(sqlx::Error) -> Error + use<> {
        let doing = self.doing;
        move |source| Error::database(doing, source)
    }

    /// Rows of a query, or of a write that returns some.
    pub(crate) async fn rows(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, Error> {
        check(&args)?;
        #[cfg(test)]
        self.db.explain(sql.sqlite).await;
        self.db.count();
        let failed = self.failed();
        Ok(match &mut self.connection {
            Connection::Sqlite(turn) => {
                let query = sqlite_query(sql.sqlite.into_sql_str(), args);
                let rows = match turn.connection() {
                    Ok(connection) => query.fetch_all(connection).await,
                    Err(error) => Err(error),
                }
                .map_err(failed)?;
                turn.changed(rows.len());
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Connection::Postgres(tx) => postgres_query(sql.postgres.into_sql_str(), args)
                .fetch_all(&mut **tx)
                .await
                .map_err(failed)?
                .into_iter()
                .map(Row::Postgres)
                .collect(),
        })
    }

    pub(crate) async fn row(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// A write; the number of rows it changed.
    pub(crate) async fn run(&mut self, sql: Sql, args: Vec<Arg>) -> Result<i64, Error> {
        check(&args)?;
        #[cfg(test)]
        self.db.explain(sql.sqlite).await;
        self.db.count();
        let failed = self.failed();
        let changed = match &mut self.connection {
            Connection::Sqlite(turn) => {
                let query = sqlite_query(sql.sqlite.into_sql_str(), args);
                let changed = match turn.connection() {
                    Ok(connection) => query.execute(connection).await,
                    Err(error) => Err(error),
                }
                .map_err(failed)?
                .rows_affected();
                turn.changed(usize::try_from(changed).unwrap_or(usize::MAX));
                changed
            }
            Connection::Postgres(tx) => postgres_query(sql.postgres.into_sql_str(), args)
                .execute(&mut **tx)
                .await
                .map_err(failed)?
                .rows_affected(),
        };
        Ok(i64::try_from(changed).unwrap_or(i64::MAX))
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.db.count();
        let failed = self.failed();
        match self.connection {
            Connection::Sqlite(turn) => turn.commit(self.doing).await,
            Connection::Postgres(tx) => tx.commit().await.map_err(failed),
        }
    }
}

/// PostgreSQL holds no NUL in a text; to behave alike, neither do we. Batches are JSON and check their texts when they
/// are made.
fn check(args: &[Arg]) -> Result<(), Error> {
    if args.iter().any(|arg| matches!(arg, Arg::Text(Some(text)) if text.contains('\0'))) {
        return Err(Error::Unstorable("a text holds the character NUL, which the store cannot hold".to_owned()));
    }
    Ok(())
}

macro_rules! bind_all {
    ($query:expr, $args:expr) => {{
        let mut query = $query;
        for arg in $args {
            query = match arg {
                Arg::Int(value) => query.bind(value),
                Arg::Text(value) => query.bind(value),
                Arg::Blob(value) => query.bind(value),
            };
        }
        query
    }};
}

fn sqlite_query(
    text: SqlStr,
    args: Vec<Arg>,
) -> sqlx::query::Query<'static, Sqlite, <Sqlite as sqlx::Database>::Arguments> {
    bind_all!(sqlx::query::<Sqlite>(text), args)
}

fn postgres_query(
    text: SqlStr,
    args: Vec<Arg>,
) -> sqlx::query::Query<'static, Postgres, <Postgres as sqlx::Database>::Arguments> {
    bind_all!(sqlx::query::<Postgres>(text), args)
}

/// A row of either engine, read by column name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($self:expr, $column:expr, $type:ty) => {
        match $self {
            Row::Sqlite(row) => row.try_get::<$type, _>($column),
            Row::Postgres(row) => row.try_get::<$type, _>($column),
        }
        .map_err(|source| Error::Database { doing: "reading a row", source })
    };
}

impl Row {
    pub(crate) fn opt_int(&self, column: &str) -> Result<Option<i64>, Error> {
        let Row::Postgres(row) = self else { return get!(self, column, Option<i64>) };
        // PostgreSQL tells the widths of integers apart.
        let failed = |source| Error::Database { doing: "reading a row", source };
        let name = row.try_get_raw(column).map_err(failed)?.type_info().name().to_owned();
        match name.as_str() {
            "INT2" => row.try_get::<Option<i16>, _>(column).map(|value| value.map(i64::from)),
            "INT4" => row.try_get::<Option<i32>, _>(column).map(|value| value.map(i64::from)),
            _ => row.try_get::<Option<i64>, _>(column),
        }
        .map_err(failed)
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, Error> {
        self.opt_int(column)?.ok_or_else(|| self.missing(column))
    }

    pub(crate) fn small(&self, column: &'static str) -> Result<i16, Error> {
        i16::try_from(self.int(column)?).map_err(|_| inconsistent(column, "the number is too large"))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp)
    }

    pub(crate) fn opt_time(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.opt_int(column)?.map(Timestamp))
    }

    pub(crate) fn opt_text(&self, column: &str) -> Result<Option<String>, Error> {
        get!(self, column, Option<String>)
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, Error> {
        self.opt_text(column)?.ok_or_else(|| self.missing(column))
    }

    pub(crate) fn opt_blob(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        get!(self, column, Option<Vec<u8>>)
    }

    pub(crate) fn blob(&self, column: &'static str) -> Result<Vec<u8>, Error> {
        self.opt_blob(column)?.ok_or_else(|| self.missing(column))
    }

    pub(crate) fn sha256(&self, column: &'static str) -> Result<[u8; 32], Error> {
        self.blob(column)?.try_into().map_err(|_| inconsistent(column, "it has not 32 bytes"))
    }

    /// The first half of a SHA-256.
    pub(crate) fn opt_half_sha256(&self, column: &'static str) -> Result<Option<[u8; 16]>, Error> {
        self.opt_blob(column)?
            .map(|bytes| bytes.try_into().map_err(|_| inconsistent(column, "it has not 16 bytes")))
            .transpose()
    }

    pub(crate) fn opt_uuid(&self, column: &'static str) -> Result<Option<Uuid>, Error> {
        self.opt_blob(column)?
            .map(|bytes| Uuid::from_slice(&bytes).map_err(|_| inconsistent(column, "it has not 16 bytes")))
            .transpose()
    }

    pub(crate) fn uuid(&self, column: &'static str) -> Result<Uuid, Error> {
        self.opt_uuid(column)?.ok_or_else(|| self.missing(column))
    }

    fn missing(&self, column: &'static str) -> Error {
        let columns: Vec<&str> = match self {
            Self::Sqlite(row) => row.columns().iter().map(Column::name).collect(),
            Self::Postgres(row) => row.columns().iter().map(Column::name).collect(),
        };
        inconsistent(column, &format!("it is empty (of {})", columns.join(", ")))
    }
}

/// Stored data that cannot be read back.
pub(crate) fn inconsistent(column: &'static str, why: &str) -> Error {
    Error::Inconsistent { table: "result", column, row: "-".to_owned(), why: why.to_owned() }
}
