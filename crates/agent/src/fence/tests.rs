use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[derive(Default)]
struct FakeClock(AtomicI64);

impl LeaseClock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What happens to a fence, and what it then says.
#[derive(Clone, Copy)]
enum Step {
    At(i64),
    Hello,
    Renewal(u64),
    Renewed(u64, i64),
    NotRenewed(u64),
    Activated(i64),
    Revoked,
    Open(i64),
    Shut(i64),
    Over(i64),
}

fn check(name: &str, steps: &[Step]) {
    let clock = Arc::new(FakeClock::default());
    let fence = Fence::new(clock.clone());
    for (number, step) in steps.iter().enumerate() {
        let asked = |epoch: i64| match fence.ask(Epoch(epoch)) {
            Gate::Open(_) => "open",
            Gate::Shut => "shut",
            Gate::Over => "over",
        };
        match *step {
            Step::At(ms) => clock.0.store(ms, Ordering::SeqCst),
            Step::Hello => fence.hello(),
            Step::Renewal(sequence) => fence.renewal(sequence),
            Step::Renewed(sequence, epoch) => fence.acknowledged(sequence, Some(Epoch(epoch))),
            Step::NotRenewed(sequence) => fence.acknowledged(sequence, None),
            Step::Activated(epoch) => fence.activated(Epoch(epoch), 10_000),
            Step::Revoked => fence.revoke(),
            Step::Open(epoch) => assert_eq!(asked(epoch), "open", "{name}, step {number}"),
            Step::Shut(epoch) => assert_eq!(asked(epoch), "shut", "{name}, step {number}"),
            Step::Over(epoch) => assert_eq!(asked(epoch), "over", "{name}, step {number}"),
        }
    }
}

#[test]
fn half_a_lease_after_sending_what_was_acknowledged() {
    use Step::{Activated, At, Hello, NotRenewed, Open, Over, Renewal, Renewed, Revoked, Shut};
    check("never active", &[Hello, Over(1)]);
    check(
        "from the hello on",
        &[At(100), Hello, At(4_000), Activated(1), Open(1), At(5_100), Open(1), At(5_101), Shut(1)],
    );
    check("another epoch", &[Hello, Activated(2), Over(1), Over(3), Open(2)]);
    // The acknowledgement comes late; what counts is when the renewal was sent.
    check(
        "sending counts",
        &[Hello, Activated(1), At(1_000), Renewal(1), At(4_900), Renewed(1, 1), At(6_000), Open(1), At(6_001), Shut(1)],
    );
    check(
        "an unacknowledged renewal opens nothing",
        &[Hello, Activated(1), At(4_000), Renewal(1), At(5_001), Shut(1), Renewed(1, 1), Open(1), At(9_001), Shut(1)],
    );
    check(
        "a foreign epoch's renewal opens nothing",
        &[Hello, Activated(1), At(4_000), Renewal(1), Renewed(1, 9), At(5_001), Shut(1)],
    );
    check("an unknown sequence opens nothing", &[Hello, Activated(1), At(4_000), Renewed(7, 1), At(5_001), Shut(1)]);
    check("not renewed", &[Hello, Activated(1), Renewal(1), NotRenewed(1), Over(1)]);
    check(
        "acknowledged as standby",
        &[Hello, At(8_000), Renewal(1), NotRenewed(1), Activated(3), Open(3), At(13_001), Shut(3)],
    );
    check("hello again", &[Hello, Activated(1), Hello, Over(1)]);
    check("revoked", &[Hello, Activated(1), Revoked, Over(1)]);
    // As after SIGSTOP or suspend: time went on, the renewal in flight was lost.
    check(
        "stopped past the lease",
        &[Hello, Activated(1), Renewal(1), At(60_000), Shut(1), Renewal(2), NotRenewed(2), Over(1)],
    );
}

#[tokio::test]
async fn a_hello_waits_for_the_write_under_way() {
    let fence = Fence::new(Arc::new(FakeClock::default()));
    fence.hello();
    fence.activated(Epoch(1), 10_000);
    let permit = fence.permit(Epoch(1)).await.unwrap();
    fence.revoke();
    assert!(fence.permit(Epoch(1)).await.is_none());
    let settled = tokio::spawn({
        let fence = fence.clone();
        async move { fence.settled().await }
    });
    tokio::task::yield_now().await;
    assert!(!settled.is_finished());
    drop(permit);
    settled.await.unwrap();
}

#[tokio::test]
async fn a_shut_fence_opens_for_whoever_waits() {
    let clock = Arc::new(FakeClock::default());
    let fence = Fence::new(clock.clone());
    fence.hello();
    fence.activated(Epoch(1), 10_000);
    clock.0.store(6_000, Ordering::SeqCst);
    let waiting = tokio::spawn({
        let fence = fence.clone();
        async move { fence.permit(Epoch(1)).await.is_some() }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    fence.renewal(1);
    fence.acknowledged(1, Some(Epoch(1)));
    assert!(waiting.await.unwrap());
}
