//! HTTP as polling needs it: hyper's pooled client, redirects, and the password of an address.
//!
//! reqwest, which stands on the same client, parses the address three times and copies the headers twice for each request: a fifth of
//! what a poll costs.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;

/// Connections that wait to be used again. When thousands of polls wait for a slow server at once, as many are open; to close and
/// open them again at every poll would make the server slower still.
const IDLE_MAX: usize = 1024;

/// How long they wait.
const IDLE: Duration = Duration::from_secs(15);

/// A client without proxies; clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// More than [`REDIRECTS_MAX`].
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// Where it leads is no address of a web server.
    #[error("redirect to `{0}`, which is no http address")]
    Astray(String),
    /// The address cannot be asked for.
    #[error("the address cannot be asked for")]
    Address(#[from] hyper::http::Error),
    /// No connection, or none that answers.
    #[error(transparent)]
    Http(#[from] legacy::Error),
}

impl Client {
    /// A client that trusts the authorities which the system trusts.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new() -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { pool })
    }

    /// The answer's head, and the address that gave it after redirects.
    pub(super) async fn send(&self, method: &Method, url: &Url) -> Result<(Url, Response<Incoming>), SendError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.pool.request(request(method, &url)?).await?;
            let Some(target) = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection())
            else {
                return Ok((url, response));
            };
            let target = String::from_utf8_lossy(target.as_bytes());
            url = match url.join(&target) {
                Ok(next) if matches!(next.scheme(), "http" | "https") => next,
                Ok(_) | Err(_) => return Err(SendError::Astray(target.into_owned())),
            };
        }
        Err(SendError::Redirects)
    }
}

fn request(method: &Method, url: &Url) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method.clone();
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let agent = concat!("vvtv-exporter/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    let address = &url[..url::Position::AfterQuery];
    if url.username().is_empty() && url.password().is_none() {
        *request.uri_mut() = Uri::try_from(address)?;
        return Ok(request);
    }
    // RFC 7617 §2
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [decoded(url.username()), decoded(url.password().unwrap_or_default())].join(&b':');
    let mut basic = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))?;
    basic.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, basic);
    let host = &url[url::Position::BeforeHost..url::Position::AfterQuery];
    *request.uri_mut() = Uri::try_from(format!("{}://{host}", url.scheme()))?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://a.test/hls/main.m3u8?x=1#top", "http://a.test/hls/main.m3u8?x=1", None)]
    #[case("https://[::1]:8443/main.m3u8", "https://[::1]:8443/main.m3u8", None)]
    #[case("http://user:p%40ss@a.test:81/", "http://a.test:81/", Some("Basic dXNlcjpwQHNz"))]
    fn a_password_goes_into_its_header_alone(
        #[case] address: &str,
        #[case] asked: &str,
        #[case] authorization: Option<&str>,
    ) {
        let request = request(&Method::GET, &Url::parse(address).unwrap()).unwrap();
        assert_eq!(request.uri(), asked);
        let sent = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        assert_eq!(sent, authorization);
    }
}
