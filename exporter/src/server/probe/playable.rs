//! Is a playlist playable? What a player does before its first picture: the list, a variant of it, and the newest segment of that.

use std::time::{Duration, Instant};

use crate::config::Location;
use crate::fetch::{Ask, Document, Fetcher};
use crate::health::{Failure, ProbeError};
use crate::probe::playlist::dash::Presentation;
use crate::probe::playlist::{self, ByteRange, Context, Media, Playlist, Variables};

/// A live list that its server says has not changed for so many target durations is dead: viewers have played it to its end. One per
/// target duration is the rule (RFC 8216 §6.2.1), and three of them lie between the newest segment and what is played (§6.3.3).
const TARGET_DURATIONS_MAX: u64 = 3;

/// Never less: caches, and clocks that tell whole seconds.
const AGE_MIN: Duration = Duration::from_secs(30);

/// A master may name a master, as players allow; not without end.
const MASTERS_MAX: usize = 2;

/// What was found on the way, also where it ended early.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Since the media playlist changed, by the server's own clock.
    pub(super) age: Option<Duration>,
    /// Segments that it lists.
    pub(super) segments: Option<usize>,
    /// Variants that the master playlist names.
    pub(super) variants: Option<usize>,
    /// `EXT-X-TARGETDURATION`.
    pub(super) target_duration_seconds: Option<u64>,
    /// No segments will follow.
    pub(super) ended: Option<bool>,
    /// Of the newest segment, where the server tells.
    pub(super) segment_bytes: Option<u64>,
}

/// Asks until a segment is found.
pub(super) struct Asking<'a> {
    pub(super) fetcher: &'a Fetcher,
    pub(super) deadline: Instant,
    /// Of now, for what is due by the clock.
    pub(super) unix_seconds: f64,
    pub(super) seen: Seen,
}

fn refuse<T>(reason: Failure, message: impl Into<String>) -> Result<T, ProbeError> {
    Err(ProbeError::new(reason, message))
}

impl Asking<'_> {
    /// Whether a viewer who comes now can play: the newest segment of the first variant that has an address is there, and its list is
    /// not as old as one that is dead. A list that has ended is played from its beginning, whatever its age.
    ///
    /// # Errors
    /// What is not there, or not as it should be.
    pub(super) async fn play(&mut self, location: Location) -> Result<(), ProbeError> {
        let (mut location, mut variables) = (location, Variables::default());
        for _ in 0..=MASTERS_MAX {
            let document = self.fetcher.get(&location, self.left()).await?;
            let context = Context::new(&document.location, Some(&variables));
            match playlist::parse_beside(&document.body, context).await? {
                Playlist::Master(master) => {
                    self.seen.variants.get_or_insert(master.named.len());
                    location = playlist::first_of(&master, &document.location)?;
                    variables = master.variables;
                }
                Playlist::Media(media) => return self.play_list(&media, &document).await,
                Playlist::Presentation(presentation) => return self.play_due(&presentation, &document).await,
            }
        }
        refuse(Failure::Malformed, "masters that name masters that name masters")
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn look(&mut self, media: &Media) {
        self.seen.segments = Some(media.segments);
        self.seen.target_duration_seconds = media.target_duration_seconds;
        self.seen.ended = Some(media.ended);
    }

    async fn play_list(&mut self, media: &Media, document: &Document) -> Result<(), ProbeError> {
        self.look(media);
        self.seen.age = document.age;
        self.find_newest(media, document).await?;
        let target = Duration::from_secs(media.target_duration_seconds.unwrap_or(0).min(3600) * TARGET_DURATIONS_MAX);
        match document.age {
            Some(age) if age > target.max(AGE_MIN) && !media.ended => {
                refuse(Failure::Silent, format!("a live list that has not changed for {age:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Of what is due by the clock the newest segment may be late, and the one before it may not.
    async fn play_due(&mut self, presentation: &Presentation, document: &Document) -> Result<(), ProbeError> {
        self.seen.variants = Some(presentation.variants());
        self.seen.age = document.age;
        let due = presentation.due(self.unix_seconds);
        let Some(first) = due.into_iter().find(|due| due.media.newest.is_some()) else {
            return refuse(Failure::Empty, "no segment is due");
        };
        self.look(&first.media);
        let before = first.media.recent.iter().rev().nth(1).filter(|_| first.by_clock);
        match (self.find_newest(&first.media, document).await, before) {
            (Err(error), Some(before)) if error.reason == Failure::Missing => {
                self.find(document, &before.uri, before.range).await
            }
            (found, _) => found,
        }
    }

    async fn find_newest(&mut self, media: &Media, document: &Document) -> Result<(), ProbeError> {
        match &media.newest {
            Some(newest) => self.find(document, &newest.uri, newest.range).await,
            None => refuse(Failure::Empty, "the list has no segment that is there"),
        }
    }

    async fn find(&mut self, document: &Document, uri: &str, range: Option<ByteRange>) -> Result<(), ProbeError> {
        let segment = playlist::resolve(&document.location, uri)?;
        let found = self.fetcher.find_segment(&segment, range, Ask::Head, self.left()).await?;
        self.seen.segment_bytes = found.bytes;
        Ok(())
    }
}
