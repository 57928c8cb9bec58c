//! Thresholds that a stream cannot keep, however healthy it is: its segments are longer than that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tracing::warn;

use crate::config::{Expect, Stream};
use crate::probe::playlist::PlaylistView;
use crate::probe_fleet::Watched;

/// The smallest threshold of the segment age that a healthy stream stays below; none before a playlist tells its target duration.
///
/// A server may take one and a half target durations to list the next segment (RFC 8216 §6.2.1), and it is seen one interval later.
#[must_use]
pub fn sensible_segment_age(stream: &Stream, playlist: &PlaylistView) -> Option<Duration> {
    let grows = |ended: bool| !(ended && stream.expect == Expect::Event);
    let counted = stream.counting.of(&playlist.variants).filter(|(_, counts)| *counts);
    let growing = counted.map(|(variant, _)| variant).filter(|variant| grows(variant.listed.ended));
    let longest = growing.filter_map(|variant| variant.listed.target_duration_seconds).max()?;
    // Beyond an hour it is a mistake of the playlist's, and conformance tells of it.
    let target = Duration::from_secs(longest.min(3600));
    Some(target * 3 / 2 + stream.timing.interval)
}

/// What was said of streams whose threshold is too small.
#[derive(Debug, Default)]
pub struct Warnings {
    said: BTreeMap<String, Duration>,
}

impl Warnings {
    /// Says of each stream, once for each smallest threshold it has, that the configured one is below it.
    pub fn look(&mut self, watched: &Watched) {
        for (stream, least) in self.news(watched) {
            let threshold = stream.thresholds.segment_age_seconds;
            warn!(
                stream = stream.name,
                threshold,
                least = least.as_secs_f64(),
                "thresholds.segment_age_seconds is below what this stream's segments need: its alert will come and go"
            );
        }
    }

    fn news<'a>(&mut self, watched: &'a Watched) -> Vec<(&'a Stream, Duration)> {
        let present: BTreeSet<&str> = watched.streams.iter().map(|stream| stream.config.name.as_str()).collect();
        self.said.retain(|name, _| present.contains(name.as_str()));
        let mut news = Vec::new();
        for stream in &watched.streams {
            let config = stream.config.as_ref();
            let least = stream.sources.playlist.as_ref().and_then(|view| sensible_segment_age(config, &view.borrow()));
            let Some(least) = least else { continue };
            if config.thresholds.segment_age_seconds >= least.as_secs_f64() {
                self.said.remove(&config.name);
            } else if self.said.insert(config.name.clone(), least) != Some(least) {
                news.push((config, least));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use tokio::sync::watch;
    use vvtv_toolkit::render::Labels;

    use crate::clock::Now;
    use crate::config::Config;
    use crate::probe::Receivers;
    use crate::probe::playlist::Remembered;
    use crate::probe_fleet::WatchedStream;

    const NOTHING: [u64; 0] = [];

    fn playlists(target_durations: &[Option<u64>]) -> PlaylistView {
        let start = Now { mono: Duration::ZERO, unix_seconds: 0.0 };
        let mut view = PlaylistView::starting("a", start, &Remembered::default());
        let only = view.variants.remove(0);
        for target in target_durations {
            let mut variant = only.clone();
            variant.listed.target_duration_seconds = *target;
            view.variants.push(variant);
        }
        view
    }

    fn stream(expect: &str) -> Arc<Stream> {
        let text = format!("streams: [{{name: a, playlist: a.m3u8, expect: {expect}}}]");
        Arc::clone(&Config::parse("test", &text).unwrap().streams[0])
    }

    #[test]
    fn one_and_a_half_of_the_longest_target_duration_and_a_look() {
        let live = stream("live");
        assert_eq!(sensible_segment_age(&live, &playlists(&[None])), None);
        assert_eq!(sensible_segment_age(&live, &playlists(&[Some(2), Some(6), None])), Some(Duration::from_secs(10)));
        assert_eq!(sensible_segment_age(&live, &playlists(&[Some(12)])), Some(Duration::from_secs(19)));
        let mut ended = playlists(&[Some(12)]);
        ended.variants[0].listed.ended = true;
        assert_eq!(sensible_segment_age(&live, &ended), Some(Duration::from_secs(19)));
        assert_eq!(sensible_segment_age(&stream("event"), &ended), None);
        assert_eq!(sensible_segment_age(&live, &playlists(&[Some(u64::MAX)])), Some(Duration::from_secs(5401)));
    }

    #[test]
    fn it_is_said_once_for_each_value() {
        let (sender, view) = watch::channel(Arc::new(playlists(&[None])));
        let streams = vec![WatchedStream {
            config: stream("live"),
            labels: Labels::NONE,
            sources: Receivers { playlist: Some(view), ..Receivers::default() },
        }];
        let watched = Watched { streams, ..Watched::default() };
        let mut warnings = Warnings::default();
        let mut said = |targets: &[Option<u64>]| {
            sender.send_replace(Arc::new(playlists(targets)));
            warnings.news(&watched).into_iter().map(|(_, least)| least.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(said(&[None]), NOTHING);
        assert_eq!(said(&[Some(6)]), NOTHING, "10 s are just enough");
        assert_eq!(said(&[Some(12)]), [19]);
        assert_eq!(said(&[Some(12)]), NOTHING);
        assert_eq!(said(&[None]), NOTHING, "a playlist that is away for a while says nothing new");
        assert_eq!(said(&[Some(12)]), NOTHING);
        assert_eq!(said(&[Some(13)]), [20]);
        assert_eq!(said(&[Some(2)]), NOTHING);
        assert_eq!(said(&[Some(13)]), [20]);
    }
}
