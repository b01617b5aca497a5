//! What became of an upload (design 9).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use rollcall_model::config::JobState;
use rollcall_model::ids::{TenantId, UploadId};
use rollcall_model::operation::OperationState;
use rollcall_store::{LeaseHolder, OperationRow};
use rollcall_wire::rollcall::{OperationPlace, UploadOperation, UploadStatus};

use crate::api::access::{Caller, Reach};
use crate::api::error::ApiError;
use crate::moment;
use crate::state::AppState;

pub(crate) async fn upload(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<UploadStatus>, ApiError> {
    let unknown = || ApiError::not_found(format!("Upload '{id}' does not exist."));
    let upload_id: UploadId = id.parse().map_err(|_| unknown())?;
    let upload = state.store.upload(caller.tenant, upload_id).await?.ok_or_else(unknown)?;
    let job = state.store.job(caller.tenant, &upload.job).await?.ok_or_else(ApiError::internal)?;
    // Whoever may upload to the job may read what became of an upload.
    if caller.reach == Reach::Owned && upload.sender != caller.principal {
        let application = state.store.service_principal(caller.tenant, job.service_principal).await?;
        caller.must_reach(&application.ok_or_else(unknown)?)?;
    }
    let waiting_for = if job.state == JobState::Active {
        match &job.config.domain {
            Some(domain) if active_lease(&state, caller.tenant, domain).await?.is_some() => OperationState::Queued,
            _ => OperationState::WaitingForAgent,
        }
    } else {
        OperationState::WaitingForJob
    };
    let operations: Vec<UploadOperation> =
        upload.operations.into_iter().map(|row| operation(row, waiting_for)).collect();
    let mut counts = BTreeMap::new();
    for operation in &operations {
        *counts.entry(operation.state.clone()).or_insert(0) += 1;
    }
    let is_final = operations.iter().all(|operation| is_final(&operation.state));
    Ok(Json(UploadStatus {
        id: upload.id.0,
        job: upload.job.as_str().to_owned(),
        received: moment::exact(upload.received),
        is_final,
        counts,
        operations,
    }))
}

fn operation(row: OperationRow, waiting_for: OperationState) -> UploadOperation {
    let state = if row.state == OperationState::Queued { waiting_for } else { row.state };
    UploadOperation {
        index: row.index,
        bulk_id: row.bulk_id,
        external_id: row.external_id,
        state: state.as_str().to_owned(),
        reason: row.reason.or_else(|| row.code.map(|code| code.reason().to_owned())),
        code: row.code.map(|code| code.as_str().to_owned()),
        log_ids: row.logs.into_iter().map(|id| id.0).collect(),
        merged_into: row.merged_into.map(|(upload, index)| OperationPlace { upload: upload.0, index }),
    }
}

fn is_final(state: &str) -> bool {
    OperationState::ALL.iter().any(|known| known.as_str() == state && known.is_final())
}

/// Who works on a domain now; `None` where nobody does.
pub(crate) async fn active_lease(
    state: &AppState,
    tenant: TenantId,
    domain: &str,
) -> Result<Option<LeaseHolder>, ApiError> {
    let Some(holder) = state.store.lease(tenant, domain).await? else { return Ok(None) };
    let now = state.store.shared_now(state.clock.now()).await?;
    Ok((holder.until > now).then_some(holder))
}
