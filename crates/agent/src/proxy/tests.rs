use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use super::*;

/// A proxy that leads every CONNECT to one place, if it is shown the right name and password.
pub(crate) struct FakeProxy {
    pub(crate) address: SocketAddr,
    /// The targets that were asked for, allowed or not.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl FakeProxy {
    /// `login`: `user:password`.
    pub(crate) async fn start(target: SocketAddr, login: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = asked.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, target, login, list.clone()));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn client(&self, login: Option<(&str, &str)>) -> Proxy {
        let mut proxy = Proxy::parse(&format!("http://{}", self.address)).unwrap();
        proxy.login = login.map(|(user, password)| Login { user: user.to_owned(), password: password.into() });
        proxy
    }
}

async fn serve(mut stream: TcpStream, target: SocketAddr, login: Option<&str>, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let text = String::from_utf8(request).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!(words[0], "CONNECT", "{text}");
    asked.lock().unwrap().push(words[1].to_owned());
    let shown = text.lines().find_map(|line| {
        line.to_lowercase().starts_with("proxy-authorization: basic ").then(|| {
            let pair = line.rsplit(' ').next().unwrap();
            String::from_utf8(BASE64.decode(pair).unwrap()).unwrap()
        })
    });
    if login.is_some() && shown.as_deref() != login {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n";
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let mut onward = TcpStream::connect(target).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
}

/// Answers any request with these bytes, and closes unless it is told to wait.
async fn answering(bytes: Vec<u8>) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&bytes).await;
    });
    proxy
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; limits::PROXY_ANSWER_BYTES_MAX]].concat();
    for (answer, named) in [
        (&b"HTTP/1.1 407 No\r\n\r\n"[..], "service.proxy_password_file"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "allow CONNECT"),
        (b"HTTP/1.1 503 No\r\n\r\n", "name resolves"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", "302"),
        (b"220 smtp ready\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200", "cannot be reached"),
        (&long, "too long"),
    ] {
        let proxy = answering(answer.to_vec()).await;
        let error = proxy.tunnel("rollcall.test", 443).await.unwrap_err();
        assert!(error.contains(named) && error.contains(&proxy.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_silent_proxy_meets_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let error = proxy.tunnel_within(Duration::from_millis(50), "rollcall.test", 443).await.unwrap_err();
    assert!(error.contains("no answer in 50 ms"), "{error}");
}

fn service(text: &str) -> Service {
    toml::from_str(text).unwrap()
}

#[test]
fn the_configuration_comes_before_the_environment() {
    let check = |text: &str, variables: &[(&str, &str)], expected: Option<&str>| {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let found = Proxy::of(&service(text), variable).unwrap();
        assert_eq!(found.map(|proxy| proxy.to_string()).as_deref(), expected, "{text} {variables:?}");
    };
    let url = "url = 'https://rollcall.corp.test'\n";
    let env = ("HTTPS_PROXY", "http://p:3128");
    check(url, &[], None);
    check(url, &[env], Some("p:3128"));
    check(url, &[("https_proxy", "p:3128")], Some("p:3128"));
    check(&format!("{url}proxy = 'http://q'"), &[env], Some("q:80"));
    check(&format!("{url}proxy = ''"), &[env], None);
    for (list, expected) in [
        ("corp.test", None),
        (".corp.test, other", None),
        ("*.corp.test", None),
        ("rollcall.corp.test:443", None),
        ("*", None),
        ("rollcall.corp.test:8443", Some("p:3128")),
        ("orp.test", Some("p:3128")),
        ("example.test", Some("p:3128")),
        (",", Some("p:3128")),
    ] {
        check(url, &[env, ("NO_PROXY", list)], expected);
    }
    check("url = 'http://127.0.0.1:8080'", &[env], None);
    check("url = 'https://localhost:8080'", &[env], None);
}

#[test]
fn settings_that_do_not_fit_are_named() {
    for (text, named) in [
        ("proxy = 'https://p'", "service.proxy: the scheme is https"),
        ("proxy = 'p:3128'", "service.proxy: "),
        ("proxy = 'http://u:hunter2@p'", "proxy_password_file"),
        ("proxy = 'http://p'\nproxy_user = 'u'", "service.proxy_user: a name without a password"),
        ("proxy_user = 'u'\nproxy_password_file = '/x'", "service.proxy_user: there is no service.proxy"),
        ("proxy = 'http://p'\nproxy_user = 'u'\nproxy_password_file = '/nowhere/x'", "/nowhere/x"),
    ] {
        let error = Proxy::of(&service(&format!("url = 'https://r.test'\n{text}")), |_| None).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn the_environments_password_is_decoded_and_not_shown() {
    let variable = |name: &str| (name == "HTTPS_PROXY").then(|| "http://u%40x:p%3Ahunter2@p:1".to_owned());
    let proxy = Proxy::of(&service("url = 'https://r.test'"), variable).unwrap().unwrap();
    assert!(!format!("{proxy} {proxy:?}").contains("hunter2"));
    let login = proxy.login.unwrap();
    assert_eq!((login.user.as_str(), login.password.expose_secret()), ("u@x", "p:hunter2"));
}
