//! A master playlist being read.

use std::collections::{BTreeMap, BTreeSet};

use quick_m3u8::tag::hls::{Media, StreamInf};

use super::super::{Attributes, Kind, MasterPlaylist, Named};

/// Different variants, groups and renditions that are read from a master playlist: far more than are watched, enough to tell that there
/// are too many, without comparing each with all.
const ENTRIES_READ: usize = 256;

/// The type of a rendition, as the attribute of a variant that names its group is called, and the group.
type Group = (String, String);

#[derive(Default)]
pub(super) struct ReadingMaster {
    seen: MasterPlaylist,
    /// The names of each group's renditions, and whether one of them is the default.
    groups: BTreeMap<Group, (BTreeSet<String>, bool)>,
    wanted: BTreeSet<Group>,
}

impl ReadingMaster {
    pub(super) const fn names_something(&self) -> bool {
        !self.seen.named.is_empty()
    }

    pub(super) const fn independent_segments(&mut self) {
        self.seen.independent_segments = true;
    }

    pub(super) fn named(&mut self, uri: &str, bits_per_second: Option<u64>) {
        let room = self.seen.named.len() < ENTRIES_READ && !uri.is_empty();
        if room && self.seen.named.iter().all(|known| known.uri != uri) {
            let kind = if bits_per_second.is_some() { Kind::Video } else { Kind::Audio };
            let (uri, attributes) = (uri.to_owned(), Attributes::default());
            self.seen.named.push(Named { uri, kind, bits_per_second, attributes });
        }
    }

    pub(super) fn variant(&mut self, tag: &StreamInf<'_>) {
        let least = self.seen.least_bits_per_second.unwrap_or(u64::MAX);
        self.seen.least_bits_per_second = Some(least.min(tag.bandwidth()));
        self.seen.variants_without_codecs += usize::from(tag.codecs().is_none());
        self.seen.variants_without_average += usize::from(tag.average_bandwidth().is_none());
        // CLOSED-CAPTIONS may be NONE instead of a group, which the library does not tell from a group of that name.
        for (kind, group) in [("AUDIO", tag.audio()), ("VIDEO", tag.video()), ("SUBTITLES", tag.subtitles())] {
            if let Some(group) = group.filter(|_| self.wanted.len() < ENTRIES_READ) {
                self.wanted.insert((kind.to_owned(), group.to_owned()));
            }
        }
    }

    pub(super) fn rendition(&mut self, tag: &Media<'_>) {
        self.named(tag.uri().unwrap_or_default(), None);
        let group = (tag.media_type().as_cow().into_owned(), tag.group_id().to_owned());
        if self.groups.len() >= ENTRIES_READ && !self.groups.contains_key(&group) {
            return;
        }
        let (names, has_default) = self.groups.entry(group).or_default();
        let same_name = names.contains(tag.name());
        let two_defaults = tag.default() && std::mem::replace(has_default, *has_default || tag.default());
        self.seen.renditions_alike += usize::from(same_name || two_defaults);
        if names.len() < ENTRIES_READ {
            names.insert(tag.name().to_owned());
        }
    }

    pub(super) fn finish(mut self) -> MasterPlaylist {
        // Where not all groups were read, one that seems to be missing may be among them.
        if self.groups.len() < ENTRIES_READ {
            self.seen.groups_undefined = self.wanted.iter().filter(|group| !self.groups.contains_key(*group)).count();
        }
        self.seen
    }
}
