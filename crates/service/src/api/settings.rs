//! A job's settings, status and retry, under `/rollcall/v1/jobs`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use rollcall_engine::evaluate::Prepared;
use rollcall_model::config::{
    Apply, DeleteAction, InitialPassword, JobConfig, JobState, Mapping, MappingSource, OnScopeExit, target,
};
use rollcall_model::plan::Action;
use rollcall_model::{Dn, Refusal, SourceName, limits};
use rollcall_store::{Job, LogStatus};
use rollcall_wire::rollcall::{
    ChangeCount, JobBudget, JobSettings, JobSettingsPatch, JobStatus, MatchPair, ReleaseRequest, Released, Retried,
};
use serde_json::json;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::request::read_json;
use crate::api::schema::{save_settings, state_of};
use crate::api::{find, status};
use crate::state::AppState;

pub(crate) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
) -> Result<Json<JobSettings>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    Ok(Json(to_wire(&job.config, job.schema_version)))
}

pub(crate) async fn change(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<JobSettings>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let patch: JobSettingsPatch = read_json(&headers, body).await?;
    let details = serde_json::to_value(&patch).unwrap_or_default();
    let mut config = job.config.clone();
    apply(&mut config, patch)?;
    let version = save_settings(&state, &caller, &job, config.clone(), details).await?;
    Ok(Json(to_wire(&config, version)))
}

fn to_wire(config: &JobConfig, schema_version: i64) -> JobSettings {
    let matching = config
        .mappings
        .iter()
        .filter(|mapping| mapping.matching_priority > 0)
        .min_by_key(|mapping| mapping.matching_priority);
    JobSettings {
        domain: config.domain.clone(),
        container: config.container.clone(),
        upn_suffix: config.upn_suffix.clone(),
        parent: config.mapping(target::PARENT).map(|mapping| source_text(&mapping.source)),
        cn: match config.mapping(target::CN).map(|mapping| mapping.apply) {
            Some(Apply::Always) => "always".to_owned(),
            _ => "create".to_owned(),
        },
        delete: match config.delete_action {
            DeleteAction::Off => "off".to_owned(),
            DeleteAction::Disable => "disable".to_owned(),
            DeleteAction::Delete => "delete".to_owned(),
        },
        matching: matching
            .map(|mapping| MatchPair { source: source_text(&mapping.source), attribute: mapping.target.clone() }),
        empty_is_value: config.empty_is_value,
        must_change_password: config.must_change_password,
        initial_password: match config.initial_password {
            InitialPassword::Generated => "generated".to_owned(),
            InitialPassword::None => "none".to_owned(),
        },
        create_inactive: config.create_inactive,
        enable_found_disabled: config.enable_found_disabled,
        budget: config.budget,
        on_scope_exit: match config.on_scope_exit {
            OnScopeExit::Nothing => "nothing".to_owned(),
            OnScopeExit::Disable => "disable".to_owned(),
            OnScopeExit::DisableAndMove(_) => "disableAndMove".to_owned(),
        },
        scope_exit_container: match &config.on_scope_exit {
            OnScopeExit::DisableAndMove(container) => Some(container.clone()),
            OnScopeExit::Nothing | OnScopeExit::Disable => None,
        },
        time_zone: config.time_zone.clone(),
        unique_quarantine_days: config.unique_quarantine_days,
        schema_version,
        mappings: config.mappings.clone(),
    }
}

fn source_text(source: &MappingSource) -> String {
    match source {
        MappingSource::Direct(name) => name.as_str().to_owned(),
        MappingSource::Constant(text) | MappingSource::Expression(text) => text.clone(),
        MappingSource::None => String::new(),
    }
}

fn apply(config: &mut JobConfig, patch: JobSettingsPatch) -> Result<(), ApiError> {
    if let Some(domain) = patch.domain {
        config.domain = domain.map(|text| dns_name(&text, "/domain")).transpose()?;
    }
    if let Some(container) = patch.container {
        config.container = container.map(|text| dn(text, "/container")).transpose()?;
    }
    if let Some(suffix) = patch.upn_suffix {
        let named = |text: String| dns_name(text.trim_start_matches('@'), "/upnSuffix");
        config.upn_suffix = suffix.map(named).transpose()?;
    }
    if let Some(parent) = patch.parent {
        config.mappings.retain(|mapping| !mapping.target.eq_ignore_ascii_case(target::PARENT));
        if let Some(text) = parent.filter(|text| !text.trim().is_empty()) {
            config.mappings.push(row(target::PARENT, MappingSource::Expression(text)));
        }
    }
    if let Some(cn) = patch.cn.as_deref() {
        set_cn(config, cn)?;
    }
    match patch.delete.as_deref() {
        None => {}
        Some("off") => config.delete_action = DeleteAction::Off,
        Some("disable") => config.delete_action = DeleteAction::Disable,
        Some("delete") => config.delete_action = DeleteAction::Delete,
        Some(_) => {
            return Err(ApiError::bad_request("delete must be 'off', 'disable' or 'delete'.").at("/delete"));
        }
    }
    match patch.initial_password.as_deref() {
        None => {}
        Some("generated") => config.initial_password = InitialPassword::Generated,
        Some("none") => config.initial_password = InitialPassword::None,
        Some(_) => {
            return Err(ApiError::bad_request("initialPassword must be 'generated' or 'none'.").at("/initialPassword"));
        }
    }
    if let Some(pair) = patch.matching {
        set_match(config, &pair)?;
    }
    set_scope_exit(config, patch.on_scope_exit.as_deref(), patch.scope_exit_container)?;
    if let Some(zone) = patch.time_zone {
        config.time_zone = zone.map(time_zone).transpose()?;
    }
    if let Some(days) = patch.unique_quarantine_days {
        config.unique_quarantine_days = quarantine_days(days)?;
    }
    config.budget = patch.budget.unwrap_or(config.budget);
    for (setting, wanted) in [
        (&mut config.empty_is_value, patch.empty_is_value),
        (&mut config.must_change_password, patch.must_change_password),
        (&mut config.create_inactive, patch.create_inactive),
        (&mut config.enable_found_disabled, patch.enable_found_disabled),
    ] {
        *setting = wanted.unwrap_or(*setting);
    }
    Ok(())
}

fn quarantine_days(days: u32) -> Result<u32, ApiError> {
    let max = limits::UNIQUE_QUARANTINE_DAYS_MAX;
    let refusal =
        || ApiError::bad_request(format!("uniqueQuarantineDays is at most {max}.")).at("/uniqueQuarantineDays");
    (days <= max).then_some(days).ok_or_else(refusal)
}

fn row(to: &str, source: MappingSource) -> Mapping {
    Mapping::new(to, source)
}

/// What is done to somebody who leaves the scope. A container is meant for moving, whatever stood before.
fn set_scope_exit(config: &mut JobConfig, exit: Option<&str>, container: Option<String>) -> Result<(), ApiError> {
    let container = container.map(|text| dn(text, "/scopeExitContainer")).transpose()?;
    let before = match &config.on_scope_exit {
        OnScopeExit::DisableAndMove(container) => Some(container.clone()),
        OnScopeExit::Nothing | OnScopeExit::Disable => None,
    };
    match (exit, container) {
        (None, None) => {}
        (Some("nothing"), None) => config.on_scope_exit = OnScopeExit::Nothing,
        (Some("disable"), None) => config.on_scope_exit = OnScopeExit::Disable,
        (None | Some("disableAndMove"), Some(container)) => {
            config.on_scope_exit = OnScopeExit::DisableAndMove(container);
        }
        (Some("disableAndMove"), None) => {
            let missing = "disableAndMove needs scopeExitContainer: the DN that accounts are moved to.";
            let container = before.ok_or_else(|| ApiError::bad_request(missing).at("/scopeExitContainer"))?;
            config.on_scope_exit = OnScopeExit::DisableAndMove(container);
        }
        (Some("nothing" | "disable"), Some(_)) => {
            let message = "scopeExitContainer goes with onScopeExit disableAndMove only.";
            return Err(ApiError::bad_request(message).at("/scopeExitContainer"));
        }
        (Some(_), _) => {
            let message = "onScopeExit must be 'nothing', 'disable' or 'disableAndMove'.";
            return Err(ApiError::bad_request(message).at("/onScopeExit"));
        }
    }
    Ok(())
}

/// A zone of the IANA database.
fn time_zone(name: String) -> Result<String, ApiError> {
    match jiff::tz::TimeZone::get(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err(ApiError::bad_request(format!(
            "'{name}' is no time zone: write it as in Europe/Berlin, or null for UTC."
        ))
        .at("/timeZone")),
    }
}

/// When an account's name is written.
fn set_cn(config: &mut JobConfig, cn: &str) -> Result<(), ApiError> {
    let apply = match cn {
        "create" => Apply::OnCreate,
        "always" => Apply::Always,
        _ => return Err(ApiError::bad_request("cn must be 'create' or 'always'.").at("/cn")),
    };
    let mapping = config.mappings.iter_mut().find(|mapping| mapping.target.eq_ignore_ascii_case(target::CN));
    let mapping = mapping.ok_or_else(|| ApiError::bad_request("The job maps no cn.").at("/cn"))?;
    mapping.apply = apply;
    Ok(())
}

/// Makes one pair the only one that is matched on. The attribute is written when an account is made.
fn set_match(config: &mut JobConfig, pair: &MatchPair) -> Result<(), ApiError> {
    let attribute = pair.attribute.trim();
    let shaped = attribute.starts_with(|c: char| c.is_ascii_alphabetic())
        && attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !shaped {
        return Err(ApiError::bad_request("match.attribute must be an attribute's LDAP name, such as employeeID.")
            .at("/match/attribute"));
    }
    let source = MappingSource::Direct(SourceName::new(pair.source.trim()));
    for mapping in &mut config.mappings {
        mapping.matching_priority = 0;
    }
    let found = config.mappings.iter_mut().find(|mapping| mapping.target.eq_ignore_ascii_case(attribute));
    if let Some(mapping) = found {
        mapping.source = source;
        mapping.matching_priority = 1;
    } else {
        config.mappings.insert(0, Mapping { apply: Apply::OnCreate, matching_priority: 1, ..row(attribute, source) });
    }
    Ok(())
}

/// A DNS name, in lower case (RFC 1035 2.3.1).
pub(crate) fn dns_name(text: &str, place: &str) -> Result<String, ApiError> {
    let name = text.trim().trim_end_matches('.').to_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name);
    }
    Err(ApiError::bad_request(format!(
        "{} must be a DNS name such as corp.example.com.",
        place.trim_start_matches('/')
    ))
    .at(place))
}

fn dn(text: String, place: &str) -> Result<String, ApiError> {
    match Dn::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(ApiError::bad_request(format!(
            "{} {error}: write it like OU=Staff,DC=corp,DC=example,DC=com.",
            place.trim_start_matches('/')
        ))
        .at(place)),
    }
}

/// Refuses mappings that cannot be used: names the target, the place in its text, and the remedy.
pub(crate) fn check_mappings(config: &JobConfig, schema_version: i64) -> Result<(), ApiError> {
    let domain = config.domain.as_deref().unwrap_or_default();
    let Err(problems) = Prepared::new(config, schema_version, domain) else { return Ok(()) };
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| {
            let at =
                problem.at.map_or_else(String::new, |span| format!(" at characters {} to {}", span.start, span.end));
            let hint = problem.hint.as_deref().map_or_else(String::new, |hint| format!("; {hint}"));
            format!("mapping of {}{at}: {}{hint}", problem.target, problem.message)
        })
        .collect();
    let is_parent = problems.first().is_some_and(|problem| problem.target.eq_ignore_ascii_case(target::PARENT));
    let place = if is_parent { "/parent" } else { "/mappings" };
    Err(ApiError::new(axum::http::StatusCode::BAD_REQUEST, Refusal::SchemaInvalid, texts.join(". ")).at(place))
}

pub(crate) async fn job_status(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
) -> Result<Json<JobStatus>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let counts = state.store.job_counts(&job.id).await?;
    let budget = state.store.budget_state(&job.id, state.clock.now()).await?;
    let holder = match &job.config.domain {
        Some(domain) => status::active_lease(&state, caller.tenant, domain).await?,
        None => None,
    };
    let schema_targets = state_of(&state, &job).await?;
    let sweep = crate::api::persons::sweep_of(&state, &job).await?;
    Ok(Json(JobStatus {
        id: job.id.as_str().to_owned(),
        service_principal: job.service_principal.0,
        state: state_name(&job).to_owned(),
        domain: job.config.domain,
        active_agent: holder.map(|holder| holder.agent.0),
        schema_version: job.schema_version,
        schema_targets,
        operations: counts.operations.iter().map(|(state, count)| (state.as_str().to_owned(), *count)).collect(),
        persons: counts.persons,
        linked: counts.linked,
        due: counts.due,
        failed: counts.failed,
        budget: JobBudget {
            limit: job.config.budget,
            used: budget.used,
            staged: budget.staged,
            released: budget.released,
        },
        sweep,
        changes: counts
            .changes
            .iter()
            .filter_map(|((action, status), count)| {
                Some(ChangeCount {
                    action: action_name(Action::from_number(*action)?).to_owned(),
                    status: LogStatus::from_number(*status)?.as_str().to_owned(),
                    count: *count,
                })
            })
            .collect(),
    }))
}

/// Our own word for an action, which tells enable, move and rename from update.
fn action_name(action: Action) -> &'static str {
    match action {
        Action::Enable => "enable",
        Action::Move => "move",
        Action::Rename => "rename",
        other => other.graph_name(),
    }
}

fn state_name(job: &Job) -> &'static str {
    match job.state {
        JobState::NotRun => "notRun",
        JobState::Active => "active",
        JobState::Paused => "paused",
    }
}

pub(crate) async fn retry(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
) -> Result<Json<Retried>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let audit = state.audit(&caller, "job.retry", job.id.as_str(), &json!({}));
    let persons = state.store.retry(caller.tenant, &job.id, state.clock.now(), &audit).await?;
    state.hub.changed();
    Ok(Json(Retried { persons }))
}

/// Lets go those whom the budget holds back.
pub(crate) async fn release(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Released>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let ReleaseRequest { count } = read_json(&headers, body).await?;
    if count == Some(0) {
        return Err(ApiError::bad_request("count must be at least 1; leave it out to release all.").at("/count"));
    }
    let audit = state.audit(&caller, "job.release", job.id.as_str(), &json!({ "count": count }));
    let persons = state.store.release(caller.tenant, &job.id, count, state.clock.now(), &audit).await?;
    state.hub.changed();
    Ok(Json(Released { persons }))
}
