//! How a part of the program says what has happened to it: in its own words, and without knowing who listens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;

type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way to whoever listens. Reports are taken in their order, and wait while there is no room for them.
pub(crate) struct Reports<T> {
    send: Arc<dyn Fn(T) -> Sending + Send + Sync>,
}

impl<T> Clone for Reports<T> {
    fn clone(&self) -> Self {
        Self { send: Arc::clone(&self.send) }
    }
}

impl<T: Send + 'static> Reports<T> {
    /// Reports that a queue takes as inputs of its own. One whose receiver has ended takes nothing, and nobody is told.
    #[must_use]
    pub(crate) fn to<I: From<T> + Send + 'static>(queue: &mpsc::Sender<I>) -> Self {
        let queue = queue.clone();
        let send = move |report: T| -> Sending {
            let queue = queue.clone();
            Box::pin(async move { drop(queue.send(report.into()).await) })
        };
        Self { send: Arc::new(send) }
    }

    /// Hands a report over.
    pub(crate) async fn tell(&self, report: T) {
        (self.send)(report).await;
    }
}
