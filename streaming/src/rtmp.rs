//! RTMP as far as it takes to know whether a server answers, and lets a publisher in: the handshake and `connect`.
//!
//! Without I/O: bytes in, bytes and a verdict out.
//!
//! Sources: Adobe RTMP 1.0 §5.2 (handshake), §5.3 (chunks), §5.4 (control messages), §7.2.1.1 (connect).

mod amf;
mod dialogue;
mod reply;
mod wire;

pub use self::dialogue::{ANSWER_MAX, Connect, Dialogue, DialogueError, OPENING, Stage, Turn, Verdict};
pub use self::reply::Reply;
pub use self::wire::{ReplyReader, WireError};
