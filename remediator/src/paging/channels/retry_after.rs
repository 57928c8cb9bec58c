//! When a receiver says that it wants to be asked again: `Retry-After` (RFC 9110 §10.2.3).

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use vvtv_incident::Timestamp;

use crate::clock::parse_http_date;

/// The longest wait that is granted: whoever is to be called cannot wait for longer, whatever the receiver says.
const MAX: Duration = Duration::from_secs(300);

/// The time to wait, given in seconds or as a date; `None` where it is neither. A date is compared with the receiver's own clock if
/// it tells it.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        // Digits that are no number are too many of them.
        text.parse().map_or(MAX, Duration::from_secs)
    } else {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(parse_http_date);
        parse_http_date(text)?.since(date.unwrap_or(now))
    };
    Some(wait.min(MAX))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: &str = "Fri, 27 Nov 2026 06:00:00 GMT";

    #[rstest]
    #[case("30", None, Some(30))]
    #[case(" 0 ", None, Some(0))]
    #[case("86400", None, Some(300))]
    #[case("99999999999999999999999", None, Some(300))]
    #[case("Fri, 27 Nov 2026 06:00:45 GMT", None, Some(45))]
    #[case("Fri, 27 Nov 2026 06:00:45 GMT", Some("Fri, 27 Nov 2026 06:00:15 GMT"), Some(30))]
    #[case("Fri, 27 Nov 2026 05:00:00 GMT", None, Some(0))]
    #[case("Sat, 27 Nov 2027 06:00:00 GMT", None, Some(300))]
    #[case("-5", None, None)]
    #[case("1.5", None, None)]
    #[case("soon", None, None)]
    #[case("", None, None)]
    fn seconds_and_dates(#[case] text: &str, #[case] date: Option<&str>, #[case] expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let found = retry_after(&headers, parse_http_date(NOW).unwrap());
        assert_eq!(found, expected.map(Duration::from_secs));
    }
}
