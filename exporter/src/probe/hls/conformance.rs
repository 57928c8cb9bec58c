//! Does a media playlist keep the rules, by itself and against the one before it? Pure.
//!
//! The list is closed, because each check is a label value. A rule that a playlist breaks is counted once for each new playlist that
//! breaks it.

use super::playlist::{Media, Segment};

/// Dates of consecutive segments may differ from their durations by this much.
const DATE_TOLERANCE_SECONDS: f64 = 1.0;

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $label:literal,)+) => {
        /// A rule of the standard.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Check {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The label value.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

checks! {
    /// A tag's value is not what the standard says (RFC 8216 §4.1).
    BadTag = "bad_tag",
    /// Tags of a master and of a media playlist in one file (§4.1).
    MixedPlaylist = "mixed_playlist",
    /// `EXT-X-TARGETDURATION` is missing (§4.3.3.1).
    TargetDurationMissing = "target_duration_missing",
    /// A segment, rounded, is longer than `EXT-X-TARGETDURATION` (§4.3.3.1).
    TargetDurationExceeded = "target_duration_exceeded",
    /// `EXT-X-TARGETDURATION` changed (§6.2.1).
    TargetDurationChanged = "target_duration_changed",
    /// A segment without `EXTINF` (§4.3.2.1).
    DurationMissing = "duration_missing",
    /// Fractional durations below version 3 (§7).
    VersionTooLow = "version_too_low",
    /// `EXT-X-KEY` without `URI` (§4.3.2.4).
    KeyWithoutUri = "key_without_uri",
    /// `EXT-X-GAP`: a segment that cannot be played (rfc8216bis §4.4.4.7).
    GapListed = "gap_listed",
    /// The media sequence went back (§6.2.2).
    MediaSequenceRegress = "media_sequence_regress",
    /// Segments were never listed, or came and went between two looks (§6.2.2).
    MediaSequenceGap = "media_sequence_gap",
    /// A listed end was taken away (§6.2.1).
    PlaylistShrinks = "playlist_shrinks",
    /// Another URI under the same sequence number (§6.2.1).
    SegmentChanged = "segment_changed",
    /// Another duration under the same sequence number (§6.2.1).
    SegmentDurationChanged = "segment_duration_changed",
    /// A discontinuity left the playlist, or came to a listed segment, and `EXT-X-DISCONTINUITY-SEQUENCE` does not tell (§6.2.2).
    DiscontinuitySequence = "discontinuity_sequence",
    /// Less than three target durations remain after segments were removed (§6.2.2).
    RemovedTooEarly = "removed_too_early",
    /// `EXT-X-ENDLIST` was taken back, or segments followed it (§4.3.3.4).
    ChangedAfterEnd = "changed_after_end",
    /// Dates of consecutive segments do not fit their durations, and no discontinuity says why (§4.3.2.6, §6.2.1).
    DateJump = "date_jump",
}

/// The rules that `media` breaks, given the playlist before it; each at most once, in the order of [`Check::ALL`].
#[must_use]
pub fn violations(before: Option<&Media>, media: &Media) -> Vec<Check> {
    let alone = |check: &Check| broken_alone(*check, media);
    let after = |check: &Check| before.is_some_and(|before| broken_after(*check, before, media));
    Check::ALL.iter().copied().filter(|check| alone(check) || after(check)).collect()
}

fn broken_alone(check: Check, media: &Media) -> bool {
    let tally = media.tally;
    match check {
        Check::BadTag => tally.bad_tags > 0,
        Check::MixedPlaylist => tally.master_tags > 0,
        Check::TargetDurationMissing => media.target_duration_seconds.is_none(),
        Check::TargetDurationExceeded => {
            media.target_duration_seconds.is_some_and(|target| media.longest_seconds.round() > target as f64)
        }
        Check::DurationMissing => tally.uris_without_duration > 0,
        Check::VersionTooLow => tally.fractional_durations > 0 && media.version < 3,
        Check::KeyWithoutUri => tally.keys_without_uri > 0,
        Check::GapListed => tally.gaps > 0,
        Check::DateJump => media.recent.windows(2).any(date_jumps),
        Check::TargetDurationChanged
        | Check::MediaSequenceRegress
        | Check::MediaSequenceGap
        | Check::PlaylistShrinks
        | Check::SegmentChanged
        | Check::SegmentDurationChanged
        | Check::DiscontinuitySequence
        | Check::RemovedTooEarly
        | Check::ChangedAfterEnd => false,
    }
}

fn date_jumps(pair: &[Segment]) -> bool {
    let [first, second] = pair else { return false };
    let (Some(from), Some(to)) = (first.program_unix_seconds, second.program_unix_seconds) else { return false };
    !second.discontinuous && (from + first.seconds - to).abs() > DATE_TOLERANCE_SECONDS
}

fn broken_after(check: Check, before: &Media, media: &Media) -> bool {
    let end = |media: &Media| media.media_sequence.saturating_add(media.segments as u64);
    let regressed = media.media_sequence < before.media_sequence;
    let removed = media.media_sequence > before.media_sequence;
    match check {
        Check::TargetDurationChanged => {
            before.target_duration_seconds.is_some() && media.target_duration_seconds != before.target_duration_seconds
        }
        Check::MediaSequenceRegress => regressed,
        Check::MediaSequenceGap => before.segments > 0 && media.media_sequence > end(before),
        Check::PlaylistShrinks => !regressed && end(media) < end(before),
        // A packager that began anew has other segments under the old numbers: that is the regress, and told as such.
        Check::SegmentChanged => !regressed && same_sequence(before, media).any(|(old, new)| old.uri != new.uri),
        Check::SegmentDurationChanged => {
            !regressed
                && same_sequence(before, media)
                    .any(|(old, new)| old.uri == new.uri && (old.seconds - new.seconds).abs() > f64::EPSILON)
        }
        Check::DiscontinuitySequence => !regressed && !discontinuities_add_up(before, media),
        Check::RemovedTooEarly => {
            let least = 3.0 * media.target_duration_seconds.unwrap_or(0) as f64;
            removed && !media.ended && media.listed_seconds + f64::EPSILON < least
        }
        Check::ChangedAfterEnd => before.ended && (!media.ended || end(media) != end(before)),
        Check::BadTag
        | Check::MixedPlaylist
        | Check::TargetDurationMissing
        | Check::TargetDurationExceeded
        | Check::DurationMissing
        | Check::VersionTooLow
        | Check::KeyWithoutUri
        | Check::GapListed
        | Check::DateJump => false,
    }
}

fn same_sequence<'a>(before: &'a Media, media: &'a Media) -> impl Iterator<Item = (&'a Segment, &'a Segment)> {
    let found = |old: &Segment| media.recent.iter().find(|new| new.sequence == old.sequence);
    before.recent.iter().filter_map(move |old| found(old).map(|new| (old, new)))
}

/// The sequence must have grown by the discontinuities that left. Judged only while every removed segment is remembered.
fn discontinuities_add_up(before: &Media, media: &Media) -> bool {
    let all_known = before.segments == before.recent.len();
    if !all_known || media.media_sequence > before.media_sequence.saturating_add(before.segments as u64) {
        return true;
    }
    let left =
        before.recent.iter().filter(|old| old.sequence < media.media_sequence && old.discontinuous).count() as u64;
    media.discontinuity_sequence == before.discontinuity_sequence.saturating_add(left)
}

#[cfg(test)]
mod tests;
