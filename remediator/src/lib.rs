//! The remediator's shell around `vvtv-incident`: it hears alerts, runs steps, asks for health, pages people and keeps the journal.
//!
//! Every decision is the core's; nothing here decides whether to act.

pub mod alertmanager;
pub mod clock;
pub mod journal;
pub mod outbox;
pub mod webhook;
