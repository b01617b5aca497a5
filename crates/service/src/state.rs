//! What every handler is given.

use std::ops::Deref;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use rollcall_model::{Clock, Random};
use rollcall_store::{Audit, Store};

use crate::JobSecrets;
use crate::api::DirectorySchemas;
use crate::api::access::Caller;
use crate::api::health::Counted;
use crate::api::on_demand::OnDemand;
use crate::api::token::Failures;
use crate::config::Config;
use crate::tokens::Tokens;
use crate::work::Hub;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Parts>);

/// The parts of [`AppState`].
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) hub: Hub,
    pub(crate) tokens: Tokens,
    pub(crate) secrets: JobSecrets,
    pub(crate) directory_schemas: DirectorySchemas,
    pub(crate) failures: Failures,
    pub(crate) counted: Counted,
    pub(crate) on_demand: OnDemand,
    pub(crate) metrics: PrometheusHandle,
}

impl AppState {
    #[must_use]
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Origin of every link that is given out.
    #[must_use]
    pub(crate) fn public_url(&self) -> &str {
        &self.config.server.public_url
    }

    /// An audit row for what a caller is about to do.
    pub(crate) fn audit(&self, caller: &Caller, action: &str, target: &str, details: &serde_json::Value) -> Audit {
        let at = self.clock.now();
        Audit {
            id: self.random.uuid_v7(at),
            at,
            actor: caller.actor(),
            action: action.to_owned(),
            target: target.to_owned(),
            details: details.to_string(),
        }
    }
}

impl Deref for AppState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
