//! One line a figure, with its limit.

use std::process::ExitCode;
use std::thread::available_parallelism;

/// Collects what went beyond its limit.
pub(crate) struct Report {
    beyond: Vec<String>,
}

impl Report {
    /// Says what the figures were measured on.
    pub(crate) fn start() -> Self {
        println!("{} processors", available_parallelism().map_or(0, usize::from));
        Self { beyond: Vec::new() }
    }

    /// A figure that must not be above its limit.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        let verdict = if value <= limit { "" } else { "  BEYOND" };
        println!("{what}: {value:.3} {unit} (at most {limit}){verdict}");
        if value > limit {
            self.beyond.push(what.to_owned());
        }
    }

    /// A figure for information.
    pub(crate) fn figure(&self, what: &str, value: f64, unit: &str) {
        println!("{what}: {value:.3} {unit}");
    }

    /// Ends with a failure if anything was beyond its limit.
    pub(crate) fn end(self) -> ExitCode {
        if self.beyond.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("beyond the limit: {}", self.beyond.join(", "));
        ExitCode::FAILURE
    }
}

/// The value below which the given share of the values lies; 0 of nothing.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
