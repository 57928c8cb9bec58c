//! One publisher, as the last pages showed it. Pure.

use std::time::Duration;

use vvtv_streaming::nginx_rtmp::{Page, StreamEntry};

use super::observe::StatTiming;
use super::track::Track;
use crate::clock::Now;
use crate::window::bitrate::{Bitrate, BitrateWindow, ByteSample};

/// A worker that answered without our publisher is another worker, not a vanished publisher, for so long.
const OTHER_WORKER_GRACE: Duration = Duration::from_secs(10);

/// A worker younger than this was just started, and may have ended the one that had our publisher.
const YOUNG_SECONDS: u64 = 10;

/// How long one that was never seen to advance may be one that sends in bursts.
const FIRST_SILENCE: Duration = Duration::from_secs(10);

/// Application and stream name, as the page writes them.
pub type StreamKey = (String, String);

/// What the last page said of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It is there.
    Listed,
    /// Another worker answered, which cannot know.
    Doubted {
        /// It was started after that which listed the publisher.
        young: bool,
    },
    /// The worker that listed it does not any more, since then, monotonic.
    Gone(Duration),
}

/// What the pages said of a publisher's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// They advance.
    Advancing,
    /// They stand still, and did so before, for as long, and advanced again: it sends in bursts. Or they were never seen otherwise,
    /// so that nobody knows.
    Resting,
    /// They stand still.
    Standing,
    /// The page does not tell them.
    Untold,
}

/// A time for which bytes stood still, before they advanced again.
#[derive(Clone, Copy, Debug)]
struct Pause {
    ended: Duration,
    length: Duration,
}

impl Pause {
    /// Whether a silence that began then, and lasted so long, is another of the kind: soon after, and not much longer.
    fn foretells(self, began: Duration, silence: Duration) -> bool {
        began.saturating_sub(self.ended) <= self.length * 2 && silence <= self.length * 2
    }
}

/// One publisher.
#[derive(Clone, Debug)]
pub struct Publisher {
    pub(super) key: StreamKey,
    pub(super) port: Option<u16>,
    listing: Listing,
    pid: Option<u64>,
    client_id: Option<u64>,
    /// What a page told last.
    bytes_in: Option<u64>,
    /// The last page that listed it told its bytes.
    tells_bytes: bool,
    /// When a page last told its bytes.
    looked: Duration,
    /// The last silence that it came back from.
    pause: Option<Pause>,
    /// A silence of that length is none of a steady publisher.
    stalled_after: Duration,
    /// When it came.
    came: Duration,
    /// When the counter last advanced, or the publisher came.
    advanced: Duration,
    /// When a page last listed it.
    seen: Duration,
    /// Counts publishers, so that a new one's bytes are another counter.
    generation: u64,
    window: BitrateWindow,
    audio: Track,
    video: Track,
}

impl PartialEq for Publisher {
    fn eq(&self, other: &Self) -> bool {
        let told = |one: &Self| (one.bytes_in, one.tells_bytes, one.looked, one.advanced);
        let rest = |one: &Self| (one.listing, one.pid, one.client_id, one.seen);
        told(self) == told(other) && rest(self) == rest(other)
    }
}

impl Publisher {
    /// One that a page lists for the first time.
    pub(super) fn new(now: Now, timing: StatTiming, page: &Page, entry: &StreamEntry) -> Self {
        let StatTiming { window, bitrate_interval, stalled_after } = timing;
        let mut publisher = Self {
            key: (entry.app.clone(), entry.name.clone()),
            port: entry.port,
            listing: Listing::Gone(now.mono),
            pid: page.pid,
            client_id: entry.client_id,
            bytes_in: None,
            tells_bytes: false,
            looked: now.mono,
            pause: None,
            stalled_after,
            came: now.mono,
            advanced: now.mono,
            seen: now.mono,
            generation: 0,
            window: BitrateWindow::new(window, bitrate_interval, stalled_after),
            audio: Track::default(),
            video: Track::default(),
        };
        publisher.listed(now, page, entry);
        publisher
    }

    /// A page lists it.
    pub(super) fn listed(&mut self, now: Now, page: &Page, entry: &StreamEntry) {
        if !self.is_continued_by(page, entry) {
            self.generation += 1;
            (self.came, self.advanced) = (now.mono, now.mono);
            (self.bytes_in, self.pause) = (None, None);
            (self.audio, self.video) = (Track::default(), Track::default());
        }
        if self.key.0 != entry.app || self.key.1 != entry.name {
            self.key = (entry.app.clone(), entry.name.clone());
        }
        self.port = entry.port;
        self.listing = Listing::Listed;
        (self.pid, self.client_id, self.seen) = (page.pid, entry.client_id, now.mono);
        self.tells_bytes = entry.bytes_in.is_some();
        if let Some(bytes) = entry.bytes_in {
            self.counted(now, bytes);
        }
        self.audio.observe(now, entry.audio_bits_per_second);
        self.video.observe(now, entry.video_bits_per_second);
    }

    /// Whether an entry may be of the same connection.
    pub(super) fn is_continued_by(&self, page: &Page, entry: &StreamEntry) -> bool {
        let fewer = self.bytes_in.zip(entry.bytes_in).is_some_and(|(was, is)| is < was);
        let known = !matches!(self.listing, Listing::Gone(_));
        known && self.pid == page.pid && self.client_id == entry.client_id && !fewer
    }

    /// What tells it from others of its name.
    pub(super) const fn counter(&self) -> (Option<u64>, Option<u64>) {
        (self.client_id, self.bytes_in)
    }

    fn counted(&mut self, now: Now, bytes: u64) {
        if self.bytes_in.is_none_or(|was| bytes > was) {
            // Time without a page is no silence.
            let length = self.looked.saturating_sub(self.advanced);
            if length >= self.stalled_after {
                self.pause = Some(Pause { ended: now.mono, length });
            }
            self.advanced = now.mono;
        }
        (self.bytes_in, self.looked) = (Some(bytes), now.mono);
        self.window.observe(ByteSample { at: now.mono, bytes, sender: self.generation });
    }

    /// A page does not list it. Whether that says nothing, because another worker answered.
    pub(super) fn missed(&mut self, now: Now, page: &Page) -> bool {
        if matches!(self.listing, Listing::Gone(_)) {
            return false;
        }
        if self.pid == page.pid {
            self.listing = Listing::Gone(now.mono);
            self.window.interrupt();
            return false;
        }
        let is_young = page.uptime_seconds.is_some_and(|uptime| uptime < YOUNG_SECONDS);
        let was_young = matches!(self.listing, Listing::Doubted { young: true });
        self.listing = Listing::Doubted { young: is_young || was_young };
        if !self.is_within_grace(now) {
            self.window.interrupt();
        }
        self.is_within_grace(now)
    }

    /// What the last page said.
    #[must_use]
    pub const fn listing(&self) -> Listing {
        self.listing
    }

    /// Whether the last page listed it.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        matches!(self.listing, Listing::Listed)
    }

    /// Whether the worker that listed it does not any more.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.listing, Listing::Gone(_))
    }

    /// Whether what the pages of its worker said still holds: it is listed, or another worker answers since a moment.
    #[must_use]
    pub fn is_present(&self, now: Now) -> bool {
        self.is_listed() || self.is_within_grace(now)
    }

    fn is_within_grace(&self, now: Now) -> bool {
        matches!(self.listing, Listing::Doubted { young: false }) && now.since(self.seen) < OTHER_WORKER_GRACE
    }

    /// Whether its bytes advanced within `stalled_after` before the last page that showed it.
    ///
    /// Measured from page to page and not until now: a page that does not come says nothing about the publisher.
    #[must_use]
    pub fn is_advancing(&self, now: Now, stalled_after: Duration) -> bool {
        self.is_present(now) && self.looked.saturating_sub(self.advanced) < stalled_after
    }

    /// What the pages that show it said of its bytes. Measured from page to page, too.
    #[must_use]
    pub fn motion(&self, stalled_after: Duration) -> Motion {
        let silence = self.looked.saturating_sub(self.advanced);
        let may_rest = match self.pause {
            Some(pause) => pause.foretells(self.advanced, silence),
            None => self.advanced == self.came && silence < FIRST_SILENCE,
        };
        match () {
            () if !self.tells_bytes => Motion::Untold,
            () if silence < stalled_after => Motion::Advancing,
            () if may_rest => Motion::Resting,
            () => Motion::Standing,
        }
    }

    /// When its bytes last advanced, monotonic.
    #[must_use]
    pub const fn last_advance(&self) -> Duration {
        self.advanced
    }

    /// When a page last told something of it: that it is there, or that it left.
    pub(super) fn last_told(&self) -> Duration {
        match self.listing {
            Listing::Gone(at) => at,
            Listing::Listed | Listing::Doubted { .. } => self.seen,
        }
    }

    /// Whether both published at the same time.
    pub(super) fn is_rival_of(&self, other: &Self) -> bool {
        self.came <= other.seen && other.came <= self.seen
    }

    /// Its bitrate over the window.
    #[must_use]
    pub fn bitrate(&self, now: Now) -> Bitrate {
        self.window.bitrate(now.mono)
    }

    /// Its sound.
    #[must_use]
    pub const fn audio(&self) -> &Track {
        &self.audio
    }

    /// Its picture.
    #[must_use]
    pub const fn video(&self) -> &Track {
        &self.video
    }
}
