//! Plumbing that the VVTV programs share: HTTP serving, logging, YAML with source excerpts, metric rendering,
//! redaction.
//!
//! Invariant: no domain words, but for what secrets of publishing look like (`redaction`). Nothing else here knows of streams, incidents or ffmpeg, so that any of our programs, and any
//! future one, can use it without dragging the others' vocabulary along.

pub mod access;
pub mod duration;
pub mod flags;
pub mod logging;
pub mod process;
pub mod redaction;
pub mod render;
pub mod serve;
pub mod text;
pub mod web_config;
pub mod yaml;
