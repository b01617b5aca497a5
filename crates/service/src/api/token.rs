//! The token endpoint: client credentials alone (RFC 6749 4.4; wire contract 1.2-1.5, 1.8).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use percent_encoding::percent_decode_str;
use rollcall_model::ids::{AppId, TenantId};
use rollcall_model::{Timestamp, limits};
use rollcall_store::Application;
use rollcall_wire::oauth::{GRAPH_URI, TokenErrorBody, TokenResponse, TokenResponseV1};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::api::request::{RequestIds, read_body};
use crate::moment;
use crate::state::AppState;

const MINUTE_MS: i64 = 60_000;

/// A refused token request.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
    retry_after_s: Option<i64>,
}

impl Refused {
    fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Self { status, error, number, text: text.into(), retry_after_s: None }
    }

    fn missing(parameter: &str) -> Self {
        Self::new(
            "invalid_request",
            900_144,
            format!("The request body must contain the following parameter: '{parameter}'."),
        )
    }
}

impl From<rollcall_store::Error> for Refused {
    fn from(error: rollcall_store::Error) -> Self {
        tracing::error!(error = %error, "the store failed");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after_s: Some(5),
            ..Self::new("temporarily_unavailable", 90_033, "A transient error has occurred. Please try again.")
        }
    }
}

/// Failed requests of the last minute, by client; those without a known client are counted together.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<Option<AppId>, VecDeque<Timestamp>>>);

impl Failures {
    /// Counts one failure; seconds to wait where there were too many. A right secret is never held up, so that nobody
    /// can lock a client out by guessing in its name.
    fn count(&self, client: Option<AppId>, now: Timestamp) -> Option<i64> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = map.entry(client).or_default();
        while recent.front().is_some_and(|at| now.ms_since(*at) >= MINUTE_MS) {
            recent.pop_front();
        }
        if recent.len() >= limits::TOKEN_FAILURES_PER_MINUTE_MAX as usize {
            let oldest = recent.front().copied().unwrap_or(now);
            return Some(((MINUTE_MS - now.ms_since(oldest)) / 1_000).max(1));
        }
        recent.push_back(now);
        None
    }
}

/// Which endpoint was asked: they answer in different shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    V1,
    V2,
}

pub(crate) async fn token_v2(
    State(state): State<AppState>,
    Extension(ids): Extension<RequestIds>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&state, &ids, &tenant, &headers, body, Endpoint::V2).await
}

pub(crate) async fn token_v1(
    State(state): State<AppState>,
    Extension(ids): Extension<RequestIds>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&state, &ids, &tenant, &headers, body, Endpoint::V1).await
}

async fn answer(
    state: &AppState,
    ids: &RequestIds,
    tenant: &str,
    headers: &HeaderMap,
    body: Body,
    endpoint: Endpoint,
) -> Response {
    let now = state.clock.now();
    let form = match read_form(headers, body).await {
        Ok(form) => form,
        Err(refused) => return refuse(&refused, ids, now),
    };
    let mut client = None;
    let mut response = match grant(state, tenant, &form, &mut client, endpoint).await {
        Ok(response) => response,
        Err(mut refused) => {
            tracing::warn!(code = refused.number, client = ?client, "refused a token");
            metrics::counter!("rollcall_tokens_refused_total").increment(1);
            if let Some(wait_s) = state.failures.count(client, now) {
                refused = Refused {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    retry_after_s: Some(wait_s),
                    ..Refused::new(
                        "temporarily_unavailable",
                        90_055,
                        format!("Too many failed requests of this client. Correct the request, then wait {wait_s} s."),
                    )
                };
            }
            refuse(&refused, ids, now)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Fields of the form, first one wins; values that may be secret are held as such.
struct Form(HashMap<String, SecretString>);

impl Form {
    /// A field that is there and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(SecretString::expose_secret).filter(|value| !value.is_empty())
    }
}

async fn read_form(headers: &HeaderMap, body: Body) -> Result<Form, Refused> {
    let bytes = read_body(headers, body)
        .await
        .map_err(|error| Refused::new("invalid_request", 900_144, error.message.clone()))?;
    let bytes = zeroize::Zeroizing::new(bytes);
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(&bytes) {
        fields.entry(name.into_owned()).or_insert_with(|| SecretString::from(value.into_owned()));
    }
    // HTTP Basic stands for the two fields, each of them form-encoded (RFC 6749 2.3.1).
    if let Some((id, secret)) = headers.get(header::AUTHORIZATION).and_then(basic) {
        fields.entry("client_id".to_owned()).or_insert(id);
        fields.entry("client_secret".to_owned()).or_insert(secret);
    }
    Ok(Form(fields))
}

fn basic(value: &HeaderValue) -> Option<(SecretString, SecretString)> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let bytes = zeroize::Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let decoded = |text: &str| Some(SecretString::from(percent_decode_str(text).decode_utf8().ok()?.into_owned()));
    Some((decoded(id)?, decoded(secret)?))
}

async fn grant(
    state: &AppState,
    tenant: &str,
    form: &Form,
    client: &mut Option<AppId>,
    endpoint: Endpoint,
) -> Result<Response, Refused> {
    let tenant = known_tenant(state, tenant).await?;
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(Refused::new(
                "unsupported_grant_type",
                70_003,
                "The app requested an unsupported grant type: send grant_type=client_credentials.",
            ));
        }
        None => return Err(Refused::missing("grant_type")),
    }
    let client_id = form.get("client_id").ok_or_else(|| Refused::missing("client_id"))?;
    let application = known_client(state, tenant, client_id).await?;
    *client = Some(application.app_id);
    check_secret(state, &application, form).await?;
    let audience = audience(state, form)?;
    let roles = state.store.roles(application.service_principal).await?.into_iter().map(|grant| grant.role).collect();
    let now = state.clock.now();
    let token = state.tokens.issue(tenant, &application, roles, &audience, now, &*state.random).map_err(|error| {
        tracing::error!(error = %error, "a token could not be made");
        Refused::new("temporarily_unavailable", 90_033, "A transient error has occurred. Please try again.")
    })?;
    metrics::counter!("rollcall_tokens_issued_total").increment(1);
    Ok(granted(token, audience, now, endpoint))
}

fn granted(access_token: String, resource: String, now: Timestamp, endpoint: Endpoint) -> Response {
    // One second less than the token lives: a client that counts from the answer never sends a dead one.
    let expires_in = limits::TOKEN_LIFE_S - 1;
    let token_type = "Bearer".to_owned();
    match endpoint {
        Endpoint::V2 => {
            Json(TokenResponse { token_type, expires_in, ext_expires_in: expires_in, access_token }).into_response()
        }
        Endpoint::V1 => {
            let seconds = now.0.div_euclid(1_000_000);
            Json(TokenResponseV1 {
                token_type,
                expires_in: expires_in.to_string(),
                ext_expires_in: expires_in.to_string(),
                expires_on: (seconds + limits::TOKEN_LIFE_S).to_string(),
                not_before: seconds.to_string(),
                resource,
                access_token,
            })
            .into_response()
        }
    }
}

/// The tenant of the URL.
async fn known_tenant(state: &AppState, text: &str) -> Result<TenantId, Refused> {
    let shaped =
        !text.is_empty() && text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if !shaped {
        return Err(Refused::new(
            "invalid_request",
            900_023,
            "The tenant identifier in the URL is neither a GUID nor a domain name.",
        ));
    }
    let tenants = state.store.tenants().await?;
    let found = text.parse::<TenantId>().ok().filter(|id| tenants.iter().any(|tenant| tenant.id == *id));
    found.ok_or_else(|| {
        Refused::new(
            "invalid_request",
            90_002,
            format!("Tenant '{text}' not found: use the id that `app create` printed."),
        )
    })
}

async fn known_client(state: &AppState, tenant: TenantId, client_id: &str) -> Result<Application, Refused> {
    let found = match client_id.parse::<AppId>() {
        Ok(app_id) => state.store.application_by_app_id(tenant, app_id).await?,
        Err(_) => None,
    };
    let application = found.ok_or_else(|| {
        Refused::new("unauthorized_client", 700_016, "The client_id was not found in this tenant: send the appId.")
    })?;
    if !application.enabled {
        return Err(Refused::new("unauthorized_client", 7_000_112, "The application is disabled."));
    }
    Ok(application)
}

async fn check_secret(state: &AppState, application: &Application, form: &Form) -> Result<(), Refused> {
    let Some(secret) = form.get("client_secret") else {
        let text = if form.get("client_assertion").is_some() {
            "Certificates are not accepted here: send client_secret."
        } else {
            "'client_secret' is required for the 'client_credentials' grant type."
        };
        return Err(Refused::new("invalid_client", 7_000_216, text));
    };
    let digest = Sha256::digest(secret.as_bytes());
    let now = state.clock.now();
    let (mut is_good, mut is_over) = (false, false);
    for stored in state.store.secrets(application.id).await? {
        // Every one is compared, in constant time.
        let same = bool::from(stored.sha256.as_slice().ct_eq(digest.as_slice()));
        let current = stored.starts <= now && now < stored.ends;
        is_good |= same && current;
        is_over |= same && !current;
    }
    if is_good {
        Ok(())
    } else if is_over {
        Err(Refused::new("invalid_client", 7_000_222, "The provided client secret has expired: add a new one."))
    } else {
        Err(Refused::new(
            "invalid_client",
            7_000_215,
            "Invalid client secret provided. Send the secret's value, not its id.",
        ))
    }
}

/// The audience asked for, by `scope` or by `resource` (wire contract 1.8).
fn audience(state: &AppState, form: &Form) -> Result<String, Refused> {
    if let Some(scope) = form.get("scope").map(str::trim).filter(|scope| !scope.is_empty()) {
        if scope == ".default" {
            return Ok(GRAPH_URI.to_owned());
        }
        if scope.contains(char::is_whitespace) {
            return Err(Refused::new(
                "invalid_scope",
                70_011,
                "Ask for one resource: https://graph.microsoft.com/.default.",
            ));
        }
        let resource = scope.strip_suffix("/.default").ok_or_else(|| {
            Refused::new(
                "invalid_scope",
                1_002_012,
                "A scope of client credentials must end in /.default: https://graph.microsoft.com/.default.",
            )
        })?;
        return state.tokens.audience(resource).ok_or_else(|| {
            Refused::new("invalid_resource", 500_011, "The resource of the scope was not found in this tenant.")
        });
    }
    let resource = form.get("resource").ok_or_else(|| Refused::missing("scope"))?;
    state
        .tokens
        .audience(resource)
        .ok_or_else(|| Refused::new("invalid_resource", 50_001, "The resource was not found in this tenant."))
}

fn refuse(refused: &Refused, ids: &RequestIds, now: Timestamp) -> Response {
    let timestamp = moment::spaced(now);
    let body = TokenErrorBody {
        error: refused.error.to_owned(),
        error_description: format!(
            "AADSTS{}: {} Trace ID: {} Correlation ID: {} Timestamp: {timestamp}",
            refused.number, refused.text, ids.request, ids.client
        ),
        error_codes: vec![refused.number],
        trace_id: ids.request.clone(),
        correlation_id: ids.client.clone(),
        error_uri: format!("https://login.microsoftonline.com/error?code={}", refused.number),
        timestamp,
    };
    let mut response = (refused.status, Json(body)).into_response();
    if let Some(seconds) = refused.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
