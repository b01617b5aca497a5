//! `GET /auditLogs/provisioning` (wire contract 4.1).

use std::collections::HashMap;

use axum::extract::{OriginalUri, State};
use axum::{Extension, Json};
use data_encoding::BASE64URL_NOPAD;
use rollcall_model::ids::{JobId, LogId, TenantId};
use rollcall_model::{Timestamp, limits};
use rollcall_store::{Application, LogOrder, LogQuery};
use rollcall_syntax::odata::{Direction, parse_order};
use rollcall_wire::graph::Collection;
use rollcall_wire::logs::ProvisioningObjectSummary;
use uuid::Uuid;

use crate::api::access::Caller;
use crate::api::condition;
use crate::api::error::ApiError;
use crate::api::path::GraphVersion;
use crate::state::AppState;

mod filter;
pub(super) mod render;

/// Service principals by the job that is theirs.
type Principals = HashMap<JobId, Application>;

/// The query options that count; others (`$skip`, `$count`, `$select`, `$expand`) are tolerated.
#[derive(Debug, Default)]
struct Asked {
    filter: Option<String>,
    order: Option<String>,
    top: Option<String>,
    skip_token: Option<String>,
}

impl Asked {
    /// Names are compared without case, with and without `$`; the first of a name counts.
    fn read(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.trim_start_matches('$').to_ascii_lowercase().as_str() {
                "filter" => &mut asked.filter,
                "orderby" => &mut asked.order,
                "top" => &mut asked.top,
                "skiptoken" => &mut asked.skip_token,
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        asked
    }
}

pub(crate) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    version: Option<Extension<GraphVersion>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Collection<ProvisioningObjectSummary>>, ApiError> {
    let version = version.unwrap_or_default().0;
    let asked = Asked::read(uri.query().unwrap_or_default());
    let limit = page_rows(asked.top.as_deref())?;
    let principals = principals(&state, caller.tenant).await?;
    let parsed = asked.filter.as_deref().filter(|text| !text.trim().is_empty()).map(condition::parse).transpose()?;
    let context = filter::Context { tenant: caller.tenant, principals: &principals };
    let query = LogQuery {
        tenant: caller.tenant,
        filter: parsed.map(|parsed| filter::to_store(&parsed, &context)).transpose()?,
        order: order(asked.order.as_deref())?,
        // One more than shown tells whether there is a next page.
        limit: i64::try_from(limit + 1).unwrap_or(i64::MAX),
        after: asked.skip_token.as_deref().map(read_skip_token).transpose()?,
    };
    let mut rows = state.store.log(&query).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_link = rows.last().filter(|_| more).map(|row| next_link(&state, version, &asked, (row.at, row.id)));
    let base = format!("{}/{}", state.public_url(), version.segment());
    let value = rows.iter().map(|row| render::row(row, principals.get(&row.job), version)).collect();
    Ok(Json(Collection { context: Some(format!("{base}/$metadata#auditLogs/provisioning")), next_link, value }))
}

/// Which application each job of the tenant belongs to.
async fn principals(state: &AppState, tenant: TenantId) -> Result<Principals, ApiError> {
    let applications = state.store.applications(tenant).await?;
    let applications: HashMap<_, _> = applications.into_iter().map(|one| (one.service_principal, one)).collect();
    let jobs = state.store.jobs(tenant).await?.into_iter();
    Ok(jobs.filter_map(|job| Some((job.id, applications.get(&job.service_principal)?.clone()))).collect())
}

fn page_rows(top: Option<&str>) -> Result<usize, ApiError> {
    let Some(text) = top else { return Ok(limits::LOG_PAGE_ROWS_DEFAULT) };
    let rows = text.trim().parse::<usize>().ok().filter(|rows| *rows > 0);
    rows.map(|rows| rows.min(limits::LOG_PAGE_ROWS_MAX))
        .ok_or_else(|| ApiError::bad_request("Invalid $top: it must be a number from 1 on.").at("$top"))
}

/// By time, either way; keys after the first change nothing, since no two rows have the same id.
fn order(text: Option<&str>) -> Result<LogOrder, ApiError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(LogOrder::NewestFirst) };
    let keys = parse_order(text, condition::LIMITS).map_err(|error| condition::syntax("$orderby", &error))?;
    match keys.first() {
        Some(key) if key.path.is("activityDateTime") => Ok(match key.direction {
            Direction::Ascending => LogOrder::OldestFirst,
            Direction::Descending => LogOrder::NewestFirst,
        }),
        _ => Err(ApiError::bad_request("$orderby knows activityDateTime only, 'asc' or 'desc'.").at("$orderby")),
    }
}

/// Opaque to clients: the last row shown.
fn skip_token((at, id): (Timestamp, LogId)) -> String {
    BASE64URL_NOPAD.encode(&[at.0.to_be_bytes().as_slice(), id.0.as_bytes()].concat())
}

fn read_skip_token(text: &str) -> Result<(Timestamp, LogId), ApiError> {
    let read = || {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (at, id) = bytes.split_first_chunk::<8>()?;
        Some((Timestamp(i64::from_be_bytes(*at)), LogId(Uuid::from_slice(id).ok()?)))
    };
    read().ok_or_else(|| {
        ApiError::bad_request("Invalid $skiptoken: follow @odata.nextLink as it was given.").at("$skiptoken")
    })
}

fn next_link(state: &AppState, version: GraphVersion, asked: &Asked, last: (Timestamp, LogId)) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("$filter", &asked.filter), ("$orderby", &asked.order), ("$top", &asked.top)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.append_pair("$skiptoken", &skip_token(last));
    format!("{}/{}/auditLogs/provisioning?{}", state.public_url(), version.segment(), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_tokens_come_back() {
        let last = (Timestamp(1_768_470_070_123_456), LogId(Uuid::from_u128(7)));
        assert_eq!(read_skip_token(&skip_token(last)).unwrap(), last);
        for text in ["", "x", "AAAA", "ä"] {
            assert!(read_skip_token(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_read_leniently() {
        let asked = Asked::read("%24FILTER=jobid%20eq%20'a'&top=5&$Top=6&$count=true&$orderBy=x");
        assert_eq!(asked.filter.as_deref(), Some("jobid eq 'a'"));
        assert_eq!(asked.top.as_deref(), Some("5"));
        assert_eq!(asked.order.as_deref(), Some("x"));
        assert_eq!(page_rows(Some("5000")).unwrap(), limits::LOG_PAGE_ROWS_MAX);
        assert!(page_rows(Some("0")).is_err() && page_rows(Some("many")).is_err());
    }
}
