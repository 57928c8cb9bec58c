//! The core's behaviour as whole timelines on virtual time.

mod recovery;
mod scenarios;
mod world;
