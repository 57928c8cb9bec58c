//! All playlists of a stream in virtual time, with the real parser: answers come from a function of address and second.

mod model;
mod situations;

use std::time::Duration;

use super::super::document::parse;
use super::super::hls::Context;
use super::super::variant::VariantView;
use super::*;
use crate::fetch::Ask;

fn at(second: u64) -> Now {
    Now { mono: Duration::from_secs(second), unix_seconds: 1e9 + second as f64 }
}

fn location(address: &str) -> Location {
    Location::Http(address.parse().unwrap())
}

fn spec() -> PlaylistSpec {
    PlaylistSpec {
        stream: "main".to_owned(),
        playlist: location("http://a.test/live/master.m3u8"),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
        window: Duration::from_secs(60),
        reach: Arc::default(),
    }
}

fn read(location: &Location, known: Option<u64>, variables: Option<&Variables>, body: &str) -> Read {
    let document = Document {
        body: bytes::Bytes::from(body.to_owned()),
        age: None,
        location: location.clone(),
        identifiable: true,
        http_status: Some(200),
        took: Duration::ZERO,
    };
    let digest = body.bytes().fold(7, |digest: u64, byte| digest.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Read {
        document,
        digest,
        playlist: (known != Some(digest)).then(|| parse(body.as_bytes(), &Context::new(location, variables))),
    }
}

fn refused() -> ProbeError {
    ProbeError::new(Failure::Refused, "connection refused")
}

/// Nothing comes: the request hangs until it is given up.
const HANG: u64 = 5;

/// A stream's playlists, and what is on its way.
struct Driven {
    playlists: Playlists,
    hung: Vec<(u64, Of)>,
}

impl Driven {
    fn start(playlists: Playlists) -> Self {
        Self { playlists, hung: Vec::new() }
    }

    /// One second passes: what hung long enough is given up, a poll begins, and everything is asked until nothing is asked any more.
    fn poll(&mut self, second: u64, mut get: impl FnMut(&Location) -> Option<Result<String, ProbeError>>) {
        let due: Vec<_> = self.hung.extract_if(.., |(until, _)| *until <= second).collect();
        let mut waiting = Vec::new();
        for (_, of) in due {
            let timeout = ProbeError::new(Failure::Timeout, "no answer");
            waiting.extend(self.playlists.read(at(second), of, Err(timeout)));
        }
        waiting.extend(self.playlists.tick(at(second)));
        while let Some(question) = waiting.pop() {
            let more = match question {
                Question::Look { of, .. } => {
                    let found = Found { bytes: Some(1000), ask: Ask::Head };
                    self.playlists.found(at(second), of, Ok(found))
                }
                Question::Read { of, location, digest, variables } => match get(&location) {
                    None => {
                        self.hung.push((second + HANG, of));
                        Questions::new()
                    }
                    Some(answer) => {
                        let read = answer.map(|body| read(&location, digest, variables.as_deref(), &body));
                        self.playlists.read(at(second), of, read)
                    }
                },
            };
            waiting.extend(more);
        }
    }
}
