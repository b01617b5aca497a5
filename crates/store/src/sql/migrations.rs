//! The schema, step by step. A step that was released is never edited: its checksum is stored and compared.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{PgPool, SqlSafeStr, SqlitePool};

use crate::Error;

/// (version, what it does, SQL). A step may be one engine's alone; its number is used up in both.
type Step = (i64, &'static str, &'static str);

const SQLITE: &[Step] = &[
    (1, "start", include_str!("../../migrations/sqlite/0001_start.sql")),
    (2, "speed", include_str!("../../migrations/sqlite/0002_speed.sql")),
    (3, "agents", include_str!("../../migrations/sqlite/0003_agents.sql")),
    (4, "budget", include_str!("../../migrations/sqlite/0004_budget.sql")),
    (5, "controller before", include_str!("../../migrations/sqlite/0005_controller_before.sql")),
    (6, "same data", include_str!("../../migrations/sqlite/0006_same_data.sql")),
    (7, "agent since", include_str!("../../migrations/sqlite/0007_agent_since.sql")),
    (8, "unique values", include_str!("../../migrations/sqlite/0008_unique_values.sql")),
    (9, "job schema", include_str!("../../migrations/sqlite/0009_job_schema.sql")),
    (10, "sweep", include_str!("../../migrations/sqlite/0010_sweep.sql")),
    (11, "asks", include_str!("../../migrations/sqlite/0011_asks.sql")),
];
const POSTGRES: &[Step] = &[
    (1, "start", include_str!("../../migrations/postgres/0001_start.sql")),
    (2, "speed", include_str!("../../migrations/postgres/0002_speed.sql")),
    (3, "agents", include_str!("../../migrations/postgres/0003_agents.sql")),
    (4, "budget", include_str!("../../migrations/postgres/0004_budget.sql")),
    (5, "controller before", include_str!("../../migrations/postgres/0005_controller_before.sql")),
    (6, "same data", include_str!("../../migrations/postgres/0006_same_data.sql")),
    (7, "agent since", include_str!("../../migrations/postgres/0007_agent_since.sql")),
    (8, "unique values", include_str!("../../migrations/postgres/0008_unique_values.sql")),
    (9, "job schema", include_str!("../../migrations/postgres/0009_job_schema.sql")),
    (10, "sweep", include_str!("../../migrations/postgres/0010_sweep.sql")),
    (11, "asks", include_str!("../../migrations/postgres/0011_asks.sql")),
    (12, "due order", include_str!("../../migrations/postgres/0012_due_order.sql")),
];

/// Brings the schema of an SQLite file up to date.
pub(super) async fn sqlite(pool: &SqlitePool) -> Result<(), Error> {
    migrator(SQLITE).run(pool).await.map_err(Error::Migration)
}

/// Brings the schema up to date; an advisory lock lets one node do it while the others wait.
pub(super) async fn postgres(pool: &PgPool) -> Result<(), Error> {
    migrator(POSTGRES).run(pool).await.map_err(Error::Migration)
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
