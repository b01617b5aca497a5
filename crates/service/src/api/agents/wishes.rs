//! What an administrator wants of an agent: kept in the store, audited, and acted on by whoever holds its connection.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use rollcall_model::ids::AgentId;
use rollcall_model::limits;
use rollcall_store::Draining;
use rollcall_wire::rollcall::AgentLogLevel;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::request::read_json;
use crate::state::AppState;

/// Levels by name, as filters write them.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

pub(crate) async fn drain(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_draining(&state, &caller, &agent, Draining::Yes, "agent.drain").await
}

pub(crate) async fn undrain(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
) -> Result<StatusCode, ApiError> {
    set_draining(&state, &caller, &agent, Draining::No, "agent.undrain").await
}

async fn set_draining(
    state: &AppState,
    caller: &Caller,
    agent: &str,
    draining: Draining,
    action: &str,
) -> Result<StatusCode, ApiError> {
    let id = read_id(agent)?;
    let audit = state.audit(caller, action, agent, &json!({}));
    let found = state.store.set_agent_draining(caller.tenant, id, draining, &audit).await?;
    answer(found, agent)
}

pub(crate) async fn log_level(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let id = read_id(&agent)?;
    let request: AgentLogLevel = read_json(&headers, body).await?;
    if let Some(filter) = &request.filter {
        check_filter(filter).map_err(|why| ApiError::bad_request(format!("filter {why}")).at("/filter"))?;
    }
    let audit = state.audit(&caller, "agent.logLevel", &agent, &json!({ "filter": request.filter }));
    let found = state.store.set_agent_log_filter(caller.tenant, id, request.filter.as_deref(), &audit).await?;
    answer(found, &agent)
}

pub(crate) async fn rotate_key(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(agent): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = read_id(&agent)?;
    let audit = state.audit(&caller, "agent.rotateKey", &agent, &json!({}));
    let found = state.store.want_agent_key(caller.tenant, id, audit.at, &audit).await?;
    answer(found, &agent)
}

fn read_id(text: &str) -> Result<AgentId, ApiError> {
    text.parse().map_err(|_| unknown(text))
}

fn answer(found: bool, agent: &str) -> Result<StatusCode, ApiError> {
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(agent)) }
}

fn unknown(agent: &str) -> ApiError {
    ApiError::not_found(format!("There is no agent '{agent}' in this tenant: `rollcall agent list` shows them."))
}

/// What `tracing` takes, but for a bare target: `debgu` would be one, and would switch on everything of a crate that is
/// not there.
fn check_filter(text: &str) -> Result<(), String> {
    const EXAMPLE: &str = "such as debug, or info,rollcall_agent=trace";
    let max = limits::LOG_FILTER_CHARS_MAX;
    if text.is_empty() || text.chars().count() > max || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("must be 1 to {max} characters without blanks, {EXAMPLE}."));
    }
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let plain = |part: &&str| !part.contains(['=', '[']);
    if let Some(word) = text.split(',').map(str::trim).filter(plain).find(|word| !is_level(word)) {
        return Err(format!("'{word}' is no level; there are {}. Write a target as TARGET=LEVEL.", LEVELS.join(", ")));
    }
    EnvFilter::try_new(text).map(|_| ()).map_err(|cause| format!("cannot be read ({cause}); write one {EXAMPLE}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let check = |text: &str, expected: Option<&str>| match (check_filter(text), expected) {
            (Ok(()), None) => {}
            (Err(why), Some(word)) => assert!(why.contains(word), "{text}: {why}"),
            (found, _) => panic!("{text}: {found:?}"),
        };
        for good in ["debug", "INFO", "off", "info,rollcall_agent=trace", "warn,ldap3=debug", "[work{person}]=trace"] {
            check(good, None);
        }
        check("", Some("such as debug"));
        check("warn, ldap3=debug", Some("without blanks"));
        check("debgu", Some("'debgu' is no level"));
        check("info,,debug", Some("'' is no level"));
        check("rollcall_agent", Some("TARGET=LEVEL"));
        check("rollcall_agent=loud", Some("cannot be read"));
        check("info\ndebug", Some("without blanks"));
        check(&"a=info,".repeat(200), Some("512"));
    }
}
