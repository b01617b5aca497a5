//! The OpenAPI document, made from the table of routes.

use std::collections::BTreeMap;

use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema};
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, Info, OpenApiBuilder, PathItem, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::api::access::Access;
use crate::api::routes::{Route, Shape, all};
use crate::roles::Role;

/// The document, as committed in `docs/openapi.json`.
#[must_use]
pub fn document() -> String {
    let routes = all();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    let mut errors =
        vec![(rollcall_wire::graph::ErrorEnvelope::name().into_owned(), rollcall_wire::graph::ErrorEnvelope::schema())];
    rollcall_wire::graph::ErrorEnvelope::schemas(&mut errors);
    schemas.extend(errors);
    let mut paths = PathsBuilder::new();
    for route in &routes {
        for shape in route.request.iter().map(|(_, shape)| shape).chain(&route.success.1) {
            schemas.extend((shape.schemas)());
        }
        paths = paths.path(route.path, PathItem::new(http_method(route), operation(route)));
    }
    let scopes = Role::ALL.iter().map(|role| (role.value(), role.title())).collect::<Scopes>();
    let flow = ClientCredentials::new("/{tenant}/oauth2/v2.0/token", scopes);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("token", SecurityScheme::OAuth2(OAuth2::new([Flow::ClientCredentials(flow)])))
        .build();
    let mut info = Info::new("Rollcall", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Routes under /v1.0 are Microsoft Graph's and answer under /beta too. Errors have Graph's envelope.".to_owned(),
    );
    let document = OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build();
    document.to_pretty_json().map(|text| text + "\n").unwrap_or_default()
}

fn http_method(route: &Route) -> HttpMethod {
    match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new().operation_id(Some(route.id)).summary(Some(route.summary));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let text = ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String).build();
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(text)),
        );
    }
    if let Some((media_type, shape)) = &route.request {
        let content = ContentBuilder::new().schema(Some(reference(shape))).build();
        operation = operation.request_body(Some(
            RequestBodyBuilder::new().content(*media_type, content).required(Some(Required::True)).build(),
        ));
    }
    let (status, shape) = &route.success;
    let mut success = ResponseBuilder::new().description("Success");
    if let Some(shape) = shape {
        success = success.content("application/json", ContentBuilder::new().schema(Some(reference(shape))).build());
    }
    operation = operation.response(status.to_string(), success.build());
    if let Access::Roles(roles) = route.access {
        // Any one of them is enough: an alternative each.
        for role in roles {
            operation = operation.security(SecurityRequirement::new("token", [role.value()]));
        }
        let error = Ref::from_schema_name(rollcall_wire::graph::ErrorEnvelope::name());
        let error = ContentBuilder::new().schema(Some(error)).build();
        operation = operation.response(
            "default",
            ResponseBuilder::new().description("An error").content("application/json", error).build(),
        );
    }
    operation.build()
}

fn reference(shape: &Shape) -> RefOr<Schema> {
    let one = Ref::from_schema_name(&shape.name);
    if !shape.is_list {
        return RefOr::Ref(one);
    }
    let text = ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String).build();
    RefOr::T(Schema::Object(
        ObjectBuilder::new()
            .property("value", ArrayBuilder::new().items(one))
            .required("value")
            .property("@odata.nextLink", text)
            .build(),
    ))
}
