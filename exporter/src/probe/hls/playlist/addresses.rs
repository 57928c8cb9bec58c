//! Addresses in playlists (RFC 8216 §4.1).

/// Whether it leads, from wherever the playlist lies, to something that can be asked for: over HTTP, or beside the playlist.
pub(super) fn is_usable(uri: &str) -> bool {
    static ANYWHERE: std::sync::LazyLock<Option<url::Url>> =
        std::sync::LazyLock::new(|| "http://localhost/".parse().ok());
    let joined = ANYWHERE.as_ref().and_then(|anywhere| anywhere.join(uri).ok());
    !uri.is_empty() && joined.is_some_and(|joined| matches!(joined.scheme(), "http" | "https"))
}

/// The path, without host, query and fragment: what stays when addresses are signed anew, or hosts alternate.
#[must_use]
pub fn path(uri: &str) -> &str {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let uri = uri.get(..end).unwrap_or(uri);
    let authority = match uri.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => Some(rest),
        Some(_) | None => uri.strip_prefix("//"),
    };
    match authority {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or("/"),
        None => uri,
    }
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

    #[test]
    fn paths_without_what_changes() {
        let cases = [
            "a.ts?t=1",
            "/b/a.ts#x",
            "http://h:80/b/a.ts?t",
            "//h/b/a.ts",
            "https://h",
            "b/a.ts?u=http://x/y",
            "b://x",
        ];
        let expected = ["a.ts", "/b/a.ts", "/b/a.ts", "/b/a.ts", "/", "b/a.ts", "/"];
        assert_eq!(cases.map(path), expected);
    }
}
