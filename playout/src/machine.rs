//! The encoder's life as a state machine. Pure: takes the moment and an event, returns commands; reads no clock, starts nothing.
//!
//! Invariants: at most one process is alive; a new one is spawned only after the old one's exit was seen; each restart request is
//! answered exactly once.

mod state;
#[cfg(test)]
mod tests;

use std::time::Duration;

use vvtv_playout_interface::protocol::State;
use vvtv_toolkit::process;

use crate::clock::Moment;
pub(crate) use state::{Alive, Cause, Phase};

/// A process id.
pub(crate) type Pid = u32;

/// Names a restart request, so that its answer finds the one who asked.
pub(crate) type RequestId = u64;

/// Everything that can happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// The daemon is ready: bring the encoder up.
    Start,
    Spawned {
        pid: Pid,
    },
    /// The process could not be started at all.
    SpawnFailed,
    /// A progress block of the living encoder.
    Progress {
        out_time: Option<Duration>,
        total_bytes: Option<u64>,
    },
    /// The server lists the publisher and its bytes advance.
    Published {
        pid: Pid,
    },
    /// What the operating system says of the process.
    Observed(ProcessState),
    Exited(Exit),
    /// The answer to [`Command::DropPublisher`].
    DropAnswered {
        dropped: bool,
    },
    Restart {
        request: RequestId,
    },
    /// The server answers again after it did not.
    IngestReturned,
    Stop,
    Tick,
}

/// How the operating system sees the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessState {
    /// Running, sleeping or waiting for a disk.
    Active,
    /// Stopped by a signal (state T).
    Stopped,
    /// Dead, not yet reaped (state Z).
    Zombie,
}

impl From<process::State> for ProcessState {
    fn from(state: process::State) -> Self {
        match state {
            process::State::Active => Self::Active,
            process::State::Stopped => Self::Stopped,
            process::State::Dead => Self::Zombie,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Command {
    Spawn,
    /// Ask the server to drop the publisher; answer with [`Event::DropAnswered`].
    DropPublisher,
    Terminate,
    Kill,
    /// Watch the server until it lists the publisher; answer with [`Event::Published`].
    ConfirmPublishing {
        pid: Pid,
    },
    Answer {
        request: RequestId,
        outcome: RestartOutcome,
    },
    /// Nothing of the encoder is left.
    Finished,
}

/// How a restart went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RestartOutcome {
    Published {
        old_pid: Option<Pid>,
        new_pid: Pid,
        dropped_publisher: bool,
        took: Duration,
    },
    /// The new encoder did not publish in time.
    NotPublished {
        pid: Option<Pid>,
        state: State,
        dropped_publisher: bool,
        took: Duration,
    },
    /// The daemon is on its way out.
    Stopping,
}

/// The machine's limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) respawn_first: Duration,
    pub(crate) respawn_max: Duration,
    pub(crate) respawn_after_signal: Duration,
    pub(crate) stuck_after: Duration,
    /// A new encoder without progress for so long is stuck.
    pub(crate) start_within: Duration,
    /// Between TERM and KILL.
    pub(crate) term_grace: Duration,
    /// How long the server may take to drop a publisher.
    pub(crate) drop_within: Duration,
    /// How long a restart may take until the server lists the publisher.
    pub(crate) publish_within: Duration,
    /// An encoder that lived so long was good: the back-off starts anew.
    pub(crate) good_after: Duration,
}

#[derive(Clone, Debug)]
struct Restart {
    requests: Vec<RequestId>,
    old_pid: Option<Pid>,
    dropped: bool,
    began: Moment,
}

/// The encoder's state machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    limits: Limits,
    phase: Phase,
    restart: Option<Restart>,
    /// Requests that came too late to be served by the restart in progress: settings may have changed since it read them.
    again: Vec<RequestId>,
    failures: u32,
    spawned: u64,
    stopping: bool,
}

impl Machine {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self { limits, phase: Phase::Idle, restart: None, again: Vec::new(), failures: 0, spawned: 0, stopping: false }
    }

    /// Takes an event in and says what to do. Deadlines that have passed are acted upon at every call.
    #[must_use]
    pub(crate) fn step(&mut self, now: Moment, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Start => self.spawn_from_idle(&mut commands),
            Event::Spawned { pid } => {
                self.spawned += 1;
                self.phase = Phase::Alive(Alive::new(pid, now));
                if self.stopping {
                    self.end(now, &mut commands);
                }
            }
            Event::SpawnFailed => self.wait(now, Cause::NotStarted, &mut commands),
            Event::Progress { out_time, total_bytes } => {
                if let Phase::Alive(alive) = &mut self.phase
                    && alive.progress(now, out_time, total_bytes)
                {
                    commands.push(Command::ConfirmPublishing { pid: alive.pid });
                }
            }
            Event::Published { pid } => self.published(now, pid, &mut commands),
            Event::Observed(process) => {
                if let Phase::Alive(alive) = &mut self.phase {
                    alive.process = process;
                }
            }
            Event::Exited(exit) => self.exited(now, exit, &mut commands),
            Event::DropAnswered { dropped } => self.drop_answered(dropped, &mut commands),
            Event::Restart { request } => self.request(now, request, &mut commands),
            Event::IngestReturned => {
                if matches!(self.phase, Phase::Waiting { cause: Cause::Exit(_), .. }) {
                    self.phase = Phase::Spawning;
                    commands.push(Command::Spawn);
                }
            }
            Event::Stop => self.stop(now, &mut commands),
            Event::Tick => {}
        }
        self.deadlines(now, &mut commands);
        commands
    }

    /// When [`Event::Tick`] is next needed.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let phase = match &self.phase {
            Phase::Waiting { until, .. } | Phase::Dropping { until, .. } => Some(*until),
            Phase::Ending { kill_at, .. } => *kill_at,
            Phase::Idle | Phase::Spawning | Phase::Alive(_) => None,
        };
        let restart = self.restart.as_ref().map(|restart| restart.began + self.limits.publish_within);
        match (phase, restart) {
            (Some(phase), Some(restart)) => Some(phase.min(restart)),
            (phase, restart) => phase.or(restart),
        }
    }

    /// The state as reported to people and runbooks.
    pub(crate) fn state(&self, now: Moment) -> State {
        self.phase.state(now, &self.limits, self.stopping)
    }

    pub(crate) const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Encoders started after the first one.
    pub(crate) const fn restarts(&self) -> u64 {
        self.spawned.saturating_sub(1)
    }

    fn spawn_from_idle(&mut self, commands: &mut Vec<Command>) {
        if matches!(self.phase, Phase::Idle) && !self.stopping {
            self.phase = Phase::Spawning;
            commands.push(Command::Spawn);
        }
    }

    fn request(&mut self, now: Moment, request: RequestId, commands: &mut Vec<Command>) {
        if self.stopping {
            commands.push(Command::Answer { request, outcome: RestartOutcome::Stopping });
            return;
        }
        if let Some(restart) = &mut self.restart {
            match self.phase {
                // The new encoder has not read its settings yet: this restart serves both.
                Phase::Dropping { .. } | Phase::Ending { .. } | Phase::Waiting { .. } => restart.requests.push(request),
                Phase::Idle | Phase::Spawning | Phase::Alive(_) => self.again.push(request),
            }
            return;
        }
        let old_pid = self.phase.pid();
        self.restart = Some(Restart { requests: vec![request], old_pid, dropped: false, began: now });
        match &self.phase {
            Phase::Idle => self.spawn_from_idle(commands),
            Phase::Waiting { .. } => self.drop_publisher(now, None, commands),
            Phase::Spawning | Phase::Dropping { .. } | Phase::Ending { .. } => {}
            Phase::Alive(alive) => {
                let pid = alive.pid;
                if alive.state(now, &self.limits) == State::Stuck {
                    self.drop_publisher(now, Some(pid), commands);
                } else {
                    self.phase = Phase::Ending { pid, kill_at: Some(now + self.limits.term_grace) };
                    commands.push(Command::Terminate);
                }
            }
        }
    }

    /// The server keeps a silent publisher listed, also one whose process is gone with its network, and refuses the next one:
    /// the name is freed first.
    fn drop_publisher(&mut self, now: Moment, pid: Option<Pid>, commands: &mut Vec<Command>) {
        self.phase = Phase::Dropping { pid, until: now + self.limits.drop_within };
        commands.push(Command::DropPublisher);
    }

    fn drop_answered(&mut self, dropped: bool, commands: &mut Vec<Command>) {
        let Phase::Dropping { pid, .. } = self.phase else { return };
        if let Some(restart) = &mut self.restart {
            restart.dropped |= dropped;
        }
        match pid {
            // Stuck or stopped: TERM would not be heard.
            Some(pid) => {
                self.phase = Phase::Ending { pid, kill_at: None };
                commands.push(Command::Kill);
            }
            None => {
                self.phase = Phase::Spawning;
                commands.push(Command::Spawn);
            }
        }
    }

    fn exited(&mut self, now: Moment, exit: Exit, commands: &mut Vec<Command>) {
        match &self.phase {
            Phase::Dropping { .. } | Phase::Ending { .. } => {
                if self.stopping {
                    self.phase = Phase::Idle;
                    commands.push(Command::Finished);
                } else {
                    self.phase = Phase::Spawning;
                    commands.push(Command::Spawn);
                }
            }
            Phase::Alive(alive) => {
                if now.saturating_sub(alive.since) >= self.limits.good_after {
                    self.failures = 0;
                }
                let cause = match exit {
                    Exit::Code(code) => Cause::Exit(code),
                    Exit::Signal(signal) => Cause::Signal(signal),
                };
                self.wait(now, cause, commands);
            }
            Phase::Idle | Phase::Spawning | Phase::Waiting { .. } => {}
        }
    }

    fn wait(&mut self, now: Moment, cause: Cause, commands: &mut Vec<Command>) {
        if self.stopping {
            self.phase = Phase::Idle;
            commands.push(Command::Finished);
            return;
        }
        let pause = match cause {
            Cause::Signal(_) => self.limits.respawn_after_signal,
            Cause::NotStarted | Cause::Exit(_) => {
                let doubled = self.limits.respawn_first.saturating_mul(1_u32 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                doubled.min(self.limits.respawn_max)
            }
        };
        self.phase = Phase::Waiting { until: now + pause, cause };
    }

    fn published(&mut self, now: Moment, pid: Pid, commands: &mut Vec<Command>) {
        let Phase::Alive(alive) = &mut self.phase else { return };
        if alive.pid != pid {
            return;
        }
        alive.published = true;
        if let Some(restart) = self.restart.take() {
            let took = now.saturating_sub(restart.began);
            let (old_pid, dropped_publisher) = (restart.old_pid, restart.dropped);
            let outcome = RestartOutcome::Published { old_pid, new_pid: pid, dropped_publisher, took };
            commands.extend(restart.requests.into_iter().map(|request| Command::Answer { request, outcome }));
        }
        self.begin_again(now, commands);
    }

    fn begin_again(&mut self, now: Moment, commands: &mut Vec<Command>) {
        for request in std::mem::take(&mut self.again) {
            self.request(now, request, commands);
        }
    }

    fn stop(&mut self, now: Moment, commands: &mut Vec<Command>) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        let waiting = self.restart.take().map(|restart| restart.requests).unwrap_or_default();
        let outcome = RestartOutcome::Stopping;
        let requests = waiting.into_iter().chain(std::mem::take(&mut self.again));
        commands.extend(requests.map(|request| Command::Answer { request, outcome }));
        self.end(now, commands);
    }

    /// Ends whatever is alive.
    fn end(&mut self, now: Moment, commands: &mut Vec<Command>) {
        match &self.phase {
            Phase::Idle | Phase::Waiting { .. } | Phase::Dropping { pid: None, .. } => {
                self.phase = Phase::Idle;
                commands.push(Command::Finished);
            }
            // The answer to the spawn comes first; it ends the new process then.
            Phase::Spawning => {}
            Phase::Dropping { pid: Some(pid), .. } => {
                self.phase = Phase::Ending { pid: *pid, kill_at: None };
                commands.push(Command::Kill);
            }
            Phase::Ending { .. } => {}
            Phase::Alive(alive) => {
                let pid = alive.pid;
                if alive.state(now, &self.limits) == State::Stuck {
                    self.phase = Phase::Ending { pid, kill_at: None };
                    commands.push(Command::Kill);
                } else {
                    self.phase = Phase::Ending { pid, kill_at: Some(now + self.limits.term_grace) };
                    commands.push(Command::Terminate);
                }
            }
        }
    }

    fn deadlines(&mut self, now: Moment, commands: &mut Vec<Command>) {
        match &mut self.phase {
            Phase::Waiting { until, .. } if now >= *until => {
                self.phase = Phase::Spawning;
                commands.push(Command::Spawn);
            }
            Phase::Dropping { until, .. } if now >= *until => self.drop_answered(false, commands),
            Phase::Ending { kill_at, .. } if kill_at.is_some_and(|at| now >= at) => {
                *kill_at = None;
                commands.push(Command::Kill);
            }
            Phase::Idle
            | Phase::Spawning
            | Phase::Alive(_)
            | Phase::Waiting { .. }
            | Phase::Dropping { .. }
            | Phase::Ending { .. } => {}
        }
        let publish_within = self.limits.publish_within;
        if let Some(restart) = self.restart.take_if(|restart| now >= restart.began + publish_within) {
            let outcome = RestartOutcome::NotPublished {
                pid: self.phase.pid(),
                state: self.state(now),
                dropped_publisher: restart.dropped,
                took: now.saturating_sub(restart.began),
            };
            commands.extend(restart.requests.into_iter().map(|request| Command::Answer { request, outcome }));
            self.begin_again(now, commands);
        }
    }
}
