//! The provisioning log over HTTP: filters that clients send, pages, shapes of both versions.

use rollcall_model::Timestamp;
use rollcall_model::code::Code;
use rollcall_model::ids::{ChangeId, Epoch, JobId, LogId, ObjectGuid};
use rollcall_model::plan::{Action, Failure, PropertyChange};
use rollcall_store::log::LogDetails;
use rollcall_store::{Lease, LogRow, LogStatus, RecordBatch};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{Answer, World};

const CYCLES: [u128; 2] = [0xC1, 0xC2];

fn row(world: &World, at: i64, action: Action, status: LogStatus, code: Option<Code>) -> LogRow {
    let number = u128::try_from(at).unwrap();
    LogRow {
        id: LogId(Uuid::from_u128(0x1000 + number)),
        tenant: world.tenant.parse().unwrap(),
        job: JobId::from_text(&world.job),
        change: ChangeId(Uuid::from_u128(0x2000 + number)),
        cycle: Uuid::from_u128(CYCLES[usize::from(at >= 3)]),
        at: Timestamp(1_768_470_000_000_000 + at * 60_000_000),
        duration_ms: at * 10,
        action,
        status,
        code,
        person: None,
        version: None,
        external_id: format!("70198{at}"),
        source_name: Some("Inès O'Neil".to_owned()),
        guid: Some(ObjectGuid(Uuid::from_u128(0x3000 + number))),
        target_name: Some("CN=Inès".to_owned()),
        details: LogDetails {
            properties: vec![PropertyChange {
                name: "title".to_owned(),
                old: vec!["a".to_owned()],
                new: vec!["b".to_owned()],
            }],
            failure: code
                .filter(|_| status == LogStatus::Failure)
                .map(|code| Failure::new(code, Some("mail"), "It broke.")),
            ..LogDetails::default()
        },
    }
}

/// Five rows, a minute apart, the last one the newest.
async fn fill(world: &World) {
    let log = vec![
        row(world, 1, Action::Create, LogStatus::Success, None),
        row(world, 2, Action::Update, LogStatus::Success, None),
        row(world, 3, Action::Disable, LogStatus::Success, None),
        row(world, 4, Action::Other, LogStatus::Failure, Some(Code::EntryConflict)),
        row(world, 5, Action::Move, LogStatus::Skipped, Some(Code::RedundantExport)),
    ];
    let lease =
        Lease { tenant: world.tenant.parse().unwrap(), domain: "corp.example.test".to_owned(), epoch: Epoch(1) };
    // Under a lease that nobody holds the rows are stored all the same.
    let batch = RecordBatch { log, ..RecordBatch::default() };
    let _ = world.store().record(&lease, &batch, Timestamp(0)).await.unwrap();
}

async fn ask(world: &World, options: &[(&str, &str)]) -> Answer {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(options);
    world.get(&format!("/beta/auditLogs/provisioning/?{}", query.finish())).await
}

/// The rows' last digits, in the order of the answer.
fn rows(answer: &Value) -> String {
    let rows = answer["value"].as_array().unwrap().iter();
    rows.map(|row| row["sourceIdentity"]["id"].as_str().unwrap().trim_start_matches("70198").to_owned()).collect()
}

#[tokio::test]
async fn filters_that_clients_send() {
    let world = World::new().await;
    fill(&world).await;
    let (job, sp, tenant) = (&world.job, &world.principal, &world.tenant);
    let cycle = |at: usize| Uuid::from_u128(CYCLES[at]);
    for (filter, expected) in [
        (String::new(), "54321"),
        (format!("jobid eq '{job}'"), "54321"),
        (
            format!("jobId eq '{job}' and statusInfo/status eq 'failure' and activityDateTime ge 2022-10-10T09:47:34Z"),
            "4",
        ),
        (format!("jobid eq '{job}' and sourceIdentity/id eq '701984'"), "4"),
        (format!("jobid eq '{job}' and cycleId ne '{}'", cycle(1)), "21"),
        (format!("cycleId eq '{}'", cycle(1)), "543"),
        (format!("activityDateTime ge 2026-01-15T09:43:00.000Z and servicePrincipal/id eq '{sp}'"), "543"),
        (
            format!(
                "((contains(tolower(servicePrincipal/id), '{sp}') or contains(tolower(servicePrincipal/displayName), '{sp}')) and activityDateTime gt 2023-07-30 and activityDateTime lt 2027-07-31)"
            ),
            "54321",
        ),
        ("contains(tolower(servicePrincipal/displayName), 'hr to')".to_owned(), "54321"),
        ("activityDateTime gt 2026-01-15T09:41:00Z and activityDateTime lt 2026-01-15T09:44:00Z".to_owned(), "32"),
        (format!("id eq '{}'", Uuid::from_u128(0x1002)), "2"),
        ("id eq 'nonsense'".to_owned(), ""),
        ("provisioningStatusInfo/status ne 'success'".to_owned(), "54"),
        ("provisioningStatusInfo/status eq 'Success'".to_owned(), "321"),
        ("provisioningAction eq 'update'".to_owned(), "52"),
        ("action eq 'Create'".to_owned(), "1"),
        ("provisioningAction eq 'delete'".to_owned(), ""),
        ("errorInformation/errorCode eq 'EntryConflict'".to_owned(), "4"),
        ("durationInMilliseconds gt 30".to_owned(), "54"),
        (format!("tenantId eq '{tenant}'"), "54321"),
        ("sourceSystem/displayName eq 'API' and targetSystem/displayName eq 'API'".to_owned(), ""),
        ("initiatedBy/initiatorType eq 'system'".to_owned(), "54321"),
        (format!("targetIdentity/id eq '{}'", Uuid::from_u128(0x3005)), "5"),
        ("sourceIdentity/displayName eq 'Inès O''Neil' and startswith(sourceIdentity/id, '70198')".to_owned(), "54321"),
        ("tolower(sourceIdentity/displayName) eq 'inès o''neil'".to_owned(), "54321"),
        ("tolower(sourceIdentity/displayName) ne 'inès o''neil'".to_owned(), ""),
        ("endswith(sourceIdentity/id, '81')".to_owned(), "1"),
        ("endswith(tolower(sourceIdentity/displayName), 'neil')".to_owned(), "54321"),
        ("sourceIdentity/id eq '''; drop table provisioning_log; --'".to_owned(), ""),
        (
            "not (provisioningAction eq 'create') and (sourceIdentity/id eq '701981' or sourceIdentity/id eq '701982')"
                .to_owned(),
            "2",
        ),
    ] {
        let options: &[(&str, &str)] = if filter.is_empty() { &[] } else { &[("$filter", &filter)] };
        let answer = ask(&world, options).await.expect(200).json();
        assert_eq!(rows(&answer), expected, "{filter}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_place() {
    let world = World::new().await;
    let deep = "(".repeat(200);
    let long = format!("id eq '{}'", "x".repeat(5_000));
    for (name, value, word) in [
        ("$filter", "colour eq 'red'", "colour"),
        ("$filter", "jobid eq", "$filter"),
        ("$filter", "jobid 'x'", "$filter"),
        ("$filter", "activityDateTime gt 'soon'", "date-time"),
        ("$filter", "provisioningAction gt 'a'", "eq and ne"),
        ("$filter", "jobid eq jobid", "value"),
        ("$filter", deep.as_str(), "$filter"),
        ("$filter", long.as_str(), "$filter"),
        ("$top", "0", "$top"),
        ("$top", "many", "$top"),
        ("$orderby", "id desc", "activityDateTime"),
        ("$skiptoken", "x", "$skiptoken"),
    ] {
        let answer = ask(&world, &[(name, value)]).await.expect(400);
        assert!(answer.error().1.contains(word), "{value}: {answer:?}");
        assert_eq!(answer.json()["error"]["details"][0]["target"], name);
    }
    ask(&world, &[("$count", "true"), ("$skip", "3"), ("$select", "id"), ("$expand", "x"), ("extra", "1")])
        .await
        .expect(200);
}

#[tokio::test]
async fn pages_follow_one_another_and_keep_the_filter() {
    let world = World::new().await;
    fill(&world).await;
    for (order, expected) in
        [("activityDateTime desc", "5432"), ("activityDateTime asc", "2345"), ("activityDateTime", "2345")]
    {
        let first =
            ask(&world, &[("$filter", "sourceIdentity/id ne '701981'"), ("$top", "2"), ("$orderby", order)]).await;
        let mut answer = first.expect(200).json();
        let mut seen = rows(&answer);
        while let Some(next) = answer["@odata.nextLink"].as_str() {
            let path = next.strip_prefix("https://localhost:8443").expect("an absolute link").to_owned();
            assert!(path.starts_with("/beta/auditLogs/provisioning?"), "{path}");
            answer = world.get(&path).await.expect(200).json();
            assert!(answer["value"].as_array().unwrap().len() <= 2);
            seen.push_str(&rows(&answer));
        }
        assert_eq!(seen, expected, "{order}");
    }
    let alias = world.get("/beta/auditLogs/directoryProvisioning?$top=1").await.expect(200).json();
    assert_eq!(rows(&alias), "5");
}

#[tokio::test]
async fn shapes_of_both_versions() {
    let world = World::new().await;
    fill(&world).await;
    let v1 = world.get("/v1.0/auditLogs/provisioning?$filter=sourceIdentity/id%20eq%20'701984'").await.json();
    let row = &v1["value"][0];
    assert_eq!(v1["@odata.context"], "https://localhost:8443/v1.0/$metadata#auditLogs/provisioning");
    assert_eq!((&row["jobId"], &row["provisioningJobId"]), (&json!(world.job), &json!(world.job)));
    assert_eq!(row["activityDateTime"], "2026-01-15T09:44:00Z");
    assert_eq!(row["servicePrincipal"], json!({ "id": world.principal, "displayName": "HR to AD" }));
    assert_eq!(row["modifiedProperties"], json!([{ "displayName": "title", "oldValue": "a", "newValue": "b" }]));
    assert!(row.get("action").is_none() && row.get("statusInfo").is_none());
    let error = &row["provisioningStatusInfo"]["errorInformation"];
    assert_eq!((&error["errorCode"], &error["errorCategory"]), (&json!("EntryConflict"), &json!("nonServiceFailure")));
    assert_eq!((&error["reason"], &error["errorDetail"]), (&json!("It broke."), &json!("It broke.")));
    let beta = world.get("/beta/auditLogs/provisioning?$top=1").await.json();
    let row = &beta["value"][0];
    assert_eq!((&row["action"], &row["statusInfo"]["status"]), (&json!("Update"), &json!("skipped")));
    assert_eq!(row["statusInfo"]["errorCode"], "RedundantExport");
}
