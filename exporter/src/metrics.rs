//! Every series: the snapshot of all streams, written in the order of families.

mod families;
mod machine;

use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;
use vvtv_toolkit::render::{Exposition, Format, Labels, Pieces};

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

/// Renders everything that is known `now`.
#[must_use]
pub fn scrape(now: Now, watched: &Watched, registry: &Registry, format: Format) -> Bytes {
    let rows: Vec<Row> = watched.streams.iter().map(Row::of).collect();
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    render(now, &rows, host.as_deref(), registry, format)
}

/// Renders the same in pieces, which may be waited for: what was known `now` stays as it was.
pub fn scrape_in_pieces(now: Now, watched: &Watched, registry: &Registry, format: Format, pieces: Pieces) {
    let rows: Vec<Row> = watched.streams.iter().map(Row::of).collect();
    let host = watched.host.as_ref().map(|view| Arc::clone(&view.borrow()));
    let mut out = Exposition::in_pieces(format, pieces);
    write(&mut out, now, &rows, host.as_deref(), registry);
    // All of it was handed on.
    let _: Bytes = out.finish();
}

/// Renders given rows.
#[must_use]
pub fn render(now: Now, rows: &[Row], host: Option<&HostView>, registry: &Registry, format: Format) -> Bytes {
    let mut out = Exposition::with_capacity(format, rows.len().max(4) * STREAM_BYTES);
    write(&mut out, now, rows, host, registry);
    out.finish()
}

fn write(out: &mut Exposition, now: Now, rows: &[Row], host: Option<&HostView>, registry: &Registry) {
    families::segments(out, now, rows);
    families::encoders(out, now, rows);
    families::ingests(out, now, rows);
    families::bitrates(out, now, rows);
    families::joins(out, now, rows);
    families::sources(out, rows);
    if let Some(host) = host {
        machine::host(out, host);
    }
    out.registry(registry);
}
