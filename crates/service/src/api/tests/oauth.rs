//! The token endpoint, row by row (wire contract 1.2-1.5, 1.8).

use base64::Engine as _;
use serde_json::json;

use super::world::{Call, World};

const GRAPH: &str = "https://graph.microsoft.com/.default";
const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";

#[tokio::test]
async fn errors_of_the_token_endpoint() {
    let world = World::new().await;
    let (tenant, id, secret) = (world.tenant.as_str(), world.client.as_str(), world.secret.as_str());
    let nobody = "11111111-2222-4333-8444-555555555555";
    let good = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", GRAPH)];
    let with = |name: &'static str, value: &'static str| {
        let mut fields: Vec<(&str, &str)> = good.iter().filter(|(field, _)| *field != name).copied().collect();
        if !value.is_empty() {
            fields.push((name, value));
        }
        fields
    };
    for (path_tenant, fields, status, error, number) in [
        (tenant, with("grant_type", ""), 400, "invalid_request", 900_144),
        (tenant, with("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (tenant, with("client_id", ""), 400, "invalid_request", 900_144),
        (tenant, with("client_id", nobody), 400, "unauthorized_client", 700_016),
        (tenant, with("client_id", "x' or 1=1"), 400, "unauthorized_client", 700_016),
        (tenant, with("client_secret", ""), 401, "invalid_client", 7_000_216),
        (tenant, with("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (tenant, with("scope", ""), 400, "invalid_request", 900_144),
        (tenant, with("scope", "https://graph.microsoft.com/User.Read"), 400, "invalid_scope", 1_002_012),
        (tenant, with("scope", "a/.default b/.default"), 400, "invalid_scope", 70_011),
        (tenant, with("scope", "https://vault.azure.net/.default"), 400, "invalid_resource", 500_011),
        (nobody, good.to_vec(), 400, "invalid_request", 90_002),
        ("common", good.to_vec(), 400, "invalid_request", 90_002),
        ("a'b", good.to_vec(), 400, "invalid_request", 900_023),
    ] {
        let path = format!("/{}/oauth2/v2.0/token", path_tenant.replace('\'', "%27"));
        let answer = world.ask_token(&path, &fields).await.expect(status);
        let body = answer.json();
        assert_eq!(body["error"], error, "{fields:?}");
        assert_eq!(body["error_codes"], json!([number]), "{fields:?}");
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")), "{body}");
        assert_eq!(body["trace_id"], answer.header("request-id"));
        assert!(!answer.text.contains(secret));
        assert_eq!(answer.header("cache-control"), "no-store, no-cache");
    }
}

#[tokio::test]
async fn every_way_to_ask_that_clients_use() {
    let world = World::new().await;
    let (id, secret) = (world.client.as_str(), world.secret.as_str());
    let base = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let uri = "https://graph.microsoft.com";
    for (extra, audience) in [
        (vec![("scope", GRAPH)], uri),
        (vec![("scope", "https://graph.microsoft.com//.default")], uri),
        (vec![("scope", ".default")], uri),
        (vec![("scope", "https://localhost:8443/.default")], "https://localhost:8443"),
        (vec![("scope", ""), ("resource", GRAPH_ID)], GRAPH_ID),
        (vec![("resource", "https://graph.microsoft.com/")], uri),
        (vec![("scope", GRAPH), ("client_info", "1"), ("x-client-SKU", "MSAL")], uri),
    ] {
        let fields = [base.as_slice(), &extra].concat();
        let answer = world.ask_token(&world.token_path(), &fields).await.expect(200).json();
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(3599)));
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(claims(token)["aud"], audience, "{extra:?}");
        world.send(Call::new("GET", "/v1.0/servicePrincipals").token(token)).await.expect(200);
    }
    // HTTP Basic with a resource: the official Postman collection.
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    let call = Call::new("POST", &world.token_path())
        .header("authorization", &format!("Basic {basic}"))
        .body("application/x-www-form-urlencoded", format!("grant_type=client_credentials&scope=&resource={GRAPH_ID}"));
    world.send(call).await.expect(200);
    // The older endpoint answers in texts.
    let fields = [base.as_slice(), &[("resource", GRAPH_ID)]].concat();
    let answer = world.ask_token(&format!("/{}/oauth2/token", world.tenant), &fields).await.expect(200).json();
    assert_eq!((&answer["expires_in"], &answer["resource"]), (&json!("3599"), &json!(GRAPH_ID)));
    assert!(answer["expires_on"].is_string() && answer["not_before"].is_string());
}

fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn claims_of_a_token() {
    let world = World::new().await;
    let claims = claims(&world.admin);
    let roles: Vec<&str> = crate::roles::Role::ALL.iter().map(|role| role.value()).collect();
    let mut held: Vec<&str> = claims["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect();
    held.sort_by_key(|value| roles.iter().position(|role| role == value));
    assert_eq!(held, roles);
    assert_eq!(claims["tid"], world.tenant.as_str());
    assert_eq!(claims["iss"], format!("https://localhost:8443/{}/", world.tenant));
    assert_eq!(claims["appid"], world.client.as_str());
    assert_eq!((&claims["ver"], &claims["idtyp"], &claims["appidacr"]), (&json!("1.0"), &json!("app"), &json!("1")));
    assert_eq!(claims["oid"], claims["sub"]);
    let (_, token) = world.client_with(&[]).await;
    assert!(self::claims(&token).get("roles").is_none());
}

#[tokio::test]
async fn secrets_begin_and_end() {
    let world = World::new().await;
    let path = format!("/v1.0/applications/{}/addPassword", world.application);
    let body = json!({ "passwordCredential": {
        "displayName": "short", "startDateTime": "2026-01-15T09:00:00Z", "endDateTime": "2026-01-15T10:00:00Z" } });
    let made = world.post(&path, &body).await.expect(200).json();
    assert_eq!(made["hint"], made["secretText"].as_str().unwrap()[..3]);
    let app = world.get(&format!("/v1.0/applications/{}", world.application)).await.json();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", app["appId"].as_str().unwrap()),
        ("client_secret", made["secretText"].as_str().unwrap()),
        ("scope", GRAPH),
    ];
    world.ask_token(&world.token_path(), &fields).await.expect(200);
    world.clock.advance_ms(3_600_000);
    let refused = world.ask_token(&world.token_path(), &fields).await.expect(401).json();
    assert_eq!(refused["error_codes"], json!([7_000_222]));
    // The id of a secret is not its value.
    let admin = world.token(&world.client, &world.secret).await;
    let wrong = json!({ "passwordCredential": { "endDateTime": "yesterday" } });
    let refused = world.send(Call::new("POST", &path).token(&admin).json(&wrong)).await.expect(400);
    assert!(refused.error().1.contains("endDateTime"));
}

#[tokio::test]
async fn a_client_that_fails_too_often_is_told_to_wait() {
    let world = World::new().await;
    let fields = |secret: &'static str| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", world.client.as_str()),
            ("client_secret", secret),
            ("scope", GRAPH),
        ]
    };
    for _ in 0..rollcall_model::limits::TOKEN_FAILURES_PER_MINUTE_MAX {
        world.ask_token(&world.token_path(), &fields("wrong")).await.expect(401);
    }
    let refused = world.ask_token(&world.token_path(), &fields("wrong")).await.expect(429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    // Nobody can lock a client out: the right secret goes through.
    world.token(&world.client, &world.secret).await;
    world.clock.advance_ms(60_000);
    world.ask_token(&world.token_path(), &fields("wrong")).await.expect(401);
}

#[tokio::test]
async fn discovery() {
    let world = World::new().await;
    let tenant = &world.tenant;
    let get = |path: String| world.send(Call::new("GET", &path));
    let config = get(format!("/{tenant}/v2.0/.well-known/openid-configuration")).await.expect(200).json();
    assert_eq!(config["token_endpoint"], format!("https://localhost:8443/{tenant}/oauth2/v2.0/token"));
    let keys = get(format!("/{tenant}/discovery/v2.0/keys")).await.expect(200).json();
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["use"]), (&json!("RSA"), &json!("sig")));
    assert!(keys["keys"][0].get("d").is_none());
    assert_eq!(keys, get("/common/discovery/keys".to_owned()).await.json());
    let probe = "/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2Fx%2Foauth2%2Fv2.0%2Fauthorize";
    let instance = get(probe.to_owned()).await.expect(200).json();
    assert_eq!(instance["metadata"][0]["preferred_network"], "login.microsoftonline.com");
    get("/common/discovery/instance".to_owned()).await.expect(400);
}
