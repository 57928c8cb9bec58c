//! A viewer who began three target durations behind the end, or as far back as the list reaches, and plays in real time: how many seconds could they still play?
//!
//! It runs dry before the segment age says that much is wrong, and it fills slowly after an outage, as viewers' buffers do. Pure.

use std::time::Duration;

use super::media::{Media, Segment};
use crate::clock::Now;

/// The virtual viewer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlayerBuffer {
    filled: Option<Filled>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Filled {
    at: Duration,
    seconds: f64,
    /// The sequence number after the newest segment.
    end: u64,
}

impl PlayerBuffer {
    /// Takes a playlist whose newest segment changed.
    pub fn observe(&mut self, now: Now, media: &Media) {
        let end = media.media_sequence.saturating_add(media.segments as u64);
        let target = media.target_duration_seconds.unwrap_or(0) as f64;
        // Players begin with what there is: many packagers list two or three segments (RFC 8216 §6.3.3).
        let start = (3.0 * target).min(media.listed_seconds);
        let left = self.seconds(now);
        let seconds = match self.filled {
            Some(filled) if end >= filled.end && left > 0.0 => {
                let new = media.recent.iter().filter(|segment| segment.sequence >= filled.end && !segment.gap);
                let seconds = |segment: &Segment| if segment.seconds > 0.0 { segment.seconds } else { target };
                let added: f64 = new.map(seconds).sum();
                // More than is listed cannot be ahead of a viewer.
                (left + added).min(media.listed_seconds)
            }
            // A player begins, and begins again after it ran dry.
            Some(_) | None => start,
        };
        self.filled = Some(Filled { at: now.mono, seconds, end });
    }

    /// What the viewer could still play; 0 before anything was seen.
    #[must_use]
    pub fn seconds(&self, now: Now) -> f64 {
        self.filled.map_or(0.0, |filled| (filled.seconds - now.since(filled.at).as_secs_f64()).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::playlist::{Context, Playlist, parse};
    use proptest::prelude::*;

    fn at(seconds: u64) -> Now {
        Now { mono: Duration::from_secs(seconds), unix_seconds: 0.0 }
    }

    fn media(first: u64, last: u64) -> Media {
        let segments: String = (first..=last).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
        let body = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}");
        match parse(body.as_bytes(), &Context::default()) {
            Ok(Playlist::Media(media)) => media,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_stays_full_runs_dry_and_fills_again() {
        let mut buffer = PlayerBuffer::default();
        let mut levels = vec![buffer.seconds(at(0))];
        for second in (0..10).step_by(2) {
            buffer.observe(at(second), &media(second / 2, second / 2 + 5));
            levels.push(buffer.seconds(at(second)));
        }
        // Nothing comes for twenty seconds, then three segments at once.
        levels.extend([10, 12, 14, 20].map(|second| buffer.seconds(at(second))));
        buffer.observe(at(28), &media(7, 12));
        levels.push(buffer.seconds(at(28)));
        assert_eq!(levels, [0.0, 6.0, 6.0, 6.0, 6.0, 6.0, 4.0, 2.0, 0.0, 0.0, 6.0]);
    }

    proptest! {
        /// Whatever is listed whenever: never negative, no more than is listed or a player begins with, and it never fills by itself.
        #[test]
        fn it_stays_between_nothing_and_what_is_listed(steps in proptest::collection::vec((0_u64..30, 0_u64..50, 0_u64..10), 1..50)) {
            let mut buffer = PlayerBuffer::default();
            let mut second = 0;
            for (pause, first, more) in steps {
                let before = buffer.seconds(at(second));
                second += pause;
                prop_assert!(buffer.seconds(at(second)) <= before);
                let media = media(first, first + more);
                buffer.observe(at(second), &media);
                let most = media.listed_seconds.max(6.0);
                prop_assert!((0.0..=most).contains(&buffer.seconds(at(second))), "{} of {most}", buffer.seconds(at(second)));
            }
        }
    }

    #[test]
    fn a_list_of_two_segments_keeps_a_viewer_going() {
        let mut buffer = PlayerBuffer::default();
        let levels: Vec<_> = (0..4)
            .map(|n| {
                buffer.observe(at(2 * n), &media(n, n + 1));
                (buffer.seconds(at(2 * n)), buffer.seconds(at(2 * n + 1)))
            })
            .collect();
        assert_eq!(levels, [(4.0, 3.0); 4]);
    }

    #[test]
    fn a_packager_that_begins_anew_is_a_new_viewing() {
        let mut buffer = PlayerBuffer::default();
        buffer.observe(at(0), &media(100, 105));
        let mut levels = Vec::new();
        for last in 0..4 {
            buffer.observe(at(20 + 2 * last), &media(0, last));
            levels.push(buffer.seconds(at(20 + 2 * last)));
        }
        assert_eq!(levels, [2.0, 4.0, 4.0, 4.0]);
    }
}
