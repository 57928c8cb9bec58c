//! What of playlists must survive a probe: when each variant last advanced. Without it, a restart during an outage would make the outage
//! look new. Pure; the file that keeps it is the program's.

use std::collections::BTreeMap;

use super::freshness::{Freshness, Run};
use super::media::Identity;
use super::roster::Role;
use super::variant::VariantView;
use crate::clock::Now;

/// How long what is watched no more is remembered.
const DAY_SECONDS: f64 = 86_400.0;

/// What earlier runs saw, by stream and variant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    variants: BTreeMap<(String, String), Advance>,
}

/// The last advance of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// To which segment.
    pub newest: Identity,
    /// When, by the wall clock.
    pub unix_seconds: f64,
    /// What the variant is to viewers.
    pub role: Role,
    /// What tells it from others, wherever it lies.
    pub signature: Option<u64>,
    /// The numbers that were seen lately.
    pub runs: Vec<Run>,
}

impl FromIterator<((String, String), Advance)> for Remembered {
    fn from_iter<I: IntoIterator<Item = ((String, String), Advance)>>(advances: I) -> Self {
        Self { variants: advances.into_iter().collect() }
    }
}

impl Remembered {
    /// Each last advance, by stream and variant.
    pub fn advances(&self) -> impl Iterator<Item = (&(String, String), &Advance)> {
        self.variants.iter()
    }

    /// With what is not known here as `older` has it, unless that is over a day old `now`: whoever publishes chooses names, and they
    /// shall not be kept for ever.
    #[must_use]
    pub fn over(mut self, older: &Self, now: Now) -> Self {
        let is_recent = |advance: &Advance| now.unix_seconds - advance.unix_seconds < DAY_SECONDS;
        for (key, advance) in older.variants.iter().filter(|(_, advance)| is_recent(advance)) {
            self.variants.entry(key.clone()).or_insert_with(|| advance.clone());
        }
        self
    }

    /// How fresh a variant is, going by memory; never seen without any.
    #[must_use]
    pub fn freshness(&self, stream: &str, variant: &str, now: Now) -> Freshness {
        match self.variants.get(&(stream.to_owned(), variant.to_owned())) {
            Some(advance) => advance.freshness(now),
            None => Freshness::never_seen(now),
        }
    }

    /// A stream's variants that viewers depend on, as they were last.
    pub fn variants(&self, stream: &str, now: Now) -> impl Iterator<Item = VariantView> {
        self.of_stream(stream).filter(|(_, advance)| advance.role.is_vital()).map(move |known| view(known, now))
    }

    /// The variant of this signature, as it was last.
    #[must_use]
    pub fn variant(&self, stream: &str, signature: u64, now: Now) -> Option<VariantView> {
        let known = self.of_stream(stream).find(|(_, advance)| advance.signature == Some(signature))?;
        Some(view(known, now))
    }

    fn of_stream(&self, stream: &str) -> impl Iterator<Item = Known<'_>> {
        let first = (stream.to_owned(), String::new());
        self.variants.range(first..).take_while(move |((of, _), _)| of == stream)
    }
}

/// A stream's and a variant's name, and its last advance.
type Known<'a> = (&'a (String, String), &'a Advance);

fn view(((stream, name), advance): Known<'_>, now: Now) -> VariantView {
    let mut view = VariantView::new(stream, name, advance.role, advance.freshness(now));
    view.signature = advance.signature;
    view
}

impl Advance {
    fn freshness(&self, now: Now) -> Freshness {
        Freshness::remembered(now, self.newest.clone(), self.unix_seconds, &self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::playlist::Sight;
    use std::time::Duration;

    fn remembered() -> Remembered {
        let newest = Identity { sequence: 8, discontinuity: 1, parts: 0, uri: "main-8.ts".to_owned(), range: None };
        let advance = Advance { newest, unix_seconds: 1000.5, role: Role::Video, signature: Some(7), runs: Vec::new() };
        Remembered::from_iter([(("main".to_owned(), "media".to_owned()), advance)])
    }

    #[test]
    fn what_is_watched_no_more_is_forgotten_after_a_day() {
        let at = |unix_seconds| Now { mono: Duration::ZERO, unix_seconds };
        assert_eq!(Remembered::default().over(&remembered(), at(80_000.0)), remembered());
        assert_eq!(Remembered::default().over(&remembered(), at(90_000.0)), Remembered::default());
    }

    #[test]
    fn an_outage_goes_on_across_a_restart() {
        let now = Now { mono: Duration::from_secs(3), unix_seconds: 1120.5 };
        let mut known = remembered().freshness("main", "media", now);
        assert_eq!(known.age(now), Duration::ZERO, "nobody looked yet");
        known.looked();
        assert_eq!(known.age(now), Duration::from_secs(120));
        // The same segment is still the newest, whatever the server says of its age.
        let newest = known.newest().unwrap().clone();
        let (age, target_duration, window) = (Some(Duration::ZERO), None, Duration::from_secs(60));
        let sight = Sight { newest: &newest, first: 3, segments: 6, age, target_duration, window };
        let _ = known.observe(now, &sight);
        assert_eq!(known.age(now), Duration::from_secs(120));
        assert_eq!(remembered().freshness("other", "media", now).age(now), Duration::ZERO);
        let before = Now { unix_seconds: 900.0, ..now };
        assert_eq!(
            remembered().freshness("main", "media", before).age(before),
            Duration::ZERO,
            "a clock that went back"
        );
    }
}
