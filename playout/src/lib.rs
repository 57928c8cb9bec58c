//! The playout daemon: plays the queue through one encoder that never loses its place.
//!
//! ```text
//! programme ──feeder──▶ pump (frame clock) ──sink──▶ encoder ffmpeg ──RTMP──▶ nginx
//!     ▲ notices             ▲ attach/detach               │ progress, exit
//!     └──── queue           └──────── daemon ◀────────────┘   daemon owns the state machine; control asks it
//! ```
//! Invariant: nothing that can hang (disk, queue, server, encoder) is waited for by the pump.

pub mod program;

mod clock;
mod control;
mod daemon;
mod encoder;
mod feeder;
mod hold;
mod machine;
mod orphan;
mod programme;
mod pump;
mod report;
mod server;
mod sink;
mod speed;
mod streaming_log;
