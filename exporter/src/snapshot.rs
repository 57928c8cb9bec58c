//! What is known of a stream at one moment, joined from all its sources. Pure: `now` and views in, facts out.

use std::time::Duration;

use crate::clock::Now;
use crate::config::Stream;
use crate::health::Failure;
use crate::probe::Views;
use crate::probe::nginx_stat::{Motion, Publisher, is_untold};
use crate::probe::playlist::segments_flow;
use crate::probe::rtmp::Answer;

impl Views {
    /// The stream's publisher on the statistics page.
    #[must_use]
    pub fn publisher(&self, stream: &Stream) -> Option<&Publisher> {
        self.stat.as_ref()?.publishers.find(stream.nginx_stat.as_ref()?)
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
    /// The server lists a publisher whose bytes stand still, or of which neither bytes nor segments show that it sends.
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

/// How the ingest of a stream is, and whether media goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestView {
    /// What server and page together amount to.
    pub state: IngestState,
    /// A publisher's bytes advance, or, where no page can tell, segments come out.
    pub publishing: bool,
}

/// How the ingest of a stream is; none where it is not configured.
///
/// A page that does not come says nothing about the publisher, and one of a worker that does not have it neither. Then the playlist
/// decides: media that comes out went in.
#[must_use]
pub fn ingest_view(now: Now, stream: &Stream, views: &Views) -> Option<IngestView> {
    let rtmp = views.rtmp.as_ref()?;
    let told = published(now, stream, views);
    let publishing = matches!(told, IngestState::Ok | IngestState::Unknown);
    let state = match rtmp.health.failure() {
        _ if rtmp.health.up() => match rtmp.answer {
            // Whoever publishes may do what we may not.
            _ if told == IngestState::Ok && has_fresh_page(now, stream, views) => told,
            Some(Answer::AuthRequired) => IngestState::AuthRequired,
            Some(Answer::Redirected) => IngestState::Redirected,
            Some(Answer::Accepted) | None => told,
        },
        Some(Failure::Timeout) => IngestState::ServerHung,
        // A server that takes media and refuses us wants something of us; one that takes none may have no such application.
        Some(Failure::Rejected) if takes_media(now, stream, views) => IngestState::AuthRequired,
        _ => IngestState::ServerDown,
    };
    Some(IngestView { state, publishing: state.is_up() && publishing })
}

/// What the page says of the publisher, or what the playlist says for it: `Ok`, `Stalled`, `NoPublisher` or `Unknown`.
fn published(now: Now, stream: &Stream, views: &Views) -> IngestState {
    if views.stat.is_none() {
        return IngestState::Ok;
    }
    let publisher = views.publisher(stream);
    if !has_fresh_page(now, stream, views) {
        let last_page = publisher.is_some_and(|publisher| publisher.is_advancing(now, stream.timing.stalled_after));
        let goes_on = if views.playlist.is_some() { flows(now, stream, views) } else { last_page };
        return if goes_on { IngestState::Ok } else { IngestState::NoPublisher };
    }
    match publisher {
        Some(publisher) if publisher.is_present(now) => listed(now, stream, views, publisher),
        publisher if is_untold(now, stream, views.playlist.as_deref(), publisher) => IngestState::Unknown,
        Some(_) | None => IngestState::NoPublisher,
    }
}

/// What the page says of a publisher that it lists. What it does not tell is unknown as long as nothing speaks against the publisher.
fn listed(now: Now, stream: &Stream, views: &Views, publisher: &Publisher) -> IngestState {
    let flows = flows(now, stream, views);
    match publisher.motion(stream.timing.stalled_after) {
        Motion::Advancing if !is_page_stuck(stream, views) => IngestState::Ok,
        Motion::Advancing | Motion::Untold if flows || views.playlist.is_none() => IngestState::Unknown,
        Motion::Resting if flows => IngestState::Unknown,
        Motion::Advancing | Motion::Resting | Motion::Untold | Motion::Standing => IngestState::Stalled,
    }
}

/// Whether the page comes and is always the same one, out of a cache.
fn is_page_stuck(stream: &Stream, views: &Views) -> bool {
    let Some(stat) = &views.stat else { return false };
    let (last, moved) = (stat.health.last_success, stat.publishers.last_moved());
    last.zip(moved).is_some_and(|(last, moved)| last.since(moved) > page_patience(stream))
}

fn has_fresh_page(now: Now, stream: &Stream, views: &Views) -> bool {
    let last = views.stat.as_ref().and_then(|stat| stat.health.last_success);
    last.is_some_and(|at| now.since(at.mono) <= page_patience(stream))
}

fn page_patience(stream: &Stream) -> Duration {
    stream.timing.interval + stream.timing.timeout + stream.timing.stalled_after
}

fn flows(now: Now, stream: &Stream, views: &Views) -> bool {
    segments_flow(now, stream, views.playlist.as_deref())
}

/// Whether anything shows that the server takes the stream's media.
fn takes_media(now: Now, stream: &Stream, views: &Views) -> bool {
    let listed = has_fresh_page(now, stream, views)
        && views.publisher(stream).is_some_and(|publisher| publisher.is_present(now));
    listed || flows(now, stream, views)
}

/// The age of the worst variant; none where no playlist is configured.
#[must_use]
pub fn worst_age_seconds(now: Now, stream: &Stream, views: &Views) -> Option<f64> {
    let counted = stream.counting.of(&views.playlist.as_ref()?.variants).filter(|(_, counts)| *counts);
    counted.map(|(variant, _)| variant.age(now, stream.expect).as_secs_f64()).reduce(f64::max)
}

/// The first broken link of a stream.
#[must_use]
pub fn fault_stage(now: Now, stream: &Stream, views: &Views) -> Stage {
    let encoder = views.progress.as_ref().map(|view| &view.encoder);
    let ingest = ingest_view(now, stream, views);
    if ingest.is_some_and(|ingest| !ingest.state.is_up()) {
        return Stage::Ingest;
    }
    let publisher = views.publisher(stream);
    if ingest.is_some_and(|ingest| !ingest.publishing) {
        // An encoder that goes on reporting after its last byte arrived sends, and the bytes are lost on the way.
        let heard = encoder.filter(|encoder| encoder.is_up(now)).and_then(|encoder| encoder.last_heard());
        let arrived = publisher.map(Publisher::last_advance).unwrap_or_default();
        let sends = heard.is_some_and(|heard| heard.saturating_sub(arrived) > stream.timing.stalled_after);
        return if sends { Stage::Ingest } else { Stage::Encoder };
    }
    if encoder.is_some_and(|encoder| {
        encoder.loss(now, stream.expected_drops_ratio).ratio > stream.thresholds.encoder_drops_ratio
    }) {
        return Stage::Encoder;
    }
    let Some(playlist) = &views.playlist else { return Stage::None };
    let mut counted = stream.counting.of(&playlist.variants).filter(|(_, counts)| *counts);
    let failure = playlist.failure.or_else(|| counted.find_map(|(variant, _)| variant.failure));
    let old = worst_age_seconds(now, stream, views).is_some_and(|age| age > stream.thresholds.segment_age_seconds);
    // Without one of its tracks a stream is not cut into segments, though bytes arrive.
    if old && publisher.is_some_and(|publisher| publisher.audio().is_dead() || publisher.video().is_dead()) {
        return Stage::Encoder;
    }
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
