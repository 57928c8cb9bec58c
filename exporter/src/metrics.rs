//! Every series: the snapshot of all streams, written in the order of families.

mod bitrate;
mod health;
mod ingest;
mod joins;
mod thresholds;

use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;
use vvtv_toolkit::render::{Exposition, Format, Labels};

use crate::clock::Now;
use crate::config::Stream;
use crate::probe::host::{self, HostView};
use crate::probe::{self, Chapter, Views};
use crate::probe_fleet::Watched;

/// Room for the series of a stream; room that is not used costs nothing.
const STREAM_BYTES: usize = 4 << 10;

/// Everything that is known of streams at one moment: what each source says beside what several say together.
#[derive(Default)]
pub struct Tables {
    /// The families that one source fills, each declared beside it.
    sources: probe::Tables,
    ingests: ingest::Ingests,
    bitrates: bitrate::Bitrates,
    joins: joins::Joins,
    minima: thresholds::Minima,
    healths: health::Sources,
}

impl Tables {
    /// Adds a stream by its configuration, its `stream` label, and the views that shall be written.
    pub fn push(&mut self, now: Now, config: &Stream, labels: &Labels, views: &Views) {
        self.sources.push(now, config, labels, views);
        self.ingests.push(now, config, labels, views);
        self.bitrates.push(now, config, labels, views);
        self.joins.push(now, config, labels, views);
        self.minima.push(config, labels, views);
        self.healths.push(labels, views);
    }

    fn write(&self, out: &mut Exposition) {
        self.sources.write(Chapter::Playlists, out);
        self.sources.write(Chapter::Encoders, out);
        self.ingests.write(out);
        self.sources.write(Chapter::Ingests, out);
        self.bitrates.write(out);
        self.joins.write(out);
        self.sources.write(Chapter::Further, out);
        self.minima.write(out);
        self.healths.write(out);
    }
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
        tables.push(now, &stream.config, &stream.labels, &stream.sources.latest());
    }
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    render(&tables, host.as_deref(), registry, out)
}

/// Renders what was collected.
#[must_use]
pub fn render(tables: &Tables, host: Option<&HostView>, registry: &Registry, mut out: Exposition) -> Bytes {
    tables.write(&mut out);
    if let Some(host) = host {
        host::write(&mut out, host);
    }
    out.registry(registry);
    out.finish()
}
