//! An LDAPS server that answers as its name and the search's base ask it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::super::{LdapDirectory, LdapOptions};

/// Serves one connection for each name, in that order; the name says which controller answers.
pub(super) struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ca_file: tempfile::NamedTempFile,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A base below which a first page of two entries comes, and then one entry and this result code.
pub(super) fn pages_then(result_code: u8) -> String {
    format!("DC=pages{result_code}")
}

impl Server {
    pub(super) async fn start(names: &[&'static str]) -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let mut ca_file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut ca_file, certified.cert.pem().as_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (names, counter) = (names.to_vec(), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            for name in names {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), stream, name));
            }
        });
        Self { address, connections, ca_file, task }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn options(&self, timeout_ms: i64) -> LdapOptions {
        let options = super::options(&format!("ldaps://{}", self.address));
        LdapOptions { ca_file: Some(self.ca_file.path().to_owned()), timeout_ms, ..options }
    }

    pub(super) fn directory(&self, timeout_ms: i64) -> LdapDirectory {
        LdapDirectory::new(self.options(timeout_ms)).unwrap()
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, name: &'static str) {
    let mut stream = acceptor.accept(stream).await.unwrap();
    let mut pages = 0;
    loop {
        let mut head = [0_u8; 2];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let mut length = usize::from(head[1]);
        if length > 0x80 {
            let mut more = vec![0_u8; length - 0x80];
            stream.read_exact(&mut more).await.unwrap();
            length = more.iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        }
        let mut message = vec![0_u8; length];
        stream.read_exact(&mut message).await.unwrap();
        let (_, id, rest) = split(&message);
        let (operation, body, _) = split(rest);
        let answers = match operation {
            0x60 => vec![(done(0x61, bind_result(name)), vec![])],
            0x63 => match base(body).as_str() {
                "DC=close" => return,
                "DC=silent" => vec![],
                base => {
                    pages += 1;
                    found(base, name, pages)
                }
            },
            _ => return,
        };
        for (answer, controls) in answers {
            let message = ber(0x30, &[ber(0x02, &[id.to_vec()]), answer, controls]);
            stream.write_all(&message).await.unwrap();
        }
    }
}

fn bind_result(name: &str) -> u8 {
    match name {
        "refuses-bind" => 49,
        "busy-bind" => 51,
        _ => 0,
    }
}

type Answer = (Vec<u8>, Vec<u8>);

/// Entries and result of a search.
fn found(base: &str, name: &str, pages: usize) -> Vec<Answer> {
    let plain = |answer: Vec<u8>| (answer, vec![]);
    let guid: &[u8] = &[7; 16];
    let settings = format!("CN=NTDS Settings,CN={name}");
    let result = |code: u8| plain(done(0x65, code));
    match base {
        "" => {
            let capability = if name == "rodc1" { "1.2.840.113556.1.4.1920" } else { "1.2.840.113556.1.4.800" };
            let root = entry(&[
                ("dnsHostName", name.as_bytes()),
                ("defaultNamingContext", b"DC=corp"),
                ("dsServiceName", settings.as_bytes()),
                ("highestCommittedUSN", b"4711"),
                ("supportedCapabilities", capability.as_bytes()),
            ]);
            vec![plain(root), result(0)]
        }
        "DC=one" => vec![plain(entry(&[("objectGUID", guid)])), result(0)],
        "DC=noguid" => vec![plain(entry(&[("cn", b"x")])), result(0)],
        "DC=range" => {
            vec![plain(entry(&[("objectGUID", guid), ("proxyAddresses;range=0-1499", b"x")])), result(0)]
        }
        "DC=referral" => {
            let reference = ber(0x73, &[ber(0x04, &[b"ldap://else.test/DC=else".to_vec()])]);
            vec![plain(entry(&[("objectGUID", guid)])), plain(reference), result(0)]
        }
        base if base.starts_with("DC=pages") => {
            let one = || plain(entry(&[("objectGUID", guid)]));
            // Pages are asked for in pairs; the rootDSE and the NTDS settings were the first two searches.
            if pages % 2 == 1 {
                vec![one(), one(), (done(0x65, 0), cookie(b"more"))]
            } else {
                vec![one(), (done(0x65, base["DC=pages".len()..].parse().unwrap()), cookie(b""))]
            }
        }
        _ => vec![result(32)],
    }
}

fn entry(attributes: &[(&str, &[u8])]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(name, value)| {
            let values = ber(0x31, &[ber(0x04, &[value.to_vec()])]);
            ber(0x30, &[ber(0x04, &[name.as_bytes().to_vec()]), values])
        })
        .collect();
    ber(0x64, &[ber(0x04, &[b"CN=x,DC=corp".to_vec()]), ber(0x30, &list)])
}

/// LDAPResult (RFC 4511 4.1.9).
fn done(tag: u8, result_code: u8) -> Vec<u8> {
    ber(tag, &[vec![0x0A, 1, result_code], vec![0x04, 0], ber(0x04, &[b"said the test".to_vec()])])
}

/// The paged results control of an answer (RFC 2696).
fn cookie(cookie: &[u8]) -> Vec<u8> {
    let value = ber(0x30, &[vec![0x02, 1, 0], ber(0x04, &[cookie.to_vec()])]);
    let control = ber(0x30, &[ber(0x04, &[b"1.2.840.113556.1.4.319".to_vec()]), ber(0x04, &[value])]);
    ber(0xA0, &[control])
}

fn ber(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag, 0x82];
    out.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// Tag, content and what follows.
fn split(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (mut start, mut length) = (2, usize::from(bytes[1]));
    if length > 0x80 {
        start += length - 0x80;
        length = bytes[2..start].iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    }
    (bytes[0], &bytes[start..start + length], &bytes[start + length..])
}

/// The base of a SearchRequest.
fn base(body: &[u8]) -> String {
    String::from_utf8(split(body).1.to_vec()).unwrap()
}
