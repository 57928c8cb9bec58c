//! How a command fails: which exit code, and what is printed. Scripts and runbooks branch on the code.

use std::process::ExitCode;

/// A command that did not do what it was asked, by the exit code that says so.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: it ran, and found something unhealthy or could not finish.
    Unhealthy(anyhow::Error),
    /// 2: arguments or a configuration file are wrong. Nothing was done.
    Usage(anyhow::Error),
    /// 3: the daemon or a server cannot be reached.
    Unreachable(anyhow::Error),
    /// 4: refused: it would do harm, or something is in the way.
    Refused(anyhow::Error),
}

impl Failure {
    /// The exit code, as documented in `vvtvctl --help`.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unhealthy(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Refused(_) => 4,
        })
    }

    /// The whole chain of causes on one line.
    pub(crate) fn message(&self) -> String {
        let (Self::Unhealthy(error) | Self::Usage(error) | Self::Unreachable(error) | Self::Refused(error)) = self;
        format!("{error:#}")
    }
}

/// What went wrong inside counts as "could not finish" unless the caller says better.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unhealthy(error)
    }
}

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
