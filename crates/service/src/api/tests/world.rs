//! A service in process and the calls that tests make of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use rollcall_model::{Clock, Random as _, Timestamp};
use rollcall_store::Store;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use tower::ServiceExt as _;

use crate::config::Config;
use crate::system::SystemRandom;
use crate::{Options, Service};

/// Names the PostgreSQL database beside which each world makes one of its own; without it worlds are on SQLite.
pub(super) const DATABASE: &str = "ROLLCALL_TEST_DATABASE";

/// URL of a store that nobody else has.
async fn own_store() -> String {
    let Ok(url) = std::env::var(DATABASE) else { return "sqlite".to_owned() };
    let name = format!("world_{}", SystemRandom.uuid_v4().simple());
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    connection.close().await.unwrap();
    let (server, rest) = url.split_once("/test_").unwrap();
    let options = rest.split_once('?').unwrap().1;
    format!("{server}/{name}?{options}")
}

/// A clock that stands still until it is told to go on.
pub(super) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(super) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms * 1_000, Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// The error's code and message, after checking the envelope.
    #[track_caller]
    pub(super) fn error(&self) -> (String, String) {
        let json = self.json();
        let error = &json["error"];
        assert_eq!(error["innerError"]["request-id"], self.header("request-id"), "{self:?}");
        assert!(error["innerError"]["date"].as_str().is_some_and(|date| date.len() == 19), "{self:?}");
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }
}

/// A request to be made.
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self { method: method.parse().unwrap(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }
}

/// A service with one tenant, its administrating client, and a job.
pub(super) struct World {
    pub(super) router: Router,
    pub(super) clock: Arc<StandingClock>,
    pub(super) service: Service,
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) admin: String,
    pub(super) application: String,
    pub(super) principal: String,
    pub(super) job: String,
    config: Config,
    folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        config.store.url = own_store().await;
        let clock = Arc::new(StandingClock(AtomicI64::new(1_768_470_000_000_000)));
        let options = Options {
            config: config.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom),
        };
        let service = Service::open(options).await.unwrap();
        let file = crate::files::read(&folder.path().join("admin-client.json")).unwrap().unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let text = |name: &str| file[name].as_str().unwrap().to_owned();
        let mut world = Self {
            router: service.router(),
            clock,
            service,
            tenant: text("tenant"),
            client: text("clientId"),
            secret: text("clientSecret"),
            admin: String::new(),
            application: String::new(),
            principal: String::new(),
            job: String::new(),
            config,
            folder,
        };
        world.admin = world.token(&world.client, &world.secret).await;
        let made = world.make_application("HR to AD", &world.admin).await;
        (world.application, world.principal) = made;
        let path = format!("/v1.0/servicePrincipals/{}/synchronization/jobs", world.principal);
        let job = world.post(&path, &json!({ "templateId": "API2AD" })).await.expect(201).json();
        job["id"].as_str().unwrap().clone_into(&mut world.job);
        world
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What the service was opened with.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.service.state().store
    }

    pub(super) async fn send(&self, call: Call) -> Answer {
        let mut request = Request::builder().method(call.method).uri(call.path).header("host", "localhost:8443");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(call.body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Call::new("GET", path).token(&self.admin)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Call::new("POST", path).token(&self.admin).json(body)).await
    }

    pub(super) fn token_path(&self) -> String {
        format!("/{}/oauth2/v2.0/token", self.tenant)
    }

    pub(super) async fn ask_token(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.send(Call::new("POST", path).body("application/x-www-form-urlencoded", form.finish())).await
    }

    pub(super) async fn token(&self, client: &str, secret: &str) -> String {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer = self.ask_token(&self.token_path(), &fields).await.expect(200).json();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Ids of application and service principal.
    pub(super) async fn make_application(&self, name: &str, token: &str) -> (String, String) {
        let path = format!("/v1.0/applicationTemplates/{}/instantiate", rollcall_wire::graph::CUSTOM_APP_TEMPLATE);
        let call = Call::new("POST", &path).token(token).json(&json!({ "displayName": name }));
        let made = self.send(call).await.expect(201).json();
        let id = |what: &str| made[what]["id"].as_str().unwrap().to_owned();
        (id("application"), id("servicePrincipal"))
    }

    /// A client with these roles, and a token of it.
    pub(super) async fn client_with(&self, roles: &[&str]) -> (String, String) {
        let (application, principal) = self.make_application("a client", &self.admin).await;
        let secret =
            self.post(&format!("/v1.0/applications/{application}/addPassword"), &json!({})).await.expect(200).json();
        let graph = self.get("/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await.json();
        let ids: BTreeMap<&str, &str> = graph["appRoles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| (role["value"].as_str().unwrap(), role["id"].as_str().unwrap()))
            .collect();
        for role in roles {
            let grant = json!({ "principalId": principal, "resourceId": graph["id"], "appRoleId": ids[role] });
            self.post(&format!("/v1.0/servicePrincipals/{principal}/appRoleAssignments"), &grant).await.expect(201);
        }
        let own = self.get(&format!("/v1.0/applications/{application}")).await.json();
        let token = self.token(own["appId"].as_str().unwrap(), secret["secretText"].as_str().unwrap()).await;
        (principal, token)
    }

    pub(super) fn upload_path(&self) -> String {
        format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{}/bulkUpload", self.principal, self.job)
    }

    pub(super) fn upload_call(&self, body: impl Into<Vec<u8>>) -> Call {
        Call::new("POST", &self.upload_path()).token(&self.admin).body("application/scim+json", body)
    }

    pub(super) async fn upload(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send(self.upload_call(body)).await
    }

    /// The stored `data` members of an upload.
    pub(super) async fn stored(&self, upload: &str) -> Vec<Value> {
        let id = upload.parse().unwrap();
        let bodies = self.store().bodies(&[id]).await.unwrap();
        crate::body::unpack(&bodies[0].1).unwrap()
    }
}

/// A bulk request with these `data` members.
pub(super) fn bulk(data: &[Value]) -> Value {
    let operations: Vec<Value> = data
        .iter()
        .enumerate()
        .map(|(at, data)| json!({ "method": "POST", "bulkId": format!("b{at}"), "path": "/Users", "data": data }))
        .collect();
    json!({ "schemas": [rollcall_wire::scim::BULK_REQUEST], "Operations": operations, "failOnErrors": null })
}

/// A bulk request of one person.
pub(super) fn one(external_id: &str) -> Value {
    bulk(&[json!({ "externalId": external_id, "userName": "ines.roth", "displayName": "Inès Roth" })])
}
