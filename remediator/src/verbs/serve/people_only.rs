//! Serving without a journal: nothing is done, and people are called for every alert, until the journal can be used again.
//!
//! What goes on meanwhile is in memory. Its incidents have numbers that no journal has, so that their pages are nobody else's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use vvtv_toolkit::logging;

use crate::clock::wall;
use crate::journal::{Journal, JournalError, Restored};

/// Between two tries to use the journal.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The journal, or what stands in for it, and why.
pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) restored: Restored,
    /// Why it is not the one of the configuration.
    pub(crate) trouble: Option<String>,
}

/// Opens the journal. If it is damaged, or its disk is full, people can be called all the same.
pub(crate) fn open(path: &Path) -> anyhow::Result<Opened> {
    let error = match Journal::open(path) {
        Ok((journal, restored)) => return Ok(Opened { journal, restored, trouble: None }),
        Err(error) if error.leaves_people() => error,
        Err(error) => return Err(error.into()),
    };
    let trouble = logging::chain(&error);
    tracing::error!(
        error = trouble,
        "PEOPLE ONLY: the journal cannot be used. Nothing is repaired; people are called for every alert. It is tried again every {} s. \
         If it is damaged: vvtv-remediator journal salvage",
        TRY_AGAIN.as_secs()
    );
    let (journal, mut restored) = Journal::in_memory().context("cannot keep a journal in memory")?;
    restored.saved.last_id = wall().millis() / 1000;
    Ok(Opened { journal, restored, trouble: Some(trouble) })
}

/// Ends when the journal can be used.
///
/// # Errors
/// Another program uses it, or is newer: this one has no business there any more.
pub(crate) async fn journal_is_back(path: PathBuf) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        let tried = path.clone();
        match tokio::task::spawn_blocking(move || Journal::probe(&tried)).await.context("the journal's probe died")? {
            Ok(()) => return Ok(()),
            Err(error @ (JournalError::InUse { .. } | JournalError::Newer { .. })) => return Err(error.into()),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the journal still cannot be used"),
        }
    }
}
