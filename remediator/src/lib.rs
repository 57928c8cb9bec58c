//! The remediator's shell around `vvtv-incident`: it hears alerts, runs steps, asks for health, pages people and keeps the journal.
//!
//! Every decision is the core's; nothing here decides whether to act. From an alert to a page:
//!
//! 1. `http` takes a delivery, `alerts` reads it (and asks Alertmanager for what was never delivered);
//! 2. `event_loop` lets the core decide, and writes the decision down (`journal`);
//! 3. what was decided takes effect: `conditions` are asked, `steps` run what the `runbook` says, `paging` reaches the `contacts`;
//! 4. each reports (`reports`) to the event loop, and the core decides again.
//!
//! `config`, `site` and `maintenance` are what an installation says, `keeping` goes on beside the loop, `metrics` tell of it, and
//! `verbs` is where the program begins. A module depends on none that stands above it in ARCHITECTURE.md.

pub mod alerts;
pub mod clock;
pub mod conditions;
pub mod config;
mod contacts;
mod efficacy;
mod event_loop;
pub mod failpoint;
mod http;
pub mod journal;
mod keeping;
mod maintenance;
mod metrics;
pub mod paging;
mod reports;
pub mod runbook;
pub mod secret;
pub mod site;
mod steps;
mod upstream;
pub mod verbs;
