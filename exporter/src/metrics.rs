//! Every series: the snapshot of all streams, written in the order of families.

mod bitrate;
mod encoder;
mod families;
mod ingest;
mod machine;
mod table;
mod thresholds;

use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;
use vvtv_toolkit::render::{Exposition, Format, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::fleet::Watched;
use crate::probe::host::HostView;
use crate::snapshot::Views;

/// Room for the series of a stream; room that is not used costs nothing.
const STREAM_BYTES: usize = 4 << 10;

/// Everything that is known of streams at one moment.
#[derive(Default)]
pub struct Tables {
    segments: families::Segments,
    encoders: encoder::Encoders,
    ingests: ingest::Ingests,
    bitrates: bitrate::Bitrates,
    joins: families::Joins,
    minima: thresholds::Minima,
    sources: families::Sources,
}

impl Tables {
    /// Adds a stream by its configuration, its `stream` label, and the views that shall be written.
    pub fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        self.segments.push(now, config, labels, views);
        self.encoders.push(now, config, labels, views);
        self.ingests.push(now, config, labels, views);
        self.bitrates.push(now, config, labels, views);
        self.joins.push(now, config, labels, views);
        self.minima.push(config, labels, views);
        self.sources.push(labels, views);
    }

    fn write(&self, out: &mut Exposition) {
        self.segments.write(out);
        self.encoders.write(out);
        self.ingests.write(out);
        self.bitrates.write(out);
        self.joins.write(out);
        self.minima.write(out);
        self.sources.write(out);
    }
}

const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// A body with room for the series of so many streams.
#[must_use]
pub fn body_of(streams: usize, format: Format) -> Exposition {
    Exposition::with_capacity(format, streams.max(4) * STREAM_BYTES)
}

/// Renders everything that is known `now`.
#[must_use]
pub fn scrape(now: Now, watched: &Watched, registry: &Registry, out: Exposition) -> Bytes {
    let mut tables = Tables::default();
    for stream in &watched.streams {
        tables.push(now, &stream.config, &stream.labels, &Views::of(stream));
    }
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    render(&tables, host.as_deref(), registry, out)
}

/// Renders what was collected.
#[must_use]
pub fn render(tables: &Tables, host: Option<&HostView>, registry: &Registry, mut out: Exposition) -> Bytes {
    tables.write(&mut out);
    if let Some(host) = host {
        machine::host(&mut out, host);
    }
    out.registry(registry);
    out.finish()
}
