//! Forged tokens, other people's objects, and requests made to hurt.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::world::{Call, World, one};

fn part(value: &Value) -> String {
    data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn read(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn forged_tokens() {
    let world = World::new().await;
    let (header, claims) = (read(&world.admin, 0), read(&world.admin, 1));
    let signature = world.admin.split('.').nth(2).unwrap();
    let with = |part: &Value, name: &str, value: Value| {
        let mut changed = part.clone();
        changed[name] = value;
        changed
    };
    let kid = header["kid"].as_str().unwrap().to_owned();
    let public = world.store().signing_keys(world.tenant.parse().unwrap()).await.unwrap().remove(0).public_pem;
    // The public key as the secret of a symmetric algorithm.
    let confused = jsonwebtoken::encode(
        &Header { kid: Some(kid), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(public.as_bytes()),
    )
    .unwrap();
    let rows = [
        ("alg none", format!("{}.{}.", part(&with(&header, "alg", json!("none"))), part(&claims))),
        ("alg none, signed", format!("{}.{}.{signature}", part(&with(&header, "alg", json!("none"))), part(&claims))),
        ("alg HS256 with the public key", confused),
        ("unknown kid", format!("{}.{}.{signature}", part(&with(&header, "kid", json!("x"))), part(&claims))),
        ("changed claims", format!("{}.{}.{signature}", part(&header), part(&with(&claims, "oid", json!("y"))))),
        (
            "longer life",
            format!("{}.{}.{signature}", part(&header), part(&with(&claims, "exp", json!(9_999_999_999_i64)))),
        ),
        ("no signature", world.admin.rsplit_once('.').unwrap().0.to_owned()),
        ("no token", "abc".to_owned()),
        ("huge", "a".repeat(100_000)),
    ];
    for (row, token) in rows {
        let answer = world.send(Call::new("GET", "/v1.0/servicePrincipals").token(&token)).await;
        assert_eq!(answer.status.as_u16(), 401, "{row}");
        assert_eq!(answer.error().0, "InvalidAuthenticationToken", "{row}");
    }
}

#[tokio::test]
async fn other_peoples_objects() {
    let world = World::new().await;
    let (_, owned) =
        world.client_with(&["SynchronizationData-User.Upload.OwnedBy", "Application.ReadWrite.OwnedBy"]).await;
    let body = one("1").to_string();
    let upload = |path: String, token: &str| {
        world.send(Call::new("POST", &path).token(token).body("application/scim+json", body.clone()))
    };
    // Not made by this caller.
    assert_eq!(upload(world.upload_path(), &owned).await.expect(403).error().0, "Authorization_RequestDenied");
    for path in [
        format!("/rollcall/v1/jobs/{}/settings", world.job),
        format!("/v1.0/servicePrincipals/{}", world.principal),
        format!("/v1.0/applications/{}", world.application),
    ] {
        world.send(Call::new("GET", &path).token(&owned)).await.expect(403);
    }
    // Made by this caller.
    let (_, own) = world.make_application("own", &owned).await;
    let jobs = format!("/v1.0/servicePrincipals/{own}/synchronization/jobs");
    let made = world.send(Call::new("POST", &jobs).token(&owned).json(&json!({ "templateId": "API2AD" }))).await;
    let job = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    upload(format!("{jobs}/{job}/bulkUpload"), &owned).await.expect(202);
    let listed = world.send(Call::new("GET", "/v1.0/servicePrincipals").token(&owned)).await.json();
    let names: Vec<&str> =
        listed["value"].as_array().unwrap().iter().map(|one| one["displayName"].as_str().unwrap()).collect();
    assert!(names.contains(&"own") && !names.contains(&"HR to AD"), "{names:?}");
    // A job of another service principal, an unknown job, an unknown principal.
    let wrong = format!("{jobs}/{}/bulkUpload", world.job);
    assert_eq!(upload(wrong, &world.admin).await.expect(404).error().0, "JobNotFound");
    assert_eq!(
        upload(format!("{jobs}/API2AD.x.y/bulkUpload"), &world.admin).await.expect(404).error().0,
        "JobNotFound"
    );
    let nobody = world.upload_path().replace(&world.principal, "11111111-2222-4333-8444-555555555555");
    let (code, message) = upload(nobody, &world.admin).await.expect(404).error();
    assert_eq!(code, "Request_ResourceNotFound");
    assert!(message.contains("does not belong to the tenant authenticated"), "{message}");
}

#[tokio::test]
async fn hostile_paths_and_headers() {
    let world = World::new().await;
    for path in [
        "/rollcall/v1/jobs/..%2F..%2Fetc/settings",
        "/rollcall/v1/jobs/'%20or%20'1'='1/settings",
        "/rollcall/v1/jobs/%00/settings",
        "/v1.0/servicePrincipals('%27%20or%201=1')",
        "/v1.0/applications/%F0%9F%98%80",
    ] {
        let status = world.get(path).await.status.as_u16();
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    let call = Call::new("GET", "/healthz").header("client-request-id", &"x".repeat(10_000));
    let answer = world.send(call).await.expect(200);
    assert_eq!(answer.header("client-request-id"), answer.header("request-id"));
}

#[tokio::test]
async fn files_of_the_data_folder_are_for_the_service_alone() {
    let world = World::new().await;
    let modes = crate::files::modes(world.folder());
    assert!(modes.len() >= 2, "{modes:?}");
    for (name, mode) in modes {
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn secrets_are_shown_once_and_kept_nowhere() {
    let world = World::new().await;
    let made = world.post(&format!("/v1.0/applications/{}/addPassword", world.application), &json!({})).await.json();
    let token =
        world.post("/rollcall/v1/agents/tokens", &json!({ "domain": "corp.example.test" })).await.expect(201).json();
    let audit = world.store().audit(world.tenant.parse().unwrap(), 100).await.unwrap();
    let everything = format!("{audit:?}");
    let database: Vec<u8> = ["rollcall.db", "rollcall.db-wal"]
        .iter()
        .filter_map(|name| crate::files::read(&world.folder().join(name)).unwrap())
        .flatten()
        .collect();
    for secret in [made["secretText"].as_str().unwrap(), token["token"].as_str().unwrap(), &world.secret] {
        assert!(!everything.contains(secret));
        assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}
