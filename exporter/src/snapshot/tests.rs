//! The joins: what several sources together say of a stream.

use std::sync::Arc;
use std::time::Duration;

use vvtv_streaming::ffmpeg_progress::Block;
use vvtv_streaming::nginx_rtmp::{Page, StreamEntry};

use super::*;
use crate::config::{Config, Expect};
use crate::health::{Health, ProbeError};
use crate::probe::nginx_stat::{Publishers, StatTiming, StatView};
use crate::probe::playlist::{Identity, PlaylistView, Remembered, Sight};
use crate::probe::progress::{Encoder, ProgressTiming, ProgressView};
use crate::probe::rtmp::RtmpView;
use rstest::rstest;

fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), unix_seconds: 1e9 + seconds as f64 }
}

fn stream() -> Arc<Stream> {
    let text = "streams:\n  - {name: main, playlist: a.m3u8, ingest: rtmp://a/live/main, nginx_stat: stat, encoder_progress: p}\n";
    Config::parse("test.yml", text).unwrap().streams.remove(0)
}

fn health(now: Now, outcome: Result<(), Failure>) -> Health {
    let mut health = Health::default();
    let outcome = outcome.map_err(|reason| ProbeError::new(reason, "test"));
    let _ = health.record(now, Duration::ZERO, outcome);
    health
}

/// A stream whose every part is well until second 100; then each test breaks something and looks at second 115.
struct Chain {
    encoder_reports_until: u64,
    rtmp: Result<(), Failure>,
    stat: Result<(), Failure>,
    /// Until when the bytes advance, and whether the publisher is listed after.
    bytes_until: u64,
    listed_after: bool,
    segments_until: u64,
    hls: Result<(), Failure>,
    dropped_of_25: u64,
    answer: Answer,
    /// From when on another worker answers, which does not list the publisher, and how old it is then.
    other_worker: Option<(u64, u64)>,
    /// From when on no sound comes.
    silent_from: u64,
    /// The page tells how many bytes came.
    tells_bytes: bool,
    /// Until when it is made anew.
    page_moves_until: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            encoder_reports_until: 115,
            rtmp: Ok(()),
            stat: Ok(()),
            bytes_until: 115,
            listed_after: true,
            segments_until: 115,
            hls: Ok(()),
            dropped_of_25: 0,
            answer: Answer::Accepted,
            other_worker: None,
            silent_from: 200,
            tells_bytes: true,
            page_moves_until: 115,
        }
    }
}

impl Chain {
    fn views(&self, stream: &Stream) -> Views {
        let mut encoder = Encoder::new(ProgressTiming::from(stream.timing));
        for second in 60..=self.encoder_reports_until {
            let seconds = second - 59;
            let out_time = Some(Duration::from_secs(seconds).into());
            let dropped = seconds * self.dropped_of_25;
            let block = Block { frames: Some(seconds * 25), dropped, out_time, ..Block::default() };
            encoder.observe(at(second), &block);
        }
        let mut publishers = Publishers::new(StatTiming::from(stream.timing));
        let pages = if self.stat.is_ok() { 115 } else { 100 };
        for now in 60..=pages {
            let second = now.min(self.page_moves_until);
            let advancing = second <= self.bytes_until;
            let entry = StreamEntry {
                app: "live".to_owned(),
                name: "main".to_owned(),
                bytes_in: self.tells_bytes.then_some(second.min(self.bytes_until) * 1000),
                publishing: true,
                client_id: Some(1),
                server: 1,
                audio_bits_per_second: Some(if second < self.silent_from { 120_000 } else { 0 }),
                video_bits_per_second: Some(1_000_000),
                ..StreamEntry::default()
            };
            let page = match self.other_worker {
                Some((from, age)) if second >= from => {
                    Page { pid: Some(2), uptime_seconds: Some(second - from + age), streams: Vec::new() }
                }
                Some(_) | None => {
                    let streams = if advancing || self.listed_after { vec![entry] } else { Vec::new() };
                    Page { pid: Some(1), uptime_seconds: Some(second), streams }
                }
            };
            publishers.observe(at(now), &page);
        }
        let mut stat = health(at(pages), Ok(()));
        if let Err(reason) = self.stat {
            let _ = stat.record(at(115), Duration::ZERO, Err(ProbeError::new(reason, "test")));
        }
        let mut hls = PlaylistView::starting("main", at(0), &Remembered::default());
        let newest = Identity { sequence: 1, discontinuity: 0, parts: 0, uri: "1.ts".to_owned(), range: None };
        for variant in &mut hls.variants {
            let (target_duration, window) = (Some(Duration::from_secs(2)), Duration::from_secs(60));
            let sight = Sight { newest: &newest, first: 1, segments: 1, age: None, target_duration, window };
            let _ = variant.freshness.observe(at(self.segments_until), &sight);
            variant.listed.segments = 6;
            variant.listed.target_duration_seconds = Some(2);
        }
        hls.health = health(at(115), self.hls);
        hls.failure = self.hls.err();
        Views {
            playlist: Some(Arc::new(hls)),
            rtmp: Some(Arc::new(RtmpView { health: health(at(115), self.rtmp), answer: Some(self.answer) })),
            stat: Some(Arc::new(StatView { health: stat, publishers })),
            progress: Some(Arc::new(ProgressView { health: Health::default(), encoder })),
            ..Views::default()
        }
    }
}

#[rstest]
#[case::all_is_well(Chain::default(), IngestState::Ok, Stage::None)]
#[case::encoder_frozen(
    Chain { encoder_reports_until: 100, bytes_until: 100, ..Chain::default() }, IngestState::Stalled, Stage::Encoder)]
#[case::encoder_killed(
    Chain { encoder_reports_until: 114, bytes_until: 114, listed_after: false, ..Chain::default() },
    IngestState::NoPublisher, Stage::Encoder)]
#[case::encoder_loses_frames(Chain { dropped_of_25: 1, ..Chain::default() }, IngestState::Ok, Stage::Encoder)]
#[case::the_way_between_is_cut(Chain { bytes_until: 100, ..Chain::default() }, IngestState::Stalled, Stage::Ingest)]
#[case::second_publisher_is_refused(
    Chain { bytes_until: 100, listed_after: false, segments_until: 100, ..Chain::default() },
    IngestState::NoPublisher, Stage::Ingest)]
#[case::server_stopped(
    Chain { rtmp: Err(Failure::Refused), stat: Err(Failure::Refused), encoder_reports_until: 100, ..Chain::default() },
    IngestState::ServerDown, Stage::Ingest)]
#[case::server_hung_while_the_encoder_looks_perfect(
    Chain { rtmp: Err(Failure::Timeout), stat: Err(Failure::Timeout), segments_until: 100, ..Chain::default() },
    IngestState::ServerHung, Stage::Ingest)]
#[case::unknown_application(
    Chain {
        rtmp: Err(Failure::Rejected), segments_until: 100, bytes_until: 100, listed_after: false, ..Chain::default()
    },
    IngestState::ServerDown, Stage::Ingest)]
#[case::a_hook_refuses_us_and_not_the_publisher(
    Chain { rtmp: Err(Failure::Rejected), ..Chain::default() }, IngestState::AuthRequired, Stage::None)]
#[case::a_hook_refuses_us_and_the_publisher_is_frozen(
    Chain {
        rtmp: Err(Failure::Rejected), bytes_until: 100, segments_until: 100, encoder_reports_until: 100, ..Chain::default()
    },
    IngestState::AuthRequired, Stage::Encoder)]
#[case::a_password_is_wanted_of_us_and_the_publisher_has_it(
    Chain { answer: Answer::AuthRequired, ..Chain::default() }, IngestState::Ok, Stage::None)]
#[case::a_password_is_wanted_and_nobody_publishes(
    Chain {
        answer: Answer::AuthRequired, bytes_until: 100, listed_after: false, encoder_reports_until: 100,
        segments_until: 100, ..Chain::default()
    },
    IngestState::AuthRequired, Stage::Encoder)]
#[case::redirected_while_segments_flow(
    Chain { answer: Answer::Redirected, stat: Err(Failure::Refused), ..Chain::default() },
    IngestState::Redirected, Stage::None)]
#[case::another_worker_answers_since_a_moment(
    Chain { other_worker: Some((110, 500)), ..Chain::default() }, IngestState::Ok, Stage::None)]
#[case::another_worker_answers_for_long_and_segments_flow(
    Chain { other_worker: Some((70, 500)), ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::another_worker_answers_from_the_start(
    Chain { other_worker: Some((0, 500)), ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::never_listed_and_nothing_flows(
    Chain { other_worker: Some((0, 500)), segments_until: 100, encoder_reports_until: 100, ..Chain::default() },
    IngestState::NoPublisher, Stage::Encoder)]
#[case::reloaded_under_a_live_publisher(
    Chain { other_worker: Some((112, 0)), ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::restarted_and_nothing_flows(
    Chain {
        other_worker: Some((112, 0)), segments_until: 108, encoder_reports_until: 111, ..Chain::default()
    },
    IngestState::NoPublisher, Stage::Encoder)]
#[case::killed_while_the_last_segment_is_young(
    Chain { bytes_until: 113, listed_after: false, encoder_reports_until: 113, segments_until: 114, ..Chain::default() },
    IngestState::NoPublisher, Stage::Encoder)]
#[case::gone_from_one_worker_and_come_to_another(
    Chain { bytes_until: 90, listed_after: false, ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::a_page_without_bytes(
    Chain { tells_bytes: false, ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::a_page_without_bytes_and_nothing_flows(
    Chain { tells_bytes: false, segments_until: 100, encoder_reports_until: 100, ..Chain::default() },
    IngestState::Stalled, Stage::Encoder)]
#[case::a_page_out_of_a_cache_of_five_seconds(
    Chain { page_moves_until: 110, ..Chain::default() }, IngestState::Ok, Stage::None)]
#[case::a_page_out_of_a_cache_for_ever(
    Chain { page_moves_until: 90, ..Chain::default() }, IngestState::Unknown, Stage::None)]
#[case::a_page_out_of_a_cache_for_ever_and_nothing_flows(
    Chain { page_moves_until: 90, segments_until: 100, encoder_reports_until: 100, ..Chain::default() },
    IngestState::Stalled, Stage::Encoder)]
#[case::frozen_before_the_page_was_cached(
    Chain { page_moves_until: 105, bytes_until: 100, encoder_reports_until: 100, ..Chain::default() },
    IngestState::Stalled, Stage::Encoder)]
#[case::the_sound_dies_and_segments_end(
    Chain { silent_from: 101, segments_until: 100, ..Chain::default() }, IngestState::Ok, Stage::Encoder)]
#[case::the_sound_dies_and_segments_come(
    Chain { silent_from: 101, ..Chain::default() }, IngestState::Ok, Stage::None)]
#[case::disk_full(Chain { segments_until: 100, ..Chain::default() }, IngestState::Ok, Stage::Packager)]
#[case::playlist_deleted(
    Chain { segments_until: 100, hls: Err(Failure::Missing), ..Chain::default() }, IngestState::Ok, Stage::Packager)]
#[case::web_server_answers_html(Chain { hls: Err(Failure::Malformed), ..Chain::default() }, IngestState::Ok, Stage::Delivery)]
#[case::statistics_page_gone_while_media_flows(
    Chain { stat: Err(Failure::Refused), ..Chain::default() }, IngestState::Ok, Stage::None)]
#[case::statistics_page_gone_and_nothing_flows(
    Chain { stat: Err(Failure::Refused), segments_until: 100, encoder_reports_until: 100, ..Chain::default() },
    IngestState::NoPublisher, Stage::Encoder)]
fn where_it_is_broken(#[case] chain: Chain, #[case] state: IngestState, #[case] stage: Stage) {
    let stream = stream();
    let views = chain.views(&stream);
    let found = ingest_view(at(115), &stream, &views).map(|ingest| ingest.state);
    assert_eq!((found, fault_stage(at(115), &stream, &views)), (Some(state), stage));
}

#[test]
fn an_event_that_has_ended_is_not_late_and_a_live_channel_is() {
    let mut stream = stream().as_ref().clone();
    let mut views = Chain { segments_until: 15, ..Chain::default() }.views(&stream);
    let mut hls = views.playlist.as_deref().unwrap().clone();
    hls.variants[0].listed.ended = true;
    views.playlist = Some(Arc::new(hls));
    assert_eq!(worst_age_seconds(at(115), &stream, &views), Some(100.0));
    stream.expect = Expect::Event;
    assert_eq!(worst_age_seconds(at(115), &stream, &views), Some(0.0));
}

#[test]
fn the_age_of_a_stream_is_that_of_its_worst_variant() {
    let stream = stream();
    let mut views = Chain::default().views(&stream);
    let mut hls = views.playlist.as_deref().unwrap().clone();
    let mut dead = hls.variants[0].clone();
    dead.freshness = crate::probe::playlist::Freshness::never_seen(at(15));
    hls.variants.push(dead);
    views.playlist = Some(Arc::new(hls));
    assert_eq!(worst_age_seconds(at(115), &stream, &views), Some(100.0));
}

#[rstest]
#[case::ok(Chain::default(), true)]
#[case::stalled(Chain { bytes_until: 100, ..Chain::default() }, false)]
#[case::unknown(Chain { other_worker: Some((0, 500)), ..Chain::default() }, true)]
#[case::server_down(Chain { rtmp: Err(Failure::Refused), ..Chain::default() }, false)]
#[case::refused_by_a_hook(Chain { rtmp: Err(Failure::Rejected), ..Chain::default() }, true)]
#[case::password_wanted_and_stalled(
    Chain { answer: Answer::AuthRequired, bytes_until: 100, ..Chain::default() }, false)]
fn whether_media_goes_in(#[case] chain: Chain, #[case] publishing: bool) {
    let stream = stream();
    let found = ingest_view(at(115), &stream, &chain.views(&stream));
    assert_eq!(found.map(|ingest| ingest.publishing), Some(publishing));
}
