//! The probes against real servers, without the program around them.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod answers;
mod finding;
mod hostile;
mod rtmp;

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vvtv_exporter::clock::Clock;
use vvtv_exporter::config::Location;
use vvtv_exporter::fetch::Fetcher;
use vvtv_exporter::probe::playlist::Remembered;
use vvtv_exporter::probe::playlist::{self, PlaylistSpec, PlaylistView};
use vvtv_exporter::probe::{Pace, Tools};
use vvtv_exporter::recorder::Recorder;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// For each request of a probe under test.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A probe of a playlist that is looked at fifty times a second.
struct Watching {
    clock: Clock,
    view: watch::Receiver<Arc<PlaylistView>>,
    stop: CancellationToken,
    probe: JoinHandle<()>,
}

impl Watching {
    fn start(playlist: Location) -> Self {
        let clock = Clock::start();
        let tools = Tools {
            clock,
            fetcher: Fetcher::new().unwrap().into(),
            recorder: Recorder::start(),
            remembered: Arc::default(),
            pace: Pace::register(&Registry::new()).unwrap(),
        };
        let (stream, interval) = ("main".to_owned(), Duration::from_millis(20));
        let spec = PlaylistSpec {
            stream,
            playlist,
            interval,
            timeout: TIMEOUT,
            window: Duration::from_secs(60),
            reach: Arc::default(),
        };
        let starting = PlaylistView::starting("main", clock.now(), &Remembered::default());
        let (sender, view) = watch::channel(Arc::new(starting));
        let stop = CancellationToken::new();
        let probe = tokio::spawn(playlist::run(spec, tools, sender, stop.clone()));
        Self { clock, view, stop, probe }
    }

    /// Waits for a view that is as it should be.
    async fn wait_for(&mut self, is_so: impl Fn(&PlaylistView) -> bool) -> PlaylistView {
        let found = timeout(PATIENCE, self.view.wait_for(|view| is_so(view))).await;
        let found = found.map(|found| found.unwrap().as_ref().clone());
        found.unwrap_or_else(|_| panic!("it did not come within {PATIENCE:?}, last seen {:?}", self.view.borrow()))
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.probe).await.expect("the probe does not stop").unwrap();
    }
}
