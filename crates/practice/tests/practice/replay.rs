//! The transcripts recorded from Samba, replayed against the practice directory.

use rollcall_practice::Dialect;
use xtask::record::transcripts;
use xtask::transcript::{Target, replay};

#[tokio::test]
async fn what_samba_answered_is_answered() {
    let running = crate::support::start(Dialect::Samba).await;
    let target = Target {
        address: running.address.to_string(),
        ca_pem: running.ca_pem.clone(),
        bind: crate::support::BIND.to_owned(),
        password: crate::support::PASSWORD.into(),
        base: crate::support::BASE.to_owned(),
        netbios: "CORP".to_owned(),
        ou: crate::support::BASE.to_owned(),
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let (mut requests, mut failures) = (0, Vec::new());
    for (name, text) in transcripts(&folder).unwrap() {
        match replay(&target, &name, &text).await {
            Ok(count) => requests += count,
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(requests > 450, "only {requests} requests");
}
