//! Durations in Prometheus' own grammar, because operators write them beside Prometheus' own files.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// A duration written as Prometheus writes it: `1h30m`, `250ms`, `0`.
///
/// Units from largest to smallest, each at most once: `y w d h m s ms`. Negative values and bare numbers other than `0` are refused.
/// Source: Prometheus configuration documentation, "duration" (`model.ParseDuration`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromDuration(Duration);

/// Milliseconds of each unit, largest first. A year is 365 days, as in Prometheus.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: expected something like 10s, 1m30s or 2h (units y w d h m s ms, largest first)")]
pub struct DurationError {
    text: String,
}

impl PromDuration {
    /// Wraps a duration for display; parts below a millisecond are not shown.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// The plain duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<PromDuration> for Duration {
    fn from(value: PromDuration) -> Self {
        value.0
    }
}

impl FromStr for PromDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_millis(text)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| DurationError { text: text.chars().take(64).collect() })
    }
}

fn parse_millis(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let index = UNITS.iter().position(|(name, _)| *name == unit)?;
        if index < next_unit {
            return None;
        }
        next_unit = index + 1;
        let millis = number.parse::<u64>().ok()?.checked_mul(UNITS.get(index)?.1)?;
        total = total.checked_add(millis)?;
        rest = tail;
    }
    (next_unit > 0).then_some(total)
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            // Weeks and years only when they divide evenly: nobody reads "1w3d" at night.
            if matches!(name, "y" | "w") && !millis.is_multiple_of(size) {
                continue;
            }
            if millis >= size {
                write!(f, "{}{name}", millis / size)?;
                millis %= size;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", 0)]
    #[case("0s", 0)]
    #[case("250ms", 250)]
    #[case("10s", 10_000)]
    #[case("1h30m", 5_400_000)]
    #[case("1d", 86_400_000)]
    #[case("1y2w3d4h5m6s7ms", 33_019_506_007)]
    fn accepts_what_prometheus_accepts(#[case] text: &str, #[case] millis: u64) {
        assert_eq!(text.parse::<PromDuration>().unwrap().get(), Duration::from_millis(millis));
    }

    #[rstest]
    #[case("")]
    #[case("5")]
    #[case("-5m")]
    #[case("1.5h")]
    #[case("10 minutes")]
    #[case("PT10M")]
    #[case("5m1h")]
    #[case("5m5m")]
    #[case("99999999999999999999s")]
    #[case("999999999999999y")]
    fn refuses_the_rest(#[case] text: &str) {
        assert_eq!(text.parse::<PromDuration>(), Err(DurationError { text: text.to_owned() }));
    }

    proptest! {
        #[test]
        fn display_parses_back(millis in 0_u64..10_000_000_000_000) {
            let duration = PromDuration::new(Duration::from_millis(millis));
            prop_assert_eq!(duration.to_string().parse::<PromDuration>(), Ok(duration));
        }

        #[test]
        fn any_text_is_an_answer_not_a_panic(text in ".*") {
            let _: Result<PromDuration, _> = text.parse();
        }
    }
}
