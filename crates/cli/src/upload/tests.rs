#![expect(clippy::disallowed_methods, reason = "tests write the files that are uploaded")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::testing::{JOB, PRINCIPAL, Received, Reply, Run, Service};

/// An intake like the service's: an `Idempotency-Key` makes one upload, whatever is repeated.
#[derive(Default)]
struct Intake {
    /// Upload by key.
    by_key: BTreeMap<String, usize>,
    /// externalIds of each upload.
    uploads: Vec<Vec<String>>,
    /// Looks at each upload so far.
    looks: BTreeMap<usize, usize>,
    /// Tries of bulkUpload so far.
    tries: usize,
}

type Fault = fn(usize) -> Option<Reply>;

impl Intake {
    /// `fault` is asked with the number of the try, from 0, before anything is stored; a dropped connection comes
    /// after storing, where it hurts.
    fn answer(&mut self, request: &Received, fault: Fault, state: fn(&str, usize) -> Value) -> Option<Reply> {
        let bulk = format!("/v1.0/servicePrincipals/{PRINCIPAL}/synchronization/jobs/{JOB}/bulkUpload");
        if request.target == format!("/rollcall/v1/jobs/{JOB}/status") {
            return Some(Reply::json(200, &json!({ "servicePrincipal": PRINCIPAL })));
        }
        if request.target == bulk {
            self.tries += 1;
            let fault = fault(self.tries - 1);
            if let Some(reply @ Reply::Send { .. }) = fault {
                return Some(reply);
            }
            let body = request.json();
            let operations = body["Operations"].as_array().unwrap();
            let ids = operations.iter().map(|it| it["data"]["externalId"].as_str().unwrap().to_owned()).collect();
            let uploads = &mut self.uploads;
            let at = *self.by_key.entry(request.headers["idempotency-key"].clone()).or_insert_with(|| {
                uploads.push(ids);
                uploads.len() - 1
            });
            return Some(fault.unwrap_or(Reply::empty(202).with("rollcall-upload-id", &format!("u-{at}"))));
        }
        let at: usize = request.target.strip_prefix("/rollcall/v1/uploads/u-")?.parse().unwrap();
        let look = self.looks.entry(at).or_insert(0);
        *look += 1;
        let one = |(index, id): (usize, &String)| {
            let mut operation = state(id, *look);
            operation["index"] = json!(index);
            operation["externalId"] = json!(id);
            operation
        };
        let operations: Vec<_> = self.uploads[at].iter().enumerate().map(one).collect();
        let open = ["queued", "waitingForJob", "working"];
        let is_final = operations.iter().all(|it| !open.contains(&it["state"].as_str().unwrap()));
        Some(Reply::json(200, &json!({ "id": format!("u-{at}"), "final": is_final, "operations": operations })))
    }
}

/// Everything is done at the second look.
fn done(_: &str, look: usize) -> Value {
    json!({ "state": if look < 2 { "queued" } else { "done" } })
}

fn no_fault(_: usize) -> Option<Reply> {
    None
}

struct Case {
    run: Run,
    intake: Arc<Mutex<Intake>>,
    requests: Vec<Received>,
}

impl Case {
    fn bulk(&self) -> Vec<&Received> {
        self.requests.iter().filter(|it| it.target.ends_with("/bulkUpload")).collect()
    }
}

/// Uploads these persons in this order.
async fn upload(persons: &[&str], flags: &[&str], fault: Fault, state: fn(&str, usize) -> Value) -> Case {
    let lines: Vec<_> = persons.iter().map(|id| json!({ "externalId": id }).to_string()).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let intake = Arc::new(Mutex::new(Intake::default()));
    let shared = Arc::clone(&intake);
    let service = Service::start(move |request| shared.lock().unwrap().answer(request, fault, state)).await;
    let run = service.run(&[&["upload", file.to_str().unwrap()], flags].concat()).await;
    Case { run, intake, requests: service.received() }
}

/// stdout with the run's own time taken out.
fn text(run: &Run) -> String {
    let mut out = run.out.clone();
    if let Ok(mut json) = serde_json::from_str::<Value>(&run.out) {
        assert!(json["seconds"].is_number());
        json["seconds"] = json!(0);
        out = serde_json::to_string_pretty(&json).unwrap() + "\n";
    }
    format!("exit {}\n--- stdout\n{out}--- stderr\n{}", run.exit.code(), run.err)
}

fn people(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("E-{n}")).collect()
}

#[tokio::test]
async fn everything_done() {
    let ids = people(120);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let case = upload(&ids, &[], no_fault, done).await;
    insta::assert_snapshot!("done", text(&case.run));
    let sizes: BTreeSet<usize> = case.intake.lock().unwrap().uploads.iter().map(Vec::len).collect();
    assert_eq!(sizes, BTreeSet::from([20, 50]));
    let bulk = case.bulk();
    assert!(bulk.iter().all(|it| it.headers["content-type"] == "application/scim+json"));
    assert!(bulk.iter().all(|it| !it.headers.contains_key("rollcall-lane")));
    let keys: BTreeSet<_> = bulk.iter().map(|it| &it.headers["idempotency-key"]).collect();
    assert_eq!(keys.len(), 3, "a key of its own for each request");
}

#[tokio::test]
async fn a_repetition_has_the_same_key_and_body() {
    fn fault(attempt: usize) -> Option<Reply> {
        match attempt {
            // Stored, but the answer is lost.
            0 => Some(Reply::Drop),
            1 => Some(Reply::error(429, "TooManyRequests", "Please retry again later.").with("retry-after", "0.02")),
            2 => Some(Reply::error(503, "ServiceUnavailable", "Later.").with("retry-after", "0.02")),
            _ => None,
        }
    }
    let case = upload(&["E-1", "E-2"], &[], fault, done).await;
    assert_eq!(case.run.exit.code(), 0, "{:?}", case.run);
    let bulk = case.bulk();
    assert_eq!(bulk.len(), 4);
    let same: BTreeSet<_> = bulk.iter().map(|it| (&it.headers["idempotency-key"], &it.body)).collect();
    assert_eq!(same.len(), 1);
    assert_eq!(case.intake.lock().unwrap().uploads, [["E-1", "E-2"]], "accepted once");
}

#[tokio::test]
async fn one_person_after_the_other() {
    let case = upload(&["a", "b", "A", "a"], &["--parallel", "8"], no_fault, done).await;
    assert_eq!(case.run.exit.code(), 0);
    assert_eq!(case.intake.lock().unwrap().uploads, [vec!["a", "b"], vec!["A"], vec!["a"]]);
}

#[tokio::test]
async fn the_failed_are_told_with_their_reasons() {
    fn state(id: &str, _: usize) -> Value {
        match id {
            "E-1" => {
                json!({ "state": "failed", "code": "ContainerNotFound", "reason": "The container does not exist" })
            }
            "E-2" => json!({ "state": "skipped", "code": "RedundantExport" }),
            "E-3" => json!({ "state": "failed", "code": null, "reason": "odd\u{1b}[31m" }),
            _ => json!({ "state": "done" }),
        }
    }
    let ids = ["E-0", "E-1", "E-2", "E-3"];
    insta::assert_snapshot!("failed", text(&upload(&ids, &[], no_fault, state).await.run));
    insta::assert_snapshot!("failed_json", text(&upload(&ids, &["--json"], no_fault, state).await.run));
}

#[tokio::test]
async fn skipped_and_superseded_are_no_failure() {
    fn state(id: &str, _: usize) -> Value {
        json!({ "state": if id == "E-0" { "skipped" } else { "superseded" } })
    }
    assert_eq!(upload(&["E-0", "E-1"], &[], no_fault, state).await.run.exit.code(), 0);
}

#[tokio::test]
async fn a_wait_ends_in_time() {
    fn state(_: &str, _: usize) -> Value {
        json!({ "state": "waitingForJob" })
    }
    let case = upload(&["E-1"], &["--timeout", "1"], no_fault, state).await;
    insta::assert_snapshot!("timeout", text(&case.run));
}

#[tokio::test]
async fn no_wait_and_urgent() {
    let case = upload(&["E-1"], &["--no-wait", "--urgent", "--json"], no_fault, done).await;
    insta::assert_snapshot!("no_wait", text(&case.run));
    assert!(case.intake.lock().unwrap().looks.is_empty());
    assert!(case.bulk().iter().all(|it| it.headers["rollcall-lane"] == "urgent"));
}

#[tokio::test]
async fn a_refused_request_fails_its_operations_only() {
    fn fault(attempt: usize) -> Option<Reply> {
        (attempt == 0).then(|| Reply::error(400, "BadRequest", "Operations/3/method: PUT"))
    }
    let ids = people(52);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let case = upload(&ids, &["--parallel", "1", "--json"], fault, done).await;
    assert_eq!(case.run.exit.code(), 1);
    let summary = case.run.json();
    assert_eq!(summary["counts"], json!({ "failed": 50, "done": 2 }));
    let expected = json!({ "externalId": "E-49", "code": "BadRequest", "reason": "Operations/3/method: PUT",
        "upload": null, "index": 49, "position": 50 });
    assert_eq!(summary["failed"][49], expected);
}

#[tokio::test]
async fn a_refused_file_and_a_refused_client() {
    fn bad(attempt: usize) -> Option<Reply> {
        (attempt < 9).then(|| Reply::error(400, "BadRequest", "Invalid Data Format"))
    }
    fn forbidden(attempt: usize) -> Option<Reply> {
        (attempt > 0).then(|| Reply::error(403, "Authorization_RequestDenied", "Insufficient privileges"))
    }
    let refused = upload(&["E-1"], &[], bad, done).await;
    assert_eq!(refused.run.exit.code(), 3);
    assert!(refused.run.err.contains("BadRequest: Invalid Data Format"), "{}", refused.run.err);

    let ids = people(120);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let cut_short = upload(&ids, &["--parallel", "1", "--json"], forbidden, done).await;
    assert_eq!(cut_short.run.exit.code(), 3);
    assert_eq!(cut_short.bulk().len(), 2, "nothing more is tried");
    assert_eq!(cut_short.run.json()["counts"], json!({ "accepted": 50, "unsent": 70 }));
    assert_eq!(cut_short.run.json()["uploads"], json!(["u-0"]));
}

#[tokio::test]
async fn nothing_to_upload_is_no_failure_and_no_file_is_usage() {
    let empty = upload(&[], &["--json"], no_fault, done).await;
    assert_eq!(empty.run.exit.code(), 0);
    assert_eq!(empty.run.json()["operations"], 0);
    assert!(empty.bulk().is_empty());
    let service = Service::start(|_| None).await;
    let missing = service.run(&["upload", "/nowhere/people.json"]).await;
    assert_eq!(missing.exit.code(), 2);
    assert!(missing.err.contains("/nowhere/people.json"), "{}", missing.err);
}

#[tokio::test]
async fn a_csv_file_is_sent_as_the_mapping_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("people.CSV"), "No;Name\r\nE-1;Ann\r\nE-2;Bob\r\n").unwrap();
    std::fs::write(path("map.toml"), "[columns]\nNo = \"externalId\"\nName = \"displayName\"\n").unwrap();
    let intake = Arc::new(Mutex::new(Intake::default()));
    let service = Service::start(move |request| intake.lock().unwrap().answer(request, no_fault, done)).await;
    let run = service.run(&["upload", &path("people.CSV"), "--mapping", &path("map.toml")]).await;
    assert_eq!(run.exit.code(), 0, "{run:?}");
    assert!(run.err.contains("people.CSV: 2 records, UTF-8, separator ';'"), "{}", run.err);
    let bulk = service.received().into_iter().find(|it| it.target.ends_with("/bulkUpload")).unwrap().json();
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let user = |id: &str, name: &str| json!({ "schemas": schemas, "externalId": id, "displayName": name });
    let one = |row: &str, data: Value| json!({ "method": "POST", "bulkId": row, "path": "/Users", "data": data });
    assert_eq!(bulk["Operations"], json!([one("2", user("E-1", "Ann")), one("3", user("E-2", "Bob"))]));

    // Neither of these speaks to anybody: no setting is there.
    let dry = ["upload", &path("people.CSV"), "--mapping", &path("map.toml"), "--dry-run"];
    let shown = crate::testing::run(&dry, &[]).await;
    assert_eq!((shown.exit.code(), shown.json()), (0, json!([user("E-1", "Ann"), user("E-2", "Bob")])));
    let sent = service.received().len();
    std::fs::write(path("bad.csv"), "externalId,title\nE-1,a\ne-1,b\n").unwrap();
    let bad = service.run(&["upload", &path("bad.csv"), "--json"]).await;
    assert_eq!((bad.exit.code(), service.received().len()), (2, sent));
    let error: Value = serde_json::from_str(&bad.err).unwrap();
    assert_eq!(error["error"]["code"], "FileUnusable");
    assert!(error["error"]["message"].as_str().unwrap().contains("row 3, column 'externalId'"), "{error}");
}
