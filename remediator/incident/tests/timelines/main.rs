//! The core's behaviour as whole timelines on virtual time.

mod clock;
mod listed;
mod recovery;
mod safety;
mod scenarios;
mod targets;
#[cfg(test)]
mod world;
