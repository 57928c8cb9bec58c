//! The web configuration file of Prometheus' exporter-toolkit: TLS, basic authentication, a rate limit, headers, HTTP/2; and beside
//! its keys ours, who may do what: `roles` of the users, `tokens`, `trusted_proxy`.
//!
//! Read strictly: a key that this program does not implement is an error that says so, because a security setting that is
//! silently ignored is worse than none; and so is a file that others can change. Source: prometheus/exporter-toolkit,
//! `docs/web-configuration.md`.

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
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use rustls::ServerConfig;

use tracing::{error, info};

pub(crate) use self::auth::{Credentials, Users, Verdict};
use self::rate::RateLimit;
use crate::access::{Token, TrustedProxy};
use crate::logging::chain;
use crate::yaml::{Document, YamlError};

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
pub(crate) struct Settings {
    tls: Option<Arc<ServerConfig>>,
    pub(crate) users: Option<Arc<Users>>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) proxy: Option<TrustedProxy>,
    headers: HeaderMap,
    http2: bool,
    rate: Option<RateLimit>,
    /// Everything that was read besides the file itself.
    files: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tls: None,
            users: None,
            tokens: Vec::new(),
            proxy: None,
            headers: HeaderMap::new(),
            http2: true,
            rate: None,
            files: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether there is any way to show who one is.
    pub(crate) const fn has_credentials(&self) -> bool {
        self.users.is_some() || !self.tokens.is_empty() || self.proxy.is_some()
    }
}

/// Inode, length, and time of the last change, of the mode too, of each file.
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
    pub(crate) fn settings(&self) -> Arc<Settings> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Arc::clone(&state.settings) };
        let seen = fingerprint(path, &state.settings.files);
        if seen != state.seen {
            match read(path) {
                // Programs decide at their start by what the file asks for, and nobody should lose a password by a slip.
                Ok(fresh)
                    if fresh.tls.is_some() != state.settings.tls.is_some()
                        || fresh.users.is_some() != state.settings.users.is_some()
                        || fresh.has_credentials() != state.settings.has_credentials() =>
                {
                    let message = "TLS, passwords and tokens are not switched on or off without a restart, the old settings go on";
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

    /// Whether connections are encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.settings().tls.is_some()
    }

    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.settings().tls.clone()
    }

    pub(crate) fn http2(&self) -> bool {
        self.settings().http2
    }

    /// Whether people can come in by a user name and a password, or through a trusted proxy.
    #[must_use]
    pub fn knows_people(&self) -> bool {
        let settings = self.settings();
        settings.users.is_some() || settings.proxy.is_some()
    }

    /// Users who have no role.
    #[must_use]
    pub fn users_without_role(&self) -> Vec<String> {
        let settings = self.settings();
        settings.users.iter().flat_map(|users| users.without_role()).map(str::to_owned).collect()
    }

    /// Puts the limit and the headers around a router. Who may do what is its own [gate](crate::access::Gate)'s business.
    pub(crate) fn protect(&self, app: Router) -> Router {
        if self.path.is_none() {
            return app;
        }
        let web = self.clone();
        app.layer(middleware::from_fn(move |request: Request, next: Next| {
            let settings = web.settings();
            async move {
                let mut response = if settings.rate.as_ref().is_some_and(|rate| !rate.admits(Instant::now())) {
                    (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response()
                } else {
                    next.run(request).await
                };
                response.headers_mut().extend(settings.headers.clone());
                response
            }
        }))
    }
}

fn read(path: &Path) -> Result<Settings, YamlError> {
    let document = Document::read(path)?;
    let name = path.display().to_string();
    if let Some(why) = exposed(path) {
        return Err(crate::yaml::whole_file(&name, why));
    }
    file::read(&document)
}

/// Why the file could be somebody else's words: whoever can write it decides who may come in. The rule is OpenSSH's.
fn exposed(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Some(format!("others than its owner can change it (mode {mode:04o}): chmod go-w"));
    }
    let own = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    (owner != 0 && owner != own)
        .then(|| format!("it belongs to the user {owner}, neither to root nor to whom this runs as"))
}

fn fingerprint(path: &Path, files: &[PathBuf]) -> Fingerprint {
    let one = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
    };
    std::iter::once(path).chain(files.iter().map(PathBuf::as_path)).map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_can_write_is_refused_with_its_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let load = |mode: u32| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            WebConfig::load(file.path()).map(|_| ()).map_err(|error| error.message().to_owned())
        };
        std::fs::write(file.path(), "http_server_config: {http2: false}\n").unwrap();
        let writable = |mode: &str| Err(format!("others than its owner can change it (mode {mode}): chmod go-w"));
        assert_eq!([load(0o644), load(0o600), load(0o640)], [Ok(()), Ok(()), Ok(())]);
        assert_eq!([load(0o646), load(0o664), load(0o666)], ["0646", "0664", "0666"].map(writable));
    }
}
