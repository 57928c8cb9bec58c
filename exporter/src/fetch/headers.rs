//! What an answer's headers tell. Pure.

use std::path::Path;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderName};

/// Content that is older is none that a live stream's outage left: clocks that were never set say so (1970, a build's date), and
/// servers that answer every request with the same header.
const AGE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// A header's text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Date` − `Last-Modified`, both by the server's clock, plus the `Age` that caches add (RFC 9110 §8.8.2, RFC 9111 §5.1).
pub(super) fn content_age(headers: &HeaderMap) -> Option<Duration> {
    let time = |name| jiff::fmt::rfc2822::parse(text(headers, name)?).ok().map(|time| time.timestamp().as_second());
    let age = u64::try_from(time(header::DATE)?.checked_sub(time(header::LAST_MODIFIED)?)?).ok()?;
    let cached = text(headers, header::AGE).and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    plausible(Duration::from_secs(age.saturating_add(cached)))
}

/// An age that content may have.
pub(super) fn plausible(age: Duration) -> Option<Duration> {
    (age <= AGE_MAX).then_some(age)
}

/// The media type without its parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn is_playlist_path(path: &str) -> bool {
    let extension = Path::new(path).extension().unwrap_or_default();
    ["m3u8", "m3u"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

pub(super) fn is_playlist_type(headers: &HeaderMap) -> bool {
    matches!(media_type(headers).as_str(), "application/vnd.apple.mpegurl" | "audio/mpegurl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: (&str, &str) = ("date", "Sun, 22 Nov 2026 15:00:43 GMT");

    #[rstest]
    #[case(&[], None)]
    #[case(&[NOW], None)]
    #[case(&[NOW, ("last-modified", "Sun, 22 Nov 2026 15:00:30 GMT")], Some(13))]
    #[case(&[NOW, ("last-modified", "Sun, 22 Nov 2026 15:00:40 GMT"), ("age", "60")], Some(63))]
    #[case(&[NOW, ("last-modified", "Sun, 15 Nov 2026 15:00:43 GMT")], Some(604_800))]
    #[case::in_the_future(&[NOW, ("last-modified", "Sun, 22 Nov 2026 15:00:50 GMT")], None)]
    #[case::never_set(&[NOW, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")], None)]
    #[case::too_old(&[NOW, ("last-modified", "Sun, 15 Nov 2026 15:00:42 GMT")], None)]
    #[case::cached_for_ever(&[NOW, ("last-modified", "Sun, 22 Nov 2026 15:00:40 GMT"), ("age", "18446744073709551615")], None)]
    #[case(&[NOW, ("last-modified", "yesterday")], None)]
    fn a_servers_own_clock_tells_the_age(
        #[case] pairs: &[(&'static str, &'static str)],
        #[case] expected: Option<u64>,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, header::HeaderValue::from_static(value));
        }
        assert_eq!(content_age(&headers), expected.map(Duration::from_secs));
    }

    #[rstest]
    #[case("/live/main.m3u8", None, true)]
    #[case("/live/MAIN.M3U", None, true)]
    #[case("/live/main", Some("Application/vnd.apple.mpegURL; charset=utf-8"), true)]
    #[case("/live/main", Some("audio/mpegurl"), true)]
    #[case("/live/main", Some("application/x-mpegurl"), false)]
    #[case("/live.m3u8/main", Some("text/plain"), false)]
    #[case("/live/main", None, false)]
    fn a_path_or_a_type_tells_a_playlist(
        #[case] path: &str,
        #[case] media_type: Option<&'static str>,
        #[case] is: bool,
    ) {
        let typed = media_type.map(|text| (header::CONTENT_TYPE, header::HeaderValue::from_static(text)));
        assert_eq!(is_playlist_path(path) || is_playlist_type(&typed.into_iter().collect()), is);
    }
}
