//! Does a media playlist keep the rules: by itself, against the one before it, and beside the other variants? Does a master? Pure.
//!
//! The list is closed, because each check is a label value. A rule that a playlist breaks is counted once for each new playlist that
//! breaks it.

use super::address::path;
use super::hls::MasterPlaylist;
use super::media::{Media, Mutability, Segment, Tally};

/// Dates of consecutive segments may differ from their durations by this much.
const DATE_TOLERANCE_SECONDS: f64 = 1.0;

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $label:literal,)+) => {
        /// A rule of the standard, or of authors.
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
    /// Bytes that are not UTF-8 (§4).
    NotUtf8 = "not_utf8",
    /// Something blank before `EXTM3U`, which must be the first line (§4.3.1.1).
    LeadingBlank = "leading_blank",
    /// A reference to a variable that is not defined, or too long to fill in (rfc8216bis §4.3).
    UndefinedVariable = "undefined_variable",
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
    /// `EXTINF` that is not a decimal number and a comma, or whose number no segment has, as 0 and -1 (§4.3.2.1).
    BadDuration = "bad_duration",
    /// A tag, an attribute or a fractional duration needs a higher `EXT-X-VERSION` (§7).
    VersionTooLow = "version_too_low",
    /// `EXT-X-KEY` without `URI` (§4.3.2.4).
    KeyWithoutUri = "key_without_uri",
    /// `EXT-X-KEY` of method `NONE` with other attributes (§4.3.2.4).
    KeyNoneWithAttributes = "key_none_with_attributes",
    /// `EXT-X-MAP` under an `AES-128` key without `IV` (rfc8216bis §4.4.4.5).
    MapKeyWithoutIv = "map_key_without_iv",
    /// `EXT-X-GAP`: a segment that cannot be played (rfc8216bis §4.4.4.7).
    GapListed = "gap_listed",
    /// The media sequence went back (§6.2.2).
    MediaSequenceRegress = "media_sequence_regress",
    /// Another numbering, or an earlier number of this one, came back within the window (§6.2.2).
    NumberingAlternates = "numbering_alternates",
    /// Segments were never listed, or came and went between two looks (§6.2.2).
    MediaSequenceGap = "media_sequence_gap",
    /// A listed end was taken away (§6.2.1).
    PlaylistShrinks = "playlist_shrinks",
    /// Another path or byte range under the same sequence number (§6.2.1). Hosts and queries may change: addresses are signed anew.
    SegmentChanged = "segment_changed",
    /// Another duration under the same sequence number (§6.2.1).
    SegmentDurationChanged = "segment_duration_changed",
    /// A discontinuity left the playlist, or came to a listed segment, and `EXT-X-DISCONTINUITY-SEQUENCE` does not tell (§6.2.2).
    DiscontinuitySequence = "discontinuity_sequence",
    /// Less than three target durations remain after segments were removed (§6.2.2).
    RemovedTooEarly = "removed_too_early",
    /// `EXT-X-VERSION` changed (§6.2.1).
    VersionChanged = "version_changed",
    /// A playlist of `EXT-X-PLAYLIST-TYPE:EVENT` lost segments, or one of `VOD` changed, or the type did (§4.3.3.5).
    PlaylistTypeBroken = "playlist_type_broken",
    /// `EXT-X-ENDLIST` was taken back, or segments followed it (§4.3.3.4).
    ChangedAfterEnd = "changed_after_end",
    /// Dates of consecutive segments do not fit their durations, and no discontinuity says why (§4.3.2.6, §6.2.1).
    DateJump = "date_jump",
    /// `EXT-X-DATERANGE` that ends before it begins, lasts less than nothing, or has `END-ON-NEXT` without `CLASS` or with an end (§4.3.2.7).
    BadDateRange = "bad_date_range",
    /// `EXT-X-DATERANGE` in a playlist without `EXT-X-PROGRAM-DATE-TIME` (§4.3.2.7).
    DateRangeWithoutDate = "date_range_without_date",
    /// A SCTE-35 cue out after a cue out, or in after in (§4.3.2.7.1; `EXT-X-CUE-OUT` and `-IN` likewise).
    CueWithoutPartner = "cue_without_partner",
    /// Variants have different target durations (§6.2.4).
    VariantsTargetDuration = "variants_target_duration",
    /// Variants disagree about the discontinuity sequence of the same segment (§6.2.4).
    VariantsDiscontinuitySequence = "variants_discontinuity_sequence",
    /// A variant's media ends more than one and a half target durations before another's, by their dates or numbers (§6.2.4).
    VariantsDrift = "variants_drift",
    /// Variants have different `EXT-X-PLAYLIST-TYPE`s (§6.2.4).
    VariantsPlaylistType = "variants_playlist_type",
    /// A variant has ended and another goes on (§4.3.3.4, §6.2.4).
    VariantsEnd = "variants_end",
    /// Neither the path ends in `.m3u8` or `.m3u`, nor does `Content-Type` tell that it is a playlist (§4).
    NotIdentifiable = "not_identifiable",
    /// A variant names a group of renditions that no `EXT-X-MEDIA` defines (§4.3.4.2).
    RenditionGroupMissing = "rendition_group_missing",
    /// Two renditions of a group have one `NAME`, or are both the default (§4.3.4.1.1).
    RenditionsAlike = "renditions_alike",
    /// An entry of a master that cannot be asked for: of another scheme than HTTP, or without an address (§4.3.4).
    UnusableEntry = "unusable_entry",
    /// A variant without `BANDWIDTH` (§4.3.4.2).
    BandwidthMissing = "bandwidth_missing",
    /// A variant without `CODECS` (§4.3.4.2).
    CodecsMissing = "codecs_missing",
    /// A variant without `AVERAGE-BANDWIDTH` (Apple's HLS Authoring Specification).
    AverageBandwidthMissing = "average_bandwidth_missing",
    /// A master without `EXT-X-INDEPENDENT-SEGMENTS` (Apple's HLS Authoring Specification).
    IndependentSegmentsMissing = "independent_segments_missing",
    /// No variant for mobile networks, of 192 kb/s or less (Apple's HLS Authoring Specification).
    CellularVariantMissing = "cellular_variant_missing",
}

/// The rules that `media` breaks, given the playlist before it; each at most once, in the order of [`Check::ALL`].
#[must_use]
pub fn violations(before: Option<&Media>, media: &Media) -> Vec<Check> {
    let alone = |check: &Check| broken_alone(*check, media);
    let after = |check: &Check| before.is_some_and(|before| broken_after(*check, before, media));
    Check::ALL.iter().copied().filter(|check| alone(check) || after(check)).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other rules are about other playlists, before it or beside it")]
fn broken_alone(check: Check, media: &Media) -> bool {
    let tally = media.tally;
    match check {
        _ if forgiven(check, &tally) => true,
        Check::BadDuration => tally.bad_durations > 0,
        Check::MixedPlaylist => tally.master_tags > 0,
        Check::TargetDurationMissing => media.target_duration_seconds.is_none(),
        Check::TargetDurationExceeded => {
            media.target_duration_seconds.is_some_and(|target| media.longest_seconds.round() > target as f64)
        }
        Check::DurationMissing => tally.uris_without_duration > 0,
        Check::VersionTooLow => tally.version_needed > media.version,
        Check::CueWithoutPartner => tally.cues_without_partner > 0,
        Check::KeyWithoutUri => tally.keys_without_uri > 0,
        Check::KeyNoneWithAttributes => tally.none_keys_with_attributes > 0,
        Check::MapKeyWithoutIv => tally.maps_without_iv > 0,
        Check::BadDateRange => tally.bad_date_ranges > 0,
        Check::DateRangeWithoutDate => tally.date_ranges > 0 && tally.dates == 0,
        Check::GapListed => tally.gaps > 0,
        Check::DateJump => media.recent.windows(2).any(date_jumps),
        _ => false,
    }
}

/// What may be wrong in the text of any playlist, and is read all the same.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other rules are about one kind of playlist")]
const fn forgiven(check: Check, tally: &Tally) -> bool {
    match check {
        Check::BadTag => tally.bad_tags > 0,
        Check::NotUtf8 => tally.not_utf8 > 0,
        Check::LeadingBlank => tally.leading_blanks > 0,
        Check::UndefinedVariable => tally.undefined_variables > 0,
        _ => false,
    }
}

fn date_jumps(pair: &[Segment]) -> bool {
    let [first, second] = pair else { return false };
    let (Some(from), Some(to)) = (first.program_unix_seconds, second.program_unix_seconds) else { return false };
    let is_known = first.seconds > 0.0;
    is_known && !second.discontinuous && (from + first.seconds - to).abs() > DATE_TOLERANCE_SECONDS
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other rules are about the playlist by itself or beside others")]
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
        Check::SegmentChanged => !regressed && same_sequence(before, media).any(|(old, new)| !is_same(old, new)),
        Check::SegmentDurationChanged => {
            !regressed
                && same_sequence(before, media)
                    .any(|(old, new)| is_same(old, new) && (old.seconds - new.seconds).abs() > f64::EPSILON)
        }
        Check::DiscontinuitySequence => !regressed && !discontinuities_add_up(before, media),
        Check::RemovedTooEarly => {
            let least = 3.0 * media.target_duration_seconds.unwrap_or(0) as f64;
            removed && !media.ended && media.listed_seconds + f64::EPSILON < least
        }
        Check::VersionChanged => media.version != before.version,
        Check::PlaylistTypeBroken => {
            media.mutability != before.mutability
                || match media.mutability {
                    Mutability::Sliding => false,
                    Mutability::Event => removed || end(media) < end(before),
                    Mutability::Vod => removed || regressed || end(media) != end(before),
                }
        }
        Check::ChangedAfterEnd => before.ended && (!media.ended || end(media) != end(before)),
        _ => false,
    }
}

fn same_sequence<'a>(before: &'a Media, media: &'a Media) -> impl Iterator<Item = (&'a Segment, &'a Segment)> {
    let found = |old: &Segment| media.recent.iter().find(|new| new.sequence == old.sequence);
    before.recent.iter().filter_map(move |old| found(old).map(|new| (old, new)))
}

fn is_same(old: &Segment, new: &Segment) -> bool {
    path(&old.uri) == path(&new.uri) && old.range == new.range
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

/// The rules that one variant breaks against the variants of the same master beside it.
#[must_use]
pub fn violations_across(media: &Media, others: &[&Media]) -> Vec<Check> {
    let mut found = Vec::new();
    if others.iter().any(|other| other.target_duration_seconds < media.target_duration_seconds) {
        found.push(Check::VariantsTargetDuration);
    }
    // Told of the one that counts less: it forgot one.
    let counts_less = |other: &&Media| {
        let newest = |media: &Media| media.newest.as_ref().map(|newest| (newest.sequence, newest.discontinuity));
        matches!((newest(media), newest(other)), (Some((at, ours)), Some((there, theirs))) if at == there && ours < theirs)
    };
    if others.iter().any(counts_less) {
        found.push(Check::VariantsDiscontinuitySequence);
    }
    if others.iter().any(|other| is_behind(media, other)) {
        found.push(Check::VariantsDrift);
    }
    if others.iter().any(|other| other.mutability != media.mutability) {
        found.push(Check::VariantsPlaylistType);
    }
    if media.ended && others.iter().any(|other| !other.ended) {
        found.push(Check::VariantsEnd);
    }
    found
}

/// The most that a variant for mobile networks may need, bits per second.
const CELLULAR_BITS_PER_SECOND_MAX: u64 = 192_000;

/// The rules that a master playlist breaks, those of authors included.
#[must_use]
pub fn violations_of_master(master: &MasterPlaylist) -> Vec<Check> {
    let has_cellular = master.least_bits_per_second.is_none_or(|least| least <= CELLULAR_BITS_PER_SECOND_MAX);
    let rules = [
        (master.unusable > 0, Check::UnusableEntry),
        (master.variants_without_bandwidth > 0, Check::BandwidthMissing),
        (master.groups_undefined > 0, Check::RenditionGroupMissing),
        (master.renditions_alike > 0, Check::RenditionsAlike),
        (master.variants_without_codecs > 0, Check::CodecsMissing),
        (master.variants_without_average > 0, Check::AverageBandwidthMissing),
        (!master.independent_segments, Check::IndependentSegmentsMissing),
        (!has_cellular, Check::CellularVariantMissing),
    ];
    let found = rules.into_iter().filter(|(broken, _)| *broken).map(|(_, check)| check);
    let forgiven = Check::ALL.iter().copied().filter(|check| forgiven(*check, &master.tally));
    forgiven.chain(found).collect()
}

/// Dates tell it best. Without them numbers do, as long as they are near: variants may count from different beginnings.
fn is_behind(media: &Media, other: &Media) -> bool {
    let patience = 1.5 * media.target_duration_seconds.unwrap_or(0).max(1) as f64;
    match (media.program_end_unix_seconds, other.program_end_unix_seconds) {
        (Some(ours), Some(theirs)) => theirs - ours > patience,
        _ => {
            let end = |media: &Media| media.media_sequence.saturating_add(media.segments as u64);
            let overlaps = other.media_sequence < end(media);
            let new = other.recent.iter().filter(|segment| segment.sequence >= end(media));
            overlaps && new.map(|segment| segment.seconds).sum::<f64>() > patience
        }
    }
}

#[cfg(test)]
mod tests;
