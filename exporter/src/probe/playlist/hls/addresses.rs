//! Addresses in playlists (RFC 8216 §4.1).

/// Whether it leads, from wherever the playlist lies, to something that can be asked for: over HTTP, or beside the playlist.
pub(super) fn is_usable(uri: &str) -> bool {
    static ANYWHERE: std::sync::LazyLock<Option<url::Url>> =
        std::sync::LazyLock::new(|| "http://localhost/".parse().ok());
    let joined = ANYWHERE.as_ref().and_then(|anywhere| anywhere.join(uri).ok());
    !uri.is_empty() && joined.is_some_and(|joined| matches!(joined.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        let usable = ["a.m3u8", "/a", "../a?b#c", "//host/a", "HTTPS://host/a", "a b.m3u8", "ö.m3u8", "?variant=2"];
        let unusable = [
            "",
            "data:application/vnd.apple.mpegurl;base64,I0VYVE0zVQo=",
            "ftp://a/b",
            "skd://a",
            "blob:x",
            "http://[::",
            "C:\\a",
        ];
        assert_eq!(usable.map(is_usable), [true; 8]);
        assert_eq!(unusable.map(is_usable), [false; 7]);
    }
}
