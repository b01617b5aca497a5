use serde_json::{Value, json};

use crate::testing::{JOB, PRINCIPAL, Received, Reply, Run, Service, parse};

const GRAPH: &str = "00000003-0000-4000-8000-000000000003";
const APPLICATION: &str = "a0000000-0000-4000-8000-000000000004";
const APP_ID: &str = "b0000000-0000-4000-8000-000000000005";

fn ok(body: &Value) -> Reply {
    Reply::json(200, body)
}

/// The routes of the contract, with one application and one job.
fn contract(request: &Received) -> Option<Reply> {
    let principal = json!({ "id": PRINCIPAL, "objectId": PRINCIPAL, "appId": APP_ID, "displayName": "HR to AD" });
    let secret = json!({ "keyId": "k-1", "secretText": "new-secret", "hint": "new", "displayName": "rollcall",
        "startDateTime": "2026-01-15T09:30:00Z", "endDateTime": "2028-01-15T09:30:00Z" });
    let jobs = format!("/v1.0/servicePrincipals/{PRINCIPAL}/synchronization/jobs");
    let ours = format!("/rollcall/v1/jobs/{JOB}");
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    Some(match (request.method.as_str(), path) {
        ("POST", "/v1.0/applicationTemplates/8adf8e6e-67b2-4cf2-a259-e3dc5476c621/instantiate") => {
            let application = json!({ "id": APPLICATION, "objectId": APPLICATION, "appId": APP_ID });
            Reply::json(201, &json!({ "application": application, "servicePrincipal": principal }))
        }
        ("POST", path) if path == jobs => Reply::json(201, &json!({ "id": JOB, "templateId": "API2AD" })),
        ("GET", path) if path == jobs => {
            let job = json!({ "id": JOB, "status": { "code": "Active" }, "schedule": { "state": "Active" } });
            ok(&json!({ "value": [job] }))
        }
        ("GET", "/v1.0/servicePrincipals") if query.is_empty() => {
            ok(&json!({ "value": [{ "id": GRAPH, "appId": "00000003-0000-0000-c000-000000000000" }, principal] }))
        }
        ("GET", "/v1.0/servicePrincipals") => {
            let is_known = [APP_ID, PRINCIPAL, "'HR to AD'"].iter().any(|id| query.contains(id));
            ok(&json!({ "value": if is_known { vec![principal] } else { Vec::new() } }))
        }
        ("GET", "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')") => {
            let roles = json!([{ "id": "role-1", "value": "SynchronizationData-User.Upload" },
                { "id": "role-2", "value": "ProvisioningLog.Read.All" }]);
            ok(&json!({ "id": GRAPH, "objectId": GRAPH, "appRoles": roles }))
        }
        ("GET", path) if path == format!("/v1.0/applications/{APPLICATION}") => ok(&json!({ "appId": APP_ID })),
        ("POST", path) if path == format!("/v1.0/applications/{APPLICATION}/addPassword") => ok(&secret),
        ("POST", path) if path == format!("/v1.0/applications(appId='{APP_ID}')/addPassword") => ok(&secret),
        ("POST", path) if path == format!("/v1.0/servicePrincipals/{PRINCIPAL}/appRoleAssignments") => {
            Reply::json(201, &json!({ "id": "g-1" }))
        }
        ("POST", path) if path == format!("{jobs}/{JOB}/start") || path == format!("{jobs}/{JOB}/pause") => {
            Reply::empty(204)
        }
        ("PATCH", path) if path == format!("{ours}/settings") => ok(&json!({ "domain": "corp.test", "container": null,
            "cn": "create", "match": { "source": "externalId", "attribute": "employeeID" }, "mappings": [{}] })),
        ("GET", path) if path == format!("{ours}/status") => ok(&json!({ "id": JOB, "servicePrincipal": PRINCIPAL,
            "state": "active", "operations": { "done": 3, "failed": 1 }, "persons": 4,
            "budget": { "limit": 500, "used": 12, "staged": 3, "released": 0 },
            "changes": [{ "action": "create", "status": "success", "count": 3 }] })),
        ("POST", path) if path == format!("{ours}/release") => ok(&json!({ "persons": 3 })),
        ("POST", path) if path == format!("{ours}/retry") => ok(&json!({ "persons": 2 })),
        ("GET", "/v1.0/auditLogs/provisioning") => ok(&json!({ "value": [
            { "activityDateTime": "2026-01-15T09:41:10Z", "provisioningAction": "update",
              "sourceIdentity": { "id": "E-2001" }, "provisioningStatusInfo": { "status": "success", "errorInformation": null },
              "modifiedProperties": [{ "displayName": "title", "oldValue": "Buyer", "newValue": "Senior Buyer" }] },
            { "activityDateTime": "2026-01-15T09:40:00Z", "provisioningAction": "create",
              "sourceIdentity": { "id": "E-2002" }, "modifiedProperties": [],
              "provisioningStatusInfo": { "status": "failure", "errorInformation": {
                  "errorCode": "ContainerNotFound", "reason": "The container does not exist" } } }] })),
        (_, path) if path.starts_with(&format!("{ours}/links/E 1/2")) => {
            ok(&json!({ "externalId": "E 1/2", "version": 3, "objectGuid": null, "confirmed": false }))
        }
        _ => return agent_contract(request),
    })
}

/// Those about agents.
fn agent_contract(request: &Received) -> Option<Reply> {
    Some(match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/rollcall/v1/agents/tokens") => {
            Reply::json(201, &json!({ "token": "enrol-me", "domain": "corp.test", "expires": "2026-01-15T10:30:00Z" }))
        }
        ("GET", "/rollcall/v1/agents") => ok(&json!({ "value": [
            { "agent": "a-1", "name": "dc1", "domain": "corp.test", "state": "active", "controller": "dc1.corp.test",
              "trouble": null, "lastSeen": "2026-01-15T09:29:59Z", "version": "0.2.0", "node": "n-1", "draining": false,
              "why": "it holds the lease, epoch 7, and writes through dc1.corp.test" },
            { "agent": "a-2", "name": "dc2", "domain": "corp.test", "state": "inTrouble", "controller": null,
              "trouble": "bind refused\u{1b}[2J", "lastSeen": null, "draining": false,
              "why": "it is in trouble: bind refused\u{1b}[2J" },
            { "agent": "a-3", "name": "DC2", "domain": "corp.test", "state": "draining", "draining": true,
              "why": "it is set to drain and takes no work" }] })),
        ("POST", "/rollcall/v1/agents/a-1/logLevel") if request.body.contains("debgu") => {
            Reply::error(400, "BadRequest", "filter 'debgu' is no level")
        }
        ("POST", path) if path.starts_with("/rollcall/v1/agents/a-1/") => Reply::empty(204),
        _ => return None,
    })
}

/// What was asked, what came of it.
fn shown(run: &Run, requests: &[Received]) -> String {
    let lines: Vec<_> = requests.iter().map(|it| format!("> {} {} {}\n", it.method, it.target, it.body)).collect();
    format!("{}exit {}\n--- stdout\n{}--- stderr\n{}", lines.concat(), run.exit.code(), run.out, run.err)
}

/// Runs a command, as text and with `--json`.
async fn check(name: &str, args: &[&str]) {
    let service = Service::start(contract).await;
    let text = service.run(args).await;
    let requests = service.received();
    let json = service.run(&[args, &["--json"]].concat()).await;
    assert_eq!(json.exit, text.exit, "{args:?}");
    if !json.out.is_empty() {
        json.json();
    }
    insta::assert_snapshot!(name, format!("{}=== --json\n{}", shown(&text, &requests), shown(&json, &[])));
}

#[tokio::test]
async fn applications() {
    check("app_create", &["app", "create", "HR to AD"]).await;
    check("app_list", &["app", "list"]).await;
    check("app_secret_by_object_id", &["app", "secret", "add", APPLICATION]).await;
    check("app_secret_by_app_id", &["app", "secret", "add", APP_ID, "--name", "nightly"]).await;
    check("app_secret_by_name", &["app", "secret", "add", "HR to AD"]).await;
    check("app_unknown", &["app", "secret", "add", "O'Neil"]).await;
    let roles = ["synchronizationdata-user.upload", "ProvisioningLog.Read.All"];
    check("app_grant", &[&["app", "grant", APPLICATION][..], &roles].concat()).await;
    check("app_grant_unknown_role", &["app", "grant", APP_ID, roles[0], "Everything.All"]).await;
}

#[tokio::test]
async fn agents() {
    check("agent_token", &["agent", "token", "--domain", "corp.test"]).await;
    check("agent_list", &["agent", "list"]).await;
    check("agent_drain", &["agent", "drain", "dc1"]).await;
    check("agent_undrain", &["agent", "undrain", "a-1"]).await;
    check("agent_log_level", &["agent", "log-level", "DC1", "info,rollcall_agent=trace"]).await;
    check("agent_log_level_default", &["agent", "log-level", "dc1", "default"]).await;
    check("agent_log_level_refused", &["agent", "log-level", "dc1", "debgu"]).await;
    check("agent_rotate_key", &["agent", "rotate-key", "dc1"]).await;
    check("agent_of_two_names", &["agent", "drain", "dc2"]).await;
    check("agent_unknown", &["agent", "rotate-key", "dc9"]).await;
}

#[tokio::test]
async fn jobs() {
    let set = ["--domain", "corp.test", "--container", "", "--upn-suffix", "corp.example", "--parent", "[division]"];
    let rest = ["--cn", "create", "--delete", "disable", "--match", "externalId=employeeID"];
    check("job_set", &[&["job", "set"][..], &set, &rest].concat()).await;
    check("job_set_nothing", &["job", "set"]).await;
    check("job_list", &["job", "list"]).await;
    check("job_start", &["job", "start"]).await;
    check("job_pause", &["job", "pause"]).await;
    check("job_status", &["job", "status"]).await;
    check("job_show", &["job", "show"]).await;
    check("job_retry", &["job", "retry"]).await;
    check("job_release", &["job", "release"]).await;
    check("job_release_some", &["job", "release", JOB, "--count", "2"]).await;
    check("job_set_always", &["job", "set", "--cn", "always", "--delete", "delete", "--budget", "50"]).await;
    check("job_set_passwords", &["job", "set", "--inactive", "create", "--initial-password", "none"]).await;
    check("job_set_no_budget", &["job", "set", "--budget", "off"]).await;
}

#[tokio::test]
async fn logs_and_links() {
    check("logs", &["logs"]).await;
    let filter = "provisioningAction eq 'create' or provisioningAction eq 'update'";
    check("logs_filtered", &["logs", "--filter", filter, "--external-id", "O'Neil", "--failed", "--top", "1"]).await;
    check("logs_all", &["logs", "--all"]).await;
    check("link_show", &["link", "show", "E 1/2"]).await;
    check("link_break", &["link", "break", "E 1/2"]).await;
    check("link_rematch", &["link", "rematch", "E 1/2"]).await;
    check("link_unknown", &["link", "show", "E-9"]).await;
}

#[test]
fn values_that_settings_do_not_have_are_refused_with_a_word_why() {
    let check = |args: &[&str], expected: &str| {
        let error = parse(&[&["job", "set"], args].concat()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&["--cn", "never"], "create, always");
    check(&["--delete", "x"], "off, disable, delete");
    check(&["--budget", "-1"], "unexpected argument");
    check(&["--budget", "many"], "it is a number of writes, or 'off'");
    check(&["--match", "externalId"], "a source attribute, '=', and an AD attribute");
    check(&["--match", "=employeeID"], "a source attribute");
}

#[test]
fn command_lines_that_cannot_be() {
    let check = |args: &[&str]| assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args:?}");
    check(&["upload", "f.json", "--parallel", "0"]);
    check(&["job", "release", "--count", "0"]);
    check(&["upload", "f.json", "--parallel", "33"]);
    check(&["logs", "--all", "--top", "3"]);
    check(&["app", "grant", "x"]);
    check(&["agent", "token"]);
}
