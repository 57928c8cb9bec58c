//! What a page cannot tell of a publisher. Pure.

use super::publisher::{Listing, Publisher};
use crate::clock::Now;
use crate::config::Stream;
use crate::probe::playlist::{PlaylistView, flow_seconds, newest_segment, segments_flow};

/// Whether the last page cannot tell of the publisher, because segments flow without it: another worker answered, or the stream
/// comes by another way. One that its own worker let go is gone, until segments come that it cannot have sent.
#[must_use]
pub fn is_untold(now: Now, stream: &Stream, playlist: Option<&PlaylistView>, publisher: Option<&Publisher>) -> bool {
    if publisher.is_some_and(|publisher| publisher.is_present(now)) || !segments_flow(now, stream, playlist) {
        return false;
    }
    let Some(Listing::Gone(at)) = publisher.map(Publisher::listing) else { return true };
    let newest = newest_segment(now, stream, playlist).map_or(0.0, |segment| segment.age_seconds);
    now.since(at).as_secs_f64() - newest > flow_seconds(stream, None)
}
