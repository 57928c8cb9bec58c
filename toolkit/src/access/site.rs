//! A page of another site must not act in the name of somebody who is logged in here.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// The name and port that a request is for: HTTP/2 has them in its address (RFC 9113 §8.3.1).
pub(super) fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> &'a str {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| uri.authority().map(Authority::as_str)).unwrap_or_default()
}

/// Why a request that changes something is not taken for one of our own pages' or of a program's; nothing if it is.
///
/// Browsers name the page's origin with every POST (Fetch Standard, "append a request `Origin` header"), and most tell the relation itself
/// (Fetch Metadata). A host name that is neither ours nor an address may have been pointed here by somebody else.
pub(super) fn foreign(headers: &HeaderMap, host: &str, names: &[String]) -> Option<String> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => {}
        Some(other) => return Some(other.to_owned()),
    }
    let origin = text("origin")?;
    let Some((_, authority)) = origin.split_once("://") else { return Some(origin.to_owned()) };
    let Ok(parsed) = host.parse::<Authority>() else { return Some(origin.to_owned()) };
    let name = parsed.host();
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let ours = address || name == "localhost" || names.iter().any(|known| known == name);
    (authority != host || !ours).then(|| origin.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    #[rstest]
    #[case::a_program(&[("host", "127.0.0.1:10048")], true)]
    #[case::our_page(&[("host", "127.0.0.1:10048"), ("origin", "http://127.0.0.1:10048")], true)]
    #[case::our_page_by_name(&[("host", "ops.example:10048"), ("origin", "http://ops.example:10048")], true)]
    #[case::another_site(&[("host", "127.0.0.1:10048"), ("origin", "http://evil.example")], false)]
    #[case::a_name_pointed_here(&[("host", "evil.example:10048"), ("origin", "http://evil.example:10048")], false)]
    #[case::a_page_without_origin(&[("host", "127.0.0.1:10048"), ("origin", "null")], false)]
    #[case::a_browser_that_says_so(&[("host", "127.0.0.1:10048"), ("sec-fetch-site", "cross-site")], false)]
    #[case::our_page_by_ipv6(&[("host", "[::1]"), ("origin", "http://[::1]")], true)]
    #[case::no_host_at_all(&[("origin", "http://127.0.0.1:10048")], false)]
    #[case::another_port(&[("host", "127.0.0.1:10048"), ("origin", "http://127.0.0.1:8080")], false)]
    fn only_our_own_pages_and_programs_may_act(#[case] headers: &[(&'static str, &'static str)], #[case] may: bool) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect();
        let uri = Uri::from_static("/");
        let host = host(&headers, &uri);
        assert_eq!(foreign(&headers, host, &["ops.example".to_owned()]).is_none(), may);
    }

    #[test]
    fn http_2_names_the_host_in_the_address() {
        let uri = Uri::from_static("https://ops.example:8443/x");
        assert_eq!(host(&HeaderMap::new(), &uri), "ops.example:8443");
    }
}
