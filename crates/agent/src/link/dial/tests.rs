//! Through a proxy: what it is asked for, and whose certificate counts. `rollcall.test` resolves nowhere, so whatever
//! reaches the service has gone through the proxy.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::proxy::tests::FakeProxy;

/// A WebSocket service over TLS with a certificate of this name; also what trusts it.
async fn service(name: &str) -> (SocketAddr, Arc<rustls::ClientConfig>) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let trust = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.ok()?;
                let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
                socket.send(Message::text("first")).await.ok()
            });
        }
    });
    (address, Arc::new(trust))
}

fn address() -> Address {
    Address::parse("https://rollcall.test").unwrap()
}

#[tokio::test]
async fn the_link_goes_through_the_proxy_and_nowhere_else() {
    let (service, trust) = service("rollcall.test").await;
    let proxy = FakeProxy::start(service, Some("agent:hunter2")).await;
    let mut socket = open(&address(), &trust, Some(&proxy.client(Some(("agent", "hunter2"))))).await.unwrap();
    // What the service says first comes after the proxy's answer, in the same stream.
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("first"));
    assert_eq!(proxy.asked(), ["rollcall.test:443"]);
}

#[tokio::test]
async fn the_proxys_certificate_is_not_the_services() {
    let (service, trust) = service("proxy.test").await;
    let proxy = FakeProxy::start(service, None).await;
    let Err(error) = open(&address(), &trust, Some(&proxy.client(None))).await else { panic!("a link") };
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(proxy.asked(), ["rollcall.test:443"]);
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let (service, trust) = service("rollcall.test").await;
    let proxy = FakeProxy::start(service, Some("agent:hunter2")).await;
    for (login, named) in [(Some(("agent", "wrong-one")), "refuses the name or the password"), (None, "proxy_user")] {
        let Err(error) = open(&address(), &trust, Some(&proxy.client(login))).await else { panic!("a link") };
        let error = error.to_string();
        assert!(error.contains("407") && error.contains(named) && !error.contains("wrong-one"), "{error}");
    }
}
