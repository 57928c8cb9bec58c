//! What the playout daemon and its clients agree upon: where a channel's files lie, what they hold, and what is said over the control socket.
//!
//! Neither the daemon (`vvtv-playout`) nor the command line (`vvtvctl`) knows the other: each knows this crate. What only one of them does
//! is its own; what stands here is read or written by both.

pub mod client;
pub mod config;
pub mod failure;
pub mod ffprobe;
pub mod flags;
pub mod http;
pub mod layout;
pub mod nginx;
pub mod protocol;
pub mod queue;
pub mod root;
pub mod rtmp;
pub mod settings;
