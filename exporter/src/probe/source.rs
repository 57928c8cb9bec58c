//! What makes a source: how it is configured, what runs, what is known of it, and the series that tell it.

use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::render::{Exposition, Labels};

use super::playlist::PlaylistView;
use super::tools::Tools;
use crate::clock::Now;
use crate::config::Stream;
use crate::health::Health;
use crate::reach::Named;

/// The latest view of a source.
pub type View<V> = watch::Receiver<Arc<V>>;

/// A kind of source that a stream may have. Each is a type that implements this, and a row of the table in `probe.rs`.
pub trait Source {
    /// The `source` label; also the name under which raw observations are filed.
    const LABEL: &'static str;

    /// Whether it is asked, so that there is something to tell soon after the start; others wait until something comes.
    const IS_ASKED: bool = true;

    /// Where its families stand in a scrape.
    const CHAPTER: Chapter = Chapter::Further;

    /// What one probe is about. Streams with equal ones share the probe.
    type Spec: Clone + Debug + Ord + Send + 'static;

    /// What is known, as it is published after every attempt.
    type View: Debug + Send + Sync + 'static;

    /// Its families; `()` where it has none of its own.
    type Series: Series<Self::View>;

    /// What is to be probed for a stream; none where the stream has no such source. `reach`: where what streams share may lead, whatever
    /// the stream says.
    fn configure(stream: &Stream, reach: &Arc<Named>) -> Option<Self::Spec>;

    /// What is known before the first attempt.
    fn before(spec: &Self::Spec, tools: &Tools) -> Self::View;

    /// Probes until stopped, or until nobody looks at the views any more.
    fn run(
        spec: Self::Spec,
        env: Env,
        view: watch::Sender<Arc<Self::View>>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static;

    /// How attempts went.
    fn health(view: &Self::View) -> &Health;

    /// Names beside the stream's own under which raw observations that concern it are filed.
    #[must_use]
    fn record_names(_stream: &Stream) -> Vec<String> {
        Vec::new()
    }
}

/// A source with a key of its own in a stream's configuration, which nothing else reads: the key stands in its row of the table.
pub trait Keyed: Source {
    /// What stands there in the file.
    type Key: DeserializeOwned;

    /// What it means.
    type Config: Clone + Debug + PartialEq;

    /// Understands it.
    ///
    /// # Errors
    /// It makes no sense: the sentence that is shown beside its place in the file.
    fn understand(key: &Self::Key) -> Result<Self::Config, String>;
}

/// The families of a source: filled in one pass over all streams, and then written family by family.
pub trait Series<V>: Default {
    /// Adds what is known `now` of a stream, told by its label `stream`.
    fn push(&mut self, now: Now, stream: &Stream, labels: &Labels, view: &V);

    /// Writes the families in their order.
    fn write(&self, out: &mut Exposition);
}

impl<V> Series<V> for () {
    fn push(&mut self, _now: Now, _stream: &Stream, _labels: &Labels, _view: &V) {}

    fn write(&self, _out: &mut Exposition) {}
}

/// Where families stand in a scrape: between those of sources stand those that several sources fill together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    /// Of what viewers fetch.
    Playlists,
    /// Of what encodes.
    Encoders,
    /// Of what receives.
    Ingests,
    /// Of everything else.
    Further,
}

/// What a running probe has beside its spec.
#[derive(Clone, Debug)]
pub struct Env {
    /// What every probe works with.
    pub tools: Tools,
    /// All streams, for a source that streams share.
    pub neighbours: View<Vec<Neighbour>>,
}

/// A stream as a source that streams share sees it: what its segments show may say what the source cannot tell.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Its configuration.
    pub stream: Arc<Stream>,
    /// What is known of its playlists, where it has some.
    pub playlist: Option<View<PlaylistView>>,
}
