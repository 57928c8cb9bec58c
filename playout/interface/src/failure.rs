//! How a program of the playout fails: which exit code, and what is printed. Scripts and runbooks branch on the code.

use std::process::ExitCode;

/// A program that did not do what it was asked, by the exit code that says so.
#[derive(Debug)]
pub enum Failure {
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
    /// The exit code, as documented in the programs' `--help`.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unhealthy(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Refused(_) => 4,
        })
    }

    /// The whole chain of causes on one line.
    pub fn message(&self) -> String {
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
