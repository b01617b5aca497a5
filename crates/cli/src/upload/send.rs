//! Sending: several requests in flight, each repeated with its own key until it is answered for good.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::error::{Error, Refusal};
use crate::http::{Client, Repeat, Request};
use crate::upload::plan::Planner;
use crate::upload::progress::Progress;
use crate::upload::read::Operation;
use crate::upload::report::{Report, Sent};

const ENVELOPE_START: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":["#;
const ENVELOPE_END: &str = "]}";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LANE: HeaderName = HeaderName::from_static("rollcall-lane");
const UPLOAD_ID: HeaderName = HeaderName::from_static("rollcall-upload-id");

/// Which of the service's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Normal,
    Urgent,
}

/// Sends the requests of one file.
pub(crate) struct Sender<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: Url,
    pub(crate) lane: Lane,
    pub(crate) parallel: usize,
}

/// How one request ended.
enum Reply {
    Accepted(String),
    /// These operations, and only these, are refused: the others may go on.
    Refused(Refusal),
}

impl Sender<'_> {
    /// Sends everything. What was accepted or refused until an error stands in `report`.
    pub(crate) async fn send_all(
        &self,
        operations: &[Operation],
        mut planner: Planner,
        report: &mut Report,
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut in_flight = FuturesUnordered::new();
        let mut first_error = None;
        loop {
            while first_error.is_none() && in_flight.len() < self.parallel {
                let Some(batch) = planner.next() else { break };
                let request = self.request(operations, &batch);
                in_flight.push(async move { (self.send(&request).await, batch) });
            }
            let Some((reply, batch)) = in_flight.next().await else { break };
            match reply {
                Ok(Reply::Accepted(id)) => report.accepted(Sent::new(id, &batch, operations)),
                Ok(Reply::Refused(refusal)) => report.refused(&batch, operations, &refusal),
                // Nothing new is started; what is in flight is waited for, since it may well be accepted.
                Err(error) => {
                    report.unsent += batch.len();
                    first_error.get_or_insert(error);
                }
            }
            planner.answered(&batch);
            progress.at(report.answered());
        }
        report.unsent += planner.waiting();
        match first_error {
            Some(error) => Err(error),
            // Not one was taken: that is a refusal of the whole file.
            None => report.refusal_of_all().map_or(Ok(()), |refusal| Err(Error::Refused(Box::new(refusal)))),
        }
    }

    async fn send(&self, request: &Request) -> Result<Reply, Error> {
        let answer = match self.client.send(request).await {
            Ok(answer) => answer,
            // 400, 413 and 422 are about this body; everything else would be said of every other request too.
            Err(Error::Refused(refusal)) if matches!(refusal.status, 400 | 413 | 422) => {
                return Ok(Reply::Refused(*refusal));
            }
            Err(error) => return Err(error),
        };
        let id = answer.headers.get(UPLOAD_ID).and_then(|value| value.to_str().ok());
        id.map(|id| Reply::Accepted(id.to_owned())).ok_or_else(|| Error::Unexpected {
            url: answer.url(),
            cause: "it has no header rollcall-upload-id".to_owned(),
        })
    }

    /// One request. Its key is made here, once: whatever repeats it repeats the key and the bytes.
    fn request(&self, operations: &[Operation], batch: &[usize]) -> Request {
        let mut body = String::from(ENVELOPE_START);
        for (at, position) in batch.iter().enumerate() {
            if at > 0 {
                body.push(',');
            }
            body.push_str(operations[*position].json.get());
        }
        body.push_str(ENVELOPE_END);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        if let Ok(key) = HeaderValue::from_str(&self.client.random.uuid_v4().to_string()) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        if self.lane == Lane::Urgent {
            headers.insert(LANE, HeaderValue::from_static("urgent"));
        }
        let (method, url, body) = (Method::POST, self.url.clone(), Some(body.into_bytes().into()));
        Request { method, url, headers, body, repeat: Repeat::Keyed }
    }
}
