//! Who is who in a master playlist: which of its entries count, and which entry of today is which of yesterday. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::address::path;
use super::address::resolve;
use super::hls::{Attributes, Kind, MasterPlaylist, Named};
use crate::config::Location;
use crate::fetch::is_unseen;
use crate::health::{Failure, ProbeError};

/// Characters of a variant's name.
const NAME_MAX: usize = 100;

/// What a variant is to viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Video, with or without sound; also a playlist that has no master.
    Video,
    /// Sound alone: a variant, or a track of its own that viewers of a video hear.
    Audio,
    /// Subtitles, which come when somebody speaks.
    Subtitles,
    /// Key frames for trick play.
    IFrames,
    /// Of a pathway that viewers are not on (rfc8216bis §4.4.6.6).
    Standby,
    /// The same as another one at another address, for when that fails (RFC 8216 §4.3.4.2).
    Redundant,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Video, Self::Audio, Self::Subtitles, Self::IFrames, Self::Standby, Self::Redundant];

    /// The label value, and the word in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Subtitles => "subtitles",
            Self::IFrames => "iframes",
            Self::Standby => "standby",
            Self::Redundant => "redundant",
        }
    }

    /// Viewers stand still when it does.
    #[must_use]
    pub const fn is_vital(self) -> bool {
        matches!(self, Self::Video | Self::Audio)
    }

    /// The role of a label.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.label() == label)
    }
}

/// What an entry is, wherever it lies: its attributes, and its place among entries of the same attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    kind: Option<Kind>,
    bits_per_second: Option<u64>,
    attributes: Attributes,
    place: usize,
}

impl Signature {
    /// What is known of one that is only remembered.
    pub(super) fn of_role(role: Role) -> Self {
        let kind = if role == Role::Audio { Kind::Audio } else { Kind::Video };
        Self { kind: Some(kind), ..Self::alone() }
    }

    pub(super) const fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Of a playlist that has no master.
    pub(super) fn alone() -> Self {
        Self { kind: Some(Kind::Video), bits_per_second: None, attributes: Attributes::default(), place: 0 }
    }

    /// Of a Representation, whose name is made of its ids.
    pub(super) fn of_name(name: &str) -> Self {
        let attributes = Attributes { name: Some(name.to_owned()), ..Attributes::default() };
        Self { kind: None, bits_per_second: None, attributes, place: 0 }
    }

    /// As it is kept across restarts of the program.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// An entry of a master.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) uri: String,
    pub(super) role: Role,
    pub(super) bits_per_second: Option<u64>,
    pub(super) signature: Signature,
}

impl Entry {
    /// Of a playlist that has no master.
    pub(super) fn alone(name: &str) -> Self {
        Self { uri: name.to_owned(), role: Role::Video, bits_per_second: None, signature: Signature::alone() }
    }

    /// Of a Representation.
    pub(super) fn of_representation(name: &str, bits_per_second: u64) -> Self {
        let bits_per_second = Some(bits_per_second).filter(|bits| *bits > 0);
        Self { uri: name.to_owned(), role: Role::Video, bits_per_second, signature: Signature::of_name(name) }
    }

    /// How it is called: its path, without what a session or a signature adds.
    pub(super) fn name(&self) -> String {
        let path = self.uri.split(['?', '#']).next().unwrap_or_default().chars().take(NAME_MAX);
        path.fold(String::new(), |mut name, c| {
            if is_unseen(c) {
                name.extend(c.escape_unicode());
            } else {
                name.push(c);
            }
            name
        })
    }
}

/// The entries of a master with their roles: those that count first, each group in the master's order. An address that is named twice
/// is one entry.
pub(super) fn entries(master: &MasterPlaylist) -> Vec<Entry> {
    let active = active_pathway(master);
    let standby_groups = standby_groups(master, active);
    let mut places: BTreeMap<(Kind, Option<u64>, &Attributes), usize> = BTreeMap::new();
    let mut found: Vec<Entry> = Vec::with_capacity(master.named.len());
    for named in &master.named {
        let Named { uri, kind, bits_per_second, attributes } = named;
        if found.iter().any(|known| known.uri == *uri) {
            continue;
        }
        let place = places.entry((*kind, *bits_per_second, attributes)).or_default();
        let on_standby = match (&attributes.pathway, &attributes.group) {
            (_, Some(group)) if bits_per_second.is_none() => standby_groups.contains(&group.as_str()),
            (pathway, _) => pathway.as_deref().unwrap_or(DEFAULT_PATHWAY) != active,
        };
        let tells = bits_per_second.is_some() || attributes.group.is_some();
        let role = match kind {
            Kind::Subtitles => Role::Subtitles,
            Kind::IFrames => Role::IFrames,
            Kind::Video | Kind::Audio if on_standby => Role::Standby,
            Kind::Video | Kind::Audio if *place > 0 && tells => Role::Redundant,
            Kind::Video => Role::Video,
            Kind::Audio => Role::Audio,
        };
        let attributes = attributes.clone();
        let signature = Signature { kind: Some(*kind), bits_per_second: *bits_per_second, attributes, place: *place };
        *place += 1;
        found.push(Entry { uri: uri.clone(), role, bits_per_second: *bits_per_second, signature });
    }
    found.sort_by_key(|entry| !entry.role.is_vital());
    found
}

/// The playlist that a viewer begins with.
///
/// # Errors
/// There is none that can be asked for.
pub(crate) fn first_of(master: &MasterPlaylist, base: &Location) -> Result<Location, ProbeError> {
    let found = entries(master).iter().find_map(|entry| resolve(base, &entry.uri).ok());
    found.ok_or_else(|| ProbeError::new(Failure::Empty, "the master names no playlist that can be asked for"))
}

/// `PATHWAY-ID` of entries that have none (rfc8216bis §4.4.6.2).
const DEFAULT_PATHWAY: &str = ".";

/// Where players begin: where content steering says, or else on the first variant's pathway.
fn active_pathway(master: &MasterPlaylist) -> &str {
    let mut pathways = master
        .named
        .iter()
        .filter(|named| named.attributes.group.is_none() && named.kind != Kind::IFrames)
        .map(|named| named.attributes.pathway.as_deref().unwrap_or(DEFAULT_PATHWAY));
    let first = pathways.clone().next().unwrap_or(DEFAULT_PATHWAY);
    match master.pathway.as_deref() {
        Some(steered) if pathways.any(|pathway| pathway == steered) => steered,
        Some(_) | None => first,
    }
}

/// Groups of renditions that only variants of other pathways play with.
fn standby_groups<'a>(master: &'a MasterPlaylist, active: &str) -> Vec<&'a str> {
    let of = |on_active: bool| {
        master.named.iter().filter(move |named| {
            (named.attributes.pathway.as_deref().unwrap_or(DEFAULT_PATHWAY) == active) == on_active
        })
    };
    let groups = |on_active| of(on_active).filter_map(|named| named.attributes.audio.as_deref());
    let used: Vec<&str> = groups(true).collect();
    groups(false).filter(|group| !used.contains(group)).collect()
}

/// An entry that is known.
pub(super) struct Known<'a> {
    /// What it is; of one that is only remembered, the digest of that.
    pub(super) digest: Option<u64>,
    pub(super) kind: Option<Kind>,
    /// The address at which it was last.
    pub(super) uri: &'a str,
    /// It may be another one at its place, where nothing else tells: it is not one that left.
    pub(super) is_present: bool,
}

/// Whether a known entry is this one.
type Rule<'a> = dyn Fn(&Known<'_>, &Entry) -> bool + 'a;

/// For each of `entries`, which of the known ones it is: at the same address with the same attributes, or else with the same attributes,
/// or else at the same address (sessions and signatures apart), or else, where as many of one kind are left, at the same place. A
/// packager that writes the bitrate it measures, or moves its sessions, names the same variants all the same.
pub(super) fn recognise(known: &[Known<'_>], entries: &[Entry]) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = vec![None; entries.len()];
    let mut taken = vec![false; known.len()];
    let digests: Vec<u64> = entries.iter().map(|entry| entry.signature.digest()).collect();
    let digest = |b: &Entry| entries.iter().position(|entry| std::ptr::eq(entry, b)).and_then(|at| digests.get(at));
    let same = |a: &Known<'_>, b: &Entry| a.digest.is_some() && a.digest.as_ref() == digest(b);
    let there = |a: &Known<'_>, b: &Entry| path(a.uri) == path(&b.uri) && a.kind == b.signature.kind;
    let rules: [&Rule<'_>; 3] = [&|a, b| same(a, b) && there(a, b), &same, &there];
    for rule in rules {
        for (entry, found) in entries.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let free = known.iter().zip(&mut taken).position(|(known, taken)| !*taken && rule(known, entry));
            if let Some(taken) = free.and_then(|index| taken.get_mut(index)) {
                *taken = true;
                *found = free;
            }
        }
    }
    for kind in [Kind::Video, Kind::Audio, Kind::Subtitles, Kind::IFrames].map(Some) {
        let is_kind = |signature: &Signature| signature.kind == kind;
        let left: Vec<usize> = (0..known.len())
            .filter(|index| !taken.get(*index).is_none_or(|taken| *taken))
            .filter(|index| known.get(*index).is_some_and(|known| known.is_present && known.kind == kind))
            .collect();
        let new: Vec<&mut Option<usize>> = entries
            .iter()
            .zip(&mut found)
            .filter(|(entry, found)| found.is_none() && is_kind(&entry.signature))
            .map(|(_, found)| found)
            .collect();
        if left.len() == new.len() {
            new.into_iter().zip(left).for_each(|(new, left)| *new = Some(left));
        }
    }
    found
}

#[cfg(test)]
mod tests;
