//! The remediator's shell around `vvtv-incident`: it hears alerts, runs steps, asks for health, pages people and keeps the journal.
//!
//! Every decision is the core's; nothing here decides whether to act.

pub mod check;
pub mod condition;
pub mod config;
pub mod executor;
pub mod expression;
pub mod facts;
pub mod pager;
pub mod platform;
pub mod promql;
pub mod runbook;
pub mod source;
