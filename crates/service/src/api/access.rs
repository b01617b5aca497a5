//! Who may call what: bearer tokens and application roles (wire contract 2.7, 1.11).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use rollcall_model::Refusal;
use rollcall_model::ids::{AppId, ServicePrincipalId, TenantId};
use rollcall_store::Application;

use crate::api::error::ApiError;
use crate::roles::Role;
use crate::state::AppState;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: the route itself is where trust begins, or tells nothing.
    Public,
    /// Whoever holds at least one of these; those that end in `.OwnedBy` open owned applications only.
    Roles(&'static [Role]),
}

/// What of the tenant a caller's roles reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    Owned,
}

/// An authenticated caller, on a route that it may call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) principal: ServicePrincipalId,
    pub(crate) app_id: AppId,
    pub(crate) reach: Reach,
}

impl Caller {
    /// As audit rows name it.
    pub(crate) fn actor(&self) -> String {
        format!("app:{}", self.app_id)
    }

    /// Whether the caller's roles reach this application.
    pub(crate) fn reaches(&self, application: &Application) -> bool {
        self.reach == Reach::All
            || application.owner == Some(self.principal)
            || application.service_principal == self.principal
    }

    /// The same, as an error.
    pub(crate) fn must_reach(&self, application: &Application) -> Result<(), ApiError> {
        if self.reaches(application) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "Insufficient privileges to complete the operation. The caller's role ends in .OwnedBy, and the application \
             is not one it made: grant the role without .OwnedBy.",
        ))
    }
}

/// Lets a request through to a route if its token may call it.
pub(crate) async fn enforce(
    State((state, access)): State<(AppState, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    match authorize(&state, access, request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn authorize(state: &AppState, access: Access, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
    let Access::Roles(wanted) = access else { return Ok(None) };
    let refused = |message: &str| ApiError {
        challenge: Some(
            format!(
                "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/authorize\", client_id=\"{}\"",
                state.public_url(),
                rollcall_wire::oauth::GRAPH_APP_ID
            )
            .into(),
        ),
        ..ApiError::new(StatusCode::UNAUTHORIZED, Refusal::InvalidAuthenticationToken, message)
    };
    let header = headers.get(header::AUTHORIZATION).ok_or_else(|| refused("Access token is empty."))?;
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| refused("The Authorization header must be: Bearer, a space, and an access token."))?;
    let (tenant, claims) = state.tokens.verify(token, state.clock.now()).map_err(|refusal| refused(refusal.0))?;
    let (Ok(principal), Ok(app_id)) = (claims.oid.parse(), claims.appid.parse()) else {
        return Err(refused("CompactToken parsing failed: the access token is malformed."));
    };
    let held: Vec<Role> =
        wanted.iter().copied().filter(|role| claims.roles.iter().any(|value| value == role.value())).collect();
    if held.is_empty() {
        let names: Vec<&str> = wanted.iter().map(|role| role.value()).collect();
        return Err(ApiError::forbidden(format!(
            "Insufficient privileges to complete the operation. The token needs one of these application roles: {}. \
             Grant one and ask for a new token.",
            names.join(", ")
        )));
    }
    let reach = if held.iter().all(|role| role.is_owned_by()) { Reach::Owned } else { Reach::All };
    Ok(Some(Caller { tenant, principal, app_id, reach }))
}
