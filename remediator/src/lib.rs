//! The remediator's shell around `vvtv-incident`: it hears alerts, runs steps, asks for health, pages people and keeps the journal.
//!
//! Every decision is the core's; nothing here decides whether to act.

pub mod alertmanager;
pub mod check;
pub mod cli;
pub mod client;
pub mod clock;
pub mod condition;
pub mod config;
pub mod delivery;
pub mod disk;
pub mod duty;
pub mod efficacy;
pub mod event_loop;
pub mod executor;
pub mod expression;
pub mod facts;
pub mod failpoint;
mod housekeeping;
pub mod http;
pub mod import;
pub mod journal;
pub mod journal_file;
pub mod live;
pub mod maintenance;
pub mod metrics;
pub mod notice;
pub mod outbox;
pub mod pager;
pub mod peer_clock;
mod people_only;
pub mod platform;
pub mod promql;
pub mod receivers;
pub mod reconcile;
pub mod redaction;
pub mod rehearsal;
pub mod report;
pub mod retention;
pub mod runbook;
pub mod schedule;
pub mod serve;
pub mod sns;
pub mod source;
pub mod targets;
pub mod upstream;
pub mod webhook;
