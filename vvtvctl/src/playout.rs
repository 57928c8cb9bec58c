//! The playout daemon: plays the queue through one encoder that never loses its place.
//!
//! ```text
//! programme ──feeder──▶ pump (frame clock) ──sink──▶ encoder ffmpeg ──RTMP──▶ nginx
//!     ▲ notices             ▲ attach/detach               │ progress, exit
//!     └──── queue           └──────── daemon ◀────────────┘   daemon owns the state machine; control asks it
//! ```
//! Invariant: nothing that can hang (disk, queue, server, encoder) is waited for by the pump.

pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod daemon;
pub(crate) mod encoder;
pub(crate) mod feeder;
pub(crate) mod journal;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod programme;
pub(crate) mod progress;
pub(crate) mod pump;
mod report;
pub(crate) mod sink;
mod watch;
