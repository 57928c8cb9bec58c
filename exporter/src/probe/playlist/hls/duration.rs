//! `EXTINF` (RFC 8216 §4.3.2.1) as players read it.

/// No segment is longer, seconds: a number above is none.
const SECONDS_MAX: f64 = 1e9;

/// What `EXTINF` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Duration {
    /// Seconds; unknown where no number stands there, or one that no segment has (0, -1).
    pub(super) seconds: Option<f64>,
    /// Written as the standard says: a decimal number, then a comma.
    pub(super) is_strict: bool,
}

impl Duration {
    /// Reads what stands behind the colon.
    ///
    /// The number ends where its digits do, as in hls.js, `ExoPlayer` and video.js: of `2,500,` it is 2, and the title `500,`.
    pub(super) fn read(value: &str) -> Self {
        let begins = value.trim_start();
        let bytes = begins.as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let whole = digits(0);
        let (end, has_number) = match bytes.get(whole) {
            Some(b'.') => (whole + 1 + digits(whole + 1), whole + digits(whole + 1) > 0),
            _ => (whole, whole > 0),
        };
        let number = begins.get(..end).filter(|_| has_number).and_then(|number| number.parse().ok());
        let seconds = number.filter(|seconds| *seconds > 0.0 && *seconds <= SECONDS_MAX);
        let is_strict = seconds.is_some() && begins.len() == value.len() && bytes.get(end) == Some(&b',');
        Self { seconds, is_strict }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2.000,", Some(2.0), true)]
    #[case("2,", Some(2.0), true)]
    #[case("2.000,Söng", Some(2.0), true)]
    #[case("2,000,", Some(2.0), true)]
    #[case(".5,", Some(0.5), true)]
    #[case(" 2.000,", Some(2.0), false)]
    #[case("2.000", Some(2.0), false)]
    #[case("2.", Some(2.0), false)]
    #[case("2.000 ,", Some(2.0), false)]
    #[case("2.000 tvg-id=\"x\",T", Some(2.0), false)]
    #[case("2s,", Some(2.0), false)]
    #[case("1e3,", Some(1.0), false)]
    #[case("-1,Live", None, false)]
    #[case("+2,", None, false)]
    #[case("0,", None, false)]
    #[case("0.000,", None, false)]
    #[case(".,", None, false)]
    #[case(",", None, false)]
    #[case("", None, false)]
    #[case("NaN,", None, false)]
    #[case("inf,", None, false)]
    #[case("99999999999999999999,", None, false)]
    fn durations_as_they_are_written(#[case] value: &str, #[case] seconds: Option<f64>, #[case] is_strict: bool) {
        assert_eq!(Duration::read(value), Duration { seconds, is_strict });
    }
}
