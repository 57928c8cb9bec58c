//! The core's behaviour as whole timelines on virtual time.

mod clock;
mod recovery;
mod safety;
mod scenarios;
#[cfg(test)]
mod world;
