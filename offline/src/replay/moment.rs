//! Moments and spans as people write them: `12.5s`, `500ms`, `2m`, or a time of RFC 3339.

use std::str::FromStr;
use std::time::Duration;

/// A moment of a replay.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after the beginning.
    After(Duration),
    /// At this time: nanoseconds since 1970.
    At(u64),
}

/// The text names no moment.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write how long after the beginning, as in 12.5s, 500ms or 2m, or a time as 2026-11-21T17:00:00.5Z"
)]
pub struct NotAMoment;

/// The text names no span.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a number of seconds, or with a unit, as in 12.5s, 500ms, 2m or 1h")]
pub struct NotASpan;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let after = span(text).ok().map(Self::After);
        after.or_else(|| since_1970(text).map(Self::At)).ok_or(NotAMoment)
    }
}

/// Reads a span: a decimal number of seconds, or of the unit behind it.
///
/// # Errors
/// [`NotASpan`], also for one that is longer than 584 years.
pub fn span(text: &str) -> Result<Duration, NotASpan> {
    let units = [("ms", 0.001), ("us", 0.000_001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let known = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, unit) = known.unwrap_or((text, 1.0));
    if !number.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Err(NotASpan);
    }
    let number: f64 = number.parse().map_err(|_| NotASpan)?;
    let span = Duration::try_from_secs_f64(number * unit).map_err(|_| NotASpan)?;
    if u64::try_from(span.as_nanos()).is_ok() { Ok(span) } else { Err(NotASpan) }
}

/// Reads a time of RFC 3339 section 5.6.
fn since_1970(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_date = (1970..=2550).contains(&year) && (1..=12).contains(&month);
    // A leap second is the one ahead of it.
    if !is_date
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let seconds =
        days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59);
    let seconds = seconds.checked_sub(offset(zone)?)?;
    let nanos = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
    Some(nanos + nanos_of(fraction)?)
}

/// Three decimal numbers of these lengths.
fn numbers(text: &str, between: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next()?;
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '-' => -1,
        _ => 1,
    };
    let [_, hours, minutes] = numbers(&format!("0:{}", zone.get(1..)?), ':', [1, 2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn nanos_of(fraction: &str) -> Option<u64> {
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    fraction.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_or_of_a_unit() {
        let millis = |text| span(text).map(|span| span.as_millis());
        assert_eq!(millis("12.5s"), Ok(12_500));
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("2m"), Ok(120_000));
        assert_eq!(millis("0.5h"), Ok(1_800_000));
        assert_eq!(millis("7"), Ok(7000));
        for text in ["", "s", "-1s", "1 s", "soon", "1d", "nan", "inf", "1e30", "+1"] {
            assert_eq!(span(text), Err(NotASpan), "{text}");
        }
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let at = |text: &str| text.parse();
        assert_eq!(at("1970-01-01T00:00:00Z"), Ok(Moment::At(0)));
        // RFC 3339 section 5.8 has the first two.
        assert_eq!(at("1985-04-12T23:20:50.52Z"), Ok(Moment::At(482_196_050_520_000_000)));
        assert_eq!(at("1996-12-19T16:39:57-08:00"), Ok(Moment::At(851_042_397_000_000_000)));
        assert_eq!(at("2000-02-29 12:00:00+05:30"), Ok(Moment::At(951_805_800_000_000_000)));
        assert_eq!(at("500ms"), Ok(Moment::After(Duration::from_millis(500))));
        for text in [
            "1969-12-31T23:59:59Z",
            "2001-02-29T00:00:00Z",
            "2001-02-28T24:00:00Z",
            "2001-02-28T00:00:00",
            "2001-2-28T00:00:00Z",
            "2001-02-28T00:00:00.xZ",
            "2001-02-28T00:00:00Zx",
            "yesterday",
        ] {
            assert_eq!(at(text), Err(NotAMoment), "{text}");
        }
    }
}
