//! Is a segment there? Asked of servers of which many answer `HEAD` otherwise than `GET`, without reading the segment.

use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Response, StatusCode, body::Incoming};
use tokio::time::timeout;
use url::Url;

use super::client::Manner;
use super::headers::{media_type, text};
use super::shown::{shown, shown_url};
use super::{Fetcher, failed, file_error, status_reason};
use crate::config::Location;
use crate::health::{Failure, ProbeError};

/// What a server that hangs on `HEAD` may take besides the time for `GET`, as a share of that, and never more than [`HEAD_MAX`].
const HEAD_SHARE: u32 = 4;
const HEAD_MAX: Duration = Duration::from_secs(1);

/// How a server is asked for a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// `HEAD`, and `GET` before it is disbelieved.
    #[default]
    Head,
    /// `GET` at once, of one byte.
    Get,
}

/// Bytes of a resource (`EXT-X-BYTERANGE`, RFC 8216 §4.3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// Where its first byte stands in the resource, from 0.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// A segment that is there, and not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its length, of a byte range that of the range; none where the server does not tell.
    pub bytes: Option<u64>,
    /// What proved it: [`Ask::Get`] where `HEAD` was no witness, so that it need not be asked again.
    pub ask: Ask,
}

/// Whether a server denies what it lists to us (HTTP 4xx), which says nothing of the viewers who have a token or a cookie. What is not
/// there, and what fails on the server's side, is lost to them too.
#[must_use]
pub fn is_denied(error: &ProbeError) -> bool {
    error.reason == Failure::Status && error.http_status.is_some_and(|status| (400..500).contains(&status))
}

impl Fetcher {
    /// Finds a segment, or the bytes of it that `range` names.
    ///
    /// `HEAD` is believed only where it says yes and tells a length. Otherwise `GET` of one byte decides; a server that sends more has
    /// the connection closed. It has all of `limit`, whatever `HEAD` took: a server may need the most of it for each answer.
    ///
    /// # Errors
    /// [`Failure::Missing`]: `GET` says that it is not there, or gives nothing, or a page for people instead of media. [`Failure::Status`]:
    /// another status; see [`is_denied`]. Otherwise as [`Fetcher::get`].
    pub async fn find_segment(
        &self,
        location: &Location,
        range: Option<ByteRange>,
        ask: Ask,
        limit: Duration,
    ) -> Result<Found, ProbeError> {
        match location {
            Location::Http(url) => {
                if ask == Ask::Head {
                    let head = timeout((limit / HEAD_SHARE).min(HEAD_MAX), self.head(url, range)).await;
                    if let Ok(Some(found)) = head {
                        return Ok(found);
                    }
                }
                timeout(limit, self.find(url, range)).await.unwrap_or_else(|_| {
                    self.client.doubt(url);
                    let message = format!("{} gave no answer within {limit:?}", shown(location));
                    Err(ProbeError::new(Failure::Timeout, message))
                })
            }
            Location::File(path) => {
                let look = {
                    let path = path.clone();
                    move || file_length(&path)
                };
                let length = self.files.look(path, limit, look).await?;
                part(length, range).ok_or_else(|| absent(location, "is empty, or ends before the segment does"))
            }
        }
    }

    /// What `GET` proves.
    async fn find(&self, url: &Url, range: Option<ByteRange>) -> Result<Found, ProbeError> {
        let byte = range.map_or(0, |range| range.offset);
        let mut answer = self.first_byte(url, Some(byte)).await?;
        if answer.status == StatusCode::RANGE_NOT_SATISFIABLE && byte == 0 && answer.total != Some(0) {
            // It serves no ranges at all, or not of what has no length yet.
            answer = self.first_byte(url, None).await?;
        }
        answer.judge(url, range)
    }

    /// What `HEAD` proves; none where it proves nothing.
    async fn head(&self, url: &Url, range: Option<ByteRange>) -> Option<Found> {
        let (location, response) =
            self.client.send(&self.reach_of(url), &Method::HEAD, url, Manner::default()).await.ok()?;
        let believed = response.status() == StatusCode::OK && location == *url && !is_page_type(response.headers());
        let length = content_length(response.headers()).filter(|_| believed)?;
        part(length, range).map(|found| Found { ask: Ask::Head, ..found })
    }

    async fn first_byte(&self, url: &Url, byte: Option<u64>) -> Result<Answer, ProbeError> {
        let manner = Manner { once: false, byte };
        let (location, response) =
            self.client.send(&self.reach_of(url), &Method::GET, url, manner).await.map_err(|error| {
                self.client.doubt(url);
                failed("GET", url, &error)
            })?;
        let status = response.status();
        let total = match status {
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => range_total(response.headers()),
            _ => content_length(response.headers()).filter(|_| status.is_success()),
        };
        let encoded = response.headers().contains_key(header::CONTENT_ENCODING);
        let page_type = is_page_type(response.headers());
        let redirected = location != *url;
        // A whole file that was not asked for is not waited for, where its head says enough.
        let says_enough = status == StatusCode::OK && total.is_some_and(|total| total > 0) && !page_type && !redirected;
        let first = match says_enough {
            true => Ok(None),
            false if status.is_success() => first_byte_of(response).await,
            false => Ok(None),
        };
        let first = first.map_err(|error| failed("GET", url, &error))?;
        let total = total.filter(|_| !encoded);
        Ok(Answer { status, total, encoded, page_type, redirected, first, says_enough })
    }
}

/// What matters of an answer to `GET`.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: StatusCode,
    /// Bytes of the whole resource.
    total: Option<u64>,
    encoded: bool,
    page_type: bool,
    redirected: bool,
    first: Option<u8>,
    /// Its head tells a length, and nothing that casts a doubt on it.
    says_enough: bool,
}

impl Answer {
    fn judge(self, url: &Url, range: Option<ByteRange>) -> Result<Found, ProbeError> {
        let refuse = |reason: Failure, what: &str| {
            let error = ProbeError::new(reason, format!("GET {}: {what}", shown_url(url)));
            Err(ProbeError { http_status: Some(self.status.as_u16()), ..error })
        };
        if self.status == StatusCode::RANGE_NOT_SATISFIABLE {
            return refuse(Failure::Missing, "it ends before the segment begins");
        }
        if !self.status.is_success() {
            return refuse(status_reason(self.status), &format!("HTTP status {}", self.status));
        }
        if self.first.is_none() && !self.says_enough {
            return refuse(Failure::Missing, "it is empty");
        }
        if self.is_page() {
            return refuse(Failure::Missing, "a page for people in place of the segment");
        }
        // A server that knows no ranges tells the length of what it has, or a cache had: that is no proof of what it has not.
        let total = self.total.filter(|_| range.is_none() || self.status == StatusCode::PARTIAL_CONTENT);
        match total {
            None => Ok(Found { bytes: range.map(|range| range.length), ask: Ask::Get }),
            Some(total) => match part(total, range) {
                Some(found) => Ok(Found { ask: Ask::Get, ..found }),
                None => refuse(Failure::Missing, &format!("{total} bytes, which is less than the segment")),
            },
        }
    }

    /// A login page, or an error page with a success's status. Media with the type of a page is media: players do not look at types.
    const fn is_page(self) -> bool {
        let Some(first) = self.first else { return false };
        let text = matches!(first, b'<' | b'{' | b'[' | b'"' | b' ' | b'\t' | b'\r' | b'\n' | 0xEF);
        (self.page_type && (text || self.encoded)) || (self.redirected && matches!(first, b'<' | b'{'))
    }
}

/// What a resource of `total` bytes has of a segment; none where that is nothing, or not all of it.
fn part(total: u64, range: Option<ByteRange>) -> Option<Found> {
    let bytes = match range {
        None => total,
        Some(range) if range.offset.checked_add(range.length).is_some_and(|end| end <= total) => range.length,
        Some(_) => 0,
    };
    (bytes > 0).then_some(Found { bytes: Some(bytes), ask: Ask::Head })
}

fn absent(location: &Location, what: &str) -> ProbeError {
    ProbeError::new(Failure::Missing, format!("{} {what}", shown(location)))
}

fn is_page_type(headers: &HeaderMap) -> bool {
    let media_type = media_type(headers);
    let json = media_type == "application/json" || media_type.ends_with("+json");
    json || matches!(media_type.as_str(), "text/html" | "application/xhtml+xml" | "text/xml" | "application/xml")
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

/// The whole length of `Content-Range: bytes 0-0/1000`, `bytes */1000` (RFC 9110 §14.4).
fn range_total(headers: &HeaderMap) -> Option<u64> {
    let (_, total) = text(headers, header::CONTENT_RANGE)?.rsplit_once('/')?;
    total.trim().parse().ok()
}

async fn first_byte_of(response: Response<Incoming>) -> Result<Option<u8>, hyper::Error> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(first) = frame?.data_ref().and_then(|data| data.first().copied()) {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

fn file_length(path: &Path) -> Result<u64, ProbeError> {
    let metadata = std::fs::metadata(path).map_err(|error| file_error(path, &error))?;
    Ok(if metadata.is_dir() { 0 } else { metadata.len() })
}
