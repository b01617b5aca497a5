//! A sender of bulk requests that costs as little as it can: HTTP/1.1 over TLS connections that stay open, bodies
//! built beforehand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::feed::{Active, OPERATIONS, Record, Template};
use super::report::rate;

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// Where bulk requests go, and with which token.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) token: String,
    pub(super) tls: TlsConnector,
}

/// Trusts the authority in this file and no other.
pub(super) fn connector(ca: &Path) -> anyhow::Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What the service said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Header `rollcall-upload-id`.
    pub(super) upload: Option<String>,
    pub(super) body: String,
}

/// One open connection.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    target: Target,
    inbox: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await?;
        stream.set_nodelay(true)?;
        let stream = target.tls.connect(ServerName::try_from("localhost")?, stream).await?;
        Ok(Self { stream, target: target.clone(), inbox: Vec::with_capacity(4096) })
    }

    /// Sends one bulk request and reads the answer to its end.
    pub(super) async fn post(&mut self, body: &[u8]) -> anyhow::Result<Answer> {
        let Target { path, token, port, .. } = &self.target;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.exchange(head.as_bytes(), body).await
    }

    /// Asks for a page that needs no token.
    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", self.target.port);
        self.exchange(head.as_bytes(), &[]).await
    }

    async fn exchange(&mut self, head: &[u8], body: &[u8]) -> anyhow::Result<Answer> {
        let exchange = async {
            self.stream.write_all(head).await?;
            self.stream.write_all(body).await?;
            self.stream.flush().await?;
            self.answer().await
        };
        tokio::time::timeout(ANSWER_MAX, exchange).await.context("the service does not answer")?
    }

    async fn answer(&mut self) -> anyhow::Result<Answer> {
        self.inbox.clear();
        let (head, length) = loop {
            if let Some(end) = self.inbox.windows(4).position(|four| four == b"\r\n\r\n") {
                break head(&self.inbox[..end]).map(|head| (head, end + 4))?;
            }
            self.read().await?;
        };
        while self.inbox.len() < length + head.length {
            self.read().await?;
        }
        let body = String::from_utf8_lossy(&self.inbox[length..]).into_owned();
        Ok(Answer { status: head.status, upload: head.upload, body })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.inbox.len() > ANSWER_BYTES_MAX {
            bail!("an answer of more than {ANSWER_BYTES_MAX} bytes");
        }
        if self.stream.read_buf(&mut self.inbox).await? == 0 {
            bail!("the service closed the connection within an answer");
        }
        Ok(())
    }
}

/// The part of an answer's head that is used.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    upload: Option<String>,
    length: usize,
}

fn head(bytes: &[u8]) -> anyhow::Result<Head> {
    let text = std::str::from_utf8(bytes).context("an answer's head that is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let mut head = Head { status: status.with_context(|| format!("no status in {text:?}"))?, upload: None, length: 0 };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { bail!("no header: {line:?}") };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.trim().parse().context("content-length")?,
            "rollcall-upload-id" => head.upload = Some(value.trim().to_owned()),
            "transfer-encoding" => bail!("an answer in chunks, status {}", head.status),
            _ => {}
        }
    }
    Ok(head)
}

/// Open connections that are used again and again.
pub(super) struct Uploader(Vec<Connection>);

impl Uploader {
    pub(super) async fn open(target: &Target, connections: usize) -> anyhow::Result<Self> {
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            open.push(Connection::open(target).await?);
        }
        Ok(Self(open))
    }

    /// Sends the bodies in their order, one at a time on each connection, and gives the uploads' ids. A full bucket is
    /// waited for.
    pub(super) async fn send(&mut self, bodies: Vec<Vec<u8>>) -> anyhow::Result<Vec<String>> {
        let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for mut connection in std::mem::take(&mut self.0) {
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
            tasks.spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(body) = bodies.get(at) else { return anyhow::Ok((connection, ids)) };
                    ids.push((at, accepted(&mut connection, body).await?));
                }
            });
        }
        let mut ids = vec![String::new(); bodies.len()];
        while let Some(task) = tasks.join_next().await {
            let (connection, sent) = task??;
            self.0.push(connection);
            for (at, id) in sent {
                ids[at] = id;
            }
        }
        Ok(ids)
    }
}

/// Sends until there is a 202.
async fn accepted(connection: &mut Connection, body: &[u8]) -> anyhow::Result<String> {
    loop {
        let answer = connection.post(body).await?;
        match answer.upload {
            Some(upload) if answer.status == 202 => return Ok(upload),
            _ if is_full(&answer) => tokio::time::sleep(Duration::from_millis(200)).await,
            _ => bail!("bulkUpload: {} {}", answer.status, answer.body),
        }
    }
}

/// Whether the job holds as much as it may.
fn is_full(answer: &Answer) -> bool {
    answer.status == 500 && answer.body.contains("The bucket")
}

/// How a flood went.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    /// Records answered by 202 within the time.
    pub(super) records: u32,
    /// Shorter than asked for where the bucket was full before.
    pub(super) time: Duration,
    /// Records a second in each window.
    pub(super) windows: Vec<f64>,
}

/// Sends as fast as the service answers, new people from `first` on, one request at a time on each connection.
pub(super) async fn flood(
    target: &Target,
    connections: usize,
    time: Duration,
    windows: u32,
    first: u32,
) -> anyhow::Result<Flood> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(target).await?);
    }
    let counts: Arc<Vec<AtomicU32>> = Arc::new((0..windows).map(|_| AtomicU32::new(0)).collect());
    let (next, full) = (Arc::new(AtomicU32::new(first)), Arc::new(AtomicBool::new(false)));
    let (start, window) = (Instant::now(), time / windows);
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let (counts, next, full) = (Arc::clone(&counts), Arc::clone(&next), Arc::clone(&full));
        tasks.spawn(async move {
            let mut requests = Requests::new(next);
            while !full.load(Ordering::Relaxed) && start.elapsed() < time {
                let answer = connection.post(requests.next()).await?;
                // An answer that comes too late does not count.
                let at = start.elapsed().as_nanos() / window.as_nanos();
                match counts.get(usize::try_from(at)?) {
                    Some(count) if answer.status == 202 => drop(count.fetch_add(50, Ordering::Relaxed)),
                    _ if answer.status == 202 => {}
                    _ if is_full(&answer) => full.store(true, Ordering::Relaxed),
                    _ => bail!("bulkUpload: {} {}", answer.status, answer.body),
                }
            }
            Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let ended = start.elapsed().min(time);
    let counts: Vec<u32> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    // Where the bucket was full, the last window and those behind it are not whole.
    let whole = usize::try_from(ended.as_nanos() / window.as_nanos())?;
    let windows = counts[..whole.min(counts.len())].iter().map(|count| rate(*count, window)).collect();
    Ok(Flood { records: counts.iter().sum(), time: ended, windows })
}

/// Requests of people who were never sent before.
struct Requests {
    template: Template,
    body: Vec<u8>,
    next: Arc<AtomicU32>,
}

impl Requests {
    fn new(next: Arc<AtomicU32>) -> Self {
        let template = Template::new();
        let body = template.body(&[Record { number: 0, version: 0, active: Active::Yes }; OPERATIONS]);
        Self { template, body, next }
    }

    fn next(&mut self) -> &[u8] {
        let first = self.next.fetch_add(50, Ordering::Relaxed);
        for at in 0..OPERATIONS {
            let number = first + u32::try_from(at).unwrap_or(0);
            self.template.stamp(&mut self.body, at, Record { number, version: 0, active: Active::Yes });
        }
        &self.body
    }
}

/// Sends `requests_per_s` at even distances whatever the service does, and gives the time of each from the moment it
/// was due: where no connection was free, the wait for one counts.
pub(super) async fn open_loop(
    target: &Target,
    connections: usize,
    requests_per_s: u32,
    time: Duration,
    first: u32,
) -> anyhow::Result<Vec<Duration>> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(target).await?);
    }
    let (next, due) = (Arc::new(AtomicU32::new(first)), Arc::new(AtomicU32::new(0)));
    let (start, distance) = (Instant::now() + Duration::from_millis(50), Duration::from_secs(1) / requests_per_s);
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let (next, due) = (Arc::clone(&next), Arc::clone(&due));
        tasks.spawn(async move {
            let (mut requests, mut times) = (Requests::new(next), Vec::new());
            loop {
                let offset = distance * due.fetch_add(1, Ordering::Relaxed);
                if offset >= time {
                    return Ok(times);
                }
                let body = requests.next();
                tokio::time::sleep_until(start + offset).await;
                let answer = connection.post(body).await?;
                if answer.status != 202 {
                    bail!("bulkUpload: {} {}", answer.status, answer.body);
                }
                times.push((start + offset).elapsed());
            }
        });
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task??);
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |text: &str, expected: Option<Head>| assert_eq!(head(text.as_bytes()).ok(), expected, "{text}");
        check(
            "HTTP/1.1 202 Accepted\r\nRollcall-Upload-Id: abc\r\nContent-Length: 0",
            Some(Head { status: 202, upload: Some("abc".to_owned()), length: 0 }),
        );
        check("HTTP/1.1 500 x\r\ncontent-length: 12", Some(Head { status: 500, upload: None, length: 12 }));
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", None);
        check("nonsense", None);
        check("HTTP/1.1 200 OK\r\nnonsense", None);
    }

    #[test]
    fn a_full_bucket_is_no_error() {
        let answer = |status, body: &str| Answer { status, upload: None, body: body.to_owned() };
        assert!(is_full(&answer(500, "The bucket that stores the ingested data is full.")));
        assert!(!is_full(&answer(500, "broken")));
        assert!(!is_full(&answer(202, "")));
    }
}
