//! Every series: the snapshot of all streams, written in the order of families.

mod families;
mod machine;

use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;
use vvtv_toolkit::render::{Exposition, Format, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::fleet::{Watched, WatchedStream};
use crate::probe::host::HostView;
use crate::snapshot::{IngestState, Source, Stage, Views};

/// Room for the series of a stream; room that is not used costs nothing.
const STREAM_BYTES: usize = 4 << 10;

/// The labels of a stream's series, escaped once.
#[derive(Clone, Debug)]
pub struct StreamLabels {
    stream: Labels,
    states: [Labels; IngestState::ALL.len()],
    stages: [Labels; Stage::ALL.len()],
    signals: [Labels; 3],
    sources: [Labels; Source::ALL.len()],
}

impl StreamLabels {
    /// Prepares the labels of a stream.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let stream = Labels::new(&[("stream", name)]);
        Self {
            states: IngestState::ALL.map(|state| stream.with(&[("state", state.label())])),
            stages: Stage::ALL.map(|stage| stream.with(&[("stage", stage.label())])),
            signals: ["segment_age", "encoder_drops", "bitrate_variance"].map(|name| stream.with(&[("signal", name)])),
            sources: Source::ALL.map(|source| stream.with(&[("source", source.label())])),
            stream,
        }
    }

    fn source(&self, source: Source) -> &Labels {
        let [hls, rtmp, nginx_stat, progress, queue] = &self.sources;
        match source {
            Source::Hls => hls,
            Source::Rtmp => rtmp,
            Source::NginxStat => nginx_stat,
            Source::Progress => progress,
            Source::Queue => queue,
        }
    }
}

/// A stream as it is written.
#[derive(Debug)]
pub struct Row {
    config: Arc<Stream>,
    labels: Arc<StreamLabels>,
    views: Views,
}

impl Row {
    /// A stream with the views that shall be written.
    #[must_use]
    pub const fn new(config: Arc<Stream>, labels: Arc<StreamLabels>, views: Views) -> Self {
        Self { config, labels, views }
    }

    fn of(stream: &WatchedStream) -> Self {
        Self::new(Arc::clone(&stream.config), Arc::clone(&stream.labels), Views::of(stream))
    }
}

/// Renders everything that is known `now`.
#[must_use]
pub fn scrape(now: Now, watched: &Watched, registry: &Registry, format: Format) -> Bytes {
    let rows: Vec<Row> = watched.streams.iter().map(Row::of).collect();
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    render(now, &rows, host.as_deref(), registry, format)
}

/// Renders given rows.
#[must_use]
pub fn render(now: Now, rows: &[Row], host: Option<&HostView>, registry: &Registry, format: Format) -> Bytes {
    let mut out = Exposition::with_capacity(format, rows.len().max(4) * STREAM_BYTES);
    families::segments(&mut out, now, rows);
    families::encoders(&mut out, now, rows);
    families::ingests(&mut out, now, rows);
    families::bitrates(&mut out, now, rows);
    families::joins(&mut out, now, rows);
    families::sources(&mut out, rows);
    if let Some(host) = host {
        machine::host(&mut out, host);
    }
    out.registry(registry);
    out.finish()
}
