//! Whether new segments come: what a source that cannot tell by itself goes by. Pure.

use super::view::PlaylistView;
use crate::clock::Now;
use crate::config::Stream;

/// The newest segment of the freshest variant that counts.
#[derive(Clone, Copy, Debug)]
pub struct NewestSegment {
    /// Since it came.
    pub age_seconds: f64,
    /// `EXT-X-TARGETDURATION` of its playlist.
    pub target_seconds: Option<f64>,
}

/// The newest segment; none before a variant that counts was read.
#[must_use]
pub fn newest_segment(now: Now, stream: &Stream, playlist: Option<&PlaylistView>) -> Option<NewestSegment> {
    // A variant of which nothing was read yet is as old as our look at it, which says nothing.
    let counted = stream.counting.of(&playlist?.variants).filter(|(_, counts)| *counts);
    let read = counted.map(|(variant, _)| variant).filter(|variant| variant.listed.segments > 0);
    let segments = read.map(|variant| NewestSegment {
        age_seconds: variant.age(now, stream.expect).as_secs_f64(),
        target_seconds: variant.listed.target_duration_seconds.map(|seconds| seconds as f64),
    });
    segments.min_by(|one, other| one.age_seconds.total_cmp(&other.age_seconds))
}

/// Whether new segments come: the freshest variant is younger than two target durations and 2 s, and than the threshold.
#[must_use]
pub fn segments_flow(now: Now, stream: &Stream, playlist: Option<&PlaylistView>) -> bool {
    newest_segment(now, stream, playlist)
        .is_some_and(|segment| segment.age_seconds < flow_seconds(stream, segment.target_seconds))
}

/// How old the newest segment of a stream may be whose segments come.
#[must_use]
pub fn flow_seconds(stream: &Stream, target_seconds: Option<f64>) -> f64 {
    let threshold = stream.thresholds.segment_age_seconds;
    target_seconds.map_or(threshold, |target| threshold.min(2.0 * target + 2.0))
}
