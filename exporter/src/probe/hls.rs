//! HLS: how old is the newest listed segment of each variant.

mod buffer;
mod conformance;
mod freshness;
mod playlist;
mod poll;
mod variant;

pub use self::buffer::PlayerBuffer;
pub use self::conformance::{Check, violations, violations_across, violations_of_master};
pub use self::freshness::{Change, Freshness};
pub use self::playlist::{
    Attributes, ByteRange, Identity, Kind, Listed, MasterPlaylist, Media, Mutability, Named, Playlist, RECENT_MAX,
    Segment, Tally, parse,
};
pub use self::poll::{HlsSpec, HlsView, VARIANTS_MAX, run};
pub use self::variant::VariantView;
