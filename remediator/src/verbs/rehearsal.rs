//! Runbooks without a system under them: the real core, the real conditions and the real argument templates on a virtual clock,
//! with scripted step results and health.
//!
//! [`tests_of`] runs `NAME.test.yml` files, as promtool does for rules; [`simulate`] shows what a runbook does when nothing helps.

mod cases;
mod coverage;
mod file;
mod simulation;
mod world;

pub use cases::{CaseReport, Summary, tests_of};
pub use simulation::simulate;

#[cfg(test)]
mod tests;
