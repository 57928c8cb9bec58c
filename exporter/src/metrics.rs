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
use crate::snapshot::Views;

/// Room for the series of a stream; room that is not used costs nothing.
const STREAM_BYTES: usize = 4 << 10;

/// A stream as it is written.
#[derive(Debug)]
pub struct Row {
    config: Arc<Stream>,
    labels: Labels,
    views: Views,
}

impl Row {
    /// A stream with the views that shall be written.
    #[must_use]
    pub const fn new(config: Arc<Stream>, labels: Labels, views: Views) -> Self {
        Self { config, labels, views }
    }

    fn of(stream: &WatchedStream) -> Self {
        Self::new(Arc::clone(&stream.config), stream.labels.clone(), Views::of(stream))
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
    let rows: Vec<Row> = watched.streams.iter().map(Row::of).collect();
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    render(now, &rows, host.as_deref(), registry, out)
}

/// Renders given rows.
#[must_use]
pub fn render(now: Now, rows: &[Row], host: Option<&HostView>, registry: &Registry, mut out: Exposition) -> Bytes {
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
