//! Agents: one-time tokens, enrolment, the list, what is wanted of one, and the link.

mod standing;
pub(crate) mod wishes;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::body::Body;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Json};
use base64::Engine as _;
use rollcall_model::ids::AgentId;
use rollcall_model::{Refusal, limits};
use rollcall_store::{Agent, Audit, Draining, LeaseHolder, NewEnrolment};
use rollcall_wire::link::{EnrollRequest, EnrollResponse};
use rollcall_wire::rollcall::{AgentInfo, AgentList, EnrolmentToken, EnrolmentTokenRequest};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::request::read_json;
use crate::api::settings::dns_name;
use crate::api::status::active_lease;
use crate::state::AppState;
use crate::{first_start, moment};

const NAME_CHARS_MAX: usize = 64;
const KEY_BYTES: usize = 32;

pub(crate) async fn make_token(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<EnrolmentToken>), ApiError> {
    let request: EnrolmentTokenRequest = read_json(&headers, body).await?;
    let domain = dns_name(&request.domain, "/domain")?;
    let token = first_start::secret_text(&*state.random);
    let expires = state.clock.now().plus_ms(limits::ENROLMENT_TOKEN_LIFE_S * 1_000);
    let new = NewEnrolment {
        tenant: caller.tenant,
        token_sha256: Sha256::digest(token.as_bytes()).into(),
        domain: domain.clone(),
        expires,
    };
    let audit = state.audit(&caller, "agent.token", &domain, &json!({ "expires": moment::seconds(expires) }));
    state.store.create_enrolment(&new, &audit).await?;
    let shown = EnrolmentToken { token: token.to_string(), domain, expires: moment::seconds(expires) };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Anonymous: the one-time token is what opens it.
pub(crate) async fn enroll(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<EnrollResponse>), ApiError> {
    let request: EnrollRequest = read_json(&headers, body).await?;
    let name = request.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(
            ApiError::bad_request(format!("name must have 1 to {NAME_CHARS_MAX} printable characters.")).at("/name")
        );
    }
    let public_key = base64::engine::general_purpose::STANDARD
        .decode(&request.public_key)
        .ok()
        .filter(|key| key.len() == KEY_BYTES)
        .ok_or_else(|| {
            ApiError::bad_request("publicKey must be an Ed25519 public key, 32 bytes in base64.").at("/publicKey")
        })?;
    let now = state.clock.now();
    let tenants = state.store.tenants().await?;
    // The store replaces tenant and domain by those of the token.
    let tenant = tenants.first().map(|tenant| tenant.id).ok_or_else(ApiError::internal)?;
    let agent = Agent::new(AgentId(state.random.uuid_v4()), tenant, name, "", &public_key, now);
    let audit = Audit {
        id: state.random.uuid_v7(now),
        at: now,
        actor: format!("agent:{}", agent.id),
        action: "agent.enroll".to_owned(),
        target: agent.id.to_string(),
        details: json!({ "name": name }).to_string(),
    };
    let digest = Sha256::digest(request.token.trim().as_bytes()).into();
    let domain = state.store.enroll(&digest, &agent, &audit).await?.ok_or_else(|| {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            Refusal::InvalidEnrolmentToken,
            "The enrolment token is unknown, used or expired: make a new one with `rollcall agent token`.",
        )
        .at("/token")
    })?;
    Ok((StatusCode::CREATED, Json(EnrollResponse { agent: agent.id, domain })))
}

pub(crate) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<AgentList>, ApiError> {
    let agents = state.store.agents(caller.tenant).await?;
    let now = state.clock.now();
    let mut holders: BTreeMap<&str, Option<LeaseHolder>> = BTreeMap::new();
    let mut value = Vec::new();
    for agent in &agents {
        let holder = match holders.entry(&agent.domain) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(active_lease(&state, caller.tenant, &agent.domain).await?),
        };
        value.push(to_wire(agent, standing::of(agent, holder.as_ref(), &agents, now)));
    }
    Ok(Json(AgentList { value }))
}

fn to_wire(agent: &Agent, (standing, why): (standing::State, String)) -> AgentInfo {
    let key = match (&agent.new_public_key, agent.rotate_key_wanted) {
        (_, Some(_)) => Some("wanted"),
        (Some(_), None) => Some("overlap"),
        (None, None) => None,
    };
    AgentInfo {
        agent: agent.id.0,
        name: agent.name.clone(),
        domain: agent.domain.clone(),
        state: standing.as_str().to_owned(),
        why,
        controller: agent.controller.clone(),
        trouble: agent.trouble.clone(),
        version: agent.version.clone(),
        node: agent.node.map(|node| node.0),
        draining: agent.draining == Draining::Yes,
        log_filter: agent.log_filter.clone(),
        key_rotation: key.map(str::to_owned),
        enrolled: moment::exact(agent.enrolled),
        last_seen: agent.last_seen.map(moment::exact),
    }
}

/// Upgrades to the agent's WebSocket. The agent proves itself inside, against the host it dialled.
pub(crate) async fn link(
    State(state): State<AppState>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .map(without_port)
        .ok_or_else(|| ApiError::bad_request("The Host header is missing.").at("Host"))?;
    Ok(upgrade
        .max_message_size(limits::FRAME_BYTES_MAX)
        .max_frame_size(limits::FRAME_BYTES_MAX)
        .on_upgrade(move |socket| async move { state.hub.serve_agent(socket, host).await }))
}

fn without_port(host: &str) -> String {
    if let Some(end) = host.find(']') {
        return host.get(..=end).unwrap_or(host).to_lowercase();
    }
    host.split(':').next().unwrap_or(host).to_lowercase()
}
