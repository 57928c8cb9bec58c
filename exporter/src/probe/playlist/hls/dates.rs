//! Dates with a time (RFC 8216 §4.3.2.6; ISO 8601).

/// A date as Unix seconds, and whether it is written as the standard says.
///
/// Read are the offsets of packagers (`Z`, `+01:00`, ffmpeg's `+0000`, `+01`), and a blank instead of the `T`, as browsers read it.
/// Without an offset it is unknown which moment is meant: browsers take their own time zone, others UTC. Here that is no date.
pub(super) fn unix_seconds(date: &str) -> Option<(f64, bool)> {
    let parsed = date.parse::<jiff::Timestamp>().ok();
    let parsed = parsed.or_else(|| jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", date).ok());
    let is_strict = !date.contains(' ');
    parsed.map(|time| (time.as_duration().as_secs_f64(), is_strict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const MOMENT: f64 = 1_795_359_600.25;

    #[rstest]
    #[case("2026-11-22T15:00:00.250Z", Some((MOMENT, true)))]
    #[case("2026-11-22T15:00:00.250+0000", Some((MOMENT, true)))]
    #[case("2026-11-22T16:00:00.250+0100", Some((MOMENT, true)))]
    #[case("2026-11-22T16:00:00.250+01:00", Some((MOMENT, true)))]
    #[case("2026-11-22T16:00:00.250+01", Some((MOMENT, true)))]
    #[case("2026-11-22T12:00:00.250-0300", Some((MOMENT, true)))]
    #[case("2026-11-22T15:00:00,250Z", Some((MOMENT, true)))]
    #[case("2026-11-22 15:00:00.250Z", Some((MOMENT, false)))]
    #[case("2026-11-22T15:00:00Z", Some((MOMENT - 0.25, true)))]
    #[case("2026-11-22T15:00:00.250", None)]
    #[case("2026-11-22 15:00:00.250", None)]
    #[case("2026-11-22", None)]
    #[case("15:00:00Z", None)]
    #[case("Sun, 22 Nov 2026 15:00:00 GMT", None)]
    #[case("1795359600", None)]
    #[case("", None)]
    fn dates_as_they_are_written(#[case] date: &str, #[case] expected: Option<(f64, bool)>) {
        assert_eq!(unix_seconds(date), expected);
    }
}
