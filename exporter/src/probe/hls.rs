//! HLS: how old is the newest listed segment of each variant.

mod freshness;
mod playlist;
mod poll;

pub use self::freshness::{Change, Freshness};
pub use self::playlist::{Identity, Media, Playlist, parse};
pub use self::poll::{HlsSpec, HlsView, VARIANTS_MAX, VariantView, run};
