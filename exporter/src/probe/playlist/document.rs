//! A document that was asked for as a playlist: HLS or MPEG-DASH, told by what it says. Pure.

use super::dash::{self, Presentation};
use super::hls::{self, Context, List, MasterPlaylist};
use super::media::Media;
use super::text::Text;
use crate::health::ProbeError;

/// What a document turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Playlist {
    /// A master playlist.
    Master(MasterPlaylist),
    /// A media playlist.
    Media(Media),
    /// A manifest of MPEG-DASH, where a playlist was asked for.
    Presentation(Presentation),
}

/// Reads a playlist.
///
/// It is read as players read it, and what is forgiven is counted in a [`Tally`](super::media::Tally). A list without segments is no
/// error of reading: [`Media::nothing_listed`] tells. A master none of whose entries can be used is such an empty list, so that nobody takes it for one
/// that names nothing.
///
/// # Errors
/// It does not begin with `#EXTM3U` (an HTML page, an error text) and is no manifest either, is UTF-16, has lines of which none could
/// be read as a segment (the first one's number is told), or has too many entries.
pub fn parse(body: &[u8], context: &Context) -> Result<Playlist, ProbeError> {
    let text = Text::new(body)?;
    if dash::is_manifest(text.as_str()) {
        return dash::parse(text.as_str()).map(Playlist::Presentation);
    }
    Ok(match hls::read(&text, context)? {
        List::Master(master) => Playlist::Master(master),
        List::Media(media) => Playlist::Media(media),
    })
}
