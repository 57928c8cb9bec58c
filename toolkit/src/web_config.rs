//! The web configuration file of Prometheus' exporter-toolkit: TLS, basic authentication, headers, HTTP/2.
//!
//! Read strictly: a key that this program does not implement is an error that says so, because a security setting that is
//! silently ignored is worse than none. Source: prometheus/exporter-toolkit, `docs/web-configuration.md`.

mod auth;
mod file;
mod tls;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use rustls::ServerConfig;

use self::auth::Users;
use crate::yaml::YamlError;

/// How the server protects what it serves. The default is plain HTTP for everybody.
#[derive(Clone, Debug)]
pub struct WebConfig {
    tls: Option<Arc<ServerConfig>>,
    users: Option<Arc<Users>>,
    headers: HeaderMap,
    http2: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { tls: None, users: None, headers: HeaderMap::new(), http2: true }
    }
}

impl WebConfig {
    /// Reads a file; paths in it are relative to its directory.
    ///
    /// # Errors
    /// Not readable, an unknown or unsupported key, a hash that is not bcrypt, a certificate that cannot be used: with file, line, column.
    pub fn load(path: &Path) -> Result<Self, YamlError> {
        let text = crate::yaml::read(path)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        file::read(&path.display().to_string(), &text, directory)
    }

    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.clone()
    }

    pub(crate) const fn http2(&self) -> bool {
        self.http2
    }

    /// Whether requests need a user and a password.
    #[must_use]
    pub const fn asks_for_passwords(&self) -> bool {
        self.users.is_some()
    }

    /// Puts authentication and headers around a router; every path is protected, health checks too.
    pub(crate) fn protect(&self, app: Router) -> Router {
        let app = match self.users.clone() {
            None => app,
            Some(users) => app.layer(middleware::from_fn(move |request: Request, next: Next| {
                let users = Arc::clone(&users);
                async move { authenticated(&users, request, next).await }
            })),
        };
        if self.headers.is_empty() {
            return app;
        }
        let headers = self.headers.clone();
        app.layer(middleware::map_response(move |mut response: Response| {
            let headers = headers.clone();
            async move {
                response.headers_mut().extend(headers);
                response
            }
        }))
    }
}

async fn authenticated(users: &Users, request: Request, next: Next) -> Response {
    let credentials = request.headers().get(header::AUTHORIZATION).and_then(auth::Credentials::parse);
    let admitted = match credentials {
        Some(credentials) => users.admit(credentials).await,
        None => false,
    };
    if admitted {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")], "Unauthorized\n").into_response()
}
