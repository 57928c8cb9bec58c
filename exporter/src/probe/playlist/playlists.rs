//! All playlists of a stream: what has to be asked for, and what the answers change. Pure: answers and times in, questions out.
//!
//! Each variant goes its own way: one that hangs holds up no other. Whatever is answered, a stream keeps at least one variant, and a
//! variant that is known keeps its name and its age.

mod adopting;

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};
use tracing::{info, warn};

use super::conformance::{Check, violations_across};
use super::dash::{Due, Presentation};
use super::document::Playlist;
use super::freshness::Change;
use super::hls::Variables;
use super::media::Media;
use super::memory::Remembered;
use super::reread::Reread;
use super::roster::{Entry, Role, Signature, first_of};
use super::variant::{From, Looking, Phase, Step, Taken, Variant, Wanted};
use super::view::{ONLY_VARIANT, PlaylistSpec, PlaylistView, VARIANTS_MAX, placeholders};
use crate::clock::Now;
use crate::config::Location;
use crate::fetch::{Document, Found};
use crate::health::{Edge, Failure, Health, ProbeError, Telling};

/// Whose document a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The configured one.
    Configured,
    /// A variant's, by its id.
    Variant(u64),
}

/// A question.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// Read a playlist, with the variables of its master; one whose body has this digest need not be parsed.
    Read { of: Of, location: Arc<Location>, digest: Option<u64>, variables: Option<Arc<Variables>> },
    /// Look for a variant's segment.
    Look { of: u64, wanted: Wanted },
}

/// Questions: mostly one.
pub(super) type Questions = SmallVec<[Question; 1]>;

/// A document that was read.
pub(super) struct Read {
    pub(super) document: Document,
    pub(super) digest: u64,
    /// None: it is the one whose digest was given.
    pub(super) playlist: Option<Result<Playlist, ProbeError>>,
}

/// A stream's playlists.
pub(super) struct Playlists {
    spec: PlaylistSpec,
    configured: Arc<Location>,
    remembered: Arc<Remembered>,
    started: Now,
    health: Health,
    own: Own,
    master_violations: BTreeMap<Check, u64>,
    /// At least one.
    variants: Vec<Variant>,
    /// Those that left, the last one at the end: they may come back.
    departed: Vec<Variant>,
    unwatched: usize,
    /// None where there are none, as almost everywhere.
    variables_of_master: Option<Arc<Variables>>,
    next_id: u64,
    /// What was seen, for people who look into it.
    pub(super) notes: Vec<String>,
    /// Of the edges of its documents.
    telling: Telling,
}

/// Edges in a minute that are told in the log: all variants fail, and come back.
const TOLD_MAX: u32 = 3 * VARIANTS_MAX as u32;

/// The configured document.
struct Own {
    reading: Option<Now>,
    is: Is,
    failure: Option<Failure>,
    /// Digest of the master that was taken last.
    digest: Option<u64>,
}

/// What the configured document turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// It could not be read yet: the variants are placeholders.
    Unknown,
    Media,
    Master(Reread),
    Manifest,
}

impl Playlists {
    pub(super) fn new(spec: PlaylistSpec, now: Now, remembered: Arc<Remembered>) -> Self {
        let variants = placeholders(&spec.stream, now, &remembered);
        let own = Own { reading: None, is: Is::Unknown, failure: None, digest: None };
        let mut playlists = Self {
            configured: Arc::new(spec.playlist.clone()),
            spec,
            remembered,
            started: now,
            health: Health::default(),
            own,
            master_violations: BTreeMap::new(),
            variants: Vec::new(),
            departed: Vec::new(),
            unwatched: 0,
            variables_of_master: None,
            next_id: 0,
            notes: Vec::new(),
            telling: Telling::of(TOLD_MAX),
        };
        for view in variants {
            // Names are made of addresses.
            let (signature, uri) = (Signature::of_role(view.role), view.name.to_string());
            let variant = playlists.variant(signature, uri, view);
            playlists.variants.push(variant);
        }
        playlists
    }

    pub(super) fn view(&self) -> PlaylistView {
        let variants = self.variants.iter().map(|variant| variant.view.clone()).collect();
        PlaylistView {
            health: self.health.clone(),
            variants,
            master_violations: self.master_violations.clone(),
            unwatched: self.unwatched,
            failure: self.own.failure,
        }
    }

    /// A poll begins: what is not being asked for already, is.
    pub(super) fn tick(&mut self, now: Now) -> Questions {
        let mut asks = Questions::new();
        let interval = self.spec.interval;
        let wanted = self.own.failure.is_some()
            || self.vital().any(|variant| variant.view.failure.is_some() || variant.is_overdue(now, interval));
        let due = match &mut self.own.is {
            Is::Unknown | Is::Media | Is::Manifest => true,
            Is::Master(reread) => reread.is_due(wanted),
        };
        if due && self.own.reading.is_none() {
            if let Is::Master(reread) = &mut self.own.is {
                reread.asked(wanted);
            }
            self.own.reading = Some(now);
            let digest = match self.own.is {
                Is::Unknown | Is::Manifest => None,
                Is::Media => self.variants.first().and_then(|only| only.digest),
                Is::Master(_) => self.own.digest,
            };
            asks.push(Question::Read {
                of: Of::Configured,
                location: Arc::clone(&self.configured),
                digest,
                variables: None,
            });
        }
        self.ask_variants(now, &mut asks);
        asks
    }

    fn ask_variants(&mut self, now: Now, asks: &mut Questions) {
        if !matches!(self.own.is, Is::Master(_)) {
            return;
        }
        for variant in self.variants.iter_mut().filter(|variant| matches!(variant.phase, Phase::Idle)) {
            if let Some(location) = variant.address().cloned() {
                variant.phase = Phase::Reading(now);
                asks.push(Question::Read {
                    of: Of::Variant(variant.id),
                    location,
                    digest: variant.digest,
                    variables: self.variables_of_master.clone(),
                });
            }
        }
    }

    /// A document was read, or not.
    pub(super) fn read(&mut self, now: Now, of: Of, read: Result<Read, ProbeError>) -> Questions {
        match of {
            Of::Configured => self.read_configured(now, read),
            Of::Variant(id) => match self.variants.iter_mut().position(|variant| variant.id == id) {
                Some(index) => self.read_variant(now, index, read),
                None => Questions::new(),
            },
        }
    }

    fn read_configured(&mut self, now: Now, read: Result<Read, ProbeError>) -> Questions {
        let since = self.own.reading.take().unwrap_or(now);
        let alone = !matches!(self.own.is, Is::Master(_));
        let Read { document, digest, playlist } = match read {
            Ok(read) => read,
            Err(error) => {
                if alone {
                    self.variants.iter_mut().for_each(|variant| variant.unanswered(&error));
                }
                return self.end_configured(since, now, Err(error));
            }
        };
        if alone {
            self.variants.iter_mut().for_each(|variant| variant.answered(&document));
        }
        match playlist {
            None => {
                if let Is::Master(reread) = &mut self.own.is {
                    reread.read(false);
                }
                self.end_configured(since, now, Ok(()))
            }
            Some(Err(error)) => self.end_configured(since, now, Err(error)),
            Some(Ok(Playlist::Master(master))) => {
                let adopted = self.adopt_master(now, &master, &document, digest);
                let mut asks = self.end_configured(since, now, adopted);
                self.ask_variants(now, &mut asks);
                asks
            }
            Some(Ok(Playlist::Presentation(presentation))) => {
                self.take_presentation(now, since, &presentation, &document)
            }
            Some(Ok(Playlist::Media(media))) => self.take_media(now, since, document, digest, media),
        }
    }

    /// The configured document is a media playlist: the stream's only variant, whatever it was before.
    fn take_media(&mut self, now: Now, since: Now, document: Document, digest: u64, media: Media) -> Questions {
        if let Some(error) = media.nothing_listed() {
            return self.end_configured(since, now, Err(error));
        }
        if self.own.is != Is::Media {
            if self.own.is != Is::Unknown {
                info!(stream = self.spec.stream, "what named variants became a media playlist");
            }
            let only = Entry::alone(ONLY_VARIANT);
            self.adopt(now, vec![(only, None)]);
            self.own.is = Is::Media;
            self.variants.iter_mut().for_each(|variant| variant.answered(&document));
        }
        let taken = Taken { document, digest: Some(digest), media, from: From::Playlist };
        self.end_own(now, None);
        self.take(now, since, 0, taken)
    }

    fn take_presentation(
        &mut self,
        now: Now,
        since: Now,
        presentation: &Presentation,
        document: &Document,
    ) -> Questions {
        let due = presentation.due(now.unix_seconds);
        if due.is_empty() {
            let error = ProbeError::new(Failure::Empty, "the manifest names no Representation");
            return self.end_configured(since, now, Err(error));
        }
        self.adopt(
            now,
            due.iter().map(|due| (Entry::of_representation(&due.name, due.bits_per_second), None)).collect(),
        );
        self.own.is = Is::Manifest;
        self.end_own(now, None);
        let mut asks = Questions::new();
        for Due { name, media, by_clock, .. } in due {
            let idle = |variant: &Variant| variant.uri == name && matches!(variant.phase, Phase::Idle);
            let Some(index) = self.variants.iter().position(idle) else { continue };
            if let Some(variant) = self.variants.get_mut(index) {
                variant.answered(document);
            }
            let from = if by_clock { From::Clock } else { From::Manifest };
            let taken = Taken { document: document.clone(), digest: None, media, from };
            asks.extend(self.take(now, since, index, taken));
        }
        asks
    }

    fn read_variant(&mut self, now: Now, index: usize, read: Result<Read, ProbeError>) -> Questions {
        let Some(variant) = self.variants.get_mut(index) else { return Questions::new() };
        let Phase::Reading(since) = std::mem::replace(&mut variant.phase, Phase::Idle) else { return Questions::new() };
        match &read {
            Ok(read) => variant.answered(&read.document),
            Err(error) => variant.unanswered(error),
        }
        let outcome = match read {
            Err(error) => Err(error),
            Ok(Read { playlist: None, .. }) => Ok(()),
            Ok(Read { document, digest, playlist: Some(playlist) }) => match playlist {
                Err(error) => Err(error),
                Ok(Playlist::Media(media)) => match media.nothing_listed() {
                    Some(error) => Err(error),
                    None => {
                        let taken = Taken { document, digest: Some(digest), media, from: From::Playlist };
                        return self.take(now, since, index, taken);
                    }
                },
                Ok(Playlist::Master(master)) if variant.nested.is_none() => match first_of(&master, &document.location)
                {
                    Ok(location) => {
                        let location = Arc::new(location);
                        variant.nested = Some(Arc::clone(&location));
                        variant.phase = Phase::Reading(since);
                        return smallvec![Question::Read {
                            of: Of::Variant(variant.id),
                            location,
                            digest: None,
                            variables: self.variables_of_master.clone()
                        }];
                    }
                    Err(error) => Err(error),
                },
                Ok(Playlist::Master(_) | Playlist::Presentation(_)) => {
                    Err(ProbeError::new(Failure::Malformed, "a variant names variants that name variants themselves"))
                }
            },
        };
        if outcome.is_err() {
            variant.nested = None;
        }
        self.end(index, since, now, outcome);
        Questions::new()
    }

    /// Takes a variant's list.
    fn take(&mut self, now: Now, since: Now, index: usize, taken: Taken) -> Questions {
        let window = self.spec.window;
        let Some(variant) = self.variants.get_mut(index) else { return Questions::new() };
        let step = variant.take(now, since, window, taken);
        self.step(now, since, index, step)
    }

    /// A segment was looked for.
    pub(super) fn found(&mut self, now: Now, id: u64, found: Result<Found, ProbeError>) -> Questions {
        let Some(index) = self.variants.iter().position(|variant| variant.id == id) else { return Questions::new() };
        let window = self.spec.window;
        let Some(variant) = self.variants.get_mut(index) else { return Questions::new() };
        let Phase::Looking(looking) = std::mem::replace(&mut variant.phase, Phase::Idle) else {
            return Questions::new();
        };
        let since = looking.since;
        let looking: Looking = *looking;
        let step = variant.found(now, window, looking, found);
        self.step(now, since, index, step)
    }

    fn step(&mut self, now: Now, since: Now, index: usize, step: Step) -> Questions {
        let Some(variant) = self.variants.get_mut(index) else { return Questions::new() };
        let outcome = match step {
            Step::Look(wanted) => return smallvec![Question::Look { of: variant.id, wanted }],
            Step::Done(outcome) => outcome,
        };
        let (stream, name) = (self.spec.stream.as_str(), &*variant.view.name);
        match &outcome {
            Ok(Change::Same) | Err(_) => {}
            Ok(change) => {
                let (newest, segments) = (variant.view.freshness.newest(), variant.view.listed.segments);
                self.notes.push(format!("{name}: {change:?} {newest:?}, {segments} segments"));
            }
        }
        if matches!(outcome, Ok(Change::WentBack)) && self.telling.may(now).is_some() {
            warn!(stream, variant = name, "the media sequence went back");
        }
        if matches!(outcome, Ok(Change::Repeated)) {
            variant.count(vec![Check::NumberingAlternates]);
        }
        self.end(index, since, now, outcome.map(|_| ()));
        self.compare_variants();
        Questions::new()
    }

    /// The attempt at the configured document ended.
    fn end_configured(&mut self, since: Now, now: Now, outcome: Result<(), ProbeError>) -> Questions {
        self.end_own(now, outcome.as_ref().err());
        self.record(since, now, outcome, true);
        Questions::new()
    }

    fn end_own(&mut self, now: Now, error: Option<&ProbeError>) {
        let failure = error.map(|error| error.reason);
        if let Some(error) = error.filter(|_| failure != self.own.failure)
            && self.telling.may(now).is_some()
        {
            warn!(who = self.spec.stream, source = "hls", %error, "source failed");
        }
        self.own.failure = failure;
    }

    /// The attempt at a variant ended.
    fn end(&mut self, index: usize, since: Now, now: Now, outcome: Result<(), ProbeError>) {
        let Some(variant) = self.variants.get_mut(index) else { return };
        let failure = outcome.as_ref().err().map(|error| error.reason);
        let before = std::mem::replace(&mut variant.view.failure, failure);
        let (stream, name, vital) = (self.spec.stream.as_str(), &*variant.view.name, variant.view.role.is_vital());
        let edge = before != failure && self.telling.may(now).is_some();
        match &outcome {
            Err(error) if edge => warn!(stream, variant = name, %error, "a variant cannot be read"),
            Ok(()) if edge => info!(stream, variant = name, "a variant can be read"),
            Ok(()) | Err(_) => {}
        }
        self.record(since, now, outcome, vital);
    }

    /// Records an attempt: the source is well while everything that viewers depend on is.
    fn record(&mut self, since: Now, now: Now, outcome: Result<(), ProbeError>, vital: bool) {
        if let Err(error) = &outcome {
            self.notes.push(error.to_string());
            if !vital {
                self.health.count(error.reason);
                return;
            }
        }
        let well = self.own.failure.is_none() && self.vital().all(|variant| variant.view.failure.is_none());
        if outcome.is_ok() && !well {
            return;
        }
        let recovered = self.health.record(now, now.since(since.mono), outcome) == Edge::Recovered;
        if recovered && self.telling.may(now).is_some() {
            info!(who = self.spec.stream, source = "hls", "source answers");
        }
    }

    fn vital(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(|variant| variant.view.role.is_vital())
    }

    /// Variants are judged beside one another whenever one of them has a new playlist, and those alone that have one.
    fn compare_variants(&mut self) {
        if self.variants.len() < 2 {
            return;
        }
        let video = |variant: &Variant| variant.view.role == Role::Video;
        let medias: Vec<Option<Arc<Media>>> =
            self.variants.iter().map(|variant| variant.media.clone().filter(|_| video(variant))).collect();
        for (index, variant) in self.variants.iter_mut().enumerate().filter(|(_, variant)| video(variant)) {
            let Some(Some(media)) = medias.get(index).filter(|_| std::mem::take(&mut variant.changed)) else {
                continue;
            };
            let beside = medias.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<&Media> = beside.filter_map(|(_, media)| media.as_deref()).collect();
            variant.count(violations_across(media, &others));
        }
    }
}

#[cfg(test)]
mod tests;
