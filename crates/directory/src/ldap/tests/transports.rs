//! No password leaves over a connection that is not encrypted.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::ldap::{Bind, Transport};

/// Keeps all it is sent, and answers the first request with `answer`.
async fn recorder(answer: Vec<u8>) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let mut answer = Some(&answer);
            while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                keep.lock().unwrap().extend_from_slice(&bytes[..read]);
                if let Some(answer) = answer.take() {
                    stream.write_all(answer).await.unwrap();
                }
            }
        }
    });
    (url, heard)
}

fn simple(url: &str, transport: Transport) -> LdapOptions {
    let bind = Bind::Simple { name: "CORP\\agent".to_owned(), password: "hunter2".into() };
    LdapOptions { timeout_ms: 600, ..LdapOptions::over(url, transport, bind) }
}

#[tokio::test]
async fn a_simple_bind_in_clear_is_refused_before_a_byte_is_sent() {
    let (url, heard) = recorder(vec![]).await;
    let Err(error) = LdapDirectory::new(simple(&url, Transport::SealedLdap)) else { panic!("taken") };
    assert!(error.to_string().contains("in clear") && error.to_string().contains("Kerberos"), "{error}");
    for transport in [Transport::Ldaps, Transport::StartTls] {
        let other = if transport == Transport::Ldaps { url.clone() } else { url.replace("ldap://", "ldaps://") };
        assert!(LdapDirectory::new(simple(&other, transport)).is_err());
    }
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_start_tls_is_refused_no_password_follows() {
    let refusal = |code: u8| vec![0x30, 12, 2, 1, 1, 0x78, 7, 0x0A, 1, code, 4, 0, 4, 0];
    // unavailable; success, and then no TLS; something else.
    for answer in [refusal(52), refusal(0), b"220 smtp\r\n".to_vec()] {
        let (url, heard) = recorder(answer).await;
        let outcome = LdapDirectory::new(simple(&url, Transport::StartTls)).unwrap().root_dse().await;
        assert!(outcome.is_err());
        let heard = heard.lock().unwrap();
        let shown = String::from_utf8_lossy(&heard);
        assert!(shown.contains("1.3.6.1.4.1.1466.20037") && !shown.contains("hunter2"), "{shown:?}");
    }
}
