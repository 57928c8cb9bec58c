//! The phases of the encoder's life.

use std::time::Duration;

use vvtv_playout_interface::protocol::State;

use super::{Limits, Pid, ProcessState};
use crate::clock::Moment;

/// Why there is no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It could not be started at all.
    NotStarted,
    /// It ended by itself, with this exit code.
    Exit(i32),
    /// Somebody killed it; that is the remediator's or a person's business first.
    Signal(i32),
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotStarted => f.write_str("ffmpeg could not be started"),
            Self::Exit(code) => write!(f, "ffmpeg ended with exit code {code}"),
            Self::Signal(signal) => write!(f, "ffmpeg was killed by signal {signal}"),
        }
    }
}

/// Where the encoder is in its life.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Phase {
    /// Before the start, or after the stop.
    Idle,
    /// No process until `until`.
    Waiting {
        until: Moment,
        cause: Cause,
    },
    /// The shell is starting a process.
    Spawning,
    Alive(Alive),
    /// The server was asked to drop the publisher; after its answer the process, if there is one, is killed.
    Dropping {
        pid: Option<Pid>,
        until: Moment,
    },
    /// The process was told to end; `kill_at` is empty once KILL was sent.
    Ending {
        pid: Pid,
        kill_at: Option<Moment>,
    },
}

/// A living process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alive {
    pub(crate) pid: Pid,
    pub(crate) since: Moment,
    pub(crate) out_time: Duration,
    total_bytes: u64,
    /// When its output last advanced.
    pub(crate) advanced: Option<Moment>,
    pub(crate) process: ProcessState,
    /// The server listed it.
    pub(crate) published: bool,
}

impl Alive {
    pub(crate) const fn new(pid: Pid, since: Moment) -> Self {
        Self {
            pid,
            since,
            out_time: Duration::ZERO,
            total_bytes: 0,
            advanced: None,
            process: ProcessState::Active,
            published: false,
        }
    }

    /// Takes a progress block in; true when the output advanced for the first time.
    pub(crate) fn progress(&mut self, now: Moment, out_time: Option<Duration>, total_bytes: Option<u64>) -> bool {
        let time_advanced = out_time.is_some_and(|out_time| out_time > self.out_time);
        // A muxer that does not count its bytes is judged by time alone.
        let bytes_advanced = total_bytes.is_none_or(|bytes| bytes > self.total_bytes);
        if !(time_advanced && bytes_advanced) {
            return false;
        }
        self.out_time = out_time.unwrap_or(self.out_time);
        self.total_bytes = total_bytes.unwrap_or(self.total_bytes);
        self.advanced.replace(now).is_none()
    }

    pub(crate) fn state(&self, now: Moment, limits: &Limits) -> State {
        match (self.process, self.advanced) {
            (ProcessState::Stopped, _) => State::Stuck,
            (ProcessState::Zombie, _) => State::Dead,
            (ProcessState::Active, None) if now.saturating_sub(self.since) >= limits.start_within => State::Stuck,
            (ProcessState::Active, None) => State::Starting,
            (ProcessState::Active, Some(at)) if now.saturating_sub(at) >= limits.stuck_after => State::Stuck,
            (ProcessState::Active, Some(_)) => State::Running,
        }
    }
}

impl Phase {
    pub(crate) const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Idle | Self::Waiting { .. } | Self::Spawning => None,
            Self::Alive(alive) => Some(alive.pid),
            Self::Dropping { pid, .. } => *pid,
            Self::Ending { pid, .. } => Some(*pid),
        }
    }

    pub(super) fn state(&self, now: Moment, limits: &Limits, stopping: bool) -> State {
        match self {
            Self::Idle => State::Stopped,
            Self::Waiting { .. } => State::Dead,
            Self::Spawning | Self::Dropping { .. } | Self::Ending { .. } if stopping => State::Stopped,
            Self::Spawning | Self::Dropping { .. } | Self::Ending { .. } => State::Starting,
            Self::Alive(alive) => alive.state(now, limits),
        }
    }
}
