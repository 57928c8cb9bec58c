//! The sources, one module each: fetch, parse (pure), observe (pure). Each runs as a task of its own with its own timeouts, owns
//! what it knows, and publishes a small immutable view of it.

pub mod host;
pub mod nginx_stat;
mod pace;
pub mod playlist;
mod pool;
pub mod progress;
pub mod queue;
pub mod rtmp;
mod source;
mod table;
mod tools;

pub use self::pace::{Pace, Ticks};
pub(crate) use self::pool::Pool;
pub use self::source::{Chapter, Env, Keyed, Neighbour, Series, Source, View};
pub use self::tools::Tools;

/// The table of sources, for the macro that is named: name, type, and the source's own key in a stream's configuration where it has one.
macro_rules! each_source {
    ($then:ident) => {
        $then! {
            /// What viewers fetch: the playlists.
            playlist: crate::probe::playlist::PlaylistSource,
            /// The RTMP application that the encoder publishes to.
            rtmp: crate::probe::rtmp::Rtmp,
            /// The statistics page that lists the publisher.
            stat: crate::probe::nginx_stat::NginxStat,
            /// What the encoder reports of itself.
            progress: crate::probe::progress::Progress,
            /// The playout queue.
            queue: crate::probe::queue::Queue = queue,
        }
    };
}
pub(crate) use each_source;

pub use self::table::{Configured, Receivers, Views};
pub(crate) use self::table::{Pools, Tables, Wanted, asked, labels, record_names};
