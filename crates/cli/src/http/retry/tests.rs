use super::*;
use crate::error::Error;
use crate::testing::Counter;

/// The shortest and the longest wait before the next try, in milliseconds; `None`: it gives up.
fn check(repeat: Repeat, tries: u32, kind: Kind, retry_after_ms: Option<u64>, expected: Option<(u64, u64)>) {
    let failure = Failure { retry_after_ms, ..Failure::new(Error::Usage(String::new()), kind) };
    let random = Counter::default();
    for _ in 0..50 {
        let wait = Retry::default().wait_ms(repeat, tries, &failure, &random);
        let fits = match (wait, expected) {
            (Some(wait), Some((least, most))) => (least..=most).contains(&wait),
            (None, None) => true,
            _ => false,
        };
        assert!(fits, "{repeat:?} {tries} {kind:?} {retry_after_ms:?}: {wait:?}, expected {expected:?}");
    }
}

#[test]
fn what_is_repeated_when_and_for_how_long() {
    use Kind::{Final, NotReached, Unknown};
    use Repeat::{Always, Keyed, WhenRefused};
    check(Always, 1, Final, None, None);
    check(Keyed, 1, Final, Some(1), None);
    // A request that may have been worked on is repeated only where that does no harm.
    check(WhenRefused, 1, Unknown, None, None);
    check(WhenRefused, 1, NotReached, None, Some((250, 500)));
    check(Always, 1, Unknown, None, Some((250, 500)));
    check(Always, 2, Unknown, None, Some((500, 1_000)));
    check(Always, 3, Unknown, None, None);
    check(Keyed, 7, Unknown, None, Some((15_000, 30_000)));
    check(Keyed, 8, Unknown, None, None);
    // Never before the time that was asked for, and never for ever.
    check(Keyed, 1, NotReached, Some(2_128), Some((2_128, 2_628)));
    check(Keyed, 1, NotReached, Some(300_000), Some((300_000, 300_500)));
    check(Keyed, 1, NotReached, Some(300_001), None);
    check(Keyed, 1, NotReached, Some(u64::MAX), None);
}
