//! What is known of a stream at one moment, joined from all its sources. Pure: `now` and views in, facts out.

use std::sync::Arc;

use crate::clock::Now;
use crate::config::Stream;
use crate::fleet::WatchedStream;
use crate::health::{Failure, Health};
use crate::probe::hls::HlsView;
use crate::probe::nginx_stat::{Publisher, StatView};
use crate::probe::progress::ProgressView;
use crate::probe::queue::QueueView;
use crate::probe::rtmp::RtmpView;

/// The views of one stream's sources at one moment.
#[derive(Clone, Debug)]
pub struct Views {
    /// Playlists.
    pub hls: Option<Arc<HlsView>>,
    /// RTMP application.
    pub rtmp: Option<Arc<RtmpView>>,
    /// Statistics page.
    pub stat: Option<Arc<StatView>>,
    /// Encoder.
    pub progress: Option<Arc<ProgressView>>,
    /// Queue.
    pub queue: Option<Arc<QueueView>>,
}

impl Views {
    /// The latest view of each source.
    #[must_use]
    pub fn of(stream: &WatchedStream) -> Self {
        Self {
            hls: stream.hls.as_ref().map(|view| Arc::clone(&view.borrow())),
            rtmp: stream.rtmp.as_ref().map(|view| Arc::clone(&view.borrow())),
            stat: stream.stat.as_ref().map(|view| Arc::clone(&view.borrow())),
            progress: stream.progress.as_ref().map(|view| Arc::clone(&view.borrow())),
            queue: stream.queue.as_ref().map(|view| Arc::clone(&view.borrow())),
        }
    }

    /// The health of each configured source.
    pub fn healths(&self) -> impl Iterator<Item = (Source, &Health)> {
        let hls = self.hls.as_ref().map(|view| (Source::Hls, &view.health));
        let rtmp = self.rtmp.as_ref().map(|view| (Source::Rtmp, &view.health));
        let stat = self.stat.as_ref().map(|view| (Source::NginxStat, &view.health));
        let progress = self.progress.as_ref().map(|view| (Source::Progress, &view.health));
        let queue = self.queue.as_ref().map(|view| (Source::Queue, &view.health));
        [hls, rtmp, stat, progress, queue].into_iter().flatten()
    }

    /// The stream's publisher on the statistics page.
    #[must_use]
    pub fn publisher(&self, stream: &Stream) -> Option<&Publisher> {
        let entry = stream.nginx_stat.as_ref()?;
        self.stat.as_ref()?.publishers.get(&entry.app, &entry.key)
    }
}

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Playlists.
    Hls,
    /// RTMP application.
    Rtmp,
    /// Statistics page.
    NginxStat,
    /// Encoder.
    Progress,
    /// Queue.
    Queue,
}

impl Source {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Hls, Self::Rtmp, Self::NginxStat, Self::Progress, Self::Queue];

    /// The label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hls => "hls",
            Self::Rtmp => "rtmp",
            Self::NginxStat => "nginx_stat",
            Self::Progress => "progress",
            Self::Queue => "queue",
        }
    }
}

/// How the ingest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestState {
    /// The server answers and the publisher's bytes advance.
    Ok,
    /// The server refuses, is not there, or does not know the application.
    ServerDown,
    /// The server accepts connections and says nothing.
    ServerHung,
    /// The server lists no publisher.
    NoPublisher,
    /// The server lists a publisher whose bytes stand still.
    Stalled,
    /// The server answers, and wants a name and a password.
    AuthRequired,
    /// The server answers, and sends publishers elsewhere.
    Redirected,
    /// The server answers, and what it lists cannot tell of the publisher.
    Unknown,
}

impl IngestState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::ServerDown,
        Self::ServerHung,
        Self::NoPublisher,
        Self::Stalled,
        Self::AuthRequired,
        Self::Redirected,
        Self::Unknown,
    ];

    /// The label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ServerDown => "server_down",
            Self::ServerHung => "server_hung",
            Self::NoPublisher => "no_publisher",
            Self::Stalled => "stalled",
            Self::AuthRequired => "auth_required",
            Self::Redirected => "redirected",
            Self::Unknown => "unknown",
        }
    }

    /// The server responds.
    #[must_use]
    pub const fn is_up(self) -> bool {
        !matches!(self, Self::ServerDown | Self::ServerHung)
    }
}

/// The first broken link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is broken.
    None,
    /// The encoder does not deliver, or loses frames.
    Encoder,
    /// The RTMP server.
    Ingest,
    /// Media arrives, segments do not come out.
    Packager,
    /// Segments are made, and cannot be fetched.
    Delivery,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 5] = [Self::None, Self::Encoder, Self::Ingest, Self::Packager, Self::Delivery];

    /// The label value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Encoder => "encoder",
            Self::Ingest => "ingest",
            Self::Packager => "packager",
            Self::Delivery => "delivery",
        }
    }
}

/// How the ingest of a stream is; none where it is not configured.
///
/// A page that does not come says nothing about the publisher. Then the playlist decides: media that comes out went in.
#[must_use]
pub fn ingest_state(now: Now, stream: &Stream, views: &Views) -> Option<IngestState> {
    let rtmp = views.rtmp.as_ref()?;
    if !rtmp.health.up() {
        let hung = rtmp.health.failure() == Some(Failure::Timeout);
        return Some(if hung { IngestState::ServerHung } else { IngestState::ServerDown });
    }
    let Some(stat) = &views.stat else { return Some(IngestState::Ok) };
    let timing = stream.timing;
    let patience = timing.interval + timing.timeout + timing.stalled_after;
    let fresh = stat.health.last_success.is_some_and(|at| now.since(at.mono) <= patience);
    if !fresh {
        let flows =
            worst_age_seconds(now, stream, views).is_some_and(|age| age < stream.thresholds.segment_age_seconds);
        return Some(if flows { IngestState::Ok } else { IngestState::NoPublisher });
    }
    Some(match views.publisher(stream) {
        Some(publisher) if publisher.is_advancing(timing.stalled_after) => IngestState::Ok,
        Some(publisher) if publisher.is_listed() => IngestState::Stalled,
        Some(_) | None => IngestState::NoPublisher,
    })
}

/// The age of the worst variant; none where no playlist is configured.
#[must_use]
pub fn worst_age_seconds(now: Now, stream: &Stream, views: &Views) -> Option<f64> {
    let counted = stream.counting.of(&views.hls.as_ref()?.variants).filter(|(_, counts)| *counts);
    counted.map(|(variant, _)| variant.age(now, stream.expect).as_secs_f64()).reduce(f64::max)
}

/// The first broken link of a stream.
#[must_use]
pub fn fault_stage(now: Now, stream: &Stream, views: &Views) -> Stage {
    let ingest = ingest_state(now, stream, views);
    let encoder = views.progress.as_ref().map(|view| &view.encoder);
    match ingest {
        Some(IngestState::ServerDown | IngestState::ServerHung) => return Stage::Ingest,
        Some(IngestState::NoPublisher | IngestState::Stalled) => {
            // An encoder that goes on reporting after its last byte arrived sends, and the bytes are lost on the way.
            let heard = encoder.filter(|encoder| encoder.is_up(now)).and_then(|encoder| encoder.last_heard());
            let arrived = views.publisher(stream).map(Publisher::last_advance).unwrap_or_default();
            let sends = heard.is_some_and(|heard| heard.saturating_sub(arrived) > stream.timing.stalled_after);
            return if sends { Stage::Ingest } else { Stage::Encoder };
        }
        Some(IngestState::Ok | IngestState::AuthRequired | IngestState::Redirected | IngestState::Unknown) | None => {}
    }
    if encoder.is_some_and(|encoder| {
        encoder.loss(now, stream.expected_drops_ratio).ratio > stream.thresholds.encoder_drops_ratio
    }) {
        return Stage::Encoder;
    }
    let Some(hls) = &views.hls else { return Stage::None };
    let mut counted = stream.counting.of(&hls.variants).filter(|(_, counts)| *counts);
    let failure = hls.failure.or_else(|| counted.find_map(|(variant, _)| variant.failure));
    let old = worst_age_seconds(now, stream, views).is_some_and(|age| age > stream.thresholds.segment_age_seconds);
    match failure {
        Some(Failure::Missing | Failure::Empty) if old => Stage::Packager,
        Some(Failure::Missing | Failure::Empty) => Stage::None,
        Some(_) => Stage::Delivery,
        None if old => Stage::Packager,
        None => Stage::None,
    }
}

#[cfg(test)]
mod tests;
