//! People: what they are told, through which channel, and what becomes of it.

pub mod channels;
pub(crate) mod delivery;
pub(crate) mod message;
