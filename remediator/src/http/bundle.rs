//! An incident's diagnostic bundle: what is known of it, what its steps wrote, and the files that they left.
//!
//! It is packed while it is sent, so that it costs the same memory whatever it holds.

use std::io::{self, BufWriter, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::channel::{Channel, Sender};
use tokio::runtime::Handle;
use tokio::time::timeout;
use vvtv_incident::IncidentId;
use vvtv_toolkit::redaction::Redactor;

use super::attachment::attach;
use super::view::{IncidentView, whole};
use super::{ApiError, Shared};
use crate::journal::RunRow;

/// Attached files beyond this size in sum are left out, and a note says so.
const ATTACHMENT_BYTES_MAX: u64 = 64 << 20;
/// What is sent at once, and how much of it may wait.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_WAITING_MAX: usize = 4;
/// How long a client may take over a piece, and over all of it: 64 MiB at 900 kbit/s.
const PIECE_TIMEOUT: Duration = Duration::from_secs(10);
const WHOLE_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) async fn bundle(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let room = shared.room.download()?;
    let incident = IncidentId::new(id);
    let view = whole(&shared.reader, incident).await?;
    let view = view.ok_or_else(|| ApiError::NotFound(format!("there is no incident {id}")))?;
    let runs = shared.reader.runs(incident).await?;
    let attachments = shared.attachments.join(id.to_string());
    let redaction = shared.live().redaction.clone();
    let (sender, body) = Channel::new(PIECES_WAITING_MAX);
    let outlet = Outlet { runtime: Handle::current(), sender, until: Instant::now() + WHOLE_TIMEOUT };
    tokio::task::spawn_blocking(move || {
        let _held = room;
        let mut pieces = BufWriter::with_capacity(PIECE_BYTES, outlet);
        let packed = pack(&mut pieces, &view, &runs, &attachments, &redaction).and_then(|()| pieces.flush());
        // What it still holds of a bundle that broke off is not sent any more.
        let (outlet, _rest) = pieces.into_parts();
        if let Err(error) = packed {
            tracing::warn!(incident = id, %error, "the bundle broke off");
            // A bundle that is not whole must not look as if it were.
            outlet.sender.abort(error);
        }
    });
    let name = format!("attachment; filename=\"incident-{id}.tar.gz\"");
    let headers = [(header::CONTENT_TYPE, "application/gzip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::new(body)).into_response())
}

/// The way out, which waits for the client as long as it may.
struct Outlet {
    runtime: Handle,
    sender: Sender<Bytes, io::Error>,
    until: Instant,
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now()).min(PIECE_TIMEOUT);
        let piece = Bytes::copy_from_slice(bytes);
        let sent = self.runtime.block_on(async { timeout(left, self.sender.send_data(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes it too slowly")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack(
    out: impl Write,
    view: &IncidentView,
    runs: &[RunRow],
    attachments: &FilePath,
    redaction: &Redactor,
) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    add(&mut archive, "incident.json", &serde_json::to_vec_pretty(view)?)?;
    for run in runs {
        let base = format!("steps/{}-{}", run.step, run.attempt);
        add(&mut archive, &format!("{base}.stdout.txt"), run.stdout.as_bytes())?;
        add(&mut archive, &format!("{base}.stderr.txt"), run.stderr.as_bytes())?;
    }
    let mut notes = String::new();
    let mut left = ATTACHMENT_BYTES_MAX;
    let files = std::fs::read_dir(attachments).into_iter().flatten().filter_map(Result::ok);
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some(note) = attach(&mut archive, &file.path(), &name, &mut left, redaction)? {
            notes.push_str(&format!("{name}: {note}\n"));
        }
    }
    if !notes.is_empty() {
        add(&mut archive, "NOTES.txt", notes.as_bytes())?;
    }
    archive.into_inner()?.finish()?;
    Ok(())
}

pub(super) fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn add<W: Write>(archive: &mut tar::Builder<W>, name: &str, content: &[u8]) -> io::Result<()> {
    archive.append_data(&mut header(content.len() as u64), name, content)
}
