//! Where a playlist's references lead. Pure.
//!
//! Over HTTP, as RFC 3986 §5 and RFC 8216 §4.1 say. Of a playlist that is watched as a file, nothing is asked over the network, and
//! nothing outside of its directory is looked at: packagers write a base address (nginx-rtmp's `hls_base_url`, ffmpeg's
//! `-hls_base_url`) or a path of the web server's before the names of files that lie beside the playlist.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::Location;
use crate::fetch::shown_reference;
use crate::health::{Failure, ProbeError};

/// Why a reference leads nowhere. It concerns the entry that has it, and no other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// `data:`, `skd:`, `urn:` and all that no web server serves.
    #[error("`{0}:` is no scheme that can be asked for")]
    Scheme(String),
    /// It leads out of the directory of the playlist that is watched as a file.
    #[error("`{0}` lies outside of its playlist's directory")]
    Outside(String),
    /// It names nothing.
    #[error("`{0}` is no address")]
    Nothing(String),
}

impl From<AddressError> for ProbeError {
    fn from(error: AddressError) -> Self {
        Self::new(Failure::Malformed, error.to_string())
    }
}

/// The address of a reference in the playlist at `base`.
pub(crate) fn resolve(base: &Location, reference: &str) -> Result<Location, AddressError> {
    match base {
        Location::Http(url) => {
            let joined = url.join(reference).map_err(|_| nothing(reference))?;
            match joined.scheme() {
                "http" | "https" => Ok(Location::Http(joined)),
                scheme => Err(AddressError::Scheme(scheme.chars().take(40).collect())),
            }
        }
        Location::File(path) => {
            let directory = path.parent().unwrap_or(Path::new(""));
            Ok(Location::File(directory.join(beside(reference)?)))
        }
    }
}

fn nothing(reference: &str) -> AddressError {
    AddressError::Nothing(shown_reference(reference))
}

/// A reference as a path under the playlist's directory.
fn beside(reference: &str) -> Result<PathBuf, AddressError> {
    let path = match Url::parse(reference) {
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => return file_name(url.path(), reference),
        Ok(url) => return Err(AddressError::Scheme(url.scheme().chars().take(40).collect())),
        Err(_) => reference.split(['?', '#']).next().unwrap_or_default(),
    };
    if path.starts_with('/') {
        return file_name(path, reference);
    }
    let mut below = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            below.pop().ok_or_else(|| outside(reference))?;
        } else {
            below.push(decoded(part, reference)?);
        }
    }
    if below.is_empty() { Err(nothing(reference)) } else { Ok(below.into_iter().collect()) }
}

/// What a web server has under another path lies beside the playlist on its disk.
fn file_name(path: &str, reference: &str) -> Result<PathBuf, AddressError> {
    match path.rsplit('/').next() {
        None | Some("" | "." | "..") => Err(nothing(reference)),
        Some(name) => decoded(name, reference).map(PathBuf::from),
    }
}

fn decoded(part: &str, reference: &str) -> Result<OsString, AddressError> {
    let bytes: Vec<u8> = percent_decode_str(part).collect();
    let leads_elsewhere = bytes.contains(&b'/') || bytes.contains(&0) || matches!(bytes.as_slice(), b"." | b"..");
    if leads_elsewhere { Err(outside(reference)) } else { Ok(OsString::from_vec(bytes)) }
}

fn outside(reference: &str) -> AddressError {
    AddressError::Outside(shown_reference(reference))
}

/// The path, without host, query and fragment: what stays when addresses are signed anew, or hosts alternate.
#[must_use]
pub fn path(uri: &str) -> &str {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let uri = uri.get(..end).unwrap_or(uri);
    let authority = match uri.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => Some(rest),
        Some(_) | None => uri.strip_prefix("//"),
    };
    match authority {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or("/"),
        None => uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("main-1.ts", "/var/hls/main-1.ts")]
    #[case("./main-1.ts?token=abc#t", "/var/hls/main-1.ts")]
    #[case("720p//main-1.ts", "/var/hls/720p/main-1.ts")]
    #[case("720p/../main-1.ts", "/var/hls/main-1.ts")]
    #[case("main%20kanal-1.ts", "/var/hls/main kanal-1.ts")]
    #[case("Übertragung-1.ts", "/var/hls/Übertragung-1.ts")]
    #[case("%C3%9Cber%23-1.ts", "/var/hls/Über#-1.ts")]
    #[case("100%-1.ts", "/var/hls/100%-1.ts")]
    #[case("12:30:00.ts", "/var/hls/12:30:00.ts")]
    #[case("/hls/main-1.ts?token=abc", "/var/hls/main-1.ts")]
    #[case("//cdn.test/hls/main-1.ts", "/var/hls/main-1.ts")]
    #[case("http://cdn.test/hls/main%20kanal-1.ts?x=/y", "/var/hls/main kanal-1.ts")]
    #[case("HTTPS://cdn.test/main-1.ts", "/var/hls/main-1.ts")]
    #[case("file:///etc/passwd", "/var/hls/passwd")]
    #[case("/../../etc/passwd", "/var/hls/passwd")]
    fn what_a_file_lists_lies_beside_it(#[case] reference: &str, #[case] expected: &str) {
        let base = Location::File(PathBuf::from("/var/hls/main.m3u8"));
        assert_eq!(resolve(&base, reference), Ok(Location::File(PathBuf::from(expected))));
    }

    #[rstest]
    #[case("../main-1.ts", "`../main-1.ts` lies outside of its playlist's directory")]
    #[case("a/../../main-1.ts", "`a/../../main-1.ts` lies outside of its playlist's directory")]
    #[case("..%2Fmain-1.ts", "`..%2Fmain-1.ts` lies outside of its playlist's directory")]
    #[case("%2e%2E/main-1.ts?token=abc", "`%2e%2E/main-1.ts?token=REDACTED` lies outside of its playlist's directory")]
    #[case(
        "http://cdn.test/%2e%2e%2fmain-1.ts",
        "`http://cdn.test/%2e%2e%2fmain-1.ts` lies outside of its playlist's directory"
    )]
    #[case("a%00.ts", "`a%00.ts` lies outside of its playlist's directory")]
    #[case("", "`` is no address")]
    #[case("http://cdn.test/", "`http://cdn.test/` is no address")]
    #[case("?x=1", "`?x=REDACTED` is no address")]
    #[case("data:text/plain;base64,QUJD", "`data:` is no scheme that can be asked for")]
    #[case("skd://key", "`skd:` is no scheme that can be asked for")]
    fn a_file_leads_nowhere_else(#[case] reference: &str, #[case] expected: &str) {
        let base = Location::File(PathBuf::from("/var/hls/main.m3u8"));
        assert_eq!(resolve(&base, reference).map_err(|error| error.to_string()), Err(expected.to_owned()));
    }

    #[rstest]
    #[case("1.ts", Ok("http://a.test/hls/1.ts"))]
    #[case("/1.ts?x#y", Ok("http://a.test/1.ts?x#y"))]
    #[case("../../1.ts", Ok("http://a.test/1.ts"))]
    #[case("//b.test/1.ts", Ok("http://b.test/1.ts"))]
    #[case("https://b.test/1.ts", Ok("https://b.test/1.ts"))]
    #[case("?level=2", Ok("http://a.test/hls/main.m3u8?level=2"))]
    #[case("data:,", Err(AddressError::Scheme("data".to_owned())))]
    #[case("file:///etc/passwd", Err(AddressError::Scheme("file".to_owned())))]
    #[case("http://:1/", Err(AddressError::Nothing("http://:1/".to_owned())))]
    fn over_http_as_the_standard_says(#[case] reference: &str, #[case] expected: Result<&str, AddressError>) {
        let base = Location::Http(Url::parse("http://a.test/hls/main.m3u8?session=1").unwrap());
        let expected = expected.map(|url| Location::Http(Url::parse(url).unwrap()));
        assert_eq!(resolve(&base, reference), expected);
    }

    #[test]
    fn a_playlist_in_the_working_directory_has_its_segments_there() {
        let found = resolve(&Location::File(PathBuf::from("main.m3u8")), "1.ts");
        assert_eq!(found, Ok(Location::File(PathBuf::from("1.ts"))));
    }

    #[test]
    fn paths_without_what_changes() {
        let cases = [
            "a.ts?t=1",
            "/b/a.ts#x",
            "http://h:80/b/a.ts?t",
            "//h/b/a.ts",
            "https://h",
            "b/a.ts?u=http://x/y",
            "b://x",
        ];
        let expected = ["a.ts", "/b/a.ts", "/b/a.ts", "/b/a.ts", "/", "b/a.ts", "/"];
        assert_eq!(cases.map(path), expected);
    }
}
