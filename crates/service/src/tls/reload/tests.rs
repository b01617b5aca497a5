use std::net::TcpListener;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use rollcall_model::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::files::{Mode, write};
use crate::system::SystemClock;

/// A certificate of its own authority, with its key.
struct Pair {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair(last_year: i32) -> Pair {
    pair_of(2020, last_year)
}

fn pair_of(first_year: i32, last_year: i32) -> Pair {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(first_year, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

/// A server under test, and where its files are.
struct Server {
    folder: TempDir,
    port: u16,
    reloader: Reloader,
}

impl Server {
    fn start(first: &Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &first.certificate, &first.key);
        let mut config = Config::default();
        config.tls.certificate = Some(folder.path().join("cert.pem"));
        config.tls.key = Some(folder.path().join("key.pem"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let reloader = Reloader::start(&config, &clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = axum_server::from_tcp_rustls(listener, reloader.serving()).unwrap();
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(server.serve(router.into_make_service()));
        Self { folder, port, reloader }
    }

    fn put(&self, certificate: &str, key: &str) {
        put(self.folder.path(), certificate, key);
    }

    /// A new connection by a client that trusts this certificate and no other.
    async fn connect(&self, trusted: &Pair) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.port, trusted).await
    }
}

async fn connect(port: u16, trusted: &Pair) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
}

fn put(folder: &Path, certificate: &str, key: &str) {
    write(&folder.join("cert.pem"), certificate.as_bytes(), Mode::Public).unwrap();
    write(&folder.join("key.pem"), key.as_bytes(), Mode::Secret).unwrap();
}

/// One request on a connection that stays open.
async fn ask(connection: &mut TlsStream<TcpStream>) {
    connection.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        let mut some = [0; 256];
        let length = connection.read(&mut some).await.unwrap();
        assert!(length > 0, "the connection was ended: {}", String::from_utf8_lossy(&answer));
        answer.extend(&some[..length]);
    }
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_open_ones_live_on() {
    let (old, new) = (pair(2090), pair(2091));
    let mut server = Server::start(&old);
    let mut open = server.connect(&old).await.unwrap();
    ask(&mut open).await;
    server.put(&new.certificate, &new.key);
    server.connect(&old).await.unwrap();
    server.reloader.look(Cause::Tick);
    assert!(server.connect(&old).await.is_err(), "the old one is still given out");
    ask(&mut server.connect(&new).await.unwrap()).await;
    ask(&mut open).await;
}

#[expect(clippy::disallowed_methods, reason = "the folder is the test's own")]
#[tokio::test]
async fn a_broken_pair_leaves_the_old_one_in_use() {
    let (old, new, expired) = (pair(2090), pair(2091), pair(2021));
    let mut server = Server::start(&old);
    for (certificate, key) in [
        ("no certificate", old.key.as_str()),
        ("", &old.key),
        (&old.certificate, "no key"),
        // As between the two writes of somebody who replaces both.
        (&new.certificate, &old.key),
        (&expired.certificate, &expired.key),
    ] {
        server.put(certificate, key);
        for cause in [Cause::Tick, Cause::Tick, Cause::HangUp] {
            server.reloader.look(cause);
        }
        ask(&mut server.connect(&old).await.unwrap()).await;
    }
    std::fs::remove_file(server.folder.path().join("key.pem")).unwrap();
    server.reloader.look(Cause::Tick);
    ask(&mut server.connect(&old).await.unwrap()).await;
    // Good again: no restart, no signal.
    server.put(&new.certificate, &new.key);
    server.reloader.look(Cause::Tick);
    ask(&mut server.connect(&new).await.unwrap()).await;
}

/// A clock that stands still.
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[tokio::test]
async fn a_certificate_is_taken_when_it_begins() {
    let (old, early) = (pair(2090), pair_of(2080, 2091));
    let begins = Timestamp(3_471_292_800_000_000);
    let mut server = Server::start(&old);
    server.put(&early.certificate, &early.key);
    server.reloader.look(Cause::Tick);
    ask(&mut server.connect(&old).await.unwrap()).await;
    let wanted = data_encoding::HEXLOWER.encode(&Sha256::digest(&early.der));
    for (now, is_taken) in [(Timestamp(begins.0 - 1), false), (begins, true)] {
        server.reloader.clock = Arc::new(At(now));
        server.reloader.look(Cause::Tick);
        assert_eq!(server.reloader.in_use == wanted, is_taken, "{now:?}");
    }
}

#[tokio::test]
async fn a_hang_up_has_the_files_looked_at() {
    let (old, new) = (pair(2090), pair(2091));
    let server = Server::start(&old);
    let (folder, port) = (server.folder, server.port);
    let running = tokio::spawn(server.reloader.run());
    // The first tick comes at once; the next is seconds away.
    connect(port, &old).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    put(folder.path(), &new.certificate, &new.key);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_millis(limits::CERTIFICATE_LOOK_MS / 2);
    while connect(port, &new).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "SIGHUP did nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.abort();
}

#[tokio::test]
async fn what_is_told_is_what_is_in_use() {
    let first = pair(2090);
    let server = Server::start(&first);
    let wanted = data_encoding::HEXLOWER.encode(&Sha256::digest(&first.der));
    assert_eq!(server.reloader.in_use, wanted);
    let loaded = load_pair(first.certificate.as_bytes(), first.key.as_bytes()).unwrap();
    assert_eq!((loaded.fingerprint, loaded.ends), (wanted, Timestamp(3_786_912_000_000_000)));
}
