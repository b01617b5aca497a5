//! bulkUpload over HTTP: the leniency matrix (wire contract 2.10), headers, idempotency, and the upload's status.

use std::io::Write as _;

use rollcall_model::limits;
use serde_json::{Value, json};

use super::world::{Call, World, bulk, one};

/// What becomes of a body.
enum Expected {
    /// 202, and this externalId of the first operation in its status.
    Accepted(Option<&'static str>),
    /// 400 with these words.
    Refused(&'static [&'static str]),
}
use Expected::{Accepted, Refused};

async fn check(world: &World, row: &str, body: Vec<u8>, expected: Expected) {
    let before = world.store().job_counts(&rollcall_model::ids::JobId::from_text(&world.job)).await.unwrap();
    let answer = world.upload(body).await;
    match expected {
        Accepted(external_id) => {
            let answer = answer.expect(202);
            let id = answer.header("rollcall-upload-id").to_owned();
            let status = world.get(&format!("/rollcall/v1/uploads/{id}")).await.expect(200).json();
            assert_eq!(status["operations"][0]["externalId"], json!(external_id), "{row}");
            assert_eq!(status["operations"][0]["state"], "waitingForJob", "{row}");
        }
        Refused(words) => {
            let (code, message) = answer.expect(400).error();
            assert_eq!(code, "BadRequest", "{row}");
            assert!(message.contains("Invalid Data Format"), "{row}: {message}");
            assert!(words.iter().all(|word| message.contains(word)), "{row}: {message}");
            let after = world.store().job_counts(&rollcall_model::ids::JobId::from_text(&world.job)).await.unwrap();
            assert_eq!(before, after, "{row}: something was stored");
        }
    }
}

fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut body = one("701984");
    change(&mut body);
    body.to_string().into_bytes()
}

fn data(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    changed(|body| change(&mut body["Operations"][0]["data"]))
}

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// semantics: broken-record
#[expect(clippy::too_many_lines, reason = "one table, row by row as in the contract")]
#[tokio::test]
async fn the_leniency_matrix() {
    let world = World::new().await;
    let id = Some("701984");
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(one("701984").to_string().encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let twice = format!("{}\n{}", one("1"), one("2")).into_bytes();
    let many: Vec<Value> = (0..51).map(|at| json!({ "externalId": at.to_string() })).collect();
    let full: Vec<Value> = (0..50).map(|at| json!({ "externalId": at.to_string() })).collect();
    let same_bulk_id = changed(|body| {
        let mut second = body["Operations"][0].clone();
        second["data"]["externalId"] = json!("2");
        body["Operations"].as_array_mut().unwrap().push(second);
    });
    let text = String::from_utf8(changed(|_| {})).unwrap();
    let rows: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("duplicate bulkId", same_bulk_id, Accepted(id)),
        ("schemas with the enterprise URN alone", data(|data| data["schemas"] = json!([ENTERPRISE])), Accepted(id)),
        (
            "schemas without the enterprise URN",
            data(|data| data["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"])),
            Accepted(id),
        ),
        ("no data.schemas", changed(|_| {}), Accepted(id)),
        (
            "extension whose URN is not in schemas",
            data(|data| data[ENTERPRISE] = json!({ "department": "x" })),
            Accepted(id),
        ),
        ("path in lower case", changed(|body| body["Operations"][0]["path"] = json!("/users")), Accepted(id)),
        (
            "names in another case",
            text.replace("userName", "username").replace("externalId", "externalID").into_bytes(),
            Accepted(id),
        ),
        ("resourceType", data(|data| data["resourceType"] = json!("User")), Accepted(id)),
        ("failOnErrors false", changed(|body| body["failOnErrors"] = json!(false)), Accepted(id)),
        (
            "failOnErrors missing",
            changed(|body| drop(body.as_object_mut().unwrap().remove("failOnErrors"))),
            Accepted(id),
        ),
        (
            "id, $ref, primary",
            data(|data| {
                data["id"] = json!("abc");
                data["addresses"] = json!([{ "type": "work", "primary": true }]);
                data[ENTERPRISE] = json!({ "manager": { "value": "1", "$ref": "../Users/1" } });
            }),
            Accepted(id),
        ),
        (
            "booleans as text, empty text",
            data(|data| data["urn:x:1.0:User"] = json!({ "OnLeave": "False", "Note": "" })),
            Accepted(id),
        ),
        (
            "foreign extension",
            data(|data| data["urn:ietf:params:scim:schemas:extension:sap:2.0:User"] = json!({ "a": 1 })),
            Accepted(id),
        ),
        ("the document as a JSON string", serde_json::to_vec(&text).unwrap(), Accepted(id)),
        ("two documents in one body", twice, Refused(&["second JSON document", "request of its own"])),
        ("UTF-16 with its mark", utf16, Accepted(id)),
        ("UTF-8 with its mark", [b"\xEF\xBB\xBF", text.as_bytes()].concat(), Accepted(id)),
        ("trailing comma", text.replace("}]", "},]").into_bytes(), Refused(&["no JSON"])),
        ("comment", format!("// hi\n{text}").into_bytes(), Refused(&["no JSON"])),
        (
            "emails inside the enterprise extension",
            data(|data| data[ENTERPRISE] = json!({ "emails": [{ "value": "a@b" }] })),
            Accepted(id),
        ),
        ("double @@", data(|data| data["userName"] = json!("a@@b")), Accepted(id)),
        ("50 operations", bulk(&full).to_string().into_bytes(), Accepted(Some("0"))),
        ("51 operations", bulk(&many).to_string().into_bytes(), Refused(&["at most 50"])),
        // Section 7 of the design: envelope refuses all, content fails later and alone.
        ("method PATCH", changed(|body| body["Operations"][0]["method"] = json!("PATCH")), Refused(&["PATCH", "POST"])),
        ("method DELETE", changed(|body| body["Operations"][0]["method"] = json!("DELETE")), Accepted(id)),
        ("no bulk request", br#"{"name":"John Doe"}"#.to_vec(), Refused(&["BulkRequest"])),
        (
            "schemas as a bare text",
            changed(|body| body["schemas"] = json!(rollcall_wire::scim::BULK_REQUEST)),
            Refused(&["bare text"]),
        ),
        ("no externalId", data(|data| drop(data.as_object_mut().unwrap().remove("externalId"))), Accepted(None)),
        ("externalId is a number", data(|data| data["externalId"] = json!(7)), Accepted(None)),
        ("wrong type of a known attribute", data(|data| data["title"] = json!({ "a": [1] })), Accepted(id)),
        ("NUL in externalId", data(|data| data["externalId"] = json!("a\0b")), Accepted(None)),
        (
            "NUL, right-to-left and emoji in a value",
            data(|data| data["title"] = json!("\0\u{202e}\u{1F468}\u{200D}\u{1F469}")),
            Accepted(id),
        ),
        (
            "filter and DN metacharacters",
            data(|data| data["displayName"] = json!("*)(uid=*))(|(cn=,+\"\\<>;#")),
            Accepted(id),
        ),
        ("a value of 1 MB", data(|data| data["title"] = json!("x".repeat(1 << 20))), Accepted(id)),
        ("half a surrogate pair", text.replace("Inès", "\\ud800").into_bytes(), Refused(&["surrogate", "line 1"])),
        ("deep JSON", text.replace("\"Inès Roth\"", &"[".repeat(500)).into_bytes(), Refused(&["JSON_DEPTH_MAX"])),
        ("empty body", Vec::new(), Refused(&["no JSON"])),
    ];
    for (row, body, expected) in rows {
        check(&world, row, body, expected).await;
    }
}

#[tokio::test]
async fn the_answer_is_what_clients_read() {
    let world = World::new().await;
    for version in ["v1.0", "beta"] {
        let path = world.upload_path().replace("v1.0", version);
        let call = Call::new("POST", &path)
            .token(&world.admin)
            .header("client-request-id", "0b1ce0de-0000-4000-8000-000000000001")
            .body("application/scim+json; charset=utf-8", one("1").to_string());
        let answer = world.send(call).await.expect(202);
        let location =
            format!("https://localhost:8443/{version}/auditLogs/provisioning/?$filter=jobid%20eq%20'{}'", world.job);
        assert_eq!(answer.header("location"), location);
        assert_eq!(answer.header("client-request-id"), "0b1ce0de-0000-4000-8000-000000000001");
        assert_eq!(answer.header("request-id").len(), 36);
        assert!(answer.text.is_empty() && answer.headers.get("content-type").is_none());
        // The link leads somewhere.
        let link = location.strip_prefix("https://localhost:8443").unwrap();
        assert_eq!(world.get(link).await.expect(200).json()["value"], json!([]));
    }
}

#[tokio::test]
async fn spellings_of_the_url() {
    let world = World::new().await;
    let app = world.get(&format!("/v1.0/servicePrincipals/{}", world.principal)).await.json();
    let (sp, app_id, job) = (&world.principal, app["appId"].as_str().unwrap(), &world.job);
    for path in [
        format!("/v1.0/servicePrincipals/{sp}/synchronization/jobs/{job}/bulkupload"),
        format!("/beta/servicePrincipals('{sp}')/synchronization/jobs/{job}/BulkUpload/"),
        format!("/v1.0/servicePrincipals(appId='{app_id}')/synchronization/jobs('{job}')/bulkUpload"),
    ] {
        let call = Call::new("POST", &path).token(&world.admin).body("application/scim+json", one("1").to_string());
        world.send(call).await.expect(202);
    }
}

#[tokio::test]
async fn no_password_is_ever_stored() {
    let world = World::new().await;
    let body =
        bulk(&[json!({ "externalId": "1", "password": "hunter2", "x": [{ "Password": "hunter2" }], "title": "t" })]);
    let answer = world.upload(body.to_string()).await.expect(202);
    let stored = world.stored(answer.header("rollcall-upload-id")).await;
    assert_eq!(stored, [json!({ "externalId": "1", "x": [{}], "title": "t" })]);
}

/// All that `rollcall upload` asks for, by a client that was granted nothing else.
#[tokio::test]
async fn whoever_may_upload_may_see_what_becomes_of_it() {
    let world = World::new().await;
    let (_, token) = world.client_with(&["SynchronizationData-User.Upload"]).await;
    let status = format!("/rollcall/v1/jobs/{}/status", world.job);
    let job = world.send(Call::new("GET", &status).token(&token)).await.expect(200).json();
    assert_eq!(job["servicePrincipal"], world.principal);
    let call = Call::new("POST", &world.upload_path()).token(&token);
    let sent = world.send(call.body("application/scim+json", one("1").to_string())).await.expect(202);
    let upload = format!("/rollcall/v1/uploads/{}", sent.header("rollcall-upload-id"));
    world.send(Call::new("GET", &upload).token(&token)).await.expect(200);
    // Of applications that it does not own, the weaker role shows nothing.
    let (_, owned) = world.client_with(&["SynchronizationData-User.Upload.OwnedBy"]).await;
    for path in [&status, &upload] {
        world.send(Call::new("GET", path).token(&owned)).await.expect(403);
    }
    let settings = format!("/rollcall/v1/jobs/{}/settings", world.job);
    world.send(Call::new("GET", &settings).token(&token)).await.expect(403);
}

#[tokio::test]
async fn transport() {
    let world = World::new().await;
    let body = one("1").to_string();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    world.send(world.upload_call(packed).header("content-encoding", "gzip")).await.expect(202);
    let error =
        world.send(world.upload_call(body.clone()).header("content-encoding", "gzip")).await.expect(400).error();
    assert!(error.1.contains("gzip"));
    let error = world.send(world.upload_call(body.clone()).header("content-encoding", "br")).await.expect(400).error();
    assert!(error.1.contains("br") && error.1.contains("gzip"));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; limits::BODY_BYTES_MAX + 1]).unwrap();
    world.send(world.upload_call(bomb.finish().unwrap()).header("content-encoding", "gzip")).await.expect(413);
    world.upload(vec![b' '; limits::BODY_BYTES_MAX + 1]).await.expect(413);
    for media_type in ["application/json", "text/plain", ""] {
        let call = Call::new("POST", &world.upload_path()).token(&world.admin).body(media_type, body.clone());
        let (code, message) = world.send(call).await.expect(400).error();
        assert_eq!(code, "BadRequest");
        assert!(message.contains("Invalid Data Format") && message.contains("application/scim+json"), "{message}");
    }
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer() {
    let world = World::new().await;
    let send =
        |key: &'static str, body: Value| world.send(world.upload_call(body.to_string()).header("idempotency-key", key));
    let first = send("k1", one("1")).await.expect(202);
    let again = send("k1", one("1")).await.expect(202);
    assert_eq!(first.header("rollcall-upload-id"), again.header("rollcall-upload-id"));
    let (code, _) = send("k1", one("2")).await.expect(422).error();
    assert_eq!(code, "IdempotencyKeyReused");
    let other = send("k2", one("1")).await.expect(202);
    assert_ne!(first.header("rollcall-upload-id"), other.header("rollcall-upload-id"));
    let counts = world.store().job_counts(&rollcall_model::ids::JobId::from_text(&world.job)).await.unwrap();
    assert_eq!(counts.operations.values().sum::<i64>(), 2);
    world.clock.advance_ms(limits::IDEMPOTENCY_LIFE_S * 1_000 + 1);
    let admin = world.token(&world.client, &world.secret).await;
    let call = Call::new("POST", &world.upload_path())
        .token(&admin)
        .header("idempotency-key", "k1")
        .body("application/scim+json", one("2").to_string());
    world.send(call).await.expect(202);
    let long = "k".repeat(limits::IDEMPOTENCY_KEY_CHARS_MAX + 1);
    let call = Call::new("POST", &world.upload_path())
        .token(&admin)
        .header("idempotency-key", &long)
        .body("application/scim+json", one("2").to_string());
    assert!(world.send(call).await.expect(400).error().1.contains("Idempotency-Key"));
}

#[tokio::test]
async fn lanes() {
    let world = World::new().await;
    let jobs = [rollcall_model::ids::JobId::from_text(&world.job)];
    let first = async || world.store().waiting_operations(&jobs, 1).await.unwrap().remove(0).external_id.unwrap();
    world.upload(one("1").to_string()).await.expect(202);
    assert_eq!(first().await, "1");
    // What takes access away goes ahead by itself ...
    world.upload(bulk(&[json!({ "externalId": "2", "active": "False" })]).to_string()).await.expect(202);
    assert_eq!(first().await, "2");
    // ... and the header puts a whole request ahead.
    let world = World::new().await;
    let jobs = [rollcall_model::ids::JobId::from_text(&world.job)];
    world.upload(one("1").to_string()).await.expect(202);
    world.send(world.upload_call(one("3").to_string()).header("rollcall-lane", "Urgent")).await.expect(202);
    let ahead = world.store().waiting_operations(&jobs, 1).await.unwrap();
    assert_eq!(ahead[0].external_id.as_deref(), Some("3"));
    let call = world.upload_call(one("1").to_string()).header("rollcall-lane", "fast");
    assert!(world.send(call).await.expect(400).error().1.contains("Rollcall-Lane"));
}

#[tokio::test]
async fn status_of_an_upload() {
    let world = World::new().await;
    let answer = world.upload(bulk(&[json!({ "externalId": "1" }), json!({})]).to_string()).await.expect(202);
    let id = answer.header("rollcall-upload-id").to_owned();
    let path = format!("/rollcall/v1/uploads/{id}");
    let status = world.get(&path).await.expect(200).json();
    assert_eq!(status["final"], false);
    assert_eq!(status["job"], world.job.as_str());
    assert_eq!(status["received"], "2026-01-15T09:40:00.000000Z");
    assert_eq!(status["counts"], json!({ "waitingForJob": 2 }));
    assert_eq!(
        status["operations"][1],
        json!({ "index": 1, "bulkId": "b1", "externalId": null, "state": "waitingForJob", "reason": null,
            "code": null, "logIds": [], "mergedInto": null })
    );
    let settings = json!({ "domain": "corp.example.test", "container": "OU=Staff,DC=corp,DC=example,DC=test" });
    let call =
        Call::new("PATCH", &format!("/rollcall/v1/jobs/{}/settings", world.job)).token(&world.admin).json(&settings);
    world.send(call).await.expect(200);
    let start = format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{}/start", world.principal, world.job);
    world.post(&start, &json!({})).await.expect(204);
    assert_eq!(world.get(&path).await.json()["counts"], json!({ "waitingForAgent": 2 }));
    // Read with the token that may upload, and no other.
    let (_, reader) = world.client_with(&["SynchronizationData-User.Upload"]).await;
    world.send(Call::new("GET", &path).token(&reader)).await.expect(200);
    let (_, stranger) = world.client_with(&["SynchronizationData-User.Upload.OwnedBy"]).await;
    world.send(Call::new("GET", &path).token(&stranger)).await.expect(403);
    for unknown in ["x", "0199aaaa-0000-7000-8000-000000000000"] {
        world.get(&format!("/rollcall/v1/uploads/{unknown}")).await.expect(404);
    }
}
