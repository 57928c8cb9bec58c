//! An incident's diagnostic bundle: what is known of it, what its steps wrote, and the files that they left.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use vvtv_incident::IncidentId;
use vvtv_toolkit::redaction;

use super::view::{IncidentView, whole};
use super::{ApiError, Shared};
use crate::journal::RunRow;

/// Attached files beyond this size in sum are left out, and a note says so.
const ATTACHMENT_BYTES_MAX: u64 = 64 << 20;

pub(super) async fn bundle(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Result<Response, ApiError> {
    let incident = IncidentId::new(id);
    let view = whole(&shared.reader, incident).await?;
    let view = view.ok_or_else(|| ApiError::NotFound(format!("there is no incident {id}")))?;
    let runs = shared.reader.runs(incident).await?;
    let attachments = shared.attachments.join(id.to_string());
    let archive = tokio::task::spawn_blocking(move || pack(&view, &runs, &attachments))
        .await
        .map_err(|error| ApiError::Unavailable(error.to_string()))?
        .map_err(|error| ApiError::Unavailable(format!("cannot pack the bundle: {error}")))?;
    let name = format!("attachment; filename=\"incident-{id}.tar.gz\"");
    Ok(([(header::CONTENT_TYPE, "application/gzip".to_owned()), (header::CONTENT_DISPOSITION, name)], archive)
        .into_response())
}

fn pack(view: &IncidentView, runs: &[RunRow], attachments: &FilePath) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
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
        match file.metadata() {
            Ok(data) if data.is_file() && data.len() <= left => {
                left -= data.len();
                add(&mut archive, &format!("attachments/{name}"), &shown(std::fs::read(file.path())?))?;
            }
            Ok(data) => notes.push_str(&format!("{name}: left out, {} bytes\n", data.len())),
            Err(error) => notes.push_str(&format!("{name}: {error}\n")),
        }
    }
    if !notes.is_empty() {
        add(&mut archive, "NOTES.txt", notes.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

/// Texts go out without their secrets; what is no text goes out as it is.
fn shown(content: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(content) {
        Ok(text) => redaction::text(&text).into_owned().into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

fn add<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, name, content)
}
