//! One client of the service: tokens, requests, errors, and trying again.

mod answer;
pub(crate) mod retry;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use rollcall_model::{Clock, Random, limits};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Obstacle};
use crate::files;
use crate::settings::{Settings, is_loopback};
pub(crate) use answer::Answer;
use answer::Failure;
pub(crate) use retry::{Repeat, Retry};

/// The scope that the token endpoint knows (wire contract 1.2).
const SCOPE: &str = "https://graph.microsoft.com/.default";
/// A token is renewed this long before it ends, so that it does not end on its way.
const TOKEN_MARGIN_S: u64 = 30;

/// A request, ready to be sent as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Shared, so that a repetition sends the same bytes.
    pub(crate) body: Option<Arc<[u8]>>,
    pub(crate) repeat: Repeat,
}

impl Request {
    /// A request without a body. GET may be repeated at will.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let repeat = if method == Method::GET { Repeat::Always } else { Repeat::WhenRefused };
        Self { method, url, headers: HeaderMap::new(), body: None, repeat }
    }

    /// With a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(body.to_string().into_bytes().into());
        self
    }

    /// `METHOD /path`, for errors.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }
}

struct Token {
    text: SecretString,
    ends: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

/// Talks to one service as one application.
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) settings: Settings,
    clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    token: Mutex<Option<Token>>,
    pub(crate) retry: Retry,
}

impl Client {
    /// Reads the certificate authority, if one is set. Connects to nothing yet.
    pub(crate) fn new(settings: Settings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_millis(limits::CLIENT_ANSWER_MS_MAX))
            // A redirect would carry the secret to a place that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&settings.url) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &settings.ca {
            let unusable = |message: String| Error::Content { path: path.clone(), message };
            let certificates = reqwest::Certificate::from_pem_bundle(&files::read(path)?)
                .map_err(|cause| unusable(format!("no certificates in PEM: {cause}")))?;
            if certificates.is_empty() {
                return Err(unusable("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(|cause| Error::Unexpected {
            url: settings.url.to_string(),
            cause: format!("no TLS: {}", answer::chain(&cause)),
        })?;
        Ok(Self { http, settings, clock, random, token: Mutex::new(None), retry: Retry::default() })
    }

    /// `{origin}/{segments}`, each segment escaped.
    pub(crate) fn url(&self, segments: &[&str]) -> Result<Url, Error> {
        let mut url = self.settings.url.clone();
        // A URL cannot carry these as a segment, however they are escaped (WHATWG URL, double-dot segment).
        if let Some(bad) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(Error::Usage(format!("'{bad}' cannot be an id")));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(url)
    }

    /// `{origin}/v1.0/{segments}`: Graph's own routes.
    pub(crate) fn graph(&self, segments: &[&str]) -> Result<Url, Error> {
        self.url(&[&["v1.0"], segments].concat())
    }

    /// `{origin}/rollcall/v1/{segments}`: the routes Graph does not have.
    pub(crate) fn ours(&self, segments: &[&str]) -> Result<Url, Error> {
        self.url(&[&["rollcall", "v1"], segments].concat())
    }

    /// GETs JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        self.send(&Request::new(Method::GET, url)).await?.json()
    }

    /// POSTs JSON; the answer's JSON, `Null` where it is empty.
    pub(crate) async fn post(&self, url: Url, body: &Value) -> Result<Value, Error> {
        self.send(&Request::new(Method::POST, url).json(body)).await?.json_or_null()
    }

    /// POSTs nothing, to an action that leads to the same state however often it is asked for.
    pub(crate) async fn act(&self, url: Url) -> Result<Value, Error> {
        let request = Request { repeat: Repeat::Always, ..Request::new(Method::POST, url) };
        self.send(&request).await?.json_or_null()
    }

    /// PATCHes JSON. Setting the same values twice is setting them once, so it may be repeated.
    pub(crate) async fn patch(&self, url: Url, body: &Value) -> Result<Value, Error> {
        let request = Request { repeat: Repeat::Always, ..Request::new(Method::PATCH, url).json(body) };
        self.send(&request).await?.json_or_null()
    }

    /// All rows of a list, over its pages, at most `rows_max` of them.
    pub(crate) async fn list(&self, url: Url, rows_max: Option<usize>) -> Result<Vec<Value>, Error> {
        #[derive(Deserialize)]
        struct Page {
            value: Vec<Value>,
            #[serde(rename = "@odata.nextLink")]
            next: Option<String>,
        }
        let enough = rows_max.unwrap_or(usize::MAX);
        let (mut rows, mut next) = (Vec::new(), Some(url));
        while let Some(url) = next.take().filter(|_| rows.len() < enough) {
            let page: Page = self.get(url.clone()).await?;
            rows.extend(page.value);
            next = page.next.map(|link| self.same_origin(&url, &link)).transpose()?;
        }
        rows.truncate(enough);
        Ok(rows)
    }

    /// A link out of an answer; the token goes nowhere but to the service.
    fn same_origin(&self, from: &Url, link: &str) -> Result<Url, Error> {
        let unexpected = |cause: String| Error::Unexpected { url: from.to_string(), cause };
        let url = from.join(link).map_err(|cause| unexpected(format!("next page '{link}': {cause}")))?;
        if url.origin() == self.settings.url.origin() {
            Ok(url)
        } else {
            Err(unexpected(format!("its next page is elsewhere: {link}")))
        }
    }

    /// Sends a request, with a token, again where that is right and may help.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let mut was_renewed = false;
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.attempt(request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // The service may forget a token before its time, once.
            if failure.is_token_refused && !was_renewed {
                was_renewed = true;
                *self.token.lock().await = None;
                continue;
            }
            match self.retry.wait_ms(request.repeat, tries, &failure, &*self.random) {
                Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                None => return Err(failure.error),
            }
        }
    }

    async fn attempt(&self, request: &Request) -> Result<Answer, Failure> {
        let token = self.token().await?;
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .bearer_auth(token.expose_secret());
        match &request.body {
            Some(body) => builder = builder.body(body.to_vec()),
            // An action has no body, and some servers want to hear so.
            None if request.method != Method::GET => builder = builder.body(Vec::new()),
            None => {}
        }
        let response = builder.send().await.map_err(|cause| Failure::of_transport(&cause, &request.url))?;
        answer::read(response, &request.name(), &*self.clock).await
    }

    /// The token, fetched where there is none or it ends soon. One fetch at a time: the others wait for it.
    async fn token(&self) -> Result<SecretString, Failure> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.ends) {
            return Ok(token.text.clone());
        }
        let url = self.url(&[&self.settings.tenant, "oauth2", "v2.0", "token"]).map_err(Failure::of_caller)?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.settings.client_id),
            ("client_secret", self.settings.client_secret.expose_secret()),
            ("scope", SCOPE),
        ];
        let response = self.http.post(url.clone()).form(&form).send().await;
        let response = response.map_err(|cause| Failure::of_transport(&cause, &url))?;
        let answer = answer::read(response, &format!("POST {}", url.path()), &*self.clock)
            .await
            .map_err(Failure::of_token_endpoint)?;
        let fetched: TokenAnswer = answer.json().map_err(Failure::of_caller)?;
        let life = Duration::from_secs(fetched.expires_in.saturating_sub(TOKEN_MARGIN_S.min(fetched.expires_in / 2)));
        let text = SecretString::from(fetched.access_token);
        *held = Some(Token { text: text.clone(), ends: Instant::now() + life });
        Ok(text)
    }
}

/// Sets the query of `url`; blanks as `%20`, which every server reads alike.
pub(crate) fn with_query(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    if pairs.is_empty() {
        return url;
    }
    url.query_pairs_mut().clear().extend_pairs(pairs);
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    url
}

/// A text as a literal of an OData filter: single quotes doubled (OData 4.01 ABNF, SQUOTE-in-string).
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Failure {
    fn of_transport(cause: &reqwest::Error, url: &Url) -> Self {
        let text = answer::chain(cause);
        let obstacle = if text.contains("invalid peer certificate") {
            Obstacle::Certificate
        } else if cause.is_timeout() {
            Obstacle::Silence
        } else {
            Obstacle::Connection
        };
        // Without a connection nothing has reached the service.
        let kind = match obstacle {
            Obstacle::Certificate => retry::Kind::Final,
            _ if cause.is_connect() => retry::Kind::NotReached,
            _ => retry::Kind::Unknown,
        };
        Self::new(Error::Unreachable { url: answer::without_query(url), cause: text, obstacle }, kind)
    }
}

#[cfg(test)]
mod tests;
