//! Whom a master, a manifest or a list of its own makes the variants of a stream: those that are known go on with all that is known of
//! them.

use std::sync::Arc;

use tracing::warn;

use super::super::address::resolve;
use super::super::conformance::{Check, violations_of_master};
use super::super::freshness::Freshness;
use super::super::hls::MasterPlaylist;
use super::super::reread::Reread;
use super::super::roster::{Entry, Signature, entries, recognise};
use super::super::variant::{Phase, Variant, VariantView, count, not_identifiable};
use super::super::view::VARIANTS_MAX;
use super::{Is, Playlists};
use crate::clock::Now;
use crate::config::Location;
use crate::fetch::{Ask, Document};
use crate::health::{Failure, ProbeError};

/// Variants that left and are remembered.
const DEPARTED_MAX: usize = VARIANTS_MAX;

impl Playlists {
    pub(super) fn adopt_master(
        &mut self,
        now: Now,
        master: &MasterPlaylist,
        document: &Document,
        digest: u64,
    ) -> Result<(), ProbeError> {
        let mut found = Vec::new();
        let mut unusable = Vec::new();
        for entry in entries(master) {
            match resolve(&document.location, &entry.uri) {
                Ok(location) => found.push((entry, Some(Arc::new(location)))),
                Err(error) => unusable.push(ProbeError::from(error)),
            }
        }
        if found.is_empty() {
            let error = unusable.pop().unwrap_or_else(|| ProbeError::new(Failure::Empty, "the master names nothing"));
            return Err(error);
        }
        if self.own.digest != Some(digest) {
            count(&mut self.master_violations, violations_of_master(master));
            count(&mut self.master_violations, not_identifiable(document));
            if !unusable.is_empty() && master.unusable == 0 {
                count(&mut self.master_violations, vec![Check::UnusableEntry]);
            }
        }
        self.own.digest = Some(digest);
        let defines = !master.variables.is_empty();
        self.variables_of_master = defines.then(|| Arc::new(master.variables.clone()));
        let moved = self.adopt(now, found);
        match &mut self.own.is {
            Is::Master(reread) => reread.read(moved),
            Is::Unknown | Is::Media | Is::Manifest => self.own.is = Is::Master(Reread::default()),
        }
        Ok(())
    }

    /// Makes entries the variants of the stream: those that are known go on with all that is known of them. Whether one of them moved.
    pub(super) fn adopt(&mut self, now: Now, entries: Vec<(Entry, Option<Arc<Location>>)>) -> bool {
        let unwatched = entries.len().saturating_sub(VARIANTS_MAX);
        if unwatched > self.unwatched {
            let names: Vec<_> = entries.iter().skip(VARIANTS_MAX).take(10).map(|(entry, _)| entry.name()).collect();
            let stream = self.spec.stream.as_str();
            warn!(
                stream,
                unwatched,
                ?names,
                "only {VARIANTS_MAX} variants are watched, those that viewers depend on first"
            );
        }
        self.unwatched = unwatched;
        let (entries, locations): (Vec<Entry>, Vec<_>) = entries.into_iter().take(VARIANTS_MAX).unzip();
        let mut old = std::mem::take(&mut self.variants);
        if self.own.is == Is::Unknown {
            // A placeholder that is not even remembered is nobody.
            old.retain(|variant| variant.view.freshness.newest().is_some());
        }
        let present = old.len();
        old.append(&mut self.departed);
        let known: Vec<_> = old.iter().enumerate().map(|(index, old)| old.known(index < present)).collect();
        let recognised = recognise(&known, &entries);
        drop(known);
        let all_stay = recognised.iter().flatten().filter(|index| **index < present).count() == present;
        let before = self.stood_still(now, old.get(..present).unwrap_or_default(), all_stay);
        let since = if self.own.is == Is::Unknown { self.started } else { now };
        let mut old: Vec<Option<Variant>> = old.into_iter().map(Some).collect();
        let known: Vec<_> = recognised.into_iter().map(|index| old.get_mut(index?).and_then(Option::take)).collect();
        // Those that were present before left last.
        old.rotate_left(present);
        let mut left: Vec<Variant> = old.into_iter().flatten().collect();
        let mut moved = false;
        for ((entry, location), known) in entries.into_iter().zip(locations).zip(known) {
            let variant = match known {
                Some(mut variant) => {
                    if variant.location != location {
                        (variant.location, variant.nested) = (location, None);
                        moved = true;
                    }
                    variant
                }
                None => {
                    let view = self.new_view(now, since, &entry, before.as_ref(), &mut left);
                    let mut variant = self.variant(entry.signature.clone(), entry.uri.clone(), view);
                    variant.location = location;
                    variant
                }
            };
            self.variants.push(variant.named_by(entry));
        }
        left.drain(..left.len().saturating_sub(DEPARTED_MAX));
        self.departed = left;
        // Almost all streams have one, and there may be ten thousand streams.
        self.variants.shrink_to_fit();
        self.departed.shrink_to_fit();
        moved
    }

    /// What all variants that viewers depend on stood still on goes on, whoever takes their place; so does what was never seen. Where all of
    /// them stay, nobody takes anybody's place.
    fn stood_still(&self, now: Now, old: &[Variant], all_stay: bool) -> Option<Freshness> {
        let vital = || old.iter().filter(|variant| variant.view.role.is_vital());
        let youngest = vital().map(|variant| &variant.view.freshness).min_by_key(|freshness| freshness.age(now))?;
        if vital().all(|variant| variant.view.freshness.newest().is_none()) {
            return Some(youngest.clone());
        }
        let overdue = !all_stay && vital().all(|variant| variant.is_overdue(now, self.spec.interval));
        overdue.then(|| Freshness::in_place_of(youngest))
    }

    /// Of an entry that nobody knows. Where many have left, it takes the name of the one that left first: a master that names others at
    /// each look makes no new series for ever.
    fn new_view(
        &self,
        now: Now,
        since: Now,
        entry: &Entry,
        before: Option<&Freshness>,
        left: &mut Vec<Variant>,
    ) -> VariantView {
        let stream = &self.spec.stream;
        let taken = |name: &str| self.variants.iter().chain(&*left).any(|variant| *variant.view.name == *name);
        let remembered =
            self.remembered.variant(stream, entry.signature.digest(), now).filter(|view| !taken(&view.name));
        if let Some(view) = remembered {
            return view;
        }
        let name = entry.name();
        let mut name = (1..)
            .map(|n: u32| if n == 1 { name.clone() } else { format!("{name}#{n}") })
            .find(|name| !taken(name))
            .unwrap_or_default();
        let mut freshness = match before {
            Some(before) => before.clone(),
            None => self.remembered.freshness(stream, &name, since),
        };
        if left.len() >= DEPARTED_MAX {
            let first = left.remove(0);
            name = first.view.name.to_string();
            if before.is_none() {
                freshness = Freshness::never_seen(since);
            }
        }
        VariantView::new(stream, &name, entry.role, freshness)
    }

    pub(super) fn variant(&mut self, signature: Signature, uri: String, view: VariantView) -> Variant {
        self.next_id += 1;
        Variant {
            id: self.next_id,
            uri,
            location: None,
            nested: None,
            signature,
            phase: Phase::Idle,
            changed: false,
            digest: None,
            ask: Ask::default(),
            media: None,
            view,
        }
    }
}
