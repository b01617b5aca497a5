//! Between agent and controller, with the controller's own certificate and key: it sees which message is the answer to
//! a write, and can lose exactly that one.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Writes and their answers (RFC 4511 4.6 to 4.9): tag of the request, tag of the answer, name.
const WRITES: &[(u8, u8, &str)] =
    &[(0x66, 0x67, "modify"), (0x68, 0x69, "add"), (0x4A, 0x6B, "delete"), (0x6C, 0x6D, "rename")];

#[derive(Default)]
struct State {
    /// How many answers of writes that succeeded are still to be dropped.
    drop_answers: AtomicU32,
    /// How many requests to write are still to be cut.
    cut_requests: AtomicU32,
    delay_ms: AtomicU64,
    /// What was dropped or cut.
    done: Mutex<BTreeMap<String, u32>>,
}

pub(super) struct LdapProxy {
    /// On 127.0.0.1; the certificate holds for `localhost`.
    pub(super) port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl LdapProxy {
    /// Passes on to a controller, given as host; `tls` holds the lab's certificates.
    pub(super) async fn to(controller: &str, tls: &Path) -> anyhow::Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_file_iter(tls.join("directory1.pem"))?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(tls.join("directory1.key"))?;
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(tls.join("ca.pem"))? {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, state) = (listener.local_addr()?.port(), Arc::new(State::default()));
        let (controller, shared) = (controller.to_owned(), state.clone());
        let task = tokio::spawn(async move {
            while let Ok((agent, _)) = listener.accept().await {
                let (acceptor, connector) = (acceptor.clone(), connector.clone());
                let (controller, state) = (controller.clone(), shared.clone());
                tokio::spawn(async move { pass(agent, &acceptor, &connector, &controller, &state).await });
            }
        });
        Ok(Self { port, state, task })
    }

    /// Loses the answers of so many writes that the controller has committed, each with its connection. Gives how
    /// many, within the time.
    pub(super) async fn drop_answers(&self, count: u32, wait: Duration) -> u32 {
        take(&self.state.drop_answers, count, wait).await
    }

    /// Ends so many connections in the middle of a request to write.
    pub(super) async fn cut_requests(&self, count: u32, wait: Duration) -> u32 {
        take(&self.state.cut_requests, count, wait).await
    }

    /// Holds each answer back; 0: no more.
    pub(super) fn delay_ms(&self, delay_ms: u64) {
        self.state.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// What was dropped and cut.
    pub(super) fn done(&self) -> BTreeMap<String, u32> {
        self.state.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for LdapProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sets a count and waits until it is used up.
async fn take(counter: &AtomicU32, count: u32, wait: Duration) -> u32 {
    counter.store(count, Ordering::SeqCst);
    let deadline = tokio::time::Instant::now() + wait;
    while counter.load(Ordering::SeqCst) > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    count - counter.swap(0, Ordering::SeqCst)
}

/// Takes one from a count, where there is one left.
fn takes(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl State {
    fn note(&self, what: &str, write: &str) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner).entry(format!("{what} {write}")).or_default() += 1;
    }
}

async fn pass(agent: TcpStream, acceptor: &TlsAcceptor, connector: &TlsConnector, controller: &str, state: &State) {
    let connect = async {
        let server = TcpStream::connect((controller, 636)).await?;
        server.set_nodelay(true)?;
        agent.set_nodelay(true)?;
        let name = ServerName::try_from(controller.to_owned()).map_err(io::Error::other)?;
        io::Result::Ok((connector.connect(name, server).await?, acceptor.accept(agent).await?))
    };
    let Ok((server, agent)) = connect.await else { return };
    let ((mut agent_in, mut agent_out), (mut server_in, mut server_out)) = (split(agent), split(server));
    // Whichever ends takes the other with it: both connections close.
    tokio::select! {
        _ = requests(&mut agent_in, &mut server_out, state) => {}
        _ = answers(&mut server_in, &mut agent_out, state) => {}
    }
}

async fn requests<R, W>(from: &mut R, to: &mut W, state: &State) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let message = message(from).await?;
        let write = WRITES.iter().find(|(request, _, _)| operation(&message).is_some_and(|(tag, _)| tag == *request));
        if let Some((_, _, name)) = write
            && takes(&state.cut_requests)
        {
            to.write_all(&message[..message.len() / 2]).await?;
            to.flush().await?;
            state.note("cut", name);
            return Ok(());
        }
        to.write_all(&message).await?;
        to.flush().await?;
    }
}

async fn answers<R, W>(from: &mut R, to: &mut W, state: &State) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        let message = message(from).await?;
        let operation = operation(&message);
        let write = WRITES.iter().find(|(_, answer, _)| operation.is_some_and(|(tag, _)| tag == *answer));
        if let Some((_, _, name)) = write
            // resultCode 0: it is committed.
            && operation.is_some_and(|(_, body)| body.starts_with(&[0x0A, 1, 0]))
            && takes(&state.drop_answers)
        {
            state.note("dropped", name);
            return Ok(());
        }
        let delay_ms = state.delay_ms.load(Ordering::SeqCst);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        to.write_all(&message).await?;
        to.flush().await?;
    }
}

/// The next LDAPMessage, whole (RFC 4511 4.1.1).
async fn message<R: AsyncRead + Unpin>(from: &mut R) -> anyhow::Result<Vec<u8>> {
    let mut message = vec![0; 2];
    from.read_exact(&mut message).await?;
    if message[1] > 0x80 {
        let more = usize::from(message[1] & 0x7F);
        message.resize(2 + more, 0);
        from.read_exact(&mut message[2..]).await?;
    }
    let (head, length) = (message.len(), length(&message[1..]).context("no length")?.0);
    message.resize(head + length, 0);
    from.read_exact(&mut message[head..]).await?;
    Ok(message)
}

/// A BER length and how many bytes it takes.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((usize::from(first), 1));
    }
    let more = usize::from(first & 0x7F);
    let value = bytes.get(1..=more)?.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
    Some((value, 1 + more))
}

/// Tag of the message's operation, and its content.
fn operation(message: &[u8]) -> Option<(u8, &[u8])> {
    let rest = message.get(1 + length(message.get(1..)?)?.1..)?;
    // messageID
    let (bytes, size) = length(rest.get(1..)?)?;
    let rest = rest.get(1 + size + bytes..)?;
    let (_, size) = length(rest.get(1..)?)?;
    Some((*rest.first()?, rest.get(1 + size..)?))
}

#[test]
fn operations_are_told_apart() {
    // A modify's answer: success; and with a long form of length.
    let short = [0x30, 12, 2, 1, 7, 0x67, 7, 0x0A, 1, 0, 4, 0, 4, 0];
    let long = [0x30, 0x82, 0, 13, 2, 1, 7, 0x67, 0x81, 7, 0x0A, 1, 0, 4, 0, 4, 0];
    for message in [&short[..], &long[..]] {
        let (tag, body) = operation(message).unwrap();
        assert_eq!((tag, &body[..3]), (0x67, &[0x0A, 1, 0][..]));
    }
    assert!(operation(&[0x30, 0]).is_none());
}
