use std::os::unix::fs::PermissionsExt as _;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const AGENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Answers one request with a status and a body; gives back what was asked.
async fn server(status: &str, body: &str) -> (String, tokio::task::JoinHandle<EnrollRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![];
        loop {
            stream.read_buf(&mut bytes).await.unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            assert!(head.starts_with("POST /rollcall/v1/agents/enroll "), "{head}");
            if let Ok(request) = serde_json::from_str(body) {
                stream.write_all(answer.as_bytes()).await.unwrap();
                return request;
            }
        }
    });
    (url, asked)
}

fn enrolment(url: String, folder: &Path) -> Enrolment {
    let token = SecretString::from("one-time");
    Enrolment { url, ca: None, proxy: None, data: folder.join("data"), token, name: "dc1".to_owned() }
}

#[tokio::test]
async fn an_agent_enrols_once_with_a_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (url, asked) =
        server("200 OK", &format!(r#"{{"agent":"{AGENT}","domain":"corp.example.test","more":1}}"#)).await;
    let enrolment = enrolment(url, folder.path());
    let identity = enrol(&enrolment).await.unwrap();
    assert_eq!((identity.domain.as_str(), identity.service.as_str()), ("corp.example.test", "127.0.0.1"));
    let request = asked.await.unwrap();
    assert_eq!((request.token.as_str(), request.name.as_str()), ("one-time", "dc1"));

    assert_eq!(load(&enrolment.data).unwrap(), identity);
    let keys = keys::Keys::load(&enrolment.data).unwrap();
    let public = BASE64.decode(request.public_key).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(b"nonce", keys.current().sign(b"nonce").as_ref()).unwrap();
    for (path, mode) in [("", 0o700), ("agent.key", 0o600), ("agent.json", 0o600)] {
        let metadata = std::fs::metadata(enrolment.data.join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    assert!(matches!(enrol(&enrolment).await, Err(Error::Enrolled { .. })));
}

#[tokio::test]
async fn a_refusal_is_shown_and_nothing_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _asked) = server("401 Unauthorized", r#"{"error":{"message":"the token is used"}}"#).await;
    let enrolment = enrolment(url, folder.path());
    let error = enrol(&enrolment).await.unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("the token is used"), "{error}");
    assert!(!error.contains("one-time"));
    assert!(matches!(load(&enrolment.data), Err(Error::NotEnrolled { .. })));
}

/// Resolves nowhere: what reaches the service has gone through the proxy.
const SERVICE: &str = "https://rollcall.test";

#[tokio::test]
async fn enrolment_goes_through_the_proxy_too() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = crate::proxy::tests::FakeProxy::start(listener.local_addr().unwrap(), Some("agent:hunter2")).await;
    for (password, expected) in [("wrong-one", "407"), ("hunter2", "through the proxy")] {
        let client = proxy.client(Some(("agent", password)));
        let enrolment = Enrolment { proxy: Some(client), ..enrolment(SERVICE.to_owned(), folder.path()) };
        // The service behind the tunnel is none: it closes at once.
        let accepting = async { drop(listener.accept().await) };
        let error = tokio::select! {
            outcome = enrol(&enrolment) => outcome.unwrap_err().to_string(),
            () = async { accepting.await; std::future::pending().await } => unreachable!(),
        };
        assert!(error.contains(expected) && !error.contains("wrong-one"), "{error}");
    }
    assert_eq!(proxy.asked(), ["rollcall.test:443", "rollcall.test:443"]);
}
