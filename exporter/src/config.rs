//! What to watch: the configuration after parsing, with every default filled in and every address understood.

mod counting;
mod file;
mod ingest;
mod reach;
mod streams_from;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;
use vvtv_toolkit::yaml::{self, YamlError};

pub use self::counting::Counting;
pub use self::ingest::{Arguments, Connect, Ingest, IngestError, RtmpEndpoint};
pub use self::streams_from::StreamsFrom;
use crate::probe::Configured;
use crate::reach::Named;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The streams in the file's order; names are unique.
    pub streams: Vec<Arc<Stream>>,
    /// Servers whose publishers are watched without being named.
    pub streams_from: Vec<Arc<StreamsFrom>>,
    /// What of the machine is looked at.
    pub host: Host,
    /// Where the statistics pages may lead besides, and the streams that say nothing else.
    pub reach: Arc<Named>,
    /// What may be asked for through `/probe`.
    pub probing: Probing,
}

/// What may be asked for through `/probe`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probing {
    /// Targets; none while `/probe` is off.
    pub targets: Option<Arc<Named>>,
    /// Targets, and where they may lead besides.
    pub reach: Arc<Named>,
}

/// One channel and its sources. A source that is not configured has no series.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The `stream` label.
    pub name: String,
    /// Where its master or media playlist is.
    pub playlist: Option<Location>,
    /// Where its encoder publishes.
    pub ingest: Option<Ingest>,
    /// Where the server lists its publisher.
    pub nginx_stat: Option<StatEntry>,
    /// Where ffmpeg's `-progress` arrives.
    pub progress: Option<ProgressSource>,
    /// Whose datagrams of it count; none: everybody's that arrive.
    pub progress_from: Option<Arc<Named>>,
    /// What it says under the keys that sources have for themselves.
    pub sources: Configured,
    /// What alerts compare with.
    pub thresholds: Thresholds,
    /// How often, how long, over how much.
    pub timing: Timing,
    /// Whether it may end.
    pub expect: Expect,
    /// Which of its variants its segment age is about.
    pub counting: Counting,
    /// Where its playlists may lead besides its own origin and what is public.
    pub reach: Arc<Named>,
    /// Frames that a declared frame-rate conversion drops, as a share of the source's frames; 0 without one.
    pub expected_drops_ratio: f64,
    /// Over how many video outputs ffmpeg sums the frames that it drops; found from its reports where it is not given.
    pub encoder_outputs: Option<u32>,
}

/// Whether a stream may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// It never ends: `EXT-X-ENDLIST` is an outage.
    #[default]
    Live,
    /// It ends: after `EXT-X-ENDLIST` no segment is late.
    Event,
}

/// A document over HTTP or in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// An `http` or `https` URL.
    Http(Url),
    /// A file of this machine.
    File(PathBuf),
}

/// A publisher's place on a statistics page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatEntry {
    /// Where the page is.
    pub location: Location,
    /// The application that the publisher publishes to.
    pub app: String,
    /// Stream name within it.
    pub key: String,
    /// The port that it is published to, which tells the `server` block where the page has ports.
    pub port: Option<u16>,
    /// Which `server` block of the page, from 1; none where the page has one, or its ports tell.
    pub server: Option<u32>,
}

/// Where progress blocks come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgressSource {
    /// One block per datagram, received here.
    Udp(SocketAddr),
    /// A file that ffmpeg appends to.
    File(PathBuf),
}

/// What alerts compare with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Age of the newest segment, seconds.
    pub segment_age_seconds: f64,
    /// Lost ÷ expected frames.
    pub encoder_drops_ratio: f64,
    /// Coefficient of variation.
    pub bitrate_variance_ratio: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { segment_age_seconds: 10.0, encoder_drops_ratio: 0.005, bitrate_variance_ratio: 0.25 }
    }
}

/// How often, how long, over how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timing {
    /// Between the starts of two attempts.
    pub interval: Duration,
    /// For one attempt of anything but the RTMP handshake.
    pub timeout: Duration,
    /// For the RTMP handshake and `connect`.
    pub ingest_timeout: Duration,
    /// Over which ratios are computed.
    pub window: Duration,
    /// A publisher whose bytes stand still for this long is stalled.
    pub stalled_after: Duration,
    /// An encoder without a progress block for this long is not up.
    pub silent_after: Duration,
    /// One sample of the bitrate: a whole number of GOPs.
    pub bitrate_interval: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            ingest_timeout: Duration::from_secs(2),
            window: Duration::from_secs(60),
            stalled_after: Duration::from_secs(2),
            silent_after: Duration::from_secs(3),
            bitrate_interval: Duration::from_secs(2),
        }
    }
}

/// What of the machine is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    /// Between two looks.
    pub interval: Duration,
    /// A directory on the filesystem that viewers are served from.
    pub broadcast: PathBuf,
    /// Processes by label.
    pub processes: BTreeMap<String, ProcessSelector>,
}

/// How a process is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProcessSelector {
    /// Every process with this executable name.
    Name(String),
    /// The process whose id a file holds, and its children.
    PidFile(PathBuf),
}

impl Default for Host {
    fn default() -> Self {
        let named = |name: &str| (name.to_owned(), ProcessSelector::Name(name.to_owned()));
        Self {
            interval: Duration::from_secs(5),
            broadcast: PathBuf::from("/vvtv/broadcast"),
            processes: BTreeMap::from([named("ffmpeg"), named("nginx")]),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// With file, line and column: not readable, an unknown or repeated key, an address or a number that makes no sense.
    pub fn load(path: &Path) -> Result<Self, YamlError> {
        Self::parse(&path.display().to_string(), &yaml::read(path)?)
    }

    /// Reads a text; `name` is used in messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(name: &str, text: &str) -> Result<Self, YamlError> {
        file::read(name, text)
    }

    /// The runbook's own layout, which is watched when no file is given.
    ///
    /// # Errors
    /// Never, unless the built-in text is broken.
    pub fn builtin() -> Result<Self, YamlError> {
        Self::parse("built-in configuration", include_str!("config/builtin.yml"))
    }
}

#[cfg(test)]
mod tests;
