//! The whole agent against a WebSocket server of the test's own and a directory in memory.

use aws_lc_rs::signature::{ED25519, KeyPair as _, UnparsedPublicKey};
use rollcall_model::outcome::Conclusion;
use rollcall_wire::link::JobContext;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;

use aws_lc_rs::signature::Ed25519KeyPair;

use super::*;
use crate::agent::{Agent, Handle, Options};
use crate::testing::{FakeDirectory, TestClock, TestRandom, person};

const AGENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

struct Bench {
    listener: TcpListener,
    folder: TempDir,
    directory: FakeDirectory,
    clock: Arc<TestClock>,
    public_key: Vec<u8>,
    /// Log levels that were asked for.
    levels: Arc<std::sync::Mutex<Vec<Option<String>>>>,
    running: Option<(Handle, tokio::task::JoinHandle<Result<(), Error>>)>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let random = aws_lc_rs::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let identity = format!(r#"{{"agent":"{AGENT}","domain":"corp.test","service":"127.0.0.1"}}"#);
        crate::files::replace(&folder.path().join("agent.json"), identity.as_bytes()).unwrap();
        crate::files::replace(&folder.path().join("agent.key"), document.as_ref()).unwrap();
        let mut bench = Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            folder,
            directory: FakeDirectory::default(),
            clock: Arc::default(),
            public_key: key.public_key().as_ref().to_vec(),
            levels: Arc::default(),
            running: None,
        };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let agent = Agent::new(Options {
            url: format!("http://{}", self.listener.local_addr().unwrap()),
            ca: None,
            proxy: None,
            data: self.folder.path().to_owned(),
            directory: Arc::new(self.directory.clone()),
            policy: crate::config::Policy::default(),
            log_level: {
                let levels = self.levels.clone();
                Arc::new(move |filter| {
                    levels.lock().unwrap().push(filter.map(str::to_owned));
                    Ok(())
                })
            },
            clock: self.clock.clone(),
            lease_clock: self.clock.clone(),
            random: Arc::new(TestRandom::default()),
        });
        self.running = Some((agent.handle(), tokio::spawn(agent.run())));
    }

    async fn stop(&mut self) {
        let (handle, task) = self.running.take().unwrap();
        handle.stop();
        task.await.unwrap().unwrap();
    }

    /// The agent's next connection, challenged; its hello is checked.
    async fn accept(&self) -> Service {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut service = Service { socket: tokio_tungstenite::accept_async(stream).await.unwrap(), renew: true };
        service.send(&ToAgent::Challenge { protocol: wire::PROTOCOL, nonce: "bm9uY2U=".to_owned() }).await;
        let FromAgent::Hello { agent, signature, capabilities, .. } = service.raw().await.unwrap() else {
            panic!("no hello")
        };
        assert_eq!((agent.to_string().as_str(), capabilities.as_slice()), (AGENT, Capability::OURS));
        let message = wire::signed_message("127.0.0.1", agent, "bm9uY2U=");
        let signature = BASE64.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, &self.public_key).verify(&message, &signature).unwrap();
        service
    }
}

/// The service's end of one connection; renewals are acknowledged as they are read.
struct Service {
    socket: WebSocketStream<TcpStream>,
    renew: bool,
}

impl Service {
    async fn send(&mut self, frame: &ToAgent) {
        self.socket.send(Message::Text(serde_json::to_string(frame).unwrap().into())).await.unwrap();
    }

    async fn raw(&mut self) -> Option<FromAgent> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await;
            match frame.expect("the agent is silent")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next frame that is no renewal; `None` at the end.
    async fn next(&mut self, epoch: i64) -> Option<FromAgent> {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            assert!(Instant::now() < end, "nothing but renewals");
            match self.raw().await? {
                FromAgent::Renew { sequence, .. } if self.renew => {
                    self.send(&ToAgent::RenewAck { sequence, epoch: Epoch(epoch), renewed: true }).await;
                }
                FromAgent::Renew { .. } => {}
                frame => return Some(frame),
            }
        }
    }

    async fn activate(&mut self, epoch: i64) {
        let job_context = JobContext { writing_controller: Some("invocation-1".to_owned()), replication: None };
        let active = ToAgent::Active {
            domain: "corp.test".to_owned(),
            epoch: Epoch(epoch),
            lease_ms: limits::LEASE_MS,
            job_context,
        };
        self.send(&active).await;
    }

    async fn work(&mut self, epoch: i64, items: Vec<DesiredState>) {
        self.send(&ToAgent::Work { epoch: Epoch(epoch), needs: vec![Capability::Create], lane: Lane::Normal, items })
            .await;
    }

    async fn outcomes(&mut self, epoch: i64) -> Vec<Outcome> {
        match self.next(epoch).await {
            Some(FromAgent::Outcomes { outcomes, .. }) => outcomes,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn work_is_done_reported_and_reported_again_until_acknowledged() {
    let mut bench = Bench::new().await;
    let mut service = bench.accept().await;
    service.activate(1).await;
    service.work(1, vec![person(1, "ada", &[])]).await;
    let first = service.outcomes(1).await;
    assert_eq!(first[0].result, Conclusion::Done);
    drop(service);

    // The acknowledgement was lost with the connection.
    let mut service = bench.accept().await;
    service.send(&ToAgent::Standby { domain: "corp.test".to_owned() }).await;
    assert_eq!(service.outcomes(1).await, first);
    drop(service);
    bench.stop().await;

    // So it is after a new start, until it is acknowledged.
    bench.start();
    let mut service = bench.accept().await;
    service.activate(2).await;
    assert_eq!(service.outcomes(2).await, first);
    service.send(&ToAgent::OutcomesAck { ids: vec![first[0].id] }).await;
    service.work(2, vec![person(2, "bob", &[])]).await;
    assert_eq!(service.outcomes(2).await[0].person, person(2, "bob", &[]).person);
    bench.stop().await;
    assert_eq!(bench.directory.made().len(), 2);
}

#[tokio::test]
async fn renewals_go_on_while_a_write_is_slow() {
    let mut bench = Bench::new().await;
    bench.directory.set(|inner| inner.delay_ms = 4_000);
    let mut service = bench.accept().await;
    service.activate(1).await;
    service.work(1, vec![person(1, "ada", &[])]).await;
    let mut renewals = 0;
    loop {
        match service.raw().await.unwrap() {
            FromAgent::Renew { sequence, .. } => {
                renewals += 1;
                service.send(&ToAgent::RenewAck { sequence, epoch: Epoch(1), renewed: true }).await;
            }
            FromAgent::Outcomes { outcomes, .. } => {
                assert_eq!(outcomes[0].result, Conclusion::Done);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(renewals >= 3, "{renewals} renewals in four seconds");
    bench.stop().await;
}

#[tokio::test]
async fn past_the_fence_nothing_is_written_and_nothing_said() {
    let mut bench = Bench::new().await;
    bench.directory.set(|inner| inner.delay_ms = 300);
    let mut service = bench.accept().await;
    service.renew = false;
    service.activate(1).await;
    // As many as may be under way at once, and one more.
    let first = u128::try_from(limits::WRITES_OUTSTANDING_MAX).unwrap();
    let name = |number: u128| format!("p{number}");
    service.work(1, (1..=first + 1).map(|number| person(number, &name(number), &[])).collect()).await;
    let end = Instant::now() + Duration::from_secs(30);
    while bench.directory.set(|inner| inner.made.is_empty()) {
        assert!(Instant::now() < end, "the first adds are not made");
        tokio::time::sleep(Duration::from_millis(5)).await;
        if bench.directory.set(|inner| inner.begun < u32::try_from(limits::WRITES_OUTSTANDING_MAX).unwrap()) {
            continue;
        }
        // As if the process had been stopped while the first adds were under way.
        bench.clock.0.store(60_000, std::sync::atomic::Ordering::SeqCst);
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    let made: Vec<String> = (1..=first).map(|number| format!("add CN=p{number},OU=Staff,DC=corp,DC=test")).collect();
    assert_eq!(bench.directory.made(), made);

    // The lease has gone to another: what was made is reported, what was not begun is not mentioned.
    service.send(&ToAgent::Standby { domain: "corp.test".to_owned() }).await;
    let outcomes = service.outcomes(1).await;
    assert_eq!(outcomes.len(), made.len());
    assert!(outcomes.iter().all(|outcome| outcome.changes.len() == 1));
    // Work of the old epoch is refused without a word, that of the next is done.
    service.work(1, vec![person(9, "eve", &[])]).await;
    service.renew = true;
    service.activate(2).await;
    service.work(2, vec![person(first + 1, "bob", &[])]).await;
    // What was not acknowledged is told again whenever the role changes: then it may be taken.
    let (mut again, mut bob) = (0, 0);
    while bob == 0 {
        let outcomes = service.outcomes(2).await;
        again += outcomes.iter().filter(|outcome| outcome.person == person(1, "p1", &[]).person).count();
        bob += outcomes.iter().filter(|outcome| outcome.person == person(first + 1, "bob", &[]).person).count();
    }
    assert_eq!((again, bob), (2, 1), "once when the role was lost, once when it came back");
    assert_eq!(bench.directory.made().len(), made.len() + 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_wrong_controller_is_trouble_and_no_work() {
    let mut bench = Bench::new().await;
    let mut service = bench.accept().await;
    let job_context = JobContext { writing_controller: Some("invocation-2".to_owned()), replication: None };
    let domain = "corp.test".to_owned();
    service.send(&ToAgent::Active { domain, epoch: Epoch(1), lease_ms: limits::LEASE_MS, job_context }).await;
    service.work(1, vec![person(1, "ada", &[])]).await;
    loop {
        let FromAgent::Renew { sequence, controller, trouble } = service.raw().await.unwrap() else {
            panic!("not work")
        };
        service.send(&ToAgent::RenewAck { sequence, epoch: Epoch(1), renewed: true }).await;
        if let Some(trouble) = trouble.filter(|trouble| trouble.reason.contains("not the controller")) {
            assert!(controller.is_some() && trouble.reason.contains("dc1.corp.test"), "it stays connected");
            break;
        }
    }
    assert!(bench.directory.made().is_empty());
    // The service comes round to this one.
    service.activate(1).await;
    assert_eq!(service.outcomes(1).await[0].result, Conclusion::Done);
    bench.stop().await;
}

#[tokio::test]
async fn what_the_agent_cannot_do_is_refused_person_by_person() {
    let mut bench = Bench::new().await;
    let mut service = bench.accept().await;
    service.activate(1).await;
    let items = vec![person(1, "ada", &[]), person(2, "bob", &[])];
    let text = serde_json::to_string(&ToAgent::Work {
        epoch: Epoch(1),
        needs: vec![Capability::Create],
        lane: Lane::Normal,
        items,
    })
    .unwrap();
    let text = text.replace(r#""needs":["create"]"#, r#""needs":["create","teleport"]"#);
    service.socket.send(Message::Text(text.into())).await.unwrap();
    let outcomes = service.outcomes(1).await;
    assert!(outcomes.len() == 2 && outcomes.iter().all(|outcome| matches!(outcome.result, Conclusion::Failed(_))));
    assert!(bench.directory.made().is_empty());
    // A drained agent finishes, closes, and comes again.
    service.send(&ToAgent::Drain {}).await;
    assert!(service.next(1).await.is_none());
    drop(bench.accept().await);
    bench.stop().await;
}

#[tokio::test]
async fn what_the_service_asks_beside_work_is_answered() {
    let mut bench = Bench::new().await;
    bench.directory.set(|inner| inner.shows_deleted = true);
    let mut service = bench.accept().await;
    // A standby stays connected, whichever controller is written to, and says which one it has.
    service.send(&ToAgent::Standby { domain: "corp.test".to_owned() }).await;
    loop {
        let Some(FromAgent::Renew { controller, trouble, .. }) = service.raw().await else { panic!("no renewal") };
        if let Some(controller) = controller {
            assert_eq!((controller.invocation_id.as_str(), trouble), ("invocation-1", None));
            break;
        }
    }
    service.activate(3).await;
    service.work(3, vec![person(1, "ada", &[])]).await;
    let outcomes = service.outcomes(3).await;
    let guid = outcomes[0].link.as_ref().unwrap().guid;
    service.send(&ToAgent::OutcomesAck { ids: vec![outcomes[0].id] }).await;
    service.send(&ToAgent::Look { request: 7, epoch: Epoch(3), since: Some(0), guids: vec![guid] }).await;
    match service.next(3).await {
        Some(FromAgent::Looked { request: 7, epoch: Epoch(3), invocation_id, complete: true, seen, .. }) => {
            assert_eq!((invocation_id.as_str(), seen), ("invocation-1", vec![(guid, 1)]));
        }
        other => panic!("{other:?}"),
    }
    service.send(&ToAgent::Ask { request: 8, question: wire::Question::Schema }).await;
    assert!(matches!(service.next(3).await, Some(FromAgent::Answer { request: 8, .. })));
    for filter in [Some("debug".to_owned()), None] {
        service.send(&ToAgent::LogLevel { filter }).await;
    }
    service.send(&ToAgent::RotateKey {}).await;
    let Some(FromAgent::NewKey { public_key, signature }) = service.next(3).await else { panic!("no key") };
    assert_eq!(*bench.levels.lock().unwrap(), [Some("debug".to_owned()), None]);
    let (bytes, signature) = (BASE64.decode(&public_key).unwrap(), BASE64.decode(signature).unwrap());
    let message = wire::key_message(AGENT.parse().unwrap(), &public_key);
    UnparsedPublicKey::new(&ED25519, &bytes).verify(&message, &signature).unwrap();
    service.send(&ToAgent::KeyAccepted { public_key }).await;
    service.send(&ToAgent::Release { epoch: Epoch(3) }).await;
    assert!(matches!(service.next(3).await, Some(FromAgent::Released { epoch: Epoch(3), .. })));
    service.work(3, vec![person(2, "bob", &[])]).await;
    drop(service);
    // From the next hello on it is the new key.
    bench.public_key = bytes;
    drop(bench.accept().await);
    bench.stop().await;
    assert_eq!(bench.directory.made().len(), 1, "nothing under an epoch that was handed over");
}
