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

/// The first moment of the next day in that zone (an IANA name), in UTC where there is none or it is unknown. Where a
/// clock change leaves midnight out, the day begins with the first moment that there is.
#[must_use]
pub(crate) fn next_midnight(now: Timestamp, zone: Option<&str>) -> Timestamp {
    let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    let here = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default().to_zoned(zone);
    let day = here.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
    // Behind the calendar's last day there is no other.
    day.map_or(Timestamp(i64::MAX), |day| Timestamp(day.timestamp().as_microsecond()))
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

    /// semantics: clock
    #[test]
    fn a_day_begins_with_its_first_moment() {
        let check = |zone: Option<&str>, now: &str, expected: &str| {
            let next = next_midnight(parse(now).unwrap(), zone);
            assert_eq!(seconds(next), expected, "{zone:?} {now}");
        };
        check(None, "2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z");
        check(None, "2026-03-11T00:00:00Z", "2026-03-12T00:00:00Z");
        check(Some("Nowhere/Land"), "2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z");
        check(Some("Asia/Tokyo"), "2026-03-10T16:00:00Z", "2026-03-11T15:00:00Z");
        // Berlin: 23 hours on 29 March 2026, 25 on 25 October.
        check(Some("Europe/Berlin"), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        check(Some("Europe/Berlin"), "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        // Santiago's clocks go from 0:00 to 1:00 on 6 September 2026.
        check(Some("America/Santiago"), "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z");
        // Samoa had no 30 December 2011.
        check(Some("Pacific/Apia"), "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z");
    }
}
