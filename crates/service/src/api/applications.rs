//! Applications, service principals, secrets and granted roles, as far as clients of provisioning need them (wire
//! contract 3.15).

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_model::ids::{AppId, ApplicationId, ServicePrincipalId};
use rollcall_store::{Application, NewApplication, NewSecret, RoleGrant};
use rollcall_wire::graph;
use rollcall_wire::oauth::GRAPH_APP_ID;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::request::read_json;
use crate::api::{condition, find};
use crate::roles::Role;
use crate::state::AppState;
use crate::{first_start, moment};

/// Object id of the Graph resource's own service principal, the same in every tenant.
pub(crate) const GRAPH_PRINCIPAL: Uuid = Uuid::from_u128(0x7f0c_2a51_6d3e_4b08_9c41_0a5e_d2b7_9f60);
const GRAPH_NAME: &str = "Microsoft Graph";
const NAME_CHARS_MAX: usize = 256;
/// Graph's own default.
const SECRET_LIFE_MS: i64 = 2 * 365 * 86_400_000;

/// Parameters of lists; what is not named here is tolerated.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(rename = "$filter")]
    filter: Option<String>,
}

pub(crate) async fn templates(
    Query(query): Query<ListQuery>,
) -> Result<Json<graph::Collection<graph::ApplicationTemplate>>, ApiError> {
    let template = template();
    let shown = match &query.filter {
        None => true,
        Some(text) => condition::passes(&condition::parse(text)?, &|path| {
            path.is("displayName").then_some(template.display_name.as_str())
        })?,
    };
    Ok(list(shown.then_some(template).into_iter().collect()))
}

fn template() -> graph::ApplicationTemplate {
    graph::ApplicationTemplate {
        id: graph::CUSTOM_APP_TEMPLATE,
        display_name: "API-driven provisioning to on-premises Active Directory".to_owned(),
        home_page_url: None,
        supported_single_sign_on_modes: Vec::new(),
        supported_provisioning_types: vec!["sync".to_owned()],
        logo_url: None,
        categories: vec!["humanResources".to_owned()],
        publisher: "Rollcall".to_owned(),
        description: "Turns uploaded HR records into Active Directory accounts.".to_owned(),
    }
}

fn list<T>(value: Vec<T>) -> Json<graph::Collection<T>> {
    Json(graph::Collection { context: None, next_link: None, value })
}

pub(crate) async fn instantiate(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(template): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<graph::InstantiateResponse>), ApiError> {
    if !template.eq_ignore_ascii_case(&graph::CUSTOM_APP_TEMPLATE.to_string()) {
        return Err(ApiError::not_found(format!(
            "Application template '{template}' does not exist: use {}.",
            graph::CUSTOM_APP_TEMPLATE
        )));
    }
    let request: graph::InstantiateRequest = read_json(&headers, body).await?;
    let name = request.display_name.trim();
    if name.is_empty() || name.contains('\0') || name.chars().count() > NAME_CHARS_MAX {
        return Err(ApiError::bad_request(format!(
            "displayName must have 1 to {NAME_CHARS_MAX} characters, none of them NUL."
        ))
        .at("/displayName"));
    }
    let now = state.clock.now();
    let application = Application {
        id: ApplicationId(state.random.uuid_v4()),
        app_id: AppId(state.random.uuid_v4()),
        service_principal: ServicePrincipalId(state.random.uuid_v4()),
        display_name: name.to_owned(),
        enabled: true,
        owner: Some(caller.principal),
        created: now,
    };
    let audit = state.audit(
        &caller,
        "application.create",
        &application.id.to_string(),
        &json!({ "displayName": name, "appId": application.app_id }),
    );
    let new = NewApplication { tenant: caller.tenant, application: application.clone(), job: None };
    state.store.create_application(&new, &audit).await?;
    let made = graph::InstantiateResponse {
        application: to_application(&application),
        service_principal: to_principal(&application),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

fn to_application(application: &Application) -> graph::Application {
    graph::Application {
        id: application.id.0,
        object_id: application.id.0,
        app_id: application.app_id.0,
        application_template_id: Some(graph::CUSTOM_APP_TEMPLATE),
        display_name: application.display_name.clone(),
        created_date_time: moment::seconds(application.created),
    }
}

fn to_principal(application: &Application) -> graph::ServicePrincipal {
    graph::ServicePrincipal {
        id: application.service_principal.0,
        object_id: application.service_principal.0,
        app_id: application.app_id.0,
        account_enabled: application.enabled,
        display_name: application.display_name.clone(),
        app_display_name: application.display_name.clone(),
        service_principal_type: "Application".to_owned(),
        app_roles: Vec::new(),
    }
}

fn graph_principal() -> graph::ServicePrincipal {
    graph::ServicePrincipal {
        id: GRAPH_PRINCIPAL,
        object_id: GRAPH_PRINCIPAL,
        app_id: Uuid::parse_str(GRAPH_APP_ID).unwrap_or_default(),
        account_enabled: true,
        display_name: GRAPH_NAME.to_owned(),
        app_display_name: GRAPH_NAME.to_owned(),
        service_principal_type: "Application".to_owned(),
        app_roles: Role::ALL.iter().map(|role| role.to_app_role()).collect(),
    }
}

pub(crate) async fn applications(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
) -> Result<Json<graph::Collection<graph::Application>>, ApiError> {
    let filter = query.filter.as_deref().map(condition::parse).transpose()?;
    let mut shown = Vec::new();
    for application in state.store.applications(caller.tenant).await? {
        let one = to_application(&application);
        if caller.reaches(&application) && named(filter.as_ref(), one.id, one.app_id, &one.display_name)? {
            shown.push(one);
        }
    }
    Ok(list(shown))
}

/// Whether a row with these properties passes a filter.
fn named(
    filter: Option<&rollcall_syntax::odata::Filter>,
    id: Uuid,
    app_id: Uuid,
    name: &str,
) -> Result<bool, ApiError> {
    let Some(filter) = filter else { return Ok(true) };
    let (id, app_id) = (id.to_string(), app_id.to_string());
    condition::passes(filter, &|path| {
        [("id", id.as_str()), ("objectId", &id), ("appId", &app_id), ("displayName", name)]
            .into_iter()
            .find(|(known, _)| path.is(known))
            .map(|(_, value)| value)
    })
}

pub(crate) async fn application(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<graph::Application>, ApiError> {
    Ok(Json(to_application(&find::application(&state, &caller, &id).await?)))
}

pub(crate) async fn principals(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
) -> Result<Json<graph::Collection<graph::ServicePrincipal>>, ApiError> {
    let filter = query.filter.as_deref().map(condition::parse).transpose()?;
    let mut all = vec![graph_principal()];
    for application in state.store.applications(caller.tenant).await? {
        if caller.reaches(&application) {
            all.push(to_principal(&application));
        }
    }
    let mut shown = Vec::new();
    for one in all {
        if named(filter.as_ref(), one.id, one.app_id, &one.display_name)? {
            shown.push(one);
        }
    }
    Ok(list(shown))
}

pub(crate) async fn principal(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<graph::ServicePrincipal>, ApiError> {
    let own = graph_principal();
    let app_id = id.strip_prefix("appId=").unwrap_or_default();
    if app_id.eq_ignore_ascii_case(GRAPH_APP_ID) || id == own.id.to_string() {
        return Ok(Json(own));
    }
    let application = find::principal(&state, &caller, &id).await?;
    caller.must_reach(&application)?;
    Ok(Json(to_principal(&application)))
}

pub(crate) async fn add_password(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<graph::PasswordCredential>, ApiError> {
    let application = find::application(&state, &caller, &id).await?;
    let request = read_json::<graph::AddPasswordRequest>(&headers, body).await?.password_credential;
    let moment_of = |text: Option<&String>, name: &str| {
        text.map(|text| {
            moment::parse(text).ok_or_else(|| {
                ApiError::bad_request(format!("{name} must be a date-time such as 2027-01-31T00:00:00Z."))
                    .at(format!("/passwordCredential/{name}"))
            })
        })
        .transpose()
    };
    let starts = moment_of(request.start_date_time.as_ref(), "startDateTime")?.unwrap_or_else(|| state.clock.now());
    let ends = moment_of(request.end_date_time.as_ref(), "endDateTime")?.unwrap_or(starts.plus_ms(SECRET_LIFE_MS));
    if ends <= starts {
        return Err(ApiError::bad_request("endDateTime must be later than startDateTime.")
            .at("/passwordCredential/endDateTime"));
    }
    let name: String =
        request.display_name.unwrap_or_default().replace('\0', "").chars().take(NAME_CHARS_MAX).collect();
    let text = first_start::secret_text(&*state.random);
    let secret = first_start::secret(&text, &name, starts, ends, &*state.random);
    let audit = state.audit(
        &caller,
        "application.addPassword",
        &application.id.to_string(),
        &json!({ "keyId": secret.key_id, "displayName": name, "ends": moment::seconds(ends) }),
    );
    let shown = graph::PasswordCredential {
        key_id: secret.key_id.0,
        secret_text: text.to_string(),
        hint: secret.hint.clone(),
        display_name: (!name.is_empty()).then_some(name),
        start_date_time: moment::seconds(starts),
        end_date_time: moment::seconds(ends),
        custom_key_identifier: None,
    };
    state.store.add_secret(caller.tenant, &NewSecret { application: application.id, secret }, &audit).await?;
    Ok(Json(shown))
}

pub(crate) async fn role_assignments(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<graph::Collection<graph::AppRoleAssignment>>, ApiError> {
    let application = find::principal(&state, &caller, &id).await?;
    caller.must_reach(&application)?;
    let grants = state.store.roles(application.service_principal).await?;
    Ok(list(grants.iter().filter_map(|grant| to_assignment(&application, grant)).collect()))
}

fn to_assignment(application: &Application, grant: &RoleGrant) -> Option<graph::AppRoleAssignment> {
    Some(graph::AppRoleAssignment {
        id: grant.id.to_string(),
        created_date_time: moment::seconds(grant.created),
        deleted_date_time: None,
        principal_type: "ServicePrincipal".to_owned(),
        principal_id: application.service_principal.0,
        principal_display_name: application.display_name.clone(),
        resource_id: GRAPH_PRINCIPAL,
        resource_display_name: GRAPH_NAME.to_owned(),
        app_role_id: Role::by_value(&grant.role)?.id(),
    })
}

/// Grants a role, by the principal's collection or by the resource's.
pub(crate) async fn assign_role(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<graph::AppRoleAssignment>), ApiError> {
    let request: graph::AppRoleAssignmentRequest = read_json(&headers, body).await?;
    if request.resource_id != GRAPH_PRINCIPAL {
        return Err(ApiError::bad_request(format!(
            "resourceId must be the service principal of Microsoft Graph, {GRAPH_PRINCIPAL}."
        ))
        .at("/resourceId"));
    }
    let role = Role::by_id(request.app_role_id).ok_or_else(|| {
        ApiError::bad_request(
            "appRoleId is no role of this resource: GET /servicePrincipals(appId='00000003-0000-0000-c000-000000000000') \
             lists them under appRoles.",
        )
        .at("/appRoleId")
    })?;
    let application = find::principal(&state, &caller, &request.principal_id.to_string()).await?;
    let named_in_path =
        id == application.service_principal.to_string() || id == format!("appId={}", application.app_id);
    let by_resource = id == GRAPH_PRINCIPAL.to_string() || id == format!("appId={GRAPH_APP_ID}");
    if !named_in_path && !by_resource {
        return Err(ApiError::bad_request("principalId is not the service principal of the URL.").at("/principalId"));
    }
    let now = state.clock.now();
    let grant = RoleGrant {
        id: state.random.uuid_v4(),
        principal: application.service_principal,
        role: role.value().to_owned(),
        created: now,
    };
    let audit = state.audit(
        &caller,
        "role.grant",
        &application.service_principal.to_string(),
        &json!({ "role": role.value() }),
    );
    let stored = state.store.grant_role(caller.tenant, &grant, &audit).await?;
    let shown = to_assignment(&application, &stored).ok_or_else(ApiError::internal)?;
    Ok((StatusCode::CREATED, Json(shown)))
}
