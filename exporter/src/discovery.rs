//! Which streams a server's publishers make. Pure: a stream that is watched is not displaced by a newcomer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Stream, StreamsFrom};
use crate::probe::nginx_stat::StreamKey;

/// The streams of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// Watched, by publisher.
    pub streams: BTreeMap<StreamKey, Arc<Stream>>,
    /// Publishers that are not watched: beyond the limit, or of a name that another stream has.
    pub refused: usize,
}

impl Discovered {
    /// Takes the publishers of a page; `taken` are the names of other streams.
    #[must_use]
    pub fn after<'a>(
        &self,
        from: &StreamsFrom,
        publishers: impl Iterator<Item = &'a StreamKey>,
        taken: &BTreeSet<&str>,
    ) -> Self {
        let mut streams = BTreeMap::new();
        let mut newcomers = Vec::new();
        for key in publishers {
            match self.streams.get(key) {
                Some(stream) if !taken.contains(stream.name.as_str()) => {
                    streams.insert(key.clone(), Arc::clone(stream));
                }
                Some(_) | None => newcomers.extend(from.stream(&key.0, &key.1).map(|stream| (key, stream))),
            }
        }
        let mut names: BTreeSet<String> = streams.values().map(|stream| stream.name.clone()).collect();
        let mut refused = 0;
        for (key, stream) in newcomers {
            let free = !taken.contains(stream.name.as_str()) && !names.contains(&stream.name);
            if free && streams.len() < from.limit {
                names.insert(stream.name.clone());
                streams.insert(key.clone(), Arc::new(stream));
            } else {
                refused += 1;
            }
        }
        Self { streams, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_watched_stay_the_limit_holds_and_names_are_unique() {
        let text =
            "streams: []\nstreams_from:\n  - {nginx_stat: 'http://a/stat', ingest: 'rtmp://a/live/{name}', limit: 2}\n";
        let config = Config::parse("exporter.yml", text).unwrap();
        let from = &config.streams_from[0];
        let keys =
            |names: &[&str]| names.iter().map(|name| ("live".to_owned(), (*name).to_owned())).collect::<Vec<_>>();
        let names = |found: &Discovered| found.streams.values().map(|stream| stream.name.clone()).collect::<Vec<_>>();
        let taken = BTreeSet::from(["main"]);
        let first = Discovered::default().after(from, keys(&["main", "x", "y"]).iter(), &taken);
        assert_eq!((names(&first), first.refused), (vec!["x".to_owned(), "y".to_owned()], 1));
        let second = first.after(from, keys(&["a", "x", "y"]).iter(), &taken);
        assert_eq!((names(&second), second.refused), (names(&first), 1));
        assert!(second.streams.values().zip(first.streams.values()).all(|(a, b)| Arc::ptr_eq(a, b)));
        let third = second.after(from, keys(&["a", "y"]).iter(), &taken);
        assert_eq!((names(&third), third.refused), (vec!["a".to_owned(), "y".to_owned()], 0));
    }
}
