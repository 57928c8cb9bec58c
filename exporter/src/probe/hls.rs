//! HLS: how old is the newest listed segment of each variant.

mod address;
mod buffer;
mod conformance;
mod freshness;
mod playlist;
mod playlists;
mod poll;
mod reread;
mod roster;
mod variant;

pub(crate) use self::address::resolve;
pub use self::buffer::PlayerBuffer;
pub use self::conformance::{Check, violations, violations_across, violations_of_master};
pub use self::freshness::{Change, Freshness, Run, Sight};
pub use self::playlist::{
    Attributes, ByteRange, Context, Identity, Kind, Listed, MasterPlaylist, Media, Mutability, Named, Part, Playlist,
    RECENT_MAX, Segment, Tally, Variables, parse, path,
};
pub(crate) use self::poll::parse_beside;
pub use self::poll::{HlsSpec, HlsView, VARIANTS_MAX, run};
pub use self::roster::Role;
pub(crate) use self::roster::first_of;
pub use self::variant::VariantView;
