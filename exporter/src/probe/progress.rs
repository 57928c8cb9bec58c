//! ffmpeg's `-progress`: by UDP, one block a datagram, or by following a file.

mod follow;
mod observe;
mod period;
mod senders;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use vvtv_streaming::ffmpeg_progress::{Block, BlockError, Blocks};

use self::follow::Appended;
pub use self::follow::{Change, Follower};
pub use self::observe::{Encoder, ProgressTiming};
use self::observe::{came, earlier};
pub use self::senders::{Report, Senders};
pub use self::source::Progress;
use crate::clock::Now;
use crate::config::{ProgressSource, Timing};
use crate::fetch::io_reason;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::tools::{Tools, next_tick, record};
use crate::reach::Named;

/// What is received: one encoder's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgressSpec {
    /// For labels and logs.
    pub stream: String,
    /// Where its reports arrive.
    pub source: ProgressSource,
    /// Whose datagrams count; none: everybody's.
    pub from: Option<Arc<Named>>,
    /// Over how many video outputs the encoder sums what it drops, where that is configured.
    pub outputs: Option<u32>,
    /// How long silence may be, over how much ratios go.
    pub timing: Timing,
}

impl ProgressSpec {
    /// Nobody is known to be silent before the next look at a file.
    fn silent_after(&self) -> Duration {
        let Timing { silent_after, interval, .. } = self.timing;
        match self.source {
            ProgressSource::Udp(_) => silent_after,
            ProgressSource::File(_) => silent_after.max(interval * 3 / 2),
        }
    }
}

/// What is known of an encoder.
#[derive(Clone, Debug)]
pub struct ProgressView {
    /// Of the socket or file.
    pub health: Health,
    /// What its reports amount to.
    pub encoder: Encoder,
}

/// Receives until stopped.
pub async fn run(
    mut spec: ProgressSpec,
    tools: Tools,
    view: watch::Sender<Arc<ProgressView>>,
    stop: CancellationToken,
) {
    spec.timing.silent_after = spec.silent_after();
    let encoder = Encoder::new(ProgressTiming::from(spec.timing)).with_outputs(spec.outputs);
    let receiver = Receiver {
        spec,
        tools,
        view,
        health: Health::default(),
        encoder,
        told_of_others: false,
        refused: Refused::default(),
    };
    let receive = async {
        match receiver.spec.source.clone() {
            ProgressSource::Udp(address) => receiver.datagrams(address, &stop).await,
            ProgressSource::File(path) => receiver.file(path, &stop).await,
        }
    };
    // Without a value the probe simply ended.
    let _: Option<()> = stop.run_until_cancelled(receive).await;
}

struct Receiver {
    spec: ProgressSpec,
    tools: Tools,
    view: watch::Sender<Arc<ProgressView>>,
    health: Health,
    encoder: Encoder,
    /// That several encoders report was logged.
    told_of_others: bool,
    refused: Refused,
}

/// Datagrams from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    /// That there are some was logged.
    told: bool,
    /// Some were counted since the view was published.
    unpublished: bool,
}

impl Receiver {
    async fn datagrams(mut self, address: SocketAddr, stop: &CancellationToken) {
        let mut retry = self.tools.pace.every(self.spec.timing.timeout);
        let socket = loop {
            match UdpSocket::bind(address).await {
                Ok(socket) => break socket,
                Err(error) => {
                    let message = format!("receive datagrams on {address}: {error}");
                    let reason =
                        if error.kind() == std::io::ErrorKind::AddrInUse { Failure::Io } else { io_reason(&error) };
                    self.attempt(Err(ProbeError::new(reason, message)));
                }
            }
            retry.tick().await;
        };
        if self.spec.from.is_none() && !address.ip().is_loopback() {
            let stream = self.spec.stream.as_str();
            warn!(stream, %address, "whoever reaches this port may report: name the encoder in `encoder_progress_from`");
        }
        // ffmpeg's blocks have about 250 bytes, and thousands of encoders may report.
        let mut datagram = vec![0; 4096];
        let mut ticks = self.tools.pace.every(self.spec.timing.silent_after);
        let mut heard_since_tick = true;
        loop {
            tokio::select! {
                received = socket.recv_from(&mut datagram) => {
                    match received {
                        Ok((_, from)) if !self.is_named(from) => {
                            self.refuse(from);
                            continue;
                        }
                        Ok((length, from)) => self.text(from, datagram.get(..length).unwrap_or_default()),
                        Err(error) => self.attempt(Err(ProbeError::new(io_reason(&error), format!("receive on {address}: {error}")))),
                    }
                    heard_since_tick = true;
                }
                proceed = next_tick(&mut ticks, stop) => {
                    if !proceed {
                        return;
                    }
                    if std::mem::take(&mut self.refused.unpublished) {
                        self.publish();
                    }
                    let up = self.encoder.is_up(self.tools.clock.now());
                    if !std::mem::take(&mut heard_since_tick) && !up {
                        self.silent();
                    }
                }
            }
        }
    }

    fn is_named(&self, from: SocketAddr) -> bool {
        self.spec.from.as_ref().is_none_or(|named| named.covers(None, from.port(), from.ip()))
    }

    fn refuse(&mut self, from: SocketAddr) {
        self.health.count(Failure::Forbidden);
        self.refused.unpublished = true;
        if !std::mem::replace(&mut self.refused.told, true) {
            let stream = self.spec.stream.as_str();
            warn!(stream, %from, "reports that do not come from `encoder_progress_from` do not count");
        }
    }

    async fn file(mut self, path: PathBuf, stop: &CancellationToken) {
        let follower = Arc::new(Mutex::new(Follower::new(path.clone())));
        let mut ticks = self.tools.pace.every(self.spec.timing.interval);
        let mut blocks = Blocks::default();
        let mut looked = Duration::ZERO;
        while next_tick(&mut ticks, stop).await {
            let reader = Arc::clone(&follower);
            let look = move || {
                let mut follower = reader.lock().unwrap_or_else(PoisonError::into_inner);
                follower.read().map_err(|error| follower.failed(&error))
            };
            match self.tools.fetcher.files().look(&path, self.spec.timing.timeout, look).await {
                Ok(appended) => {
                    let now = self.tools.clock.now();
                    let since = std::mem::replace(&mut looked, now.mono);
                    let written = match appended.change {
                        Change::Found { age } => earlier(now, age.min(now.since(since))),
                        Change::Continued | Change::Replaced => now,
                    };
                    let found = self.news(&mut blocks, &appended);
                    let count = found.len();
                    for (nth, block) in found.into_iter().enumerate() {
                        self.block(came(since, written, nth, count), None, block);
                    }
                    if !self.encoder.is_up(now) {
                        self.silent();
                    }
                }
                Err(error) => self.attempt(Err(error)),
            }
        }
    }

    /// A datagram is a whole block, or none: what is torn is not carried over.
    fn text(&mut self, from: SocketAddr, bytes: &[u8]) {
        let blocks = Blocks::default().feed(bytes);
        if blocks.is_empty() {
            let message = "a datagram holds no progress block";
            return self.attempt(Err(ProbeError::new(Failure::Malformed, message)));
        }
        for block in blocks {
            self.block(self.tools.clock.now(), Some(from), block);
        }
    }

    /// The reports that a look at a file found, without those that are history: when they came is not known.
    fn news(&mut self, blocks: &mut Blocks, appended: &Appended) -> Vec<Result<Block, BlockError>> {
        let keep = match appended.change {
            Change::Continued => return blocks.feed(&appended.bytes),
            Change::Found { age } if age >= self.spec.timing.silent_after => 0,
            Change::Found { .. } | Change::Replaced => 1,
        };
        *blocks = Blocks::default();
        self.encoder.rewritten();
        let mut found = blocks.feed(&appended.bytes);
        found.drain(..found.len().saturating_sub(keep));
        found
    }

    fn block(&mut self, at: Now, from: Option<SocketAddr>, block: Result<Block, BlockError>) {
        let outcome = match block {
            Ok(block) => {
                self.report(at, from, &block);
                Ok(())
            }
            Err(error) => Err(ProbeError::new(Failure::Malformed, format!("progress block: {error}"))),
        };
        self.attempt(outcome);
    }

    fn report(&mut self, now: Now, from: Option<SocketAddr>, block: &Block) {
        let report = match from {
            Some(from) => self.encoder.observe_from(now, from, block),
            None => {
                self.encoder.observe(now, block);
                Report::Counts
            }
        };
        let seen = match report {
            Report::Counts => format!("{block:?}"),
            Report::Successor => format!("of a new sender: {block:?}"),
            Report::Foreign { .. } => format!("of another sender, not counted: {block:?}"),
        };
        self.tools.recorder.record(&self.spec.stream, "progress", now, &seen);
        if report == (Report::Foreign { new: true }) && !std::mem::replace(&mut self.told_of_others, true) {
            let stream = self.spec.stream.as_str();
            warn!(stream, "several encoders report to one port: the one that was there first counts while it reports");
        }
    }

    fn silent(&mut self) {
        let after = self.encoder.patience();
        self.attempt(Err(ProbeError::new(Failure::Silent, format!("no progress block for {after:?}"))));
    }

    fn attempt(&mut self, outcome: Result<(), ProbeError>) {
        let now = self.tools.clock.now();
        record(&mut self.health, &self.spec.stream, "progress", now, now, outcome);
        self.publish();
    }

    fn publish(&self) {
        let seen = ProgressView { health: self.health.clone(), encoder: self.encoder.clone() };
        self.view.send_replace(Arc::new(seen));
    }
}

#[cfg(test)]
mod tests;
