//! Against OpenSSL, set up as badly as controllers sometimes are.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::address;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let out = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// A CA, and a server with a certificate made as `request` and `sign` say.
async fn looked_at(request: &[&str], sign: &[&str], server: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let new = ["req", "-newkey", "rsa:2048", "-nodes"];
    openssl(at, &[&new[..], &["-x509", "-subj", "/CN=CA", "-keyout", "ca.key", "-out", "ca.pem"]].concat());
    openssl(at, &[&new[..], &["-subj", "/CN=localhost", "-keyout", "key", "-out", "csr"], request].concat());
    let issue = ["x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "crt"];
    openssl(at, &[&issue[..], &["-CAcreateserial", "-copy_extensions", "copy"], sign].concat());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let accept = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", &accept, "-cert", "crt", "-key", "key", "-quiet"]).args(server);
    let child = command.current_dir(at).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _server = Server(child.unwrap());
    let mut report = Report::default();
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let stream = connect(&mut report, "peer", "127.0.0.1", port).await.unwrap();
    let config = address::tls(Some(&at.join("ca.pem"))).unwrap();
    handshake(&mut report, "peer", stream, "localhost", Opening::Direct, config).await;
    let last = report.checks.pop().unwrap();
    format!("{:?} {} {}", last.verdict, last.found, last.remedy.unwrap_or_default())
}

const SAN: &[&str] = &["-addext", "subjectAltName=DNS:localhost"];

#[tokio::test]
async fn a_good_certificate() {
    let seen = looked_at(SAN, &[], &[]).await;
    assert!(seen.starts_with("Ok TLSv1_3; the certificate is right for localhost"), "{seen}");
}

#[tokio::test]
async fn a_common_name_alone_is_no_name() {
    let seen = looked_at(&["-addext", "keyUsage=digitalSignature"], &[], &[]).await;
    assert!(seen.starts_with("Fail the certificate has no subject alternative name"), "{seen}");
    // Without any extension it is made as version 1.
    let seen = looked_at(&[], &[], &[]).await;
    assert!(seen.starts_with("Fail the certificate is of version 1"), "{seen}");
}

#[tokio::test]
async fn another_name() {
    let seen = looked_at(&["-addext", "subjectAltName=DNS:dc1.corp.example.test"], &[], &[]).await;
    assert!(seen.starts_with("Fail the certificate is not for 'localhost' but for"), "{seen}");
    assert!(seen.contains("dc1.corp.example.test"), "{seen}");
}

#[tokio::test]
async fn sha1() {
    let seen = looked_at(SAN, &["-sha1"], &["-cipher", "DEFAULT@SECLEVEL=0"]).await;
    assert!(seen.starts_with("Fail the certificate, or one above it, is signed with SHA-1"), "{seen}");
}

#[tokio::test]
async fn rsa_key_exchange_only() {
    let seen = looked_at(SAN, &[], &["-tls1_2", "-cipher", "AES256-GCM-SHA384:AES128-SHA"]).await;
    assert!(seen.starts_with("Fail it offers RSA key exchange only"), "{seen}");
}

#[tokio::test]
async fn an_old_version_only() {
    let seen = looked_at(SAN, &[], &["-tls1_1", "-cipher", "ECDHE-RSA-AES256-SHA@SECLEVEL=0"]).await;
    assert!(seen.starts_with("Fail it refuses every protocol version and cipher suite"), "{seen}");
}

#[tokio::test]
async fn nobody_listens_and_nobody_knows() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut report = Report::default();
    assert!(connect(&mut report, "peer", "127.0.0.1", port).await.is_none());
    assert!(report.checks[1].found.contains(&port.to_string()));
    let mut report = Report::default();
    assert!(connect(&mut report, "peer", "no-such-host.invalid", port).await.is_none());
    assert_eq!(report.checks.len(), 1);
    assert!(report.checks[0].found.contains("no-such-host.invalid"));
}
