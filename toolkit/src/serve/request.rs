//! One request: refused here for its host, its place or its size, or handed to the program; the answer gets its headers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use tower::ServiceExt as _;

use super::body::{BodyError, RETRY_AFTER, Received, Sent};
use super::headers;
use super::hosts::{HostError, into_header};
use super::metrics::Refused;
use super::place::Place;
use super::server::Server;

impl Server {
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        place: &Arc<Place>,
        encrypted: bool,
    ) -> Result<Response<Sent>, Infallible> {
        let turn = place.turn();
        let mut response = match self.refuse(&request, place) {
            Some(refusal) => refusal,
            None => {
                let uri = request.uri().clone();
                into_header(&uri, request.headers_mut());
                request.extensions_mut().insert(ConnectInfo(peer));
                let request = request.map(|body| Body::new(Received::new(body, turn.clone(), &self.limits)));
                match self.app.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(impossible) => match impossible {},
                }
            }
        };
        headers::complete(response.headers_mut(), encrypted);
        Ok(response.map(|body| Sent::new(body, turn)))
    }

    fn refuse(&self, request: &Request<Incoming>, place: &Place) -> Option<Response> {
        let refused = |why| self.limits.metrics.refused(why);
        let is_among = |paths: &[String]| paths.iter().any(|path| path == request.uri().path());
        if let Err(error) = self.limits.hosts.check(request.version(), request.uri(), request.headers()) {
            refused(Refused::Host);
            let status = match error {
                HostError::Malformed => StatusCode::BAD_REQUEST,
                HostError::Unknown(_) => StatusCode::MISDIRECTED_REQUEST,
            };
            return Some((status, format!("{error}\n")).into_response());
        }
        if place.reserved && !is_among(&self.limits.reserved_paths) {
            refused(Refused::Reserved);
            let again = [(header::RETRY_AFTER, RETRY_AFTER)];
            let text = "all connections are in use, the last ones are kept for health, metrics and deliveries\n";
            let mut response = (StatusCode::SERVICE_UNAVAILABLE, again, text).into_response();
            // HTTP/2 has no such header (RFC 9113 section 8.2.2).
            if request.version() <= Version::HTTP_11 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            return Some(response);
        }
        if request.body().size_hint().lower() > self.limits.body_bytes_max && !is_among(&self.limits.large_body_paths) {
            refused(Refused::Size);
            let most = usize::try_from(self.limits.body_bytes_max).unwrap_or(usize::MAX);
            return Some(BodyError::TooLarge(most).into_response());
        }
        None
    }
}
