//! Playlists, of HLS or of MPEG-DASH: how old is the newest listed segment of each variant.

mod address;
mod buffer;
mod conformance;
pub mod dash;
mod document;
mod flow;
mod freshness;
mod hls;
mod media;
mod memory;
mod playlists;
mod poll;
mod reread;
mod roster;
mod source;
mod text;
mod variant;
mod view;

pub use self::address::path;
pub(crate) use self::address::resolve;
pub use self::buffer::PlayerBuffer;
pub use self::conformance::{Check, violations, violations_across, violations_of_master};
pub use self::document::{Playlist, parse};
pub use self::flow::{flow_seconds, newest_segment, segments_flow};
pub use self::freshness::{Change, Freshness, Run, Sight};
pub use self::hls::{Attributes, Context, Kind, MasterPlaylist, Named, Variables};
pub use self::media::{ByteRange, Identity, Listed, Media, Mutability, Part, RECENT_MAX, Segment, Tally};
pub use self::memory::{Advance, Remembered};
pub(crate) use self::poll::parse_beside;
pub use self::poll::run;
pub use self::roster::Role;
pub(crate) use self::roster::first_of;
pub use self::source::PlaylistSource;
pub use self::variant::VariantView;
pub use self::view::{PlaylistSpec, PlaylistView, VARIANTS_MAX};
