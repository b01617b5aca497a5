//! The expression language as Graph shows it: operators, functions, and trying an expression (wire contract 3.8, 3.13).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use rollcall_engine::expression::{self, Context, Value as Yielded};
use rollcall_engine::scope::filter_operators;
use rollcall_model::Code;
use rollcall_model::config::MappingSource;
use rollcall_syntax::{Span, render_caret};
use rollcall_wire::graph::Collection;
use rollcall_wire::graph::schema::{
    AttributeMappingFunctionSchema, AttributeMappingParameterSchema, AttributeMappingSource, FilterOperatorSchema,
    ParseExpressionRequest, ParseExpressionResponse, PublicError, source_tree, type_name,
};
use serde_json::{Map, Value};

use super::document::parameter_name;
use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_json;
use crate::state::AppState;

fn whole<T>(value: Vec<T>) -> Json<Collection<T>> {
    Json(Collection { context: None, next_link: None, value })
}

pub(crate) async fn operators(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Json<Collection<FilterOperatorSchema>>, ApiError> {
    find::job_under(&state, &caller, &principal, &job).await?;
    let shown = filter_operators().iter().map(|operator| FilterOperatorSchema {
        id: operator.id.to_owned(),
        name: operator.id.to_owned(),
        arity: operator.arity.to_owned(),
        multivalued_comparison_type: operator.multivalued_comparison_type.to_owned(),
        supported_attribute_types: operator
            .supported_attribute_types
            .iter()
            .map(|kind| type_name(*kind).to_owned())
            .collect(),
    });
    Ok(whole(shown.collect()))
}

pub(crate) async fn functions(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Json<Collection<AttributeMappingFunctionSchema>>, ApiError> {
    find::job_under(&state, &caller, &principal, &job).await?;
    let usable = expression::functions().filter(|function| function.refusal().is_none());
    let shown = usable.map(|function| AttributeMappingFunctionSchema {
        id: function.name.to_owned(),
        name: function.name.to_owned(),
        parameters: function
            .parameters
            .iter()
            .map(|parameter| AttributeMappingParameterSchema {
                name: parameter.name.to_owned(),
                required: parameter.required,
                kind: parameter.kind.attribute_type().to_owned(),
                allow_multiple_occurrences: parameter.repeats,
            })
            .collect(),
    });
    Ok(whole(shown.collect()))
}

/// Parses an expression and evaluates it on the properties that are sent. Nothing is stored.
pub(crate) async fn parse(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ParseExpressionResponse>, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let request: ParseExpressionRequest = read_json(&headers, body).await?;
    let text = request.expression.trim();
    let compiled = match expression::compile(text) {
        Ok(compiled) => compiled,
        Err(unusable) => {
            let error =
                Some(error(text, unusable.at, &unusable.message, unusable.hint.as_deref(), Code::SchemaInvalid));
            // What is a sentence of the language may still not be usable: an unknown function, too few arguments.
            let tree = expression::tree(text).ok().map(|_| tree_of(text));
            let parsing_succeeded = tree.is_some();
            let parsed_expression = tree.flatten();
            let answer = ParseExpressionResponse { error, parsed_expression, parsing_succeeded, ..Default::default() };
            return Ok(Json(answer));
        }
    };
    let mut answer = ParseExpressionResponse {
        parsed_expression: tree_of(text),
        parsing_succeeded: true,
        ..ParseExpressionResponse::default()
    };
    let properties = request.test_input_object.map(|object| object.properties).unwrap_or_default();
    let named: Map<String, Value> =
        properties.into_iter().filter_map(|property| Some((property.key?, property.value))).collect();
    let record = expression::record_of(&named);
    let context = Context {
        record: &record,
        now: state.clock.now(),
        default_domain: job.config.upn_suffix.as_deref().or(job.config.domain.as_deref()).unwrap_or_default(),
        seed: state.secrets.of(&job.id),
        taken: &|_| false,
    };
    match compiled.evaluate(&context) {
        Err(fault) => answer.error = Some(error(text, fault.at, &fault.text, None, Code::ExpressionFailed)),
        Ok(evaluated) => {
            answer.evaluation_succeeded = true;
            answer.evaluation_result = match evaluated.value {
                Yielded::Null | Yielded::IgnoreAttributeFlow | Yielded::IgnoreObjectFlow => Vec::new(),
                Yielded::List(values) => values.into_iter().map(Into::into).collect(),
                value => value.text().into_iter().map(Into::into).collect(),
            };
        }
    }
    Ok(Json(answer))
}

fn tree_of(text: &str) -> Option<AttributeMappingSource> {
    source_tree(&MappingSource::Expression(text.to_owned()), &parameter_name)
}

fn error(text: &str, at: Span, message: &str, hint: Option<&str>, code: Code) -> PublicError {
    let target = Some(format!("{}..{}", at.start, at.end));
    PublicError { code: code.as_str().to_owned(), message: render_caret(text, at, message, hint), target }
}
