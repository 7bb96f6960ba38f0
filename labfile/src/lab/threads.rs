//! How long a packet thread may look for frames before it sleeps.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

/// How long a worker whose queues are empty goes on looking for frames instead of sleeping, while
/// frames keep coming: off, or 1 us to 10 ms. Written as "200us", "2ms" or "off".
///
/// While it looks, a worker uses a whole processor. Beyond 10 ms nothing is left to gain: a sleep
/// and a wake-up cost some tens of microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll(Option<NonZeroU16>);

impl Poll {
    /// Sleep at once.
    pub const OFF: Self = Self(None);

    /// The longest spell; zero when off.
    pub const fn limit(self) -> Duration {
        match self.0 {
            Some(micros) => Duration::from_micros(micros.get() as u64),
            None => Duration::ZERO,
        }
    }
}

impl fmt::Display for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(NonZeroU16::get) {
            None => f.write_str("off"),
            Some(micros) if micros % 1_000 == 0 => write!(f, "{}ms", micros / 1_000),
            Some(micros) => write!(f, "{micros}us"),
        }
    }
}

/// What was written is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a time from \"1us\" to \"10ms\", or \"off\"")]
pub struct NotAPoll;

impl FromStr for Poll {
    type Err = NotAPoll;

    fn from_str(text: &str) -> Result<Self, NotAPoll> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (digits, scale) = match (text.strip_suffix("us"), text.strip_suffix("ms")) {
            (Some(digits), _) => (digits, 1),
            (None, Some(digits)) => (digits, 1_000),
            (None, None) => return Err(NotAPoll),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAPoll);
        }
        let micros = digits.parse::<u16>().ok().and_then(|number| number.checked_mul(scale));
        let micros = micros.filter(|micros| *micros <= LONGEST).and_then(NonZeroU16::new);
        micros.map(|micros| Self(Some(micros))).ok_or(NotAPoll)
    }
}

/// In microseconds.
const LONGEST: u16 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_their_unit() {
        for (text, micros) in [("1us", 1), ("200us", 200), ("2ms", 2_000), ("10ms", 10_000)] {
            let poll: Poll = text.parse().unwrap();
            assert_eq!(poll.limit(), Duration::from_micros(micros));
            assert_eq!(poll.to_string(), text);
        }
        assert_eq!("2000us".parse::<Poll>().map(|poll| poll.to_string()), Ok("2ms".to_owned()));
        assert_eq!("off".parse(), Ok(Poll::OFF));
        assert_eq!(Poll::OFF.limit(), Duration::ZERO);
    }

    #[test]
    fn other_times_are_refused() {
        for text in [
            "",
            "0us",
            "0ms",
            "11ms",
            "10001us",
            "65536us",
            "99999999999us",
            "us",
            "ms",
            "200",
            "1s",
            "-1us",
            "+1us",
            "1 us",
            "1.5ms",
            "OFF",
            "200µs",
        ] {
            assert_eq!(text.parse::<Poll>(), Err(NotAPoll), "{text:?}");
        }
    }
}
