//! Every route, walked: nobody gets through without a token that may call it; the documents that are committed are
//! current.

use axum::http::Method;
use rollcall_model::ids::TenantId;
use rollcall_model::limits;
use serde_json::Value;
use uuid::Uuid;

use super::world::{Call, World};
use crate::api::access::Access;
use crate::api::routes::all;
use crate::seal::MasterKey;
use crate::system::SystemRandom;
use crate::tokens::{Tokens, make_key};

fn path_of(world: &World, template: &str) -> String {
    template
        .replace("{principal}", &world.principal)
        .replace("{job}", &world.job)
        .replace("{application}", &world.application)
        .replace("{template}", &Uuid::nil().to_string())
        .replace("{upload}", &Uuid::nil().to_string())
        .replace("{externalId}", "E-1")
        .replace("{version}", "1")
        .replace("{directory}", "1")
        .replace("{agent}", &Uuid::nil().to_string())
        .replace("{tenant}", &world.tenant)
}

/// A token that another installation would sign, for the tenant given.
fn foreign(world: &World, tenant: TenantId) -> String {
    let now = rollcall_model::Clock::now(&*world.clock);
    let master = MasterKey::generate(&SystemRandom);
    let key = make_key(&master, &SystemRandom, now).unwrap();
    let tokens = Tokens::open("https://localhost:8443", &[(tenant, key)], &master).unwrap();
    let application = rollcall_store::Application {
        id: rollcall_model::ids::ApplicationId(Uuid::nil()),
        app_id: rollcall_model::ids::AppId(Uuid::nil()),
        service_principal: rollcall_model::ids::ServicePrincipalId(Uuid::nil()),
        display_name: "elsewhere".to_owned(),
        enabled: true,
        owner: None,
        created: now,
    };
    let roles = crate::roles::Role::ALL.iter().map(|role| role.value().to_owned()).collect();
    tokens.issue(tenant, &application, roles, "https://graph.microsoft.com", now, &SystemRandom).unwrap()
}

#[tokio::test]
async fn every_route_refuses_who_may_not_call_it() {
    let world = World::new().await;
    let own: TenantId = world.tenant.parse().unwrap();
    let (_, without_roles) = world.client_with(&[]).await;
    let tokens = [
        ("anonymous", None, 401),
        ("no token at all", Some("Bearer ".to_owned()), 401),
        ("another scheme", Some(format!("Basic {}", world.admin)), 401),
        ("foreign key, our tenant", Some(format!("Bearer {}", foreign(&world, own))), 401),
        ("foreign key, foreign tenant", Some(format!("Bearer {}", foreign(&world, TenantId(Uuid::nil())))), 401),
        ("no role", Some(format!("Bearer {without_roles}")), 403),
    ];
    let mut walked = 0;
    for route in all() {
        let Access::Roles(roles) = route.access else { continue };
        walked += 1;
        for path in [path_of(&world, route.path), path_of(&world, route.path).replace("/v1.0/", "/beta/")] {
            for (who, header, status) in &tokens {
                let mut call = Call::new(route.method.as_str(), &path);
                if let Some(header) = header {
                    call = call.header("authorization", header);
                }
                let answer = world.send(call).await;
                assert_eq!(answer.status.as_u16(), *status, "{who}: {} {path}: {answer:?}", route.method);
                let (code, message) = answer.error();
                if *status == 401 {
                    assert_eq!(code, "InvalidAuthenticationToken", "{who}");
                    assert!(answer.header("www-authenticate").starts_with("Bearer realm"), "{who}");
                } else {
                    assert_eq!(code, "Authorization_RequestDenied", "{who}");
                    assert!(roles.iter().all(|role| message.contains(role.value())), "{message}");
                }
            }
        }
    }
    assert!(walked > 20, "{walked}");
    world.clock.advance_ms((limits::TOKEN_LIFE_S + 60) * 1_000);
    for route in all().into_iter().filter(|route| route.access != Access::Public) {
        let call = Call::new(route.method.as_str(), &path_of(&world, route.path)).token(&world.admin);
        let (_, message) = world.send(call).await.expect(401).error();
        assert!(message.contains("expired"), "{message}");
    }
}

/// A role opens the routes that name it, and not the others.
#[tokio::test]
async fn a_role_opens_its_routes_only() {
    let world = World::new().await;
    for role in crate::roles::Role::ALL {
        let (_, token) = world.client_with(&[role.value()]).await;
        for route in all() {
            let Access::Roles(roles) = route.access else { continue };
            // An unusable body: a route that lets the caller through answers something else than this 403.
            let call = Call::new(route.method.as_str(), &path_of(&world, route.path)).token(&token);
            let answer = world.send(call).await;
            let denied = answer.status == 403 && answer.error().1.contains("needs one of these");
            assert_eq!(denied, !roles.contains(role), "{} {} {}: {answer:?}", role.value(), route.method, route.path);
        }
    }
}

#[tokio::test]
async fn what_is_public_is_listed_here() {
    let open: Vec<&str> = all().iter().filter(|route| route.access == Access::Public).map(|route| route.id).collect();
    assert_eq!(
        open,
        [
            "healthz",
            "readyz",
            "metrics",
            "token",
            "tokenV1",
            "openid",
            "openidV1",
            "keys",
            "keysV1",
            "instance",
            "enroll",
            "agentLink",
        ]
    );
}

#[test]
fn the_document_names_every_route_and_its_roles() {
    let document: Value = serde_json::from_str(&crate::openapi_document()).unwrap();
    let mut found = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found += 1;
            let routes = all();
            let route = routes
                .iter()
                .find(|route| route.path == path && route.method.as_str().eq_ignore_ascii_case(method))
                .unwrap_or_else(|| panic!("{method} {path} is no route"));
            let named: Vec<&str> = operation["security"]
                .as_array()
                .map(|all| all.iter().map(|one| one["token"][0].as_str().unwrap()).collect())
                .unwrap_or_default();
            let wanted: Vec<&str> = match route.access {
                Access::Public => Vec::new(),
                Access::Roles(roles) => roles.iter().map(|role| role.value()).collect(),
            };
            assert_eq!(named, wanted, "{path}");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{path}");
        }
    }
    assert_eq!(found, all().len());
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
    }
}

#[test]
fn the_committed_document_is_current() {
    let committed = include_str!("../../../../../docs/openapi.json");
    let current = crate::openapi_document();
    assert!(committed == current, "stale: run `cargo run -p rollcall -- config openapi > docs/openapi.json`");
}

#[tokio::test]
async fn what_is_not_there() {
    let world = World::new().await;
    for (method, path, status, code) in [
        (Method::GET, "/nothing".to_owned(), 404, "ResourceNotFound"),
        (Method::GET, "/v1.0/users".to_owned(), 404, "ResourceNotFound"),
        (Method::PUT, world.upload_path(), 405, "MethodNotAllowed"),
        (Method::GET, world.upload_path(), 405, "MethodNotAllowed"),
        (Method::DELETE, world.token_path(), 405, "MethodNotAllowed"),
    ] {
        let answer = world.send(Call::new(method.as_str(), &path).token(&world.admin)).await.expect(status);
        assert_eq!(answer.error().0, code, "{path}");
    }
}

/// What the framework refuses by itself has our shape too.
#[tokio::test]
async fn refusals_of_the_framework() {
    let world = World::new().await;
    for path in ["/rollcall/v1/agents/link", "/v1.0/servicePrincipals?$filter=a&$filter=b"] {
        let (code, message) = world.get(path).await.expect(400).error();
        assert_eq!(code, "BadRequest", "{path}");
        assert!(!message.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn health() {
    let world = World::new().await;
    for path in ["/healthz", "/readyz"] {
        world.send(Call::new("GET", path)).await.expect(200);
    }
    world.upload(super::world::one("1").to_string()).await.expect(202);
    let metrics = world.send(Call::new("GET", "/metrics")).await.expect(200);
    for line in [
        "rollcall_http_requests_total{",
        "rollcall_uploads_total{result=\"accepted\"}",
        "rollcall_operations_accepted_total ",
        "rollcall_operations_open ",
        "rollcall_tokens_issued_total ",
    ] {
        assert!(metrics.text.contains(line), "{line}: {}", metrics.text);
    }
    world.store().close().await;
    world.send(Call::new("GET", "/readyz")).await.expect(503);
    let answer = world.get("/v1.0/servicePrincipals").await.expect(503);
    assert_eq!((answer.error().0.as_str(), answer.header("retry-after")), ("ServiceUnavailable", "5"));
}
