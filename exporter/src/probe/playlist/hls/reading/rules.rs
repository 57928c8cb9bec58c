//! What is counted while a playlist is read, for the checks.

use quick_m3u8::tag::hls::{Daterange, EnumeratedString, Key, Method};

use super::unix_seconds;
use crate::probe::playlist::media::Tally;

/// What the lines so far mean for the next.
#[derive(Default)]
pub(super) struct Rules {
    break_is_open: Option<bool>,
    /// The key in force is of method `AES-128` and has no `IV`.
    key_lacks_iv: bool,
}

impl Rules {
    /// A break begins or ends. The first cue of a list is not judged: its partner may have left already.
    pub(super) fn cue(&mut self, tally: &mut Tally, out: bool) {
        let alone = self.break_is_open.replace(out) == Some(out);
        tally.cues_without_partner += usize::from(alone);
    }

    pub(super) fn key(&mut self, tally: &mut Tally, key: &Key<'_>) {
        let method = key.method();
        let encrypted = method != EnumeratedString::Known(Method::None);
        let attributes = [key.uri(), key.iv(), key.keyformatversions()];
        tally.keys_without_uri += usize::from(encrypted && key.uri().is_none());
        tally.none_keys_with_attributes += usize::from(!encrypted && attributes.iter().any(Option::is_some));
        self.key_lacks_iv = method == EnumeratedString::Known(Method::Aes128) && key.iv().is_none();
        if key.keyformatversions().is_some() {
            tally.needs_version(5);
        } else if key.iv().is_some() {
            tally.needs_version(2);
        }
    }

    pub(super) fn map(&self, tally: &mut Tally) {
        tally.maps_without_iv += usize::from(self.key_lacks_iv);
        tally.needs_version(6);
    }

    pub(super) fn date_range(&mut self, tally: &mut Tally, range: &Daterange<'_>) {
        tally.date_ranges += 1;
        tally.bad_date_ranges += usize::from(contradicts_itself(range));
        if range.scte35_out().is_some() {
            self.cue(tally, true);
        } else if range.scte35_in().is_some() {
            self.cue(tally, false);
        }
    }
}

impl Tally {
    /// Something needs a version (RFC 8216 §7).
    pub(super) const fn needs_version(&mut self, version: u64) {
        if self.version_needed < version {
            self.version_needed = version;
        }
    }
}

/// It ends before it begins, lasts less than nothing, or lasts until the next of its class and has no class, or an end of its own.
fn contradicts_itself(range: &Daterange<'_>) -> bool {
    let ends = range.end_date();
    let seconds = |date: String| unix_seconds(&date).map(|(seconds, _)| seconds);
    let [start, end] = [range.start_date(), ends].map(|date| seconds(date?.to_string()));
    let backwards = matches!((start, end), (Some(start), Some(end)) if end < start);
    let negative = [range.duration(), range.planned_duration()].into_iter().flatten().any(|seconds| seconds < 0.0);
    let on_next = range.end_on_next() && (range.class().is_none() || range.duration().is_some() || ends.is_some());
    backwards || negative || on_next
}
