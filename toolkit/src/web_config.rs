//! The web configuration file of Prometheus' exporter-toolkit: TLS, basic authentication, a rate limit, headers, HTTP/2.
//!
//! Read strictly: a key that this program does not implement is an error that says so, because a security setting that is
//! silently ignored is worse than none. Source: prometheus/exporter-toolkit, `docs/web-configuration.md`.

mod auth;
mod file;
mod rate;
mod tls;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use rustls::ServerConfig;

use tracing::{error, info};

use self::auth::Users;
use self::rate::RateLimit;
use crate::logging::chain;
use crate::yaml::YamlError;

/// How the server protects what it serves. The default is plain HTTP for everybody. Clones are the same configuration.
///
/// The file is read again as soon as it, or a certificate that it names, is another one: a renewed certificate and a removed user take
/// effect with the next connection and the next request. A file that is broken then, or that would switch TLS or passwords on or off,
/// changes nothing, and is logged.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    state: Arc<Mutex<State>>,
    path: Option<Arc<PathBuf>>,
}

#[derive(Debug, Default)]
struct State {
    settings: Arc<Settings>,
    seen: Fingerprint,
}

/// What the file means.
#[derive(Debug)]
struct Settings {
    tls: Option<Arc<ServerConfig>>,
    users: Option<Arc<Users>>,
    headers: HeaderMap,
    http2: bool,
    rate: Option<RateLimit>,
    /// Everything that was read besides the file itself.
    files: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tls: None, users: None, headers: HeaderMap::new(), http2: true, rate: None, files: Vec::new() }
    }
}

/// Inode, length, and modification time of each file.
type Fingerprint = Vec<Option<(u64, u64, i64, i64)>>;

impl WebConfig {
    /// Reads a file; paths in it are relative to its directory.
    ///
    /// # Errors
    /// Not readable, an unknown or unsupported key, a hash that is not bcrypt, a certificate that cannot be used: with file, line, column.
    pub fn load(path: &Path) -> Result<Self, YamlError> {
        let settings = Arc::new(read(path)?);
        let seen = fingerprint(path, &settings.files);
        let state = Arc::new(Mutex::new(State { settings, seen }));
        Ok(Self { state, path: Some(Arc::new(path.to_owned())) })
    }

    /// What holds at this moment.
    fn settings(&self) -> Arc<Settings> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Arc::clone(&state.settings) };
        let seen = fingerprint(path, &state.settings.files);
        if seen != state.seen {
            match read(path) {
                // Programs decide at their start by what the file asks for, and nobody should lose a password by a slip.
                Ok(fresh)
                    if fresh.tls.is_some() != state.settings.tls.is_some()
                        || fresh.users.is_some() != state.settings.users.is_some() =>
                {
                    let message =
                        "TLS and passwords are not switched on or off without a restart, the old settings go on";
                    error!(file = %path.display(), "{message}");
                }
                Ok(fresh) => {
                    info!(file = %path.display(), "web configuration read again");
                    state.settings = Arc::new(fresh);
                }
                Err(error) => error!("the old web configuration goes on: {}", chain(&error)),
            }
            state.seen = fingerprint(path, &state.settings.files);
        }
        Arc::clone(&state.settings)
    }

    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.settings().tls.clone()
    }

    pub(crate) fn http2(&self) -> bool {
        self.settings().http2
    }

    /// Whether requests need a user and a password at this moment.
    #[must_use]
    pub fn asks_for_passwords(&self) -> bool {
        self.settings().users.is_some()
    }

    /// Puts the limit, authentication and headers around a router; every path is protected, health checks too.
    pub(crate) fn protect(&self, app: Router) -> Router {
        if self.path.is_none() {
            return app;
        }
        let web = self.clone();
        app.layer(middleware::from_fn(move |request: Request, next: Next| {
            let settings = web.settings();
            async move {
                let mut response = admitted(&settings, request, next).await;
                response.headers_mut().extend(settings.headers.clone());
                response
            }
        }))
    }
}

fn read(path: &Path) -> Result<Settings, YamlError> {
    let text = crate::yaml::read(path)?;
    file::read(&path.display().to_string(), &text, path.parent().unwrap_or(Path::new(".")))
}

fn fingerprint(path: &Path, files: &[PathBuf]) -> Fingerprint {
    let one = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    };
    std::iter::once(path).chain(files.iter().map(PathBuf::as_path)).map(one).collect()
}

async fn admitted(settings: &Settings, request: Request, next: Next) -> Response {
    if settings.rate.as_ref().is_some_and(|rate| !rate.admits(Instant::now())) {
        return (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response();
    }
    match &settings.users {
        Some(users) => authenticated(users, request, next).await,
        None => next.run(request).await,
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
