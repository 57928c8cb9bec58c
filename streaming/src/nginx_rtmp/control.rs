//! The control (`rtmp_control` of nginx-rtmp-module): addresses that change something.

use url::Url;

/// What the shipped nginx demands of whoever changes something, because a page in a browser cannot send it: a header's name and value.
pub const CONTROL_HEADER: (&str, &str) = ("x-vvtv-control", "drop");

/// The control's address has no path that could be continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot have a path")]
pub struct DropAddressError(Url);

/// Where a request drops a stream's publisher (`/drop/publisher` of nginx-rtmp-module's control module).
///
/// # Errors
/// `control` is an address without a path, as `data:` is.
pub fn drop_publisher_address(control: &Url, app: &str, name: &str) -> Result<Url, DropAddressError> {
    let mut url = control.clone();
    url.path_segments_mut()
        .map_err(|()| DropAddressError(control.clone()))?
        .pop_if_empty()
        .extend(["drop", "publisher"]);
    url.query_pairs_mut().append_pair("app", app).append_pair("name", name);
    Ok(url)
}

/// Whether somebody was dropped, by the body of the answer: it is the number of those that were.
#[must_use]
pub fn was_dropped(answer: &[u8]) -> bool {
    answer.trim_ascii() != b"0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_values_of_the_query_whatever_is_in_them() {
        let address =
            |control: &str| drop_publisher_address(&control.parse().unwrap(), "live", "a&b=c/d").map(String::from);
        let expected = "http://127.0.0.1:8082/control/drop/publisher?app=live&name=a%26b%3Dc%2Fd";
        assert_eq!(address("http://127.0.0.1:8082/control"), Ok(expected.to_owned()));
        assert_eq!(address("http://127.0.0.1:8082/control/"), Ok(expected.to_owned()));
        assert_eq!(address("data:x").unwrap_err().to_string(), "data:x cannot have a path");
    }

    #[test]
    fn nought_is_nobody() {
        assert!(was_dropped(b"1\n") && was_dropped(b"") && !was_dropped(b"0\n"));
    }
}
