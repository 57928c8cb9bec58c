//! Reading a document over HTTP or from a file, with a limit on time, bytes and redirects.

mod client;

use std::borrow::Cow;
use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use tokio::time::timeout;
use url::Url;
use vvtv_toolkit::logging::chain;

use self::client::{Client, SendError};

use crate::config::Location;
use crate::files::Files;
use crate::health::{Failure, ProbeError};

/// The largest document: a playlist of 5,000 segments with parts is below it.
pub const BYTES_MAX: usize = 4 << 20;

/// A document and what its server says of its age.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The body.
    pub body: Bytes,
    /// How old the content was when it was read, if the source says so.
    pub age: Option<Duration>,
    /// The address after redirects.
    pub location: Location,
    /// Its address or its `Content-Type` tells that it is a playlist, as RFC 8216 §4 wants it; files need not.
    pub identifiable: bool,
    /// The HTTP status; none of a file.
    pub http_status: Option<u16>,
    /// How long it took.
    pub took: Duration,
}

/// Reads documents; clones share their connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    files: Files,
}

impl Fetcher {
    /// A fetcher without proxies: what is measured is the server, not the way a proxy answers for it.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { client: Client::new()?, files: Files::default() })
    }

    /// Reads a whole document within `limit`.
    ///
    /// # Errors
    /// No answer in time, none at all, another status than 2xx, too large, too many redirects.
    pub async fn get(&self, location: &Location, limit: Duration) -> Result<Document, ProbeError> {
        let read = async {
            match location {
                Location::Http(url) => self.http(url).await,
                Location::File(path) => {
                    let look = {
                        let path = path.clone();
                        move || file(&path)
                    };
                    self.files.look(path, limit, look).await
                }
            }
        };
        let started = Instant::now();
        let mut read = timeout(limit, read).await.unwrap_or_else(|_| {
            Err(ProbeError::new(Failure::Timeout, format!("{} gave no whole answer within {limit:?}", shown(location))))
        });
        match &mut read {
            Ok(document) => document.took = started.elapsed(),
            Err(error) => error.took = started.elapsed(),
        }
        read
    }

    /// For files that are read otherwise than as a whole.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// The length of a document that is there and not empty, without reading it; none where the server does not tell.
    ///
    /// # Errors
    /// It is missing or empty, or the server does not answer, or not with 2xx: some serve what they do not answer `HEAD` for.
    pub async fn content_length(&self, location: &Location, limit: Duration) -> Result<Option<u64>, ProbeError> {
        let look = async {
            match location {
                Location::Http(url) => self.head(url).await,
                Location::File(path) => {
                    let look = {
                        let path = path.clone();
                        move || length(&path)
                    };
                    self.files.look(path, limit, look).await
                }
            }
        };
        let length = timeout(limit, look).await.unwrap_or_else(|_| {
            Err(ProbeError::new(Failure::Timeout, format!("{} gave no answer within {limit:?}", shown(location))))
        });
        match length {
            Ok(Some(0)) => Err(ProbeError::new(Failure::Missing, format!("{} is empty", shown(location)))),
            length => length,
        }
    }

    /// The length that a server tells.
    async fn head(&self, url: &Url) -> Result<Option<u64>, ProbeError> {
        let (_, response) = self.client.send(&Method::HEAD, url).await.map_err(|error| failed("HEAD", url, &error))?;
        let status = response.status();
        if !status.is_success() {
            let message = format!("HEAD {}: HTTP status {status}", redacted(url));
            return Err(ProbeError::new(status_reason(status), message));
        }
        Ok(response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()))
    }

    async fn http(&self, url: &Url) -> Result<Document, ProbeError> {
        let (location, response) =
            self.client.send(&Method::GET, url).await.map_err(|error| failed("GET", url, &error))?;
        let status = response.status();
        if !status.is_success() {
            let error = ProbeError::new(status_reason(status), format!("GET {}: HTTP status {status}", redacted(url)));
            return Err(ProbeError { http_status: Some(status.as_u16()), ..error });
        }
        let age = content_age(response.headers());
        let identifiable = is_playlist_path(location.path()) || is_playlist_type(response.headers());
        let body = body(response.into_body()).await.map_err(|error| match error {
            Body::TooLarge => {
                ProbeError::new(Failure::TooLarge, format!("GET {}: more than {BYTES_MAX} bytes", redacted(url)))
            }
            Body::Broken(error) => failed("GET", url, &error),
        })?;
        let location = Location::Http(location);
        Ok(Document { body, age, location, identifiable, http_status: Some(status.as_u16()), took: Duration::ZERO })
    }
}

fn failed(method: &str, url: &Url, error: &(dyn Error + 'static)) -> ProbeError {
    ProbeError::new(reason(error), format!("{method} {}: {}", redacted(url), chain(error)))
}

/// An address without its password.
fn redacted(url: &Url) -> Cow<'_, str> {
    if url.password().is_none() {
        return Cow::Borrowed(url.as_str());
    }
    let mut url = url.clone();
    // An address that has a password can have another one.
    let _: Result<(), ()> = url.set_password(Some("xxxxx"));
    Cow::Owned(url.into())
}

/// An address for messages: without its password.
#[must_use]
pub fn shown(location: &Location) -> String {
    match location {
        Location::Http(url) => redacted(url).into_owned(),
        Location::File(path) => path.display().to_string(),
    }
}

enum Body {
    TooLarge,
    Broken(hyper::Error),
}

async fn body(mut incoming: Incoming) -> Result<Bytes, Body> {
    let too_large = |bytes: u64| bytes > BYTES_MAX as u64;
    if too_large(incoming.size_hint().lower()) {
        return Err(Body::TooLarge);
    }
    // A playlist mostly comes in one piece, which is taken as it is.
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(piece) = frame.map_err(Body::Broken)?.into_data() else { continue };
        if too_large((whole.len() + pieces.len() + piece.len()) as u64) {
            return Err(Body::TooLarge);
        }
        if whole.is_empty() && pieces.is_empty() {
            whole = piece;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&piece);
        }
    }
    Ok(if pieces.is_empty() { whole } else { pieces.freeze() })
}

fn status_reason(status: StatusCode) -> Failure {
    let gone = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
    if gone { Failure::Missing } else { Failure::Status }
}

fn reason(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return io_reason(io);
        }
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Failure::Malformed;
        }
        cause = inner.source();
    }
    match error.downcast_ref() {
        Some(SendError::Redirects) => Failure::Redirects,
        Some(SendError::Astray(_) | SendError::Address(_)) => Failure::Malformed,
        Some(SendError::Http(error)) if error.is_connect() => Failure::Unreachable,
        Some(SendError::Http(_)) | None => Failure::Closed,
    }
}

/// An error of a socket as a reason.
#[must_use]
pub fn io_reason(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind;
    let kind = error.kind();
    if kind == ErrorKind::ConnectionRefused {
        Failure::Refused
    } else if kind == ErrorKind::TimedOut {
        Failure::Timeout
    } else if matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) {
        Failure::Closed
    } else if kind == ErrorKind::InvalidData {
        Failure::Malformed
    } else {
        Failure::Unreachable
    }
}

/// `Date` − `Last-Modified`, both by the server's clock, plus the `Age` that caches add (RFC 9110 §8.8.2, RFC 9111 §5.1).
fn content_age(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let time = |name| jiff::fmt::rfc2822::parse(text(name)?).ok().map(|time| time.timestamp().as_second());
    let age = time(header::DATE)?.checked_sub(time(header::LAST_MODIFIED)?)?.max(0).unsigned_abs();
    let cached = text(header::AGE).and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(Duration::from_secs(age.saturating_add(cached)))
}

fn is_playlist_path(path: &str) -> bool {
    let extension = Path::new(path).extension().unwrap_or_default();
    ["m3u8", "m3u"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn is_playlist_type(headers: &HeaderMap) -> bool {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    ["application/vnd.apple.mpegurl", "audio/mpegurl"].iter().any(|known| media_type.eq_ignore_ascii_case(known))
}

fn length(path: &Path) -> Result<Option<u64>, ProbeError> {
    let metadata = std::fs::metadata(path).map_err(|error| file_error(path, &error))?;
    Ok(Some(metadata.len()))
}

fn file(path: &Path) -> Result<Document, ProbeError> {
    let failed = |error: std::io::Error| file_error(path, &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut body = Vec::new();
    let read = file.take(BYTES_MAX as u64 + 1).read_to_end(&mut body).map_err(failed)?;
    if read > BYTES_MAX {
        return Err(ProbeError::new(Failure::TooLarge, format!("{} has more than {BYTES_MAX} bytes", path.display())));
    }
    let age = metadata.modified().ok().and_then(|modified| {
        let modified = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(std::time::SystemTime::now().duration_since(UNIX_EPOCH).ok()?.saturating_sub(modified))
    });
    let location = Location::File(path.to_owned());
    Ok(Document { body: Bytes::from(body), age, location, identifiable: true, http_status: None, took: Duration::ZERO })
}

fn file_error(path: &Path, error: &std::io::Error) -> ProbeError {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let reason = if missing { Failure::Missing } else { Failure::Io };
    ProbeError::new(reason, format!("read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], None)]
    #[case(&[("date", "Sun, 22 Nov 2026 15:00:43 GMT")], None)]
    #[case(&[("date", "Sun, 22 Nov 2026 15:00:43 GMT"), ("last-modified", "Sun, 22 Nov 2026 15:00:30 GMT")], Some(13))]
    #[case(&[("date", "Sun, 22 Nov 2026 15:00:43 GMT"), ("last-modified", "Sun, 22 Nov 2026 15:00:50 GMT")], Some(0))]
    #[case(&[("date", "Sun, 22 Nov 2026 15:00:43 GMT"), ("last-modified", "Sun, 22 Nov 2026 15:00:40 GMT"), ("age", "60")], Some(63))]
    #[case(&[("date", "Sun, 22 Nov 2026 15:00:43 GMT"), ("last-modified", "yesterday")], None)]
    fn a_servers_own_clock_tells_the_age(
        #[case] pairs: &[(&'static str, &'static str)],
        #[case] expected: Option<u64>,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, header::HeaderValue::from_static(value));
        }
        assert_eq!(content_age(&headers), expected.map(Duration::from_secs));
    }

    #[rstest]
    #[case("/live/main.m3u8", None, true)]
    #[case("/live/MAIN.M3U", None, true)]
    #[case("/live/main", Some("Application/vnd.apple.mpegURL; charset=utf-8"), true)]
    #[case("/live/main", Some("audio/mpegurl"), true)]
    #[case("/live/main", Some("application/x-mpegurl"), false)]
    #[case("/live.m3u8/main", Some("text/plain"), false)]
    #[case("/live/main", None, false)]
    fn a_path_or_a_type_tells_a_playlist(
        #[case] path: &str,
        #[case] media_type: Option<&'static str>,
        #[case] is: bool,
    ) {
        let typed = media_type.map(|text| (header::CONTENT_TYPE, header::HeaderValue::from_static(text)));
        assert_eq!(is_playlist_path(path) || is_playlist_type(&typed.into_iter().collect()), is);
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let location = Location::Http(Url::parse("http://user:secret@a.test/main.m3u8").unwrap());
        assert_eq!(shown(&location), "http://user:xxxxx@a.test/main.m3u8");
    }
}
