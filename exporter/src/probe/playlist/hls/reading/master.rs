//! A master playlist being read.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Attributes, Kind, MasterPlaylist, Named};
use super::{AttributeList, Variables, is_usable, leading_integer};
use crate::probe::playlist::media::Tally;

/// Different variants, groups and renditions that are read from a master playlist: far more than are watched, enough to tell that there
/// are too many, without comparing each with all.
const ENTRIES_READ: usize = 256;

/// How audio codecs begin (RFC 6381, the registry of MP4 sample entries, and what browsers take).
const AUDIO_CODECS: [&str; 22] = [
    "mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3", "vorbis", "mha1", "mha2", "mhm1", "mhm2", "dts",
    "mlpa", "samr", "sawb", "sawp", "enca", "twos", "iamf", "usac",
];

/// Codecs of text, which stand beside any others.
const TEXT_CODECS: [&str; 4] = ["stpp", "wvtt", "tx3g", "sbtt"];

/// The type of a rendition, as the attribute of a variant that names its group is called, and the group.
type Group = (String, String);

#[derive(Default)]
pub(super) struct ReadingMaster {
    seen: MasterPlaylist,
    /// `EXT-X-STREAM-INF` whose address has not come yet.
    variant: Option<Named>,
    /// The names of each group's renditions, and whether one of them is the default.
    groups: BTreeMap<Group, (BTreeSet<String>, bool)>,
    wanted: BTreeSet<Group>,
}

impl ReadingMaster {
    pub(super) const fn names_something(&self) -> bool {
        !self.seen.named.is_empty()
    }

    pub(super) const fn awaits_uri(&self) -> bool {
        self.variant.is_some()
    }

    pub(super) const fn independent_segments(&mut self) {
        self.seen.independent_segments = true;
    }

    pub(super) fn steering(&mut self, list: &AttributeList<'_>) {
        self.seen.pathway = list.text("PATHWAY-ID");
    }

    /// An address line.
    pub(super) fn uri(&mut self, uri: Option<&str>) {
        if let Some(variant) = self.variant.take() {
            self.named(variant, uri);
        }
    }

    fn named(&mut self, mut named: Named, uri: Option<&str>) {
        let Some(uri) = uri.filter(|uri| is_usable(uri)) else {
            self.seen.unusable += 1;
            return;
        };
        uri.clone_into(&mut named.uri);
        if self.seen.named.len() < ENTRIES_READ && !self.seen.named.contains(&named) {
            self.seen.named.push(named);
        }
    }

    /// True where `BANDWIDTH` is missing, which is told by itself.
    pub(super) fn variant(&mut self, list: &AttributeList<'_>) -> bool {
        let bandwidth = list.integer("BANDWIDTH");
        if let Some(bandwidth) = bandwidth {
            let least = self.seen.least_bits_per_second.unwrap_or(u64::MAX);
            self.seen.least_bits_per_second = Some(least.min(bandwidth));
        }
        self.seen.variants_without_bandwidth += usize::from(bandwidth.is_none());
        self.seen.variants_without_codecs += usize::from(list.get("CODECS").is_none());
        self.seen.variants_without_average += usize::from(list.get("AVERAGE-BANDWIDTH").is_none());
        // CLOSED-CAPTIONS may be NONE instead of a group.
        for kind in ["AUDIO", "VIDEO", "SUBTITLES"] {
            if let Some(group) = list.get(kind).filter(|_| self.wanted.len() < ENTRIES_READ) {
                self.wanted.insert((kind.to_owned(), group.to_owned()));
            }
        }
        let has_picture = list.get("RESOLUTION").or_else(|| list.get("VIDEO")).is_some();
        let is_audio = !has_picture && list.get("CODECS").is_some_and(are_of_audio);
        let kind = if is_audio { Kind::Audio } else { Kind::Video };
        // One whose address never came cannot be asked for.
        self.seen.unusable += usize::from(self.variant.replace(entry(kind, list)).is_some());
        bandwidth.is_none()
    }

    /// True where `BANDWIDTH` is missing, which is told by itself.
    pub(super) fn i_frames(&mut self, list: &AttributeList<'_>) -> bool {
        let named = entry(Kind::IFrames, list);
        let lacks_bandwidth = named.bits_per_second.is_none();
        self.seen.variants_without_bandwidth += usize::from(lacks_bandwidth);
        self.named(named, list.get("URI"));
        lacks_bandwidth
    }

    pub(super) fn rendition(&mut self, list: &AttributeList<'_>) {
        let is = |kind| list.get("TYPE").is_some_and(|text| text.eq_ignore_ascii_case(kind));
        let kinds = [("AUDIO", Kind::Audio), ("VIDEO", Kind::Video), ("SUBTITLES", Kind::Subtitles)];
        let kind = kinds.into_iter().find(|(name, _)| is(name));
        // A rendition without an address is inside of its variants. One whose address names an unknown variable is not.
        if let Some((_, kind)) = kind.filter(|_| list.get("URI").is_some() || list.undefined > 0) {
            self.named(Named { bits_per_second: None, ..entry(kind, list) }, list.get("URI"));
        }
        let Some(group) = list.text("GROUP-ID") else { return };
        let kind = kind.map_or_else(|| list.text("TYPE").unwrap_or_default(), |(name, _)| name.to_owned());
        self.rendition_of((kind, group), list.get("NAME").unwrap_or_default(), list.yes("DEFAULT"));
    }

    fn rendition_of(&mut self, group: Group, name: &str, is_default: bool) {
        if self.groups.len() >= ENTRIES_READ && !self.groups.contains_key(&group) {
            return;
        }
        let (names, has_default) = self.groups.entry(group).or_default();
        let same_name = names.contains(name);
        let two_defaults = is_default && std::mem::replace(has_default, true);
        self.seen.renditions_alike += usize::from(same_name || two_defaults);
        if names.len() < ENTRIES_READ {
            names.insert(name.to_owned());
        }
    }

    pub(super) fn finish(mut self, variables: Variables, tally: Tally) -> MasterPlaylist {
        self.seen.unusable += usize::from(self.variant.is_some());
        // Where not all groups were read, one that seems to be missing may be among them.
        if self.groups.len() < ENTRIES_READ {
            self.seen.groups_undefined = self.wanted.iter().filter(|group| !self.groups.contains_key(*group)).count();
        }
        (self.seen.variables, self.seen.tally) = (variables, tally);
        self.seen
    }
}

fn entry(kind: Kind, list: &AttributeList<'_>) -> Named {
    let attributes = Attributes {
        resolution: list.get("RESOLUTION").and_then(resolution),
        codecs: list.text("CODECS"),
        name: list.text("NAME"),
        group: list.text("GROUP-ID"),
        language: list.text("LANGUAGE"),
        audio: list.text("AUDIO"),
        pathway: list.text("PATHWAY-ID"),
    };
    Named { uri: String::new(), kind, bits_per_second: list.integer("BANDWIDTH"), attributes }
}

fn resolution(text: &str) -> Option<(u64, u64)> {
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((leading_integer(width)?.0, leading_integer(height)?.0))
}

/// At least one is of audio, and none of anything but audio and text.
fn are_of_audio(codecs: &str) -> bool {
    let begins = |codec: &str, known: &[&str]| {
        known.iter().any(|known| codec.get(..known.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(known)))
    };
    let codecs = || codecs.split(',').map(str::trim).filter(|codec| !begins(codec, &TEXT_CODECS));
    codecs().next().is_some() && codecs().all(|codec| begins(codec, &AUDIO_CODECS))
}
