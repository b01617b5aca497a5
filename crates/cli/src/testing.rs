//! A service for tests: an HTTP/1.1 responder on a port of its own, and a context with captured output.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser;
use rollcall_model::{Clock, Random, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::{Command, Context, Environment, Exit, Stream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    /// Path and query, unescaped.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// What the responder does.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Send {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Reads the request and hangs up.
    Drop,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Send { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Send { status, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({ "error": { "code": code, "message": message, "innerError": { "request-id": "r-1" } } }),
        )
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Send { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

type Handler = dyn Fn(&Received) -> Option<Reply> + Send + Sync;

/// A running service. Requests for a token it answers itself, unless the handler does.
pub(crate) struct Service {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Service {
    /// Starts it; what the handler has no reply for is answered 404.
    pub(crate) async fn start(handler: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (Arc::clone(&received), Arc::new(handler));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                tokio::spawn(async move { serve(socket, &log, &*handler).await });
            }
        });
        Self { url, received }
    }

    /// Everything but token requests, in the order of arrival.
    pub(crate) fn received(&self) -> Vec<Received> {
        let all = self.received.lock().unwrap();
        all.iter().filter(|one| !one.target.ends_with("/oauth2/v2.0/token")).cloned().collect()
    }

    pub(crate) fn token_requests(&self) -> usize {
        let all = self.received.lock().unwrap().len();
        all - self.received().len()
    }

    /// Runs `rollcall ARGS` against it.
    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        let environment = [("ROLLCALL_URL", self.url.as_str()), ("ROLLCALL_JOB", JOB)];
        run(args, &[&environment[..], &CREDENTIALS].concat()).await
    }
}

async fn serve(socket: tokio::net::TcpStream, log: &Mutex<Vec<Received>>, handler: &Handler) {
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    if socket.read_line(&mut line).await.unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        socket.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    let target = unescape(&target);
    let request = Received { method, target, headers, body: String::from_utf8(body).unwrap() };
    log.lock().unwrap().push(request.clone());
    let reply = handler(&request).unwrap_or_else(|| {
        if request.target.ends_with("/oauth2/v2.0/token") {
            Reply::json(200, &json!({ "token_type": "Bearer", "expires_in": 3_599, "access_token": "t-1" }))
        } else {
            Reply::error(404, "Request_ResourceNotFound", &format!("nothing at {}", request.target))
        }
    });
    let Reply::Send { status, headers, body } = reply else { return };
    let mut text = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text = format!("{text}{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    text.push_str(&body);
    let _ = socket.get_mut().write_all(text.as_bytes()).await;
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' && tail.len() >= 2 {
            let hex = std::str::from_utf8(&tail[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The job of the tests.
pub(crate) const JOB: &str = "API2AD.59ab8c8294d342f4b54788f69160d44e.334e4532-346d-407b-b2d7-c03c3bd883ca";
/// Its service principal.
pub(crate) const PRINCIPAL: &str = "5d0f0f5e-0000-4000-8000-000000000001";
const CREDENTIALS: [(&str, &str); 3] = [
    ("ROLLCALL_TENANT", "59ab8c82-94d3-42f4-b547-88f69160d44e"),
    ("ROLLCALL_CLIENT_ID", "0d9f2f4c-0000-4000-8000-000000000002"),
    ("ROLLCALL_CLIENT_SECRET", "s3cret-never-shown"),
];

/// The credentials of the tests, with an address.
pub(crate) fn environment(url: &str) -> Vec<(&str, &str)> {
    [&[("ROLLCALL_URL", url), ("ROLLCALL_JOB", JOB)][..], &CREDENTIALS].concat()
}

/// A finished command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Parses a command line as the binary does.
pub(crate) fn parse(args: &[&str]) -> Result<Command, clap::Error> {
    Line::try_parse_from([&["rollcall"], args].concat()).map(|line| line.command)
}

/// Runs `rollcall ARGS` in this environment.
pub(crate) async fn run(args: &[&str], environment: &[(&str, &str)]) -> Run {
    let (out, err) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let context = Context {
        clock: Arc::new(StoppedClock),
        random: Arc::new(Counter::default()),
        environment: Environment::new(environment.iter().copied()),
        out: Stream::to(out.clone()),
        err: Stream::to(err.clone()),
    };
    let exit = parse(args).unwrap().run(context).await;
    let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8(bytes.lock().unwrap().clone()).unwrap();
    Run { exit, out: text(&out), err: text(&err) }
}

/// Always 2026-01-15 09:30:00 UTC.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_768_469_400_000_000)
    }
}

/// Counts up.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0];
        }
    }
}
