//! The headers of every answer, errors too, as Mozilla's HTTP Observatory asks for them.
//!
//! A handler, and `http_server_config.headers` of the web configuration, may set any of them otherwise.

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};

/// What a page may load and do that has scripts and styles of its own origin, and forms.
pub const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The same of everything else: nothing.
const DATA_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `same-origin`, not `no-referrer`: with that, browsers hide the origin of our own forms too (Fetch Standard, "append a request
/// `Origin` header"), by which requests from other sites are told apart.
const ALWAYS: [(HeaderName, HeaderValue); 8] = [
    (header::CONTENT_SECURITY_POLICY, DATA_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Two years, as the Observatory wants at least half a year. Not for names below ours, which may be others'.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Adds what is not set yet.
pub(super) fn complete(headers: &mut HeaderMap, encrypted: bool) {
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if encrypted {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(TWO_YEARS);
    }
}
