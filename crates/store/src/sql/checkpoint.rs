//! SQLite's write-ahead log into its file, on a connection of its own, so that no writer pays for it.

use std::sync::Weak;
use std::time::Duration;

use rollcall_model::limits::{CHECKPOINT_PAGES, CHECKPOINT_PAGES_MAX, CHECKPOINT_PAUSE_MS};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tracing::warn;

use super::writer::Writer;

/// Pages in the write-ahead log, and how many of them are in the file already.
struct Pages {
    logged: i64,
    copied: i64,
}

async fn checkpoint(connection: &mut SqliteConnection, text: &'static str) -> Result<Pages, sqlx::Error> {
    let row = sqlx::query(text).fetch_one(connection).await?;
    Ok(Pages { logged: row.try_get(1)?, copied: row.try_get(2)? })
}

/// Runs until the writer is gone.
pub(super) async fn run(writer: Weak<Writer>, mut connection: SqliteConnection) {
    let pause = Duration::from_millis(CHECKPOINT_PAUSE_MS);
    loop {
        {
            let Some(writer) = writer.upgrade() else { break };
            // Looks whether it is the last from time to time.
            let _ = tokio::time::timeout(pause * 10, writer.committed.notified()).await;
            if writer.is_closed() {
                break;
            }
            if let Err(error) = step(&writer, &mut connection).await {
                warn!(%error, "a checkpoint of the database failed; it is tried again");
            }
        }
        tokio::time::sleep(pause).await;
    }
    let _ = connection.close().await;
}

/// Copies beside the writers and readers. Where they leave it no moment to begin the log anew, the writers wait for the
/// rest of the copy, which is short.
async fn step(writer: &Writer, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let pages = checkpoint(connection, "pragma wal_checkpoint(noop)").await?;
    if pages.logged - pages.copied < CHECKPOINT_PAGES {
        return Ok(());
    }
    let pages = checkpoint(connection, "pragma wal_checkpoint(passive)").await?;
    if pages.logged > CHECKPOINT_PAGES_MAX {
        writer.alone(checkpoint(connection, "pragma wal_checkpoint(truncate)")).await??;
    }
    Ok(())
}
