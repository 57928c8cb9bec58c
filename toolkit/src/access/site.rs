//! A page of another site must not act in the name of somebody who is logged in here.

use axum::http::HeaderMap;

/// Why a request that changes something is not taken for one of our own pages' or of a program's; nothing if it is.
///
/// Browsers name the page's origin with every POST (Fetch Standard, "append a request `Origin` header"), and most tell the relation itself
/// (Fetch Metadata). A host name that is neither ours nor an address may have been pointed here by somebody else.
pub(super) fn foreign(headers: &HeaderMap, names: &[String]) -> Option<String> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => {}
        Some(other) => return Some(other.to_owned()),
    }
    let origin = text("origin")?;
    let host = text("host").unwrap_or_default();
    let Some((_, authority)) = origin.split_once("://") else { return Some(origin.to_owned()) };
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
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
    #[case::another_port(&[("host", "127.0.0.1:10048"), ("origin", "http://127.0.0.1:8080")], false)]
    fn only_our_own_pages_and_programs_may_act(#[case] headers: &[(&'static str, &'static str)], #[case] may: bool) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect();
        assert_eq!(foreign(&headers, &["ops.example".to_owned()]).is_none(), may);
    }
}
