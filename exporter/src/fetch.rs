//! Reading a document over HTTP or from a file, with a limit on time, bytes and redirects.

mod client;
mod coding;
mod door;
mod headers;
mod names;
mod pieces;
mod room;
mod segment;
mod shown;

use std::error::Error;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::{Method, Response, StatusCode};
use tokio::time::timeout;
use url::Url;
use vvtv_toolkit::logging::chain;

use self::client::{Client, Manner, SendError};
use self::coding::{Coding, CodingError, codings, decode};
use self::door::Door;
use self::headers::{content_age, is_playlist_path, is_playlist_type, plausible};
use self::room::{Buffer, MIDDLING, Room, SMALL, Taken};
pub use self::segment::{Ask, ByteRange, Found, is_denied};
use self::shown::shown_url;
pub use self::shown::{is_unseen, shown, shown_reference};
use crate::config::Location;
use crate::files::Files;
use crate::health::{Failure, ProbeError};
use crate::reach::{Guard, Named, Reach};

/// The largest document: a list of a day's signed segments is below it.
pub const BYTES_MAX: usize = 12 << 20;

/// The largest document as it comes packed: text is packed to a quarter and less.
const PACKED_MAX: usize = 4 << 20;

/// What is tried in turn where the size is not known before.
const SIZES: [usize; 3] = [SMALL, MIDDLING, BYTES_MAX];

/// A packed body of more bytes is unpacked beside the other probes, not in their way.
const PACKED_IN_PASSING: usize = 4 << 10;

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
    room: Room,
    reach: Option<Arc<Reach>>,
}

impl Fetcher {
    /// A fetcher without proxies: what is measured is the server, not the way a proxy answers for it.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { client: Client::new()?, files: Files::default(), room: Room::default(), reach: None })
    }

    /// The same, for one source: nothing that it names leads where it must not. Without it, each address that is asked for is a
    /// source of its own, beside which nothing is named.
    #[must_use]
    pub fn within(&self, reach: Reach) -> Self {
        Self { reach: Some(Arc::new(reach)), ..self.clone() }
    }

    /// The addresses of a host and port that `named` has.
    ///
    /// # Errors
    /// [`Failure::Forbidden`]: it has none of them, or nobody knows any.
    pub async fn named_addresses(
        &self,
        host: &str,
        port: u16,
        named: &Arc<Named>,
    ) -> Result<Vec<SocketAddr>, ProbeError> {
        let guard = Guard::named(named);
        let found = match host.parse() {
            Ok(address) => Some(address).filter(|address| guard.admits(None, port, *address)).into_iter().collect(),
            Err(_) if !named.may_cover(host, port) => Vec::new(),
            Err(_) => {
                let door = Door::new(self.client.names().clone(), guard, port);
                let opened = door.open(host).await.unwrap_or_default();
                opened.into_iter().map(|address| address.ip()).collect::<Vec<_>>()
            }
        };
        if found.is_empty() {
            return Err(ProbeError::new(Failure::Forbidden, format!("nothing of {host}:{port} is named")));
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn reach_of(&self, url: &Url) -> Arc<Reach> {
        match &self.reach {
            Some(reach) => Arc::clone(reach),
            None => Arc::new(Reach::configured(&Location::Http(url.clone()), &Arc::default())),
        }
    }

    /// Reads a whole document within `limit`.
    ///
    /// # Errors
    /// No answer in time, none at all, another status than 2xx, too large, too many redirects.
    pub async fn get(&self, location: &Location, limit: Duration) -> Result<Document, ProbeError> {
        self.read(location, limit, Manner::default()).await
    }

    /// As [`Fetcher::get`], over a connection of its own: of a server's several processes another one may answer.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn get_once(&self, location: &Location, limit: Duration) -> Result<Document, ProbeError> {
        self.read(location, limit, Manner { once: true, byte: None }).await
    }

    async fn read(&self, location: &Location, limit: Duration, manner: Manner) -> Result<Document, ProbeError> {
        let read = async {
            match location {
                Location::Http(url) => self.http(url, manner).await,
                Location::File(path) => self.file(path, limit).await,
            }
        };
        let started = Instant::now();
        let mut read = timeout(limit, read).await.unwrap_or_else(|_| {
            if let Location::Http(url) = location {
                self.client.doubt(url);
            }
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

    /// The address that answers `GET` with success, and its answer.
    async fn answer(&self, url: &Url, manner: Manner) -> Result<(Url, Response<Incoming>), ProbeError> {
        let (location, response) =
            self.client.send(&self.reach_of(url), &Method::GET, url, manner).await.map_err(|error| {
                self.client.doubt(url);
                failed("GET", url, &error)
            })?;
        let status = response.status();
        if !status.is_success() {
            let message = format!("GET {}: HTTP status {status}", shown_url(url));
            let error = ProbeError::new(status_reason(status), message);
            return Err(ProbeError { http_status: Some(status.as_u16()), ..error });
        }
        Ok((location, response))
    }

    async fn http(&self, url: &Url, manner: Manner) -> Result<Document, ProbeError> {
        let (location, response) = self.answer(url, manner).await?;
        let status = response.status();
        let told = |error: ProbeError| ProbeError { http_status: Some(status.as_u16()), ..error };
        let age = content_age(response.headers());
        let identifiable = is_playlist_path(location.path()) || is_playlist_type(response.headers());
        let unreadable = |error: BodyError| told(error.of(url));
        let codings = codings(response.headers()).map_err(|error| unreadable(error.into()))?;
        let body = self.body(response.into_body(), codings).await.map_err(unreadable)?;
        let location = Location::Http(location);
        Ok(Document { body, age, location, identifiable, http_status: Some(status.as_u16()), took: Duration::ZERO })
    }

    async fn body(&self, incoming: Incoming, codings: Vec<Coding>) -> Result<Bytes, BodyError> {
        let mut taken = Taken::default();
        if codings.is_empty() {
            return Ok(match self.collect(incoming, BYTES_MAX, &mut taken).await? {
                Collected::Piece(piece) => piece,
                Collected::Pieces(pieces) => taken.hold(pieces),
            });
        }
        let packed = match self.collect(incoming, PACKED_MAX, &mut taken).await? {
            Collected::Piece(piece) => piece,
            Collected::Pieces(pieces) => Bytes::copy_from_slice(pieces.bytes()),
        };
        if packed.len() <= PACKED_IN_PASSING {
            match decode(&packed, &codings, SMALL, self.room.buffer()) {
                Err(CodingError::TooLarge(_)) => {}
                decoded => return Ok(taken.hold(decoded?)),
            }
        }
        // How much comes out is not known before: first with little room, so that large ones alone wait for one another.
        for max in SIZES {
            self.room.take(&mut taken, max, Some(max)).await;
            let (packed, codings, buffer) = (packed.clone(), codings.clone(), self.room.buffer());
            let unpacked = tokio::task::spawn_blocking(move || decode(&packed, &codings, max, buffer)).await;
            match unpacked.map_err(BodyError::Died)? {
                Err(CodingError::TooLarge(_)) if max < BYTES_MAX => {}
                decoded => return Ok(taken.hold(decoded?)),
            }
        }
        Err(BodyError::TooLarge(BYTES_MAX))
    }

    async fn collect(&self, mut incoming: Incoming, max: usize, taken: &mut Taken) -> Result<Collected, BodyError> {
        let length = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
        if length > max {
            return Err(BodyError::TooLarge(max));
        }
        let expected = incoming.size_hint().exact().map(|_| length);
        // A playlist mostly comes in one piece, which is taken as it is.
        let mut whole = Bytes::new();
        let mut pieces = self.room.buffer();
        while let Some(frame) = incoming.frame().await {
            let Ok(piece) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
            let read = whole.len() + pieces.bytes().len() + piece.len();
            if read > max {
                return Err(BodyError::TooLarge(max));
            }
            if whole.is_empty() && pieces.bytes().is_empty() {
                whole = piece;
                continue;
            }
            if read > SMALL {
                self.room.take(taken, read, expected).await;
                pieces.grow(expected.unwrap_or(max).max(read));
            }
            pieces.extend(&std::mem::take(&mut whole));
            pieces.extend(&piece);
        }
        Ok(if pieces.bytes().is_empty() { Collected::Piece(whole) } else { Collected::Pieces(pieces) })
    }

    async fn file(&self, path: &Path, limit: Duration) -> Result<Document, ProbeError> {
        for max in SIZES {
            let (mut taken, buffer) = (Taken::default(), self.room.buffer());
            self.room.take(&mut taken, max, Some(max)).await;
            let owned = path.to_owned();
            match self.files.look(path, limit, move || read_file(&owned, max, taken, buffer)).await {
                Err(error) if error.reason == Failure::TooLarge && max < BYTES_MAX => {}
                read => return read,
            }
        }
        Err(ProbeError::new(Failure::TooLarge, format!("{} has more than {BYTES_MAX} bytes", path.display())))
    }
}

fn failed(method: &str, url: &Url, error: &(dyn Error + 'static)) -> ProbeError {
    ProbeError::new(reason(error), format!("{method} {}: {}", shown_url(url), chain(error)))
}

enum Collected {
    Piece(Bytes),
    Pieces(Buffer),
}

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("more than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Broken(hyper::Error),
    #[error(transparent)]
    Coding(#[from] CodingError),
    #[error("unpacking died: {0}")]
    Died(tokio::task::JoinError),
}

impl BodyError {
    fn of(self, url: &Url) -> ProbeError {
        let reason = match &self {
            Self::TooLarge(_) | Self::Coding(CodingError::TooLarge(_)) => Failure::TooLarge,
            Self::Broken(error) => reason(error),
            Self::Coding(CodingError::Unknown(_) | CodingError::Broken(_)) => Failure::Malformed,
            Self::Died(_) => Failure::Io,
        };
        ProbeError::new(reason, format!("GET {}: {}", shown_url(url), chain(&self)))
    }
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
        Some(SendError::Forbidden(_)) => Failure::Forbidden,
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

fn read_file(path: &Path, max: usize, taken: Taken, mut body: Buffer) -> Result<Document, ProbeError> {
    let failed = |error: std::io::Error| file_error(path, &error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let too_large = || ProbeError::new(Failure::TooLarge, format!("{} has more than {max} bytes", path.display()));
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > max {
        return Err(too_large());
    }
    body.grow(length + 1);
    let read = file.take(max as u64 + 1).read_to_end(body.bytes_mut()).map_err(failed)?;
    if read > max {
        return Err(too_large());
    }
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    let (body, age, location) = (taken.hold(body), age.and_then(plausible), Location::File(path.to_owned()));
    Ok(Document { body, age, location, identifiable: true, http_status: None, took: Duration::ZERO })
}

fn file_error(path: &Path, error: &std::io::Error) -> ProbeError {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let reason = if missing { Failure::Missing } else { Failure::Io };
    ProbeError::new(reason, format!("read {}: {error}", path.display()))
}
