//! `vvtv-exporter`: measures live channels for Prometheus, each from the encoder's progress to the segment that viewers fetch.
//!
//! Invariants: a scrape renders what is known and does no I/O. Every source has a task, a timeout and a health record of its own.
//! Ages grow by the monotonic clock, whatever the sources do. A configured stream has its series from the first scrape on.

pub mod app;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod fetch;
pub mod files;
pub mod health;
pub mod metrics;
pub mod probe;
pub mod probe_fleet;
pub mod reach;
pub mod recorder;
pub mod selftest;
mod series;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod thresholds;
pub mod window;
