//! Date-times of RFC 3339 and plain dates, as filters write them.

/// Microseconds since the Unix epoch of `2023-07-30`, `2022-10-10T09:47:34Z`, `2022-10-10T09:47:34.123+02:00`;
/// without an offset it is UTC. `None` where the text is no date.
#[must_use]
pub fn parse_us(text: &str) -> Option<i64> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
        None => (text, None),
    };
    let days = date_days(date)?;
    let us = match time {
        Some(time) => time_us(time)?,
        None => 0,
    };
    days.checked_mul(86_400_000_000)?.checked_add(us)
}

fn date_days(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=month_days).contains(&day) {
        return None;
    }
    // Days from civil (Howard Hinnant's algorithm), with years that begin in March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * m + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn time_us(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-', ' ']).unwrap_or(text.len());
    let (clock, zone) = (text.get(..zone_at)?, text.get(zone_at..)?);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |part| digits(part, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 || fraction.len() > 12 {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let us = ((hour * 60 + minute) * 60 + second) * 1_000_000 + digits(&micros, 6)?;
    Some(us - offset_minutes(zone)? * 60_000_000)
}

/// `Z`, nothing, `+02:00`. A space stands for a plus that was not escaped in a URL.
fn offset_minutes(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// Exactly `count` decimal digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2023-07-30", Some(1_690_675_200_000_000)),
            ("2022-10-10T09:47:34Z", Some(1_665_395_254_000_000)),
            ("2022-10-10T11:47:34.5+02:00", Some(1_665_395_254_500_000)),
            ("2022-10-10T09:47:34.1234567", Some(1_665_395_254_123_456)),
            ("2024-02-29", Some(1_709_164_800_000_000)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000)),
            ("2023-02-29", None),
            ("2023-7-30", None),
            ("2023-07-30T25:00:00Z", None),
            ("2023-07-30Tü", None),
            ("tomorrow", None),
        ] {
            assert_eq!(parse_us(text), expected, "{text}");
        }
    }
}
