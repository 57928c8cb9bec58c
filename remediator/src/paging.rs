//! People: what they are told, through which channel, and what becomes of it.

pub mod channels;
pub mod delivery;
pub mod message;
