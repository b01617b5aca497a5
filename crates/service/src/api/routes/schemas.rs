//! The routes of schemas, templates, and the schema as code.

use axum::http::Method;
use axum::routing::{MethodFilter, get, on, post};
use rollcall_wire::graph::schema as graph;
use rollcall_wire::rollcall::schema as ours;

use super::{READ_JOBS, Route, Shape, WRITE_JOBS, list, shape};
use crate::api::schema::{self, history, language, templates};

const SCHEMA: &str = "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/schema";

pub(super) fn all() -> Vec<Route> {
    [of_job(), of_language(), of_templates(), as_code()].into_iter().flatten().collect()
}

/// A route of another method than GET and POST.
fn with(method: Method, mut route: Route) -> Route {
    route.method = method;
    route
}

fn of_job() -> Vec<Route> {
    let whole = || Some(shape::<graph::SynchronizationSchema>());
    let replace = on(MethodFilter::PUT, schema::replace);
    let reset = on(MethodFilter::DELETE, schema::reset);
    let patch = on(MethodFilter::PATCH, schema::patch_refused);
    vec![
        Route::get(SCHEMA, "schema", READ_JOBS, whole(), get(schema::show))
            .says("A job's schema, whole; its ETag is its version."),
        with(Method::PUT, Route::post(SCHEMA, "replaceSchema", WRITE_JOBS, whole(), (204, None), replace))
            .says("Replaces the schema once it is checked; If-Match may name the version it was made from."),
        with(Method::DELETE, Route::post(SCHEMA, "resetSchema", WRITE_JOBS, None, (204, None), reset))
            .says("Restores what is shipped."),
        with(Method::PATCH, Route::post(SCHEMA, "patchSchema", WRITE_JOBS, None, (405, None), patch))
            .says("Not supported: PUT the whole document."),
        Route::post(
            "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/schema/directories/{directory}/discover",
            "discover",
            WRITE_JOBS,
            None,
            (200, Some(shape::<graph::DirectoryDefinition>())),
            post(schema::discover),
        )
        .says("Reads the directory's own schema anew, by an agent, and shows its attributes."),
    ]
}

fn of_language() -> Vec<Route> {
    vec![
        Route::get(
            "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/schema/filterOperators",
            "filterOperators",
            READ_JOBS,
            Some(list::<graph::FilterOperatorSchema>()),
            get(language::operators),
        )
        .says("The operators of scope filters."),
        Route::get(
            "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/schema/functions",
            "functions",
            READ_JOBS,
            Some(list::<graph::AttributeMappingFunctionSchema>()),
            get(language::functions),
        )
        .says("The functions of mapping expressions."),
        Route::post(
            "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/schema/parseExpression",
            "parseExpression",
            READ_JOBS,
            Some(shape::<graph::ParseExpressionRequest>()),
            (200, Some(shape::<graph::ParseExpressionResponse>())),
            post(language::parse),
        )
        .says("Parses an expression, and evaluates it on the properties sent."),
    ]
}

fn of_templates() -> Vec<Route> {
    let all = || Some(list::<graph::SynchronizationTemplate>());
    let one = || Some(shape::<graph::SynchronizationTemplate>());
    let document = || Some(shape::<graph::SynchronizationSchema>());
    let route = |path, id, success: Option<Shape>, handler| {
        Route::get(path, id, READ_JOBS, success, handler).says("The template of new jobs, and its schema.")
    };
    vec![
        route(
            "/v1.0/servicePrincipals/{principal}/synchronization/templates",
            "jobTemplates",
            all(),
            get(templates::of_principal),
        ),
        route(
            "/v1.0/servicePrincipals/{principal}/synchronization/templates/{template}",
            "jobTemplate",
            one(),
            get(templates::one_of_principal),
        ),
        route(
            "/v1.0/servicePrincipals/{principal}/synchronization/templates/{template}/schema",
            "jobTemplateSchema",
            document(),
            get(templates::schema_of_principal),
        ),
        route(
            "/v1.0/applications/{application}/synchronization/templates",
            "applicationJobTemplates",
            all(),
            get(templates::of_application),
        ),
        route(
            "/v1.0/applications/{application}/synchronization/templates/{template}",
            "applicationJobTemplate",
            one(),
            get(templates::one_of_application),
        ),
        route(
            "/v1.0/applications/{application}/synchronization/templates/{template}/schema",
            "applicationJobTemplateSchema",
            document(),
            get(templates::schema_of_application),
        ),
    ]
}

fn as_code() -> Vec<Route> {
    const OURS: &str = "/rollcall/v1/jobs/{job}/schema";
    const TESTS: &str = "/rollcall/v1/jobs/{job}/schema/tests";
    let saved = || (200, Some(shape::<ours::SchemaSaved>()));
    let put = on(MethodFilter::PUT, history::put);
    let put_tests = on(MethodFilter::PUT, history::put_tests);
    vec![
        with(Method::PUT, Route::post(OURS, "saveSchema", WRITE_JOBS, Some(shape::<ours::SchemaSave>()), saved(), put))
            .says("Saves schema and mapping tests in one, once they are checked and the tests pass."),
        Route::get(TESTS, "schemaTests", READ_JOBS, Some(shape::<ours::SchemaTests>()), get(history::tests))
            .says("The mapping tests beside a job's schema."),
        with(
            Method::PUT,
            Route::post(
                TESTS,
                "saveSchemaTests",
                WRITE_JOBS,
                Some(shape::<ours::SchemaTestsSave>()),
                saved(),
                put_tests,
            ),
        )
        .says("Replaces the tests, once they pass."),
        Route::get(
            "/rollcall/v1/jobs/{job}/schema/history",
            "schemaHistory",
            READ_JOBS,
            Some(shape::<ours::SchemaHistory>()),
            get(history::list),
        )
        .says("The versions of a job's schema, newest first. Options: before, top."),
        Route::get(
            "/rollcall/v1/jobs/{job}/schema/history/{version}",
            "schemaVersion",
            READ_JOBS,
            Some(shape::<ours::SchemaWhole>()),
            get(history::one),
        )
        .says("One version with its document and tests."),
        Route::post(
            "/rollcall/v1/jobs/{job}/schema/restore",
            "restoreSchema",
            WRITE_JOBS,
            Some(shape::<ours::SchemaRestore>()),
            saved(),
            post(history::restore),
        )
        .says("Saves an older version, or what is shipped, as the newest."),
    ]
}
