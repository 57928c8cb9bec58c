//! Streams that are not named: every publisher of a server, by a template.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use super::file::{self, ExpectFile, IngestConnectFile, STREAMS_MAX, ThresholdsFile};
use super::{Counting, Expect, Ingest, Location, RtmpEndpoint, StatEntry, Stream, Thresholds, Timing};
use crate::fetch::is_unseen;
use crate::probe::Configured;
use crate::reach::Named;

/// Streams of one server, unless the file says otherwise.
const LIMIT: usize = 100;

/// How long a publisher that left keeps its series, unless the file says otherwise: a series that vanishes resolves its alert.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamsFromFile {
    nginx_stat: Spanned<String>,
    ingest: Spanned<String>,
    #[serde(default)]
    ingest_connect: IngestConnectFile,
    #[serde(default)]
    playlist: Option<Spanned<String>>,
    #[serde(default)]
    application: Option<String>,
    #[serde(default)]
    limit: Option<Spanned<usize>>,
    #[serde(default)]
    forget_after: Option<Spanned<PromDuration>>,
    #[serde(default)]
    reach: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    expect: ExpectFile,
    #[serde(default)]
    thresholds: ThresholdsFile,
}

/// A server whose publishers become streams.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsFrom {
    /// Its statistics page.
    pub location: Location,
    /// At most so many streams at a time.
    pub limit: usize,
    /// How long after a publisher left its stream is still watched.
    pub forget_after: Duration,
    /// How often, how long, over how much.
    pub timing: Timing,
    application: Option<String>,
    endpoint: RtmpEndpoint,
    playlist: Option<String>,
    reach: Arc<Named>,
    thresholds: Thresholds,
    expect: Expect,
}

impl StreamsFrom {
    /// The stream that a publisher makes; none for another application, or where the name cannot be a label.
    #[must_use]
    pub fn stream(&self, app: &str, key: &str) -> Option<Stream> {
        if self.application.as_ref().is_some_and(|wanted| wanted != app) {
            return None;
        }
        let name: String = key.chars().map(|c| if is_unseen(c) || "/\"\\".contains(c) { '_' } else { c }).collect();
        if name.is_empty() || name.len() > 100 || matches!(key, "." | "..") {
            return None;
        }
        let endpoint = RtmpEndpoint { app: fill(&self.endpoint.app, app, key), ..self.endpoint.clone() };
        let port = Some(endpoint.port);
        let playlist = self.playlist.as_ref().map(|template| fill(template, &encoded(app), &encoded(key)));
        let playlist = playlist.map(|address| match address.parse() {
            Ok(url) if address.contains("://") => Some(Location::Http(url)),
            Ok(_) | Err(_) => None,
        });
        Some(Stream {
            name,
            playlist: playlist.flatten(),
            ingest: Some(Ingest { endpoint, key: key.to_owned() }),
            nginx_stat: Some(StatEntry {
                location: self.location.clone(),
                app: app.to_owned(),
                key: key.to_owned(),
                port,
                server: None,
            }),
            progress: None,
            progress_from: None,
            sources: Configured::default(),
            thresholds: self.thresholds,
            timing: self.timing,
            expect: self.expect,
            counting: Counting::default(),
            reach: Arc::clone(&self.reach),
            expected_drops_ratio: 0.0,
            encoder_outputs: None,
        })
    }
}

fn fill(template: &str, app: &str, key: &str) -> String {
    template.replace("{app}", app).replace("{name}", key)
}

/// As a part of a path: a publisher chooses its name, and must not choose where we go.
fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Whether a publisher's name decides in which domain the host is.
fn ends_in_a_choice(template: &Url) -> bool {
    template.host_str().and_then(|host| host.rsplit('.').next()).is_some_and(|last| last.contains(['{', '}']))
}

pub(super) fn read(
    source: &Document,
    file: &StreamsFromFile,
    timing: Timing,
    reach: &Arc<Named>,
) -> Result<StreamsFrom, YamlError> {
    let limit = match &file.limit {
        None => LIMIT,
        Some(limit) if (1..=STREAMS_MAX).contains(&limit.value) => limit.value,
        Some(limit) => return Err(source.error(limit, format!("a limit between 1 and {STREAMS_MAX} is needed"))),
    };
    if let Some(playlist) = &file.playlist {
        if !playlist.value.contains("{name}") {
            return Err(source.error(playlist, "without {name} every stream would have the same playlist"));
        }
        match file::location(source, playlist)? {
            Location::File(_) => return Err(source.error(playlist, "expected an http(s) URL with {name} in it")),
            Location::Http(url) if ends_in_a_choice(&url) => {
                let message = "a publisher chooses its name, and must not choose the host that is asked";
                return Err(source.error(playlist, message));
            }
            Location::Http(_) => {}
        }
    }
    let Ingest { endpoint, key } = file::ingest(source, &file.ingest, file.ingest_connect)?;
    if key != "{name}" {
        return Err(source.error(&file.ingest, "expected rtmp://HOST[:PORT]/APPLICATION/{name}"));
    }
    let second = Duration::from_secs(1);
    Ok(StreamsFrom {
        location: file::location(source, &file.nginx_stat)?,
        limit,
        forget_after: file::duration(source, file.forget_after.as_ref(), FORGET_AFTER, second, FORGET_AFTER)?,
        timing,
        application: file.application.clone(),
        endpoint,
        playlist: file.playlist.as_ref().map(|playlist| playlist.value.clone()),
        reach: super::reach::own(source, file.reach.as_deref(), reach)?,
        thresholds: file::thresholds(source, &file.thresholds)?,
        expect: file.expect.into(),
    })
}
