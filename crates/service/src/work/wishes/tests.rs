use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use rollcall_wire::link::FromAgent;

use super::super::bench::Bench;
use super::*;

/// A frame that is what an administrator wants.
fn is_wish(frame: &ToAgent) -> bool {
    matches!(frame, ToAgent::LogLevel { .. } | ToAgent::RotateKey {})
}

#[tokio::test]
async fn each_connection_is_told_what_to_log_once() {
    let bench = Bench::new().await;
    let agent = bench.enrol().await;
    let mut node = bench.node();
    for filter in [Some("trace"), None, None, Some("debug")] {
        bench.store.set_agent_log_filter(agent.tenant, agent.id, filter, &bench.audit()).await.unwrap();
        let mut end = bench.connect(&mut node, &agent, "dc1", Capability::OURS).await;
        let mut told = Vec::new();
        for _ in 0..3 {
            bench.pass_ms(limits::AGENT_WISHES_MS);
            node.heed_wishes(bench.now()).await.unwrap();
            told.extend(end.heard().into_iter().filter(is_wish));
        }
        assert_eq!(told, [ToAgent::LogLevel { filter: filter.map(str::to_owned) }], "{filter:?}");
    }
}

#[tokio::test]
async fn a_key_is_changed_as_often_as_it_is_wanted() {
    let bench = Bench::new().await;
    let agent = bench.enrol().await;
    let mut node = bench.node();
    let mut end = bench.connect(&mut node, &agent, "dc1", Capability::OURS).await;
    for time in 1..=3_u8 {
        bench.store.want_agent_key(agent.tenant, agent.id, bench.now(), &bench.audit()).await.unwrap();
        let mut asked = 0;
        for _ in 0..2 {
            bench.pass_ms(limits::AGENT_WISHES_MS);
            node.heed_wishes(bench.now()).await.unwrap();
            asked += end.heard().iter().filter(|frame| **frame == ToAgent::RotateKey {}).count();
        }
        assert_eq!(asked, 1, "{time}");
        let key = Ed25519KeyPair::from_seed_unchecked(&[time; 32]).unwrap();
        let public_key = BASE64.encode(key.public_key());
        let signature = BASE64.encode(key.sign(&link::key_message(agent.id, &public_key)));
        end.says(&mut node, FromAgent::NewKey { public_key: public_key.clone(), signature }).await;
        assert_eq!(end.heard(), [ToAgent::KeyAccepted { public_key }], "{time}");
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_hides_no_wish() {
    let bench = Bench::new().await;
    let agent = bench.enrol().await;
    let mut node = bench.node();
    let end = bench.connect(&mut node, &agent, "dc1", Capability::OURS).await;
    node.heed_wishes(bench.now()).await.unwrap();
    bench.store.set_agent_draining(agent.tenant, agent.id, Draining::Yes, &bench.audit()).await.unwrap();
    bench.pass_ms(-3_600_000);
    node.heed_wishes(bench.now()).await.unwrap();
    assert!(node.is_draining(end.id));
}
