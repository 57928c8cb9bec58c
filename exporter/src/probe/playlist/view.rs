//! What is polled of a stream's playlists, and what is known of them. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::conformance::Check;
use super::freshness::Freshness;
use super::memory::{Advance, Remembered};
use super::roster::Role;
use super::variant::VariantView;
use crate::clock::Now;
use crate::config::Location;
use crate::health::{Failure, Health};
use crate::reach::Named;

/// The `variant` label of a playlist that has no master.
pub(super) const ONLY_VARIANT: &str = "media";

/// Variants of one stream that are watched; of a master that names more, those that viewers depend on come first.
pub const VARIANTS_MAX: usize = 32;

/// What is polled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaylistSpec {
    /// The stream, for labels.
    pub stream: String,
    /// Where its master or media playlist is.
    pub playlist: Location,
    /// Between two polls.
    pub interval: Duration,
    /// For each request.
    pub timeout: Duration,
    /// How long a segment that was seen is not new again.
    pub window: Duration,
    /// Where it may lead besides.
    pub reach: Arc<Named>,
}

/// What is known of a stream's playlists.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaylistView {
    /// Of all requests that viewers depend on, together.
    pub health: Health,
    /// At least one, also before anything was seen. Most streams have one, which then lies where the scrape looks anyway.
    pub variants: SmallVec<[VariantView; 1]>,
    /// How often each rule was broken by the master playlist itself.
    pub master_violations: BTreeMap<Check, u64>,
    /// Playlists that are named beyond [`VARIANTS_MAX`].
    pub unwatched: usize,
    /// Why the configured document could not be read the last time.
    pub failure: Option<Failure>,
}

impl PlaylistView {
    /// Before the first poll: what is remembered, or one variant, ageing from now.
    #[must_use]
    pub fn starting(stream: &str, now: Now, remembered: &Remembered) -> Self {
        let variants = placeholders(stream, now, remembered);
        let (health, master_violations) = (Health::default(), BTreeMap::new());
        Self { health, variants, master_violations, unwatched: 0, failure: None }
    }

    /// When each variant that was ever seen last advanced, as known `now`.
    pub fn advances(&self, stream: &str, now: Now) -> impl Iterator<Item = ((String, String), Advance)> {
        self.variants.iter().filter_map(move |variant| {
            let newest = variant.freshness.newest()?.clone();
            let unix_seconds = variant.freshness.remembered_advance_unix_seconds(now);
            let (role, signature, runs) = (variant.role, variant.signature, variant.freshness.runs());
            let advance = Advance { newest, unix_seconds, role, signature, runs };
            Some(((stream.to_owned(), variant.name.to_string()), advance))
        })
    }
}

/// The variants of a stream of which nothing was read yet: those that are remembered, or one.
pub(super) fn placeholders(stream: &str, now: Now, remembered: &Remembered) -> SmallVec<[VariantView; 1]> {
    let known: SmallVec<_> = remembered.variants(stream, now).take(VARIANTS_MAX).collect();
    if known.is_empty() {
        return smallvec![VariantView::new(stream, ONLY_VARIANT, Role::Video, Freshness::never_seen(now))];
    }
    known
}
