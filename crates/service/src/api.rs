//! The HTTP side: routes, who may call them, and what surrounds every request.

use axum::http::{Method, StatusCode, Uri};
use axum::{Router, middleware};
use rollcall_model::Refusal;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::state::AppState;

pub(crate) mod access;
mod agents;
mod applications;
mod condition;
mod discovery;
mod error;
mod find;
pub(crate) mod health;
mod jobs;
mod links;
mod logs;
pub(crate) mod on_demand;
pub(crate) mod openapi;
mod path;
mod persons;
mod preview;
mod request;
pub(crate) mod routes;
mod schema;
mod settings;
mod status;
pub(crate) mod token;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use error::ApiError;
pub(crate) use schema::DirectorySchemas;

/// The whole application.
pub(crate) fn router(state: &AppState) -> Router {
    let mut routed = Router::new();
    for route in routes::all() {
        let guard = middleware::from_fn_with_state((state.clone(), route.access), access::enforce);
        routed = routed.route(route.path, route.handler.route_layer(guard));
    }
    let routed = routed
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown)
        .with_state(state.clone())
        .layer(CatchPanicLayer::custom(request::panicked))
        .layer(middleware::from_fn_with_state(state.clone(), request::around));
    // Paths are brought to their routed spelling before anything is routed.
    Router::new().fallback_service(ServiceBuilder::new().map_request(path::rewrite).service(routed))
}

async fn unknown(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, Refusal::UnknownPath, format!("There is nothing at {}.", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Refusal::MethodNotAllowed,
        format!("{} does not take {method}; the header Allow names what it takes.", uri.path()),
    )
}
