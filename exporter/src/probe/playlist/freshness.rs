//! The age of a variant: pure, and it survives whatever happens to the playlist.

mod numbering;

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

pub use self::numbering::Run;
use self::numbering::{Numbering, Place};
use super::address::path;
use super::media::{Identity, Media};
use crate::clock::Now;

/// Numberings of one variant that are told apart at a time: origins that disagree, and a packager that begins anew beside them. Another
/// one is nothing new until one of them was not seen for a window.
const NUMBERINGS_MAX: usize = 8;

/// Numbers that were not seen for so long, while others grew, are those of a packager that began anew: it may come to them again.
const LEFT_AFTER: Duration = Duration::from_secs(5);

/// An age that was only told, or is remembered, is at most this: what is older says no more than that it is old.
const TOLD_MAX: Duration = Duration::from_secs(86_400);

/// A list without `EXT-X-TARGETDURATION` is believed to stand still after so long.
const PATIENCE: Duration = Duration::from_secs(9);

/// How long ago the newest listed segment changed.
///
/// It begins at the start of watching and only an observed advance resets it: a playlist that vanishes, freezes, or turns into an
/// error page keeps ageing, and so does one that shows again what it has shown before.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    newest: Option<Arc<Identity>>,
    advanced: Now,
    earlier: Earlier,
    sequence_resets: u64,
    /// Seen within the window; the one that was seen last is at the end.
    numberings: SmallVec<[Numbering; 1]>,
    /// A list that went back to its beginning, as far as it went since.
    beginning: Option<Beginning>,
    /// What is seen first is no advance: it may have stood there for as long as the variant before it.
    continues_another: bool,
}

/// How much older than the time of its first sight the content is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Earlier {
    /// It was seen to come.
    Not,
    /// It is remembered, and counts from the first look on.
    Remembered(Duration),
    /// It is remembered, and somebody has looked.
    Known(Duration),
    /// The source says so, which counts once the list stood still for longer than a live one does.
    Told { age: Duration, patience: Duration },
}

/// A list that seems to begin anew under numbers that were seen already.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Beginning {
    first: u64,
    place: Place,
}

/// A look at the end of a list.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What lies there.
    pub newest: &'a Identity,
    /// The number of the first listed segment.
    pub first: u64,
    /// Segments listed.
    pub segments: usize,
    /// What the source says of its content's age.
    pub age: Option<Duration>,
    /// `EXT-X-TARGETDURATION`.
    pub target_duration: Option<Duration>,
    /// How long what was seen is not new again.
    pub window: Duration,
}

impl<'a> Sight<'a> {
    /// The end of a list; none where nothing lies there.
    #[must_use]
    pub fn of(media: &'a Media, age: Option<Duration>, window: Duration) -> Option<Self> {
        Some(Self {
            newest: media.newest.as_ref()?,
            first: media.media_sequence,
            segments: media.segments,
            age,
            target_duration: media.target_duration_seconds.map(Duration::from_secs),
            window,
        })
    }
}

/// What an observation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// The first segment ever seen.
    First,
    /// A newer segment.
    Advanced,
    /// Another newest segment with a smaller number: the packager began anew.
    WentBack,
    /// The same as before.
    Same,
    /// Another one than before, and not new: it was listed within the window.
    Repeated,
}

impl Change {
    /// Something new came.
    #[must_use]
    pub const fn is_advance(self) -> bool {
        matches!(self, Self::First | Self::Advanced | Self::WentBack)
    }
}

impl Freshness {
    /// Never seen, ageing from `now`.
    #[must_use]
    pub fn never_seen(now: Now) -> Self {
        Self {
            newest: None,
            advanced: now,
            earlier: Earlier::Not,
            sequence_resets: 0,
            numberings: SmallVec::new(),
            beginning: None,
            continues_another: false,
        }
    }

    /// As an earlier run of the program left it; that counts from the first look on, because what came meanwhile was not seen. A wall
    /// clock that went back since makes it no younger than new.
    #[must_use]
    pub fn remembered(now: Now, newest: Identity, advanced_unix_seconds: f64, runs: &[Run]) -> Self {
        let age = Duration::try_from_secs_f64(now.unix_seconds - advanced_unix_seconds).unwrap_or_default();
        let place = Place::of(&newest);
        let is_newest = |run: &&Run| Place::of_run(run) == place && run.discontinuity == newest.discontinuity;
        let last = match runs.iter().find(is_newest) {
            Some(run) => Numbering::remembered(now.mono, *run),
            None => Numbering::new(now.mono, newest.sequence, place, newest.discontinuity),
        };
        let others = runs.iter().filter(|run| !is_newest(run)).take(NUMBERINGS_MAX - 1);
        let others = others.map(|run| Numbering::remembered(now.mono, *run)).collect::<SmallVec<[_; 1]>>();
        Self {
            newest: Some(Arc::new(newest)),
            earlier: Earlier::Remembered(age.min(TOLD_MAX)),
            numberings: others.into_iter().chain([last]).collect(),
            ..Self::never_seen(now)
        }
    }

    /// Of a variant that takes the place of `other`, which stood still: another address alone is no new segment.
    #[must_use]
    pub fn in_place_of(other: &Self) -> Self {
        let (advanced, earlier) = (other.advanced, other.earlier);
        Self { earlier, continues_another: true, ..Self::never_seen(advanced) }
    }

    /// Somebody looked, whatever they found.
    pub const fn looked(&mut self) {
        if let Earlier::Remembered(age) = self.earlier {
            self.earlier = Earlier::Known(age);
        }
    }

    /// What a look would change.
    pub fn judge(&self, now: Now, sight: &Sight<'_>) -> Change {
        let Some(known) = &self.newest else {
            return if self.continues_another { Change::Repeated } else { Change::First };
        };
        let (place, discontinuity) = (Place::of(sight.newest), sight.newest.discontinuity);
        let known_place = Place::of(known);
        let seen = |numbering: &Numbering| numbering.has_seen(now.mono, sight.window, place, discontinuity);
        let same_path = || path(&known.uri) == path(&sight.newest.uri);
        // A count of discontinuities that grows by itself makes no new segment.
        if place == known_place && (discontinuity <= known.discontinuity || same_path()) {
            Change::Same
        } else if self.is_full(now, sight, place) {
            Change::Repeated
        } else if !self.numberings.iter().any(seen) || self.begins_anew(sight, place) {
            if place < known_place { Change::WentBack } else { Change::Advanced }
        } else {
            Change::Repeated
        }
    }

    /// So many numberings are in turn that one more tells nothing.
    fn is_full(&self, now: Now, sight: &Sight<'_>, place: Place) -> bool {
        let recent = |known: &&Numbering| known.is_recent(now.mono, sight.window);
        let goes_on = |known: &Numbering| known.is_followed_by(sight.first, place);
        self.numberings.iter().filter(recent).count() >= NUMBERINGS_MAX && !self.numberings.iter().any(goes_on)
    }

    /// A list that went back to its own beginning and has grown from there is a packager that began anew, although its numbers were
    /// seen: one that stands still does not grow. Where another list ended it may be that one.
    fn begins_anew(&self, sight: &Sight<'_>, place: Place) -> bool {
        let grows = |begun: Beginning| begun.first == sight.first && place.sequence > begun.place.sequence;
        self.beginning.is_some_and(grows) && !self.numberings.iter().any(|known| known.end() == place)
    }

    /// Takes a look at the newest listed segment.
    pub fn observe(&mut self, now: Now, sight: &Sight<'_>) -> Change {
        self.looked();
        let change = self.judge(now, sight);
        let place = Place::of(sight.newest);
        if change.is_advance() {
            if self.begins_anew(sight, place) {
                let discontinuity = sight.newest.discontinuity;
                self.numberings.retain(|known| !known.has_seen(now.mono, sight.window, place, discontinuity));
                self.sequence_resets += 1;
            }
            self.earlier = match sight.age.filter(|_| change == Change::First) {
                Some(age) => Earlier::Told {
                    age: age.min(TOLD_MAX),
                    patience: sight.target_duration.map_or(PATIENCE, |target| target * 3 / 2),
                },
                None => Earlier::Not,
            };
            self.advanced = now;
            self.sequence_resets += u64::from(change == Change::WentBack);
        }
        self.follow_beginning(sight, place, change);
        self.number(now, sight, place, change);
        if change != Change::Same {
            self.newest = Some(Arc::new(sight.newest.clone()));
        }
        change
    }

    /// A list that goes back to less than half of what was listed may be one that begins anew. Anything else than its growth ends that.
    fn follow_beginning(&mut self, sight: &Sight<'_>, place: Place, change: Change) {
        let listed = self.numberings.last().map_or(0, Numbering::listed);
        let short =
            |known: &Arc<Identity>| place < Place::of(known) && (sight.segments as u64).saturating_mul(2) < listed;
        match change {
            Change::Same => {}
            Change::Repeated if self.newest.as_ref().is_some_and(short) => {
                self.beginning = Some(Beginning { first: sight.first, place });
            }
            Change::First | Change::Advanced | Change::WentBack | Change::Repeated => self.beginning = None,
        }
    }

    /// Notes what was seen in the numbering that it belongs to.
    fn number(&mut self, now: Now, sight: &Sight<'_>, place: Place, change: Change) {
        let discontinuity = sight.newest.discontinuity;
        let grown = self.numberings.last().and_then(Numbering::grown).unwrap_or_default();
        self.numberings.retain(|known| {
            let left = now.since(known.seen()) > LEFT_AFTER && known.seen() < grown;
            known.is_recent(now.mono, sight.window) && !left
        });
        let seen =
            self.numberings.iter().position(|known| known.has_seen(now.mono, sight.window, place, discontinuity));
        // One that the list follows goes on; where there is none, or the packager counts its new beginning, it is another numbering.
        let below = self.numberings.iter().rposition(|known| known.is_followed_by(sight.first, place));
        let grows = below.filter(|index| index + 1 == self.numberings.len());
        let mut numbering = match grows.or(seen).or(below) {
            Some(index) => self.numberings.remove(index),
            None if self.numberings.len() == NUMBERINGS_MAX => return,
            None => Numbering::new(now.mono, sight.first, place, discontinuity),
        };
        numbering.see(now.mono, sight.window, sight.first, place, discontinuity);
        if grows.is_some() && change.is_advance() {
            numbering.grow(now.mono);
        }
        self.numberings.push(numbering);
    }

    /// Since the newest segment changed.
    #[must_use]
    pub fn age(&self, now: Now) -> Duration {
        let seen = now.since(self.advanced.mono);
        seen.saturating_add(self.earlier_than_seen(seen))
    }

    fn earlier_than_seen(&self, seen: Duration) -> Duration {
        match self.earlier {
            Earlier::Known(age) => age,
            Earlier::Told { age, patience } if seen > patience => age,
            Earlier::Not | Earlier::Remembered(_) | Earlier::Told { .. } => Duration::ZERO,
        }
    }

    /// When it changed, by the wall clock, as is known `now`.
    #[must_use]
    pub fn last_advance_unix_seconds(&self, now: Now) -> f64 {
        self.advanced.unix_seconds - self.earlier_than_seen(now.since(self.advanced.mono)).as_secs_f64()
    }

    /// The same as the next run of the program has to know it: what this one remembers counts, although nobody has looked yet.
    #[must_use]
    pub fn remembered_advance_unix_seconds(&self, now: Now) -> f64 {
        let mut looked = self.clone();
        looked.looked();
        looked.last_advance_unix_seconds(now)
    }

    /// The numbers that were seen lately, for the next run of the program.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.numberings.iter().map(Numbering::run).collect()
    }

    /// Times that the sequence went back.
    #[must_use]
    pub const fn sequence_resets(&self) -> u64 {
        self.sequence_resets
    }

    /// What was seen last at the end of the list.
    #[must_use]
    pub fn newest(&self) -> Option<&Identity> {
        self.newest.as_deref()
    }
}

#[cfg(test)]
mod tests;
