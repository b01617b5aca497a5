//! A lab to measure on, and the questions that its service is asked around a measurement.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::drive::{self, Target, Uploader};
use super::feed::{Record, Template};
use super::usage::{self, Usage};
use crate::lab::state::{Lab, Role};
use crate::lab::{self, Kind};

/// After this a new token is asked for; the service's live an hour.
const TOKEN_AGE_MAX: Duration = Duration::from_mins(30);
/// Requests that are sent side by side.
const CONNECTIONS: usize = 4;
/// A job that ends nothing for so long stands still.
const STANDSTILL: Duration = Duration::from_mins(3);
/// How often the state of an upload is asked for while its end is far, and when it is near.
const POLL_FAR: Duration = Duration::from_millis(50);
const POLL_NEAR: Duration = Duration::from_millis(5);

/// A lab that is up.
pub(super) struct Stand {
    pub(super) lab: Lab,
    pub(super) kind: Kind,
    pub(super) store: String,
    pub(super) target: Target,
    http: reqwest::Client,
    token_made: Instant,
    uploader: Uploader,
    /// The first number that nobody has.
    next: u32,
}

/// How operations ended: state, with the code where it was skipped or failed, to number.
pub(super) type Ends = BTreeMap<String, u32>;

impl Stand {
    /// Starts a lab of one agent. What an earlier run left is ended first.
    pub(super) async fn up(kind: Kind, store: &str) -> anyhow::Result<Self> {
        let dir = dir(kind)?;
        lab::down(&dir)?;
        let options = lab::Options {
            dir,
            port: 0,
            directory: kind,
            store: store.to_owned(),
            durable: true,
            agents: 1,
            domain_controllers: 1,
        };
        let lab = lab::up(&options).await?;
        match Self::connect(lab.clone(), kind, store).await {
            Ok(stand) => Ok(stand),
            Err(error) => {
                lab::down(&lab.shown.dir)?;
                Err(error)
            }
        }
    }

    async fn connect(lab: Lab, kind: Kind, store: &str) -> anyhow::Result<Self> {
        let shown = &lab.shown;
        let certificate = reqwest::Certificate::from_pem(&std::fs::read(&shown.ca)?)?;
        let http = reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().timeout(Duration::from_mins(1));
        let http = http.build()?;
        let port = shown.graph.rsplit(':').next().and_then(|port| port.parse().ok()).context("the service's port")?;
        let (principal, job) = (&shown.service_principal, &shown.job);
        let path = format!("/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/bulkUpload");
        let token = token(&http, &lab).await?;
        let target = Target { port, path, token, tls: drive::connector(&shown.ca)? };
        let uploader = Uploader::open(&target, CONNECTIONS).await?;
        let (store, token_made) = (store.to_owned(), Instant::now());
        let stand = Self { lab, kind, store, target, http, token_made, uploader, next: 1 };
        // A benchmark changes more in an hour than a job may in a day.
        stand.set(&json!({ "budget": null })).await?;
        Ok(stand)
    }

    pub(super) fn down(&self) -> anyhow::Result<()> {
        lab::down(&self.lab.shown.dir)
    }

    pub(super) fn directory(&self) -> &'static str {
        match self.kind {
            Kind::Samba => "samba",
            Kind::Practice => "practice",
        }
    }

    /// Numbers of people whom nobody sent yet.
    pub(super) fn take(&mut self, number: u32) -> Range<u32> {
        let first = self.next;
        self.next += number;
        first..self.next
    }

    /// Service and agent.
    pub(super) fn pids(&self) -> Vec<u32> {
        let pids = &self.lab.shown.pids;
        std::iter::once(pids.service).chain(pids.agents.iter().copied()).collect()
    }

    /// Of service, agent and the lab's own database server.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        let server = self.lab.processes.iter().filter(|process| process.role == Role::Postgres);
        let server: Vec<u32> = server.map(|process| process.pid).collect();
        Usage::of(&[self.pids(), usage::with_children(&server)?].concat())
    }

    /// Sends SIGKILL to the service and starts it again; gives the moment before the start.
    pub(super) fn restart_service(&mut self) -> anyhow::Result<Instant> {
        let process = self.lab.process_mut(Role::Service)?;
        process.kill()?;
        let start = Instant::now();
        process.spawn()?;
        self.lab.write()?;
        Ok(start)
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.bearer_auth(&self.target.token).send().await?;
        let (status, url) = (answer.status(), answer.url().clone());
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{url}: {status} {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{url}: no JSON: {text}"))
    }

    fn job_url(&self, rest: &str) -> String {
        format!("{}/rollcall/v1/jobs/{}/{rest}", self.lab.shown.graph, self.lab.shown.job)
    }

    /// Changes settings of the job.
    pub(super) async fn set(&self, settings: &Value) -> anyhow::Result<()> {
        self.call(self.http.patch(self.job_url("settings")).json(settings)).await.map(drop)
    }

    /// `pause` or `start`.
    pub(super) async fn job(&self, verb: &str) -> anyhow::Result<()> {
        let shown = &self.lab.shown;
        let (sp, job) = (&shown.service_principal, &shown.job);
        let url = format!("{}/v1.0/servicePrincipals/{sp}/synchronization/jobs/{job}/{verb}", shown.graph);
        self.call(self.http.post(url)).await.map(drop)
    }

    /// Operations that are not final.
    pub(super) async fn open_operations(&self) -> anyhow::Result<u64> {
        let status = self.call(self.http.get(self.job_url("status"))).await?;
        let numbers = status["operations"].as_object().context("a status without operations")?;
        let open = numbers.iter().filter(|(state, _)| !is_final(state));
        Ok(open.filter_map(|(_, number)| number.as_u64()).sum())
    }

    /// People that the job knows.
    pub(super) async fn persons(&self) -> anyhow::Result<u64> {
        let status = self.call(self.http.get(self.job_url("status"))).await?;
        status["persons"].as_u64().context("a status without persons")
    }

    /// Opens the connections again that a restart of the service closed.
    pub(super) async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.uploader = Uploader::open(&self.target, CONNECTIONS).await?;
        Ok(())
    }

    async fn upload(&self, id: &str) -> anyhow::Result<Value> {
        self.call(self.http.get(format!("{}/rollcall/v1/uploads/{id}", self.lab.shown.graph))).await
    }

    /// Sends records, four requests at a time; the bodies are built before the first is sent. Gives the uploads' ids
    /// and the moment before the first request.
    pub(super) async fn send(&mut self, records: &[Record]) -> anyhow::Result<(Vec<String>, Instant)> {
        if self.token_made.elapsed() > TOKEN_AGE_MAX {
            self.target.token = token(&self.http, &self.lab).await?;
            self.reconnect().await?;
            self.token_made = Instant::now();
        }
        let bodies = Template::new().bodies(records);
        let start = Instant::now();
        Ok((self.uploader.send(bodies).await?, start))
    }

    /// Waits until every operation of these uploads is final; takes `sample` at that moment. The last upload is looked
    /// at, seldom while one before it is open, and all the others once it is final: watching costs next to nothing, and
    /// nothing is taken for final that was not seen so.
    pub(super) async fn finish<T>(
        &self,
        uploads: &[String],
        sample: impl Fn() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Ends)> {
        let Some(last) = uploads.last() else { bail!("nothing was sent") };
        if uploads.len() > 10 {
            self.wait(&uploads[uploads.len() * 9 / 10], POLL_FAR).await?;
        }
        self.wait(last, POLL_NEAR).await?;
        let mut sampled = sample()?;
        let mut ends = Ends::new();
        for id in uploads {
            let mut upload = self.upload(id).await?;
            if upload["final"] != true {
                upload = self.wait(id, POLL_NEAR).await?;
                sampled = sample()?;
            }
            count(&mut ends, &upload);
        }
        Ok((sampled, ends))
    }

    /// Waits until one upload is final.
    async fn wait(&self, id: &str, poll: Duration) -> anyhow::Result<Value> {
        let (mut moved, mut open) = (Instant::now(), u64::MAX);
        loop {
            let upload = self.upload(id).await?;
            if upload["final"] == true {
                return Ok(upload);
            }
            if moved.elapsed() > STANDSTILL {
                let now = self.open_operations().await?;
                if now >= open {
                    bail!("{now} operations are open and none ended in {STANDSTILL:?}: {}", upload["counts"]);
                }
                (moved, open) = (Instant::now(), now);
            }
            tokio::time::sleep(poll).await;
        }
    }

    /// Sends records and waits for the end of all; gives the time from before the first request to the end of the
    /// last operation. Every operation must end as `expected` says.
    pub(super) async fn run(&mut self, records: &[Record], expected: &str) -> anyhow::Result<Duration> {
        let (uploads, start) = self.send(records).await?;
        let (end, ends) = self.finish(&uploads, || Ok(Instant::now())).await?;
        check_ends(&ends, expected)?;
        Ok(end - start)
    }
}

/// Fails where an operation ended otherwise.
pub(super) fn check_ends(ends: &Ends, expected: &str) -> anyhow::Result<()> {
    if ends.keys().all(|end| end == expected) {
        return Ok(());
    }
    bail!("not every operation ended as {expected}: {ends:?}")
}

/// Adds an upload's operations.
fn count(ends: &mut Ends, upload: &Value) {
    for operation in upload["operations"].as_array().into_iter().flatten() {
        let state = operation["state"].as_str().unwrap_or("?");
        let end = match operation["code"].as_str() {
            Some(code) => format!("{state}/{code}"),
            None => state.to_owned(),
        };
        *ends.entry(end).or_default() += 1;
    }
}

fn is_final(state: &str) -> bool {
    matches!(state, "done" | "skipped" | "failed" | "superseded")
}

fn dir(kind: Kind) -> anyhow::Result<PathBuf> {
    let name = match kind {
        Kind::Samba => ".rollcall/bench-samba",
        Kind::Practice => ".rollcall/bench-practice",
    };
    Ok(std::path::absolute(crate::root().join(name))?)
}

async fn token(http: &reqwest::Client, lab: &Lab) -> anyhow::Result<String> {
    let shown = &lab.shown;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &shown.client),
        ("client_secret", &shown.secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", shown.auth, shown.tenant);
    let answer: Value = http.post(&url).form(&form).send().await?.json().await?;
    answer["access_token"].as_str().map(str::to_owned).with_context(|| format!("{url}: {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_counted_and_checked() {
        let mut ends = Ends::new();
        let operations = json!([{"state": "done", "code": null}, {"state": "skipped", "code": "RedundantExport"}]);
        count(&mut ends, &json!({ "operations": operations }));
        count(&mut ends, &json!({ "operations": [{"state": "done"}] }));
        assert_eq!(ends, Ends::from([("done".to_owned(), 2), ("skipped/RedundantExport".to_owned(), 1)]));
        assert!(check_ends(&ends, "done").is_err());
        assert!(check_ends(&Ends::from([("done".to_owned(), 2)]), "done").is_ok());
    }
}
