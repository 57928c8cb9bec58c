//! What a command that did not fail found, and its exit code.

use std::process::ExitCode;

/// What a command that ran reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Exit code 0.
    Good,
    /// Exit code 1; what is wrong has been printed.
    Unhealthy,
    /// Exit code 3; the answer has been printed all the same.
    Unreachable,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::SUCCESS,
            Verdict::Unhealthy => Self::from(1),
            Verdict::Unreachable => Self::from(3),
        }
    }
}
