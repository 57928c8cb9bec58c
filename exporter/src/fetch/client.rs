//! HTTP as polling needs it: hyper's pooled client, redirects, and the password of an address.
//!
//! reqwest, which stands on the same client, parses the address three times and copies the headers twice for each request: a fifth of
//! what a poll costs.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::{Host, Position, Url};

use super::door::{Door, forbidden};
use super::names::{Addresses, Names};
use super::shown::shown_reference;
use crate::reach::{Forbidden, Guard, Reach};

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;

/// Connections that wait to be used again. When thousands of polls wait for a slow server at once, as many are open; to close and
/// open them again at every poll would make the server slower still.
const IDLE_MAX: usize = 1024;

/// How long they wait.
const IDLE: Duration = Duration::from_secs(15);

/// How long connections to a name are used: what shares a server's load, or takes one out of service, does so when connections are made.
const AGE_MAX: Duration = Duration::from_secs(60);

/// For all addresses of a name together, so that one where nobody is leaves time for the next.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Servers beyond which those that nobody has asked for lately are forgotten.
const ROUTES: usize = 1024;

type Connector = HttpsConnector<HttpConnector<Door>>;
type Connections = Pool<Connector, Empty<Bytes>>;

/// The connections to one server; to a name, all of them younger than [`AGE_MAX`].
#[derive(Debug)]
struct Route {
    connections: Connections,
    since: Instant,
    /// Of its name when they were made; none of a literal address, and of a name that was not looked up yet.
    addresses: Option<Addresses>,
    /// Milliseconds after `since`.
    used: AtomicU64,
}

impl Route {
    fn new(connector: Connector, now: Instant, addresses: Option<Addresses>) -> Self {
        let connections = Pool::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { connections, since: now, addresses, used: AtomicU64::new(0) }
    }

    /// Whether its connections lead where the name leads, and where its load is shared.
    fn is_current(&self, now: Instant, addresses: Option<&Addresses>) -> bool {
        // All connections of a server end together, which thousands of polls feel: where nothing is looked up, nothing is won by it.
        let (then, now_known) = match (&self.addresses, addresses) {
            (_, None) => return true,
            (None, Some(_)) => return false,
            (Some(then), Some(now_known)) => (then, now_known),
        };
        now.saturating_duration_since(self.since) < AGE_MAX && still_lead_there(then, now_known)
    }

    fn use_it(&self, now: Instant) {
        self.used.store(self.millis(now), Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.since).as_millis()).unwrap_or(u64::MAX)
    }

    fn is_used(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < AGE_MAX + Duration::from_millis(self.used.load(Ordering::Relaxed))
    }
}

/// Connections by what is demanded of their addresses, and by server: over one that another stream may have, no request goes that must
/// not.
type Routes = HashMap<Guard, HashMap<String, Arc<Route>>>;

/// A client without proxies; clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    tls: Arc<rustls::ClientConfig>,
    names: Names,
    routes: Arc<RwLock<Routes>>,
    /// Keeps no connection.
    once: Connections,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// Over a connection of its own.
    pub(super) once: bool,
    /// For this byte alone (RFC 9110 §14.2).
    pub(super) byte: Option<u64>,
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
    /// Where it leads must not be asked.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// No connection, or none that answers.
    #[error(transparent)]
    Http(#[from] legacy::Error),
}

impl Client {
    /// A client that trusts the authorities which the system trusts.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new() -> io::Result<Self> {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.try_with_platform_verifier())
            .map_err(io::Error::other)?
            .with_no_client_auth();
        let (tls, names) = (Arc::new(tls), Names::default());
        let once = no_pool(connector(&tls, Door::new(names.clone(), Guard::FREE, 0)));
        Ok(Self { tls, names, routes: Arc::default(), once })
    }

    /// For the addresses of names.
    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// The answer's head, and the address that gave it after redirects, none of which led where `reach` does not.
    pub(super) async fn send(
        &self,
        reach: &Reach,
        method: &Method,
        url: &Url,
        manner: Manner,
    ) -> Result<(Url, Response<Incoming>), SendError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let guard = reach.guard(&url);
            if let Some(Err(address)) = guard.admits_url(&url) {
                return Err(reach.forbidden(&url, address).into());
            }
            let request = request(method, &url, manner)?;
            let response = match manner.once {
                true if guard.is_free() => self.once.request(request).await,
                true => no_pool(self.connector(&url, guard)).request(request).await,
                false => self.route(&url, guard).await.connections.request(request).await,
            };
            let response = response.map_err(|error| match forbidden(&error, reach, &url) {
                Some(forbidden) => SendError::Forbidden(forbidden),
                None => SendError::Http(error),
            })?;
            let Some(target) = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection())
            else {
                return Ok((url, response));
            };
            let target = String::from_utf8_lossy(target.as_bytes());
            url = match url.join(&target) {
                Ok(next) if matches!(next.scheme(), "http" | "https") => next,
                Ok(_) | Err(_) => return Err(SendError::Astray(shown_reference(&target))),
            };
        }
        Err(SendError::Redirects)
    }

    /// Notes that a request failed: the next one looks the name up anew.
    pub(super) fn doubt(&self, url: &Url) {
        if let Some(Host::Domain(name)) = url.host() {
            self.names.doubt(name);
        }
    }

    /// The connections that may be used for a request. Others end as soon as what goes on over them has ended.
    async fn route(&self, url: &Url, guard: Guard) -> Arc<Route> {
        let addresses = match url.host() {
            Some(Host::Domain(name)) => self.names.current(name).await,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => None,
        };
        let now = Instant::now();
        let server = &url[..Position::BeforePath];
        let current = |route: &&Arc<Route>| route.is_current(now, addresses.as_ref());
        let known = {
            let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            routes.get(&guard).and_then(|routes| routes.get(server)).filter(current).cloned()
        };
        let route = known.unwrap_or_else(|| self.new_route(url, guard, now, addresses));
        route.use_it(now);
        route
    }

    fn new_route(&self, url: &Url, guard: Guard, now: Instant, addresses: Option<Addresses>) -> Arc<Route> {
        let server = &url[..Position::BeforePath];
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        if routes.values().map(HashMap::len).sum::<usize>() >= ROUTES {
            routes.retain(|_, routes| {
                routes.retain(|_, route| route.is_used(now));
                !routes.is_empty()
            });
        }
        let connector = self.connector(url, guard.clone());
        let routes = routes.entry(guard).or_default();
        // Another request may have been here first.
        if let Some(route) = routes.get(server).filter(|route| route.is_current(now, addresses.as_ref())) {
            return Arc::clone(route);
        }
        let route = Arc::new(Route::new(connector, now, addresses));
        routes.insert(server.to_owned(), Arc::clone(&route));
        route
    }

    fn connector(&self, url: &Url, guard: Guard) -> Connector {
        connector(&self.tls, Door::new(self.names.clone(), guard, url.port_or_known_default().unwrap_or_default()))
    }
}

fn connector(tls: &Arc<rustls::ClientConfig>, door: Door) -> Connector {
    let mut tcp = HttpConnector::new_with_resolver(door);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_LIMIT));
    HttpsConnector::from((tcp, Arc::clone(tls)))
}

/// Connections that are used once.
fn no_pool(connector: Connector) -> Connections {
    Pool::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
}

/// Whether every address that connections may have been made to is still the name's.
fn still_lead_there(then: &[std::net::IpAddr], now: &[std::net::IpAddr]) -> bool {
    then.iter().all(|address| now.contains(address))
}

fn request(method: &Method, url: &Url, manner: Manner) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method.clone();
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let agent = concat!("vvtv-exporter/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    if manner.once {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(byte) = manner.byte {
        headers.insert(header::RANGE, HeaderValue::try_from(format!("bytes={byte}-{byte}"))?);
    }
    let address = &url[..Position::AfterQuery];
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
    let host = &url[Position::BeforeHost..Position::AfterQuery];
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
        let request = request(&Method::GET, &Url::parse(address).unwrap(), Manner::default()).unwrap();
        assert_eq!(request.uri(), asked);
        let sent = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        assert_eq!(sent, authorization);
    }

    #[rstest]
    #[case("127.0.0.2", "127.0.0.1 127.0.0.2", true)]
    #[case("127.0.0.2", "127.0.0.3", false)]
    #[case("127.0.0.2 127.0.0.3", "127.0.0.3", false)]
    #[case("127.0.0.2", "", true)]
    #[case("", "127.0.0.2", false)]
    #[case("", "", true)]
    fn an_address_that_left_the_name_is_not_used_again(#[case] then: &str, #[case] now: &str, #[case] expected: bool) {
        let addresses = |text: &str| text.split_whitespace().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let known = |text: &str| Some(addresses(text)).filter(|found| !found.is_empty()).map(Addresses::from);
        let client = Client::new().unwrap();
        let start = Instant::now();
        let route = Route::new(client.connector(&"http://a.test/".parse().unwrap(), Guard::FREE), start, known(then));
        let (soon, late) = (start + Duration::from_secs(1), start + AGE_MAX);
        assert_eq!(route.is_current(soon, known(now).as_ref()), expected);
        assert_eq!(route.is_current(late, known(now).as_ref()), now.is_empty(), "names are looked up, literals stay");
    }
}
