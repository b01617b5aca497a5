#![expect(clippy::disallowed_methods, reason = "a test writes the certificate that is trusted")]

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::error::Exit;
use crate::settings::{Environment, Options};
use crate::testing::{Counter, Reply, Run, Service, StoppedClock, environment, run};

fn client(url: &str) -> Client {
    let environment = Environment::new(environment(url));
    let settings = Settings::resolve(&Options::default(), &environment).unwrap();
    let mut client = Client::new(settings, Arc::new(StoppedClock), Arc::new(Counter::default())).unwrap();
    client.retry.first_ms = 2;
    client
}

/// The statuses that the service gives in turn (0: it hangs up), and how many requests of `repeat` that leads to.
async fn check(repeat: Repeat, statuses: &'static [u16], expected: Result<usize, u16>) {
    let count = AtomicUsize::new(0);
    let service = Service::start(move |request| {
        if !request.target.starts_with("/v1.0") {
            return None;
        }
        let at = count.fetch_add(1, Ordering::SeqCst);
        Some(match statuses.get(at).copied().unwrap_or(200) {
            0 => Reply::Drop,
            200 => Reply::json(200, &json!({})),
            status => Reply::error(status, "Code", "message").with("retry-after", "0.001"),
        })
    })
    .await;
    let client = client(&service.url);
    let request = Request::new(Method::POST, client.graph(&["x"]).unwrap());
    let seen = match client.send(&Request { repeat, ..request }).await {
        Ok(_) => Ok(service.received().len()),
        Err(Error::Refused(refusal)) => Err(refusal.status),
        Err(Error::Unreachable { .. }) => Err(0),
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(seen, expected, "{repeat:?} {statuses:?}");
}

#[tokio::test]
async fn requests_are_repeated_where_that_is_right() {
    use Repeat::{Always, Keyed, WhenRefused};
    check(Always, &[200], Ok(1)).await;
    check(Always, &[503, 429, 200], Ok(3)).await;
    check(Always, &[503, 503, 503], Err(503)).await;
    check(Always, &[0, 200], Ok(2)).await;
    check(Always, &[400], Err(400)).await;
    check(Keyed, &[500, 0, 429, 504, 408, 0, 503, 200], Ok(8)).await;
    check(Keyed, &[0, 0, 0, 0, 0, 0, 0, 0], Err(0)).await;
    check(WhenRefused, &[429, 200], Ok(2)).await;
    check(WhenRefused, &[500, 200], Err(500)).await;
    check(WhenRefused, &[0, 200], Err(0)).await;
    // A token may be forgotten early, once.
    check(WhenRefused, &[401, 200], Ok(2)).await;
    check(WhenRefused, &[401, 401], Err(401)).await;
    check(Keyed, &[403], Err(403)).await;
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_ends() {
    let short = |request: &crate::testing::Received| {
        if request.target.starts_with("/v1.0") {
            return Some(Reply::json(200, &json!({})));
        }
        Some(Reply::json(200, &json!({ "token_type": "Bearer", "expires_in": 1, "access_token": "t" })))
    };
    let long_lived =
        Service::start(|request| request.target.starts_with("/v1.0").then(|| Reply::json(200, &json!({})))).await;
    let short_lived = Service::start(short).await;
    for (service, expected) in [(&long_lived, 1), (&short_lived, 2)] {
        let client = client(&service.url);
        for _ in 0..2 {
            client.get::<Value>(client.graph(&["x"]).unwrap()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1_050)).await;
        }
        assert_eq!(service.token_requests(), expected);
        assert!(service.received().iter().all(|it| it.headers["authorization"].starts_with("Bearer t")));
    }
}

#[tokio::test]
async fn a_list_is_read_over_its_pages_and_never_elsewhere() {
    let service = Service::start(|request| {
        let (_, page) = request.target.split_once("page=").unwrap_or(("", "0"));
        let page: usize = page.parse().ok()?;
        let next = match page {
            0 => "/v1.0/list?page=1",
            1 => "list?page=2",
            _ => "https://evil.test/v1.0/list?page=3",
        };
        request
            .target
            .starts_with("/v1.0")
            .then(|| Reply::json(200, &json!({ "value": [page, page], "@odata.nextLink": next })))
    })
    .await;
    let client = client(&service.url);
    let list = |rows_max| client.list(client.graph(&["list"]).unwrap(), rows_max);
    assert_eq!(list(Some(3)).await.unwrap(), [json!(0), json!(0), json!(1)]);
    assert_eq!(list(Some(0)).await.unwrap(), Vec::<Value>::new());
    let error = list(None).await.unwrap_err().to_string();
    assert!(error.contains("its next page is elsewhere"), "{error}");
}

#[tokio::test]
async fn hostile_ids_stay_in_their_place() {
    let client = client("https://rollcall.test");
    let url = |id: &str| client.ours(&["links", id]).map(String::from);
    assert_eq!(url("E 1/../x?y#z%").unwrap(), "https://rollcall.test/rollcall/v1/links/E%201%2F..%2Fx%3Fy%23z%25");
    assert_eq!(url("Ünï").unwrap(), "https://rollcall.test/rollcall/v1/links/%C3%9Cn%C3%AF");
    for bad in ["", ".", ".."] {
        assert_eq!(url(bad).unwrap_err().exit(), Exit::Usage);
    }
    let query = with_query(client.graph(&["x"]).unwrap(), &[("$filter", "a eq 'b+c & d'")]);
    assert_eq!(query.query(), Some("%24filter=a%20eq%20%27b%2Bc%20%26%20d%27"));
    assert_eq!(literal("O'Neil' or 1 eq 1"), "'O''Neil'' or 1 eq 1'");
}

fn shown(run: &Run, url: &str) -> String {
    format!("exit {}\n{}{}", run.exit.code(), run.out, run.err).replace(url, "URL")
}

#[tokio::test]
async fn errors_say_what_happened_and_what_to_do() {
    let forbidden = Service::start(|request| {
        let is_api = request.target.starts_with("/rollcall");
        is_api.then(|| Reply::error(403, "Authorization_RequestDenied", "Insufficient privileges.\u{1b}[2J"))
    })
    .await;
    let run_1 = forbidden.run(&["agent", "list"]).await;
    insta::assert_snapshot!("forbidden", shown(&run_1, &forbidden.url));
    let run_2 = forbidden.run(&["agent", "list", "--json"]).await;
    insta::assert_snapshot!("forbidden_json", shown(&run_2, &forbidden.url));
    let no_token = Service::start(|_| {
        let body = json!({ "error": "invalid_client", "trace_id": "t-9",
            "error_description": "AADSTS7000215: Invalid client secret provided." });
        Some(Reply::json(401, &body))
    })
    .await;
    insta::assert_snapshot!("wrong_secret", shown(&no_token.run(&["agent", "list"]).await, &no_token.url));
    assert_eq!(no_token.token_requests(), 1, "a wrong secret is not tried again");
    let proxy =
        Service::start(|_| Some(Reply::Send { status: 200, headers: Vec::new(), body: "<html>".to_owned() })).await;
    insta::assert_snapshot!("no_json", shown(&proxy.run(&["agent", "list"]).await, &proxy.url));
}

#[tokio::test]
async fn nobody_there_names_address_and_cause() {
    let run = run(&["agent", "list"], &environment("http://127.0.0.1:1")).await;
    assert_eq!(run.exit, Exit::Refused);
    assert!(run.err.contains("cannot reach http://127.0.0.1:1/") && run.err.contains("refused"), "{}", run.err);
    assert!(run.err.contains("Check ROLLCALL_URL"), "{}", run.err);
}

/// A TLS server with a certificate of its own making; its address and the certificate's PEM.
async fn tls_server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let _ = stream.read(&mut [0; 8_192]).await;
                let _ = stream.write_all(b"HTTP/1.1 418 -\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (url, made.cert.pem())
}

#[tokio::test]
async fn an_unknown_certificate_says_to_set_the_authority() {
    let (url, pem) = tls_server().await;
    let refused = run(&["agent", "list"], &environment(&url)).await;
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.err.contains("certificate") && refused.err.contains("Set ROLLCALL_CA"), "{}", refused.err);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let path = path.to_str().unwrap();
    let trusted = run(&["agent", "list", "--ca", path], &environment(&url)).await;
    assert!(trusted.err.contains("HTTP 418"), "{}", trusted.err);

    std::fs::write(path, "no pem").unwrap();
    let empty = run(&["agent", "list", "--ca", path], &environment(&url)).await;
    assert_eq!(empty.exit, Exit::Usage);
    assert!(empty.err.contains(path), "{}", empty.err);
}
