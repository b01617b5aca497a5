//! The schema, step by step. A step that was released is never edited: its checksum is stored and compared.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, migrate::MigrateError};

use super::Pool;
use crate::Error;

/// (version, what it does, SQL)
type Step = (i64, &'static str, &'static str);

const SQLITE: &[Step] = &[(1, "start", include_str!("../../migrations/sqlite/0001_start.sql"))];
const POSTGRES: &[Step] = &[(1, "start", include_str!("../../migrations/postgres/0001_start.sql"))];

/// Brings the schema up to date. On PostgreSQL an advisory lock lets one node do it while the others wait.
pub(super) async fn run(pool: &Pool) -> Result<(), Error> {
    let result: Result<(), MigrateError> = match pool {
        Pool::Sqlite { write, .. } => migrator(SQLITE).run(write).await,
        Pool::Postgres(pool) => migrator(POSTGRES).run(pool).await,
    };
    result.map_err(Error::Migration)
}

fn migrator(steps: &[Step]) -> Migrator {
    Migrator::with_migrations(
        steps
            .iter()
            .map(|(version, what, sql)| {
                Migration::new(*version, (*what).into(), MigrationType::Simple, sql.into_sql_str(), false)
            })
            .collect(),
    )
}
