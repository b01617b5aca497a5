//! The directory's schema, as the service asks for it: read once when a session begins, and anew whenever it is wanted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rollcall_directory::schema;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, limits};
use tracing::debug;

use crate::controller::{Domain, Session, trouble};
use crate::look::no_directory;

/// The schema last read, and the session it was read in.
#[derive(Default)]
pub(crate) struct Schemas(Mutex<Option<(u64, serde_json::Value)>>);

impl Schemas {
    fn lock(&self) -> MutexGuard<'_, Option<(u64, serde_json::Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it anew. While the directory is too busy to be read, what was read in the same session is the answer.
    pub(crate) async fn read(&self, domain: &Domain) -> Result<serde_json::Value, Failure> {
        let session = domain.any_session().ok_or_else(no_directory)?;
        match fetch(&session).await {
            Ok(schema) => {
                *self.lock() = Some((session.number(), schema.clone()));
                Ok(schema)
            }
            Err(failure) => {
                let held = self.lock().clone().filter(|(number, _)| *number == session.number());
                held.map(|(_, schema)| schema).ok_or(failure)
            }
        }
    }

    /// Reads it in each session once, until this is dropped.
    pub(crate) async fn keep(&self, domain: &Domain) {
        let mut condition = domain.watch();
        loop {
            let session = condition.borrow_and_update().session.clone();
            let held = self.lock().as_ref().map(|(number, _)| *number);
            if let Some(session) = session.filter(|session| held != Some(session.number())) {
                match fetch(&session).await {
                    Ok(schema) => *self.lock() = Some((session.number(), schema)),
                    Err(failure) => debug!(reason = %failure.reason, "the schema cannot be read; it is tried again"),
                }
            }
            if condition.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn fetch(session: &Session) -> Result<serde_json::Value, Failure> {
    let schema = schema::read(&*session.reader).await.map_err(|error| trouble(&error))?;
    let unusable = |why: String| Failure::new(Code::InternalError, None, why);
    let value = serde_json::to_value(&schema).map_err(|error| unusable(error.to_string()))?;
    let bytes = serde_json::to_vec(&value).map_or(usize::MAX, |text| text.len());
    if bytes > limits::FRAME_BYTES_MAX / 2 {
        return Err(unusable(format!("the schema is {bytes} bytes, which is more than a frame may hold")));
    }
    Ok(value)
}
