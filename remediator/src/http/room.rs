//! What requests may hold together: memory for bodies, streams of events, downloads.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vvtv_toolkit::serve::body::Budget;
use vvtv_toolkit::serve::{Refused, ServeMetrics};

use super::ApiError;

/// Bytes of all deliveries together: four of the largest.
const BODIES_BYTES_MAX: usize = 64 << 20;
/// Streams of `/events`: people who look at the console at the same time.
const STREAMS_MAX: usize = 32;
/// Bundles that are packed at once; each holds a thread and the outputs of an incident's steps.
const DOWNLOADS_MAX: usize = 4;

/// Incidents, with all that their steps wrote, that are read and written out at once; further ones wait their turn. Each keeps a processor
/// busy, which deliveries need too.
const READS_MAX: usize = 4;

/// The rooms; what is full is counted under its name.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// For deliveries.
    pub(super) bodies: Budget,
    streams: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    metrics: ServeMetrics,
}

impl Room {
    /// Empty rooms.
    #[must_use]
    pub(crate) fn new(metrics: &ServeMetrics) -> Self {
        Self {
            bodies: Budget::new(BODIES_BYTES_MAX, metrics.clone()),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            metrics: metrics.clone(),
        }
    }

    /// Waits for its turn to read an incident; hold it until the answer is written.
    pub(super) async fn read(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; were it, reading without turns is the lesser evil.
        Arc::clone(&self.reads).acquire_owned().await.ok()
    }

    /// For one more stream of events.
    pub(super) fn stream(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.take(&self.streams, Refused::Streams, "as many browsers follow the events as may")
    }

    /// For one more bundle.
    pub(super) fn download(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.take(&self.downloads, Refused::Downloads, "as many bundles are being fetched as may")
    }

    fn take(&self, of: &Arc<Semaphore>, why: Refused, said: &'static str) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(of).try_acquire_owned().map_err(|_| {
            self.metrics.refused(why);
            ApiError::Busy(said)
        })
    }
}
