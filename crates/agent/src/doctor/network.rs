//! From a name to a connection whose certificate is believed: DNS, TCP, TLS, each step told apart.

use std::sync::Arc;
use std::time::Duration;

use rollcall_model::limits;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error as TlsError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::report::Report;

/// What is said before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// TLS from the first byte.
    Direct,
    /// LDAP's extended request StartTLS (RFC 4511 4.14).
    StartTls,
}

/// `LDAPMessage { 1, ExtendedRequest { 1.3.6.1.4.1.1466.20037 } }`.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// sha1WithRSAEncryption and ecdsa-with-SHA1, as a certificate's AlgorithmIdentifier begins (RFC 3279 2.2).
const SHA1: [&[u8]; 2] = [b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"];

fn limit() -> Duration {
    Duration::from_millis(limits::LDAP_TIMEOUT_MS.unsigned_abs())
}

/// Looks a name up and connects. `what` begins each check's name.
pub(super) async fn connect(report: &mut Report, what: &str, host: &str, port: u16) -> Option<TcpStream> {
    let name = format!("{what}: DNS");
    let found = timeout(limit(), tokio::net::lookup_host((host, port))).await;
    let addresses = match found {
        Ok(Ok(found)) => found.map(|address| address.ip().to_string()).collect::<Vec<_>>(),
        Ok(Err(error)) => {
            report.fail(name, format!("{host} is not known: {error}"), "correct the name, or the host's DNS servers");
            return None;
        }
        Err(_) => {
            report.fail(name, format!("{host}: no answer in time"), "see to the host's DNS servers");
            return None;
        }
    };
    report.ok(name, format!("{host} is {}", addresses.join(", ")));
    let name = format!("{what}: TCP");
    let remedy = format!("open port {port} outwards in the firewalls between; see that something listens there");
    match timeout(limit(), TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            report.ok(name, format!("port {port} answers"));
            Some(stream)
        }
        Ok(Err(error)) => {
            report.fail(name, format!("port {port}: {error}"), remedy);
            None
        }
        Err(_) => {
            report.fail(name, format!("port {port}: no answer in time"), remedy);
            None
        }
    }
}

/// Speaks TLS on a fresh connection; the certificate must be right for `host`.
pub(super) async fn handshake(
    report: &mut Report,
    what: &str,
    stream: TcpStream,
    host: &str,
    opening: Opening,
    config: Arc<ClientConfig>,
) {
    let (name, peer) = (format!("{what}: TLS"), stream.peer_addr());
    match timeout(limit(), negotiate(stream, host, opening, config)).await {
        Ok(Ok(version)) => report.ok(name, format!("{version}; the certificate is right for {host}")),
        Ok(Err(error)) => {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
            let static_rsa = match (tls, peer) {
                (Some(TlsError::AlertReceived(_)), Ok(peer)) => {
                    timeout(limit(), takes_static_rsa(peer, opening)).await.ok().and_then(Result::ok) == Some(true)
                }
                _ => false,
            };
            let (found, remedy) = explain(tls, static_rsa)
                .unwrap_or_else(|| (error.to_string(), "see that TLS is spoken on this port".to_owned()));
            report.fail(name, found, remedy);
        }
        Err(_) => report.fail(name, "no answer in time", "see that TLS is spoken on this port"),
    }
}

async fn negotiate(
    mut stream: TcpStream,
    host: &str,
    opening: Opening,
    config: Arc<ClientConfig>,
) -> std::io::Result<String> {
    open(&mut stream, opening).await?;
    let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let version = stream.get_ref().1.protocol_version();
    Ok(version.and_then(|version| version.as_str()).unwrap_or("TLS").to_owned())
}

async fn open(stream: &mut TcpStream, opening: Opening) -> std::io::Result<()> {
    if opening == Opening::StartTls {
        stream.write_all(START_TLS).await?;
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).await?;
        // resultCode ENUMERATED success
        if !answer.get(..length).unwrap_or_default().windows(3).any(|part| part == [0x0a, 1, 0]) {
            return Err(std::io::Error::other("the controller refuses StartTLS; it may have no certificate"));
        }
    }
    Ok(())
}

/// Whether the peer takes one of the cipher suites with RSA key exchange, which we do not offer.
async fn takes_static_rsa(peer: std::net::SocketAddr, opening: Opening) -> std::io::Result<bool> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    let mut stream = TcpStream::connect(peer).await?;
    open(&mut stream, opening).await?;
    stream.write_all(&static_rsa_hello()).await?;
    let mut head = [0; 6];
    stream.read_exact(&mut head).await?;
    Ok(head[0] == HANDSHAKE && head[5] == SERVER_HELLO)
}

/// A ClientHello of TLS 1.2 (RFC 5246 7.4.1.2) that offers RSA key exchange only.
fn static_rsa_hello() -> Vec<u8> {
    // AES-GCM and AES-CBC, 128 and 256.
    const SUITES: [u8; 12] = [0, 0x9c, 0, 0x9d, 0, 0x3c, 0, 0x3d, 0, 0x2f, 0, 0x35];
    // signature_algorithms: rsa_pkcs1 with SHA-256, SHA-384, SHA-1.
    const EXTENSIONS: [u8; 12] = [0, 13, 0, 8, 0, 6, 4, 1, 5, 1, 2, 1];
    let mut body = vec![3, 3];
    // Nothing secret follows, so the random bytes need not be random.
    body.extend([0x52; 32]);
    body.push(0);
    body.extend([0, 12]);
    body.extend(SUITES);
    body.extend([1, 0, 0, 12]);
    body.extend(EXTENSIONS);
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let mut hello = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    hello.extend(body);
    hello
}

/// What a failed handshake means, and what helps. `None`: it was no failure of TLS.
fn explain(error: Option<&TlsError>, static_rsa: bool) -> Option<(String, String)> {
    let say = |found: &str, remedy: &str| Some((found.to_owned(), remedy.to_owned()));
    let anew = "issue a new one from the domain's CA";
    match error? {
        TlsError::InvalidCertificate(why) => match why {
            CertificateError::NotValidForNameContext { expected, presented } if presented.is_empty() => Some((
                format!(
                    "the certificate has no subject alternative name, so it is good for no name, '{}' included",
                    expected.to_str()
                ),
                format!("{anew}, with the DNS name as subject alternative name (a common name alone does not count)"),
            )),
            CertificateError::NotValidForNameContext { expected, presented } => Some((
                format!("the certificate is not for '{}' but for {}", expected.to_str(), presented.join(", ")),
                "dial it by a name in its certificate".to_owned(),
            )),
            CertificateError::UnknownIssuer => say(
                "nobody we trust has issued the certificate",
                "give the issuing CA's certificate as `ca` in this section of the configuration (PEM)",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                say("the certificate has expired", "renew it, and check both clocks")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                say("the certificate is not valid yet", "check both clocks")
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. }
                if SHA1.iter().any(|sha1| signature_algorithm_id.windows(sha1.len()).any(|part| part == *sha1)) =>
            {
                Some((
                    "the certificate, or one above it, is signed with SHA-1".to_owned(),
                    format!("{anew}, signed with SHA-256"),
                ))
            }
            // Version 1 has no extensions. The library's own error has no name of its own for it here.
            CertificateError::Other(why) if why.to_string().contains("UnsupportedCertVersion") => Some((
                "the certificate is of version 1, which has no subject alternative name".to_owned(),
                format!("{anew}, with the DNS name as subject alternative name"),
            )),
            other => Some((format!("the certificate is refused: {other}"), anew.to_owned())),
        },
        TlsError::AlertReceived(_) if static_rsa => say(
            "it offers RSA key exchange only, which has no forward secrecy and is not spoken here",
            "enable an ECDHE cipher suite (TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) on it",
        ),
        TlsError::AlertReceived(alert) => Some((
            format!("it refuses every protocol version and cipher suite offered ({alert:?})"),
            "enable TLS 1.2 with ECDHE, or TLS 1.3, on it".to_owned(),
        )),
        other => Some((other.to_string(), "see that TLS is spoken on this port".to_owned())),
    }
}

#[cfg(test)]
#[path = "network/tests.rs"]
mod tests;
