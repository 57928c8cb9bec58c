//! The remediator's shell around `vvtv-incident`: it hears alerts, runs steps, asks for health, pages people and keeps the journal.
//!
//! Every decision is the core's; nothing here decides whether to act.

pub mod alerts;
pub mod clock;
pub mod conditions;
pub mod config;
pub mod efficacy;
pub mod event_loop;
pub mod failpoint;
pub mod http;
pub mod installation;
pub mod journal;
pub mod maintenance;
pub mod metrics;
pub mod paging;
pub mod runbook;
pub mod source;
pub mod steps;
pub mod upstream;
pub mod verbs;
