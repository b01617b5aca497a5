//! Documents by which OAuth libraries find the token endpoint and its keys (wire contract 1.9).

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use rollcall_model::ids::TenantId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::state::AppState;

/// `/{tenant}/v2.0/.well-known/openid-configuration` and its v1 twin.
pub(crate) async fn openid(State(state): State<AppState>, Path(tenant): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = known(&state, &tenant).await?;
    let base = format!("{}/{id}", state.public_url());
    let host = state.config.public_host();
    Ok(Json(json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": state.tokens.issuer(id),
        "request_uri_parameter_supported": false,
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "userinfo_endpoint": format!("{base}/oidc/userinfo"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nbf", "oid", "tid", "ver", "roles", "appid", "idtyp"],
        "tenant_region_scope": Value::Null,
        "cloud_instance_name": host,
        "cloud_graph_host_name": host,
        "msgraph_host": host,
    })))
}

/// `/{tenant}/discovery/v2.0/keys` and its v1 twins; `common` shows every tenant's keys.
pub(crate) async fn keys(State(state): State<AppState>, Path(tenant): Path<String>) -> Result<Json<Value>, ApiError> {
    let tenant = if tenant == "common" { None } else { Some(known(&state, &tenant).await?) };
    Ok(Json(state.tokens.jwks(tenant)))
}

/// Parameters of [`instance`].
#[derive(Deserialize)]
pub(crate) struct InstanceQuery {
    authorization_endpoint: Option<String>,
}

/// `/common/discovery/instance`: which hosts are one authority.
pub(crate) async fn instance(State(state): State<AppState>, Query(query): Query<InstanceQuery>) -> Response {
    let asked = query.authorization_endpoint.unwrap_or_default();
    let rest = asked.strip_prefix("https://").unwrap_or_default();
    let mut parts = rest.split('/');
    let (host, tenant) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if host.is_empty() || tenant.is_empty() {
        let body = json!({
            "error": "invalid_instance",
            "error_description": "AADSTS50049: authorization_endpoint must be https://host/tenant/oauth2/v2.0/authorize.",
        });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let name = host.split(':').next().unwrap_or(host);
    Json(json!({
        "tenant_discovery_endpoint":
            format!("{}/{tenant}/v2.0/.well-known/openid-configuration", state.public_url()),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": name, "preferred_cache": name, "aliases": [name] }],
    }))
    .into_response()
}

async fn known(state: &AppState, text: &str) -> Result<TenantId, ApiError> {
    let tenants = state.store.tenants().await?;
    let found = text.parse::<TenantId>().ok().filter(|id| tenants.iter().any(|tenant| tenant.id == *id));
    found.ok_or_else(|| ApiError::bad_request("The tenant of the URL was not found: use its id, a GUID."))
}
