//! Reads a history from outside: HTTP with the token of a client, plain LDAP with an observer's account.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use reqwest::{Method, StatusCode};
use rollcall_model::ids::ObjectGuid;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::checker::{Change, LogRow, Object, Operation, Upload};

/// What `./lab up --json` prints, as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabInfo {
    pub auth: String,
    pub graph: String,
    pub ca: PathBuf,
    pub tenant: String,
    pub client: String,
    pub secret: String,
    pub service_principal: String,
    pub job: String,
    /// The first controller's.
    pub ldap: String,
    /// Every controller's, in order.
    pub ldap_urls: Vec<String>,
    pub base_dn: String,
    pub users_ou: String,
    pub other_ou: String,
    pub bind_dn: String,
    pub bind_password: String,
    /// The delegated account of the agents.
    pub agent_bind_dn: String,
    pub pids: Pids,
    /// The service's configuration file.
    pub config: PathBuf,
    pub dir: PathBuf,
}

/// Process ids by role.
#[derive(Clone, Debug, Deserialize)]
pub struct Pids {
    pub service: u32,
    pub agents: Vec<u32>,
    pub directories: Vec<u32>,
}

/// An HTTP client with a token.
pub struct Api {
    http: reqwest::Client,
    lab: LabInfo,
    token: String,
}

/// An answer with its body as text.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Header `rollcall-upload-id`.
    pub upload: Option<String>,
    /// Header `Location`.
    pub location: Option<String>,
    /// Header `Retry-After`.
    pub retry_after: Option<String>,
    pub body: String,
}

impl Api {
    /// Asks for a token with the client's secret.
    pub async fn connect(lab: &LabInfo) -> anyhow::Result<Self> {
        let authority = reqwest::Certificate::from_pem(&std::fs::read(&lab.ca)?)?;
        let builder = reqwest::Client::builder().tls_certs_only([authority]).no_proxy();
        let http = builder.timeout(Duration::from_secs(30)).build()?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &lab.client),
            ("client_secret", &lab.secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", lab.auth, lab.tenant);
        let answer = http.post(&url).form(&form).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await.with_context(|| format!("{url}: {status}"))?;
        let token = body["access_token"].as_str().with_context(|| format!("{url}: {status} {body}"))?.to_owned();
        Ok(Self { http, lab: lab.clone(), token })
    }

    /// Sends one bulk request and gives its answer, whatever it is. With a `key` it may be sent again.
    pub async fn bulk_upload(&self, body: String, key: Option<&str>) -> anyhow::Result<Answer> {
        let (sp, job) = (&self.lab.service_principal, &self.lab.job);
        let url = format!("{}/v1.0/servicePrincipals/{sp}/synchronization/jobs/{job}/bulkUpload", self.lab.graph);
        let mut request = self.http.post(url).bearer_auth(&self.token).header("content-type", "application/scim+json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.body(body).send().await?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, upload, location) = (answer.status(), header("rollcall-upload-id"), header("location"));
        let retry_after = header("retry-after");
        Ok(Answer { status, upload, location, retry_after, body: answer.text().await? })
    }

    async fn get(&self, url: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("GET {url}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("GET {url}: no JSON: {text}"))
    }

    /// Sets the expression that yields a person's container.
    pub async fn set_parent(&self, expression: &str) -> anyhow::Result<()> {
        self.set(&json!({ "parent": expression })).await
    }

    /// The job's schema, changed.
    pub async fn change_schema(&self, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        let mut schema = self.call(Method::GET, "schema", None).await?;
        change(&mut schema);
        self.call(Method::PUT, "schema", Some(&schema)).await.map(|_| ())
    }

    /// One of Graph's actions on the job: `start`, `pause`.
    pub async fn act(&self, action: &str) -> anyhow::Result<()> {
        self.call(Method::POST, action, None).await.map(|_| ())
    }

    /// One of Graph's routes below the job; null where the answer has no body.
    async fn call(&self, method: Method, rest: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (sp, job) = (&self.lab.service_principal, &self.lab.job);
        let url = format!("{}/v1.0/servicePrincipals/{sp}/synchronization/jobs/{job}/{rest}", self.lab.graph);
        let mut request = self.http.request(method.clone(), &url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{method} {url}: {status} {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// Forgets a person's link; the job must be paused.
    pub async fn break_link(&self, person: &str) -> anyhow::Result<()> {
        let url = format!("{}/rollcall/v1/jobs/{}/links/{person}/break", self.lab.graph, self.lab.job);
        let answer = self.http.post(&url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("POST {url}: {status} {}", answer.text().await?);
        }
        Ok(())
    }

    /// Changes settings of the job.
    pub async fn set(&self, settings: &Value) -> anyhow::Result<()> {
        let url = format!("{}/rollcall/v1/jobs/{}/settings", self.lab.graph, self.lab.job);
        let request = self.http.patch(&url).bearer_auth(&self.token).json(settings);
        let answer = request.send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("PATCH {url}: {status} {}", answer.text().await?);
        }
        Ok(())
    }

    /// Has everybody tried again who failed, or waits for their next try.
    pub async fn retry(&self) -> anyhow::Result<()> {
        let url = format!("{}/rollcall/v1/jobs/{}/retry", self.lab.graph, self.lab.job);
        let answer = self.http.post(&url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("POST {url}: {status} {}", answer.text().await?);
        }
        Ok(())
    }

    /// Has persons worked on at once, or with `?preview=true` only looked at.
    pub async fn provision_on_demand(&self, query: &str, body: &Value) -> anyhow::Result<Value> {
        let (sp, job) = (&self.lab.service_principal, &self.lab.job);
        let path = format!("v1.0/servicePrincipals/{sp}/synchronization/jobs/{job}/provisionOnDemand{query}");
        let url = format!("{}/{path}", self.lab.graph);
        let answer = self.http.post(&url).bearer_auth(&self.token).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("POST {url}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("POST {url}: no JSON: {text}"))
    }

    /// The agents' states, in the order in which they were enrolled: `active`, `standby` or `offline`.
    pub async fn agent_states(&self) -> anyhow::Result<Vec<String>> {
        let list = self.get(&format!("{}/rollcall/v1/agents", self.lab.graph)).await?;
        let mut agents: Vec<(String, String)> = list["value"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|agent| Some((agent["enrolled"].as_str()?.to_owned(), agent["state"].as_str()?.to_owned())))
            .collect();
        agents.sort();
        Ok(agents.into_iter().map(|(_, state)| state).collect())
    }

    /// An upload's status.
    pub async fn upload(&self, id: &str) -> anyhow::Result<Upload> {
        let value = self.get(&format!("{}/rollcall/v1/uploads/{id}", self.lab.graph)).await?;
        let counts = value["counts"].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let operation = |value: &Value| Operation {
            external_id: text(&value["externalId"]),
            state: text(&value["state"]).unwrap_or_default(),
            code: text(&value["code"]),
            log_ids: value["logIds"].as_array().into_iter().flatten().filter_map(text).collect(),
        };
        Ok(Upload {
            id: id.to_owned(),
            counts: counts.map(|(state, number)| (state.clone(), number.as_u64().unwrap_or(0))).collect(),
            operations: value["operations"].as_array().into_iter().flatten().map(operation).collect(),
        })
    }

    /// Waits until every operation of an upload is final.
    pub async fn wait_until_final(&self, id: &str, wait_max: Duration) -> anyhow::Result<Upload> {
        let deadline = tokio::time::Instant::now() + wait_max;
        loop {
            let upload = self.upload(id).await?;
            let is_final = |operation: &Operation| {
                matches!(operation.state.as_str(), "done" | "skipped" | "failed" | "superseded")
            };
            if upload.operations.iter().all(is_final) {
                return Ok(upload);
            }
            let upload: Vec<_> = upload.operations.iter().filter(|operation| !is_final(operation)).collect();
            if tokio::time::Instant::now() > deadline {
                bail!("not final after {wait_max:?}: {upload:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The job's log rows as JSON, newest first, all pages.
    pub async fn log_values(&self) -> anyhow::Result<Vec<Value>> {
        let filter = format!("jobid%20eq%20'{}'", self.lab.job);
        let order = "$orderby=activityDateTime%20desc";
        let mut next =
            Some(format!("{}/v1.0/auditLogs/provisioning?$filter={filter}&{order}&$top=500", self.lab.graph));
        let mut out = Vec::new();
        while let Some(url) = next {
            let mut page = self.get(&url).await?;
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            if let Value::Array(rows) = page["value"].take() {
                out.extend(rows);
            }
        }
        Ok(out)
    }

    /// The job's log.
    pub async fn log(&self) -> anyhow::Result<Vec<LogRow>> {
        Ok(self.log_values().await?.iter().map(row).collect())
    }
}

fn row(value: &Value) -> LogRow {
    // The wire has empty texts where nothing is known.
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let change = |value: &Value| Change {
        attribute: text(&value["displayName"]).unwrap_or_default(),
        old: text(&value["oldValue"]),
        new: text(&value["newValue"]),
    };
    LogRow {
        id: text(&value["id"]).unwrap_or_default(),
        external_id: text(&value["sourceIdentity"]["id"]).unwrap_or_default(),
        object: text(&value["targetIdentity"]["id"]).map(|guid| guid.to_lowercase()),
        action: text(&value["provisioningAction"]).unwrap_or_default().to_lowercase(),
        status: text(&value["provisioningStatusInfo"]["status"]).unwrap_or_default().to_lowercase(),
        changes: value["modifiedProperties"].as_array().into_iter().flatten().map(change).collect(),
    }
}

/// A bound connection to the directory.
pub struct Directory {
    /// For hand edits.
    pub ldap: Ldap,
    base_dn: String,
}

impl Directory {
    /// Connects with the lab's authority as the only trust, and binds as the observer.
    pub async fn connect(lab: &LabInfo) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(Path::new(&lab.ca))? {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let settings = LdapConnSettings::new().set_conn_timeout(Duration::from_secs(5)).set_config(Arc::new(config));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &lab.ldap).await?;
        ldap3::drive!(connection);
        ldap.simple_bind(&lab.bind_dn, &lab.bind_password).await?.success()?;
        Ok(Self { ldap, base_dn: lab.base_dn.clone() })
    }

    /// Every user that carries a matching value.
    pub async fn objects(&mut self) -> anyhow::Result<Vec<Object>> {
        let pages: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(500))];
        let filter = "(&(objectCategory=person)(objectClass=user)(employeeID=*))";
        let names = vec!["*", "objectGUID", "uSNChanged", "replPropertyMetaData"];
        let mut stream = self.ldap.streaming_search_with(pages, &self.base_dn, Scope::Subtree, filter, names).await?;
        let mut out = Vec::new();
        while let Some(entry) = stream.next().await? {
            out.push(object(SearchEntry::construct(entry))?);
        }
        stream.finish().await.success()?;
        Ok(out)
    }

    /// Makes a disabled account with a matching value by hand, as an administrator might have before Rollcall came.
    pub async fn add_account(&mut self, container: &str, person: &str) -> anyhow::Result<()> {
        let attributes = vec![
            ("objectClass", HashSet::from(["user"])),
            ("sAMAccountName", HashSet::from([person])),
            ("employeeID", HashSet::from([person])),
            ("userAccountControl", HashSet::from(["514"])),
        ];
        let dn = format!("CN={person},{container}");
        self.ldap.add(&dn, attributes).await?.success().with_context(|| format!("adding {dn}"))?;
        Ok(())
    }

    /// Asks a practice directory for a fault, by the extended operation it has for this.
    pub async fn ask_for(&mut self, fault: &str) -> anyhow::Result<()> {
        // The control's name is the practice directory's; the checker knows no crate but the model.
        const CONTROL: &str = "2.25.67610522384803895880685225241680309511";
        let operation = ldap3::exop::Exop { name: Some(CONTROL.to_owned()), val: Some(fault.as_bytes().to_vec()) };
        self.ldap.extended(operation).await?.success().with_context(|| fault.to_owned())?;
        Ok(())
    }

    /// The one object of a person; `None` where there is none.
    pub async fn object(&mut self, person: &str) -> anyhow::Result<Option<Object>> {
        let mut found: Vec<Object> =
            self.objects().await?.into_iter().filter(|object| object.person.eq_ignore_ascii_case(person)).collect();
        if found.len() > 1 {
            bail!("{person} has {} objects", found.len());
        }
        Ok(found.pop())
    }
}

fn object(entry: SearchEntry) -> anyhow::Result<Object> {
    // Bytes that happen to be text come among the texts.
    let bytes = |name: &str| -> Option<Vec<u8>> {
        let binary = entry.bin_attrs.get(name).and_then(|values| values.first()).cloned();
        binary.or_else(|| Some(entry.attrs.get(name)?.first()?.clone().into_bytes()))
    };
    let guid: [u8; 16] = bytes("objectGUID").and_then(|bytes| bytes.try_into().ok()).context("no objectGUID")?;
    let writes = bytes("replPropertyMetaData").map(|bytes| writes(&bytes)).unwrap_or_default();
    let person = entry.attrs.get("employeeID").and_then(|values| values.first()).cloned().context("no employeeID")?;
    let guid = ObjectGuid::from_ldap(guid).to_string().to_lowercase();
    Ok(Object { guid, dn: entry.dn, person, attributes: entry.attrs.into_iter().collect(), writes })
}

/// Ids of attributes in replication metadata (MS-DRSR 5.14 with the default prefix table).
const ATTRIBUTE_IDS: &[(u32, &str)] = &[
    (0x0000_0004, "sn"),
    (0x0000_000C, "title"),
    (0x0000_002A, "givenName"),
    (0x0002_000D, "displayName"),
    (0x0002_008D, "department"),
];

/// How often each known attribute was written: PROPERTY_META_DATA_EXT_VECTOR version 1 (MS-DRSR 5.162), little-endian:
/// version, reserved, count, reserved; then 48 bytes each that begin with attribute id and version.
fn writes(bytes: &[u8]) -> BTreeMap<String, u32> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let count = number(8).unwrap_or(0) as usize;
    let entries = (0..count).filter_map(|entry| Some((number(16 + entry * 48)?, number(20 + entry * 48)?)));
    let named = entries.filter_map(|(id, version)| {
        ATTRIBUTE_IDS.iter().find(|(known, _)| *known == id).map(|(_, name)| ((*name).to_owned(), version))
    });
    named.collect()
}
