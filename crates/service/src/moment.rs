//! Moments as the outside reads and writes them.

use jiff::tz::TimeZone;
use rollcall_model::Timestamp;

/// In UTC; a moment outside the calendar is the epoch.
#[must_use]
pub(crate) fn zoned(at: Timestamp) -> jiff::Zoned {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// `2026-01-15T09:41:10Z`: RFC 3339, whole seconds.
#[must_use]
pub(crate) fn seconds(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-15T09:41:10.123456Z`.
#[must_use]
pub(crate) fn exact(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// `2026-01-15T09:41:10`, as Graph's `innerError.date` has it.
#[must_use]
pub(crate) fn unmarked(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// `2026-01-15 09:41:10Z`, as the token endpoint's errors have it.
#[must_use]
pub(crate) fn spaced(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Reads RFC 3339.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let at = Timestamp(1_768_470_070_123_456);
        assert_eq!(seconds(at), "2026-01-15T09:41:10Z");
        assert_eq!(exact(at), "2026-01-15T09:41:10.123456Z");
        assert_eq!(unmarked(at), "2026-01-15T09:41:10");
        assert_eq!(spaced(at), "2026-01-15 09:41:10Z");
        assert_eq!(parse(&exact(at)), Some(at));
        assert_eq!(parse("2026-01-15T10:41:10.123456+01:00"), Some(at));
        assert_eq!(parse("yesterday"), None);
    }
}
