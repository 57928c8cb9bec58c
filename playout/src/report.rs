//! What the daemon tells about itself.

use vvtv_playout_interface::flags::Flags;
use vvtv_playout_interface::protocol::{
    ConfigReport, ItemReport, NotPublished, Reply, Restarted, State, Stats, Status,
};

use crate::daemon::Daemon;
use crate::encoder::{self, Encoder};
use crate::machine::{Phase, ProcessState, RestartOutcome};

impl Daemon {
    pub(super) fn status(&self) -> Status {
        let now = self.now();
        let alive = match self.machine.phase() {
            Phase::Alive(alive) => Some(alive),
            Phase::Idle | Phase::Waiting { .. } | Phase::Spawning | Phase::Dropping { .. } | Phase::Ending { .. } => {
                None
            }
        };
        let next_start = match self.machine.phase() {
            Phase::Waiting { until, .. } => Some(until.saturating_sub(now).as_secs_f64()),
            Phase::Idle | Phase::Alive(_) | Phase::Spawning | Phase::Dropping { .. } | Phase::Ending { .. } => None,
        };
        let (pump, queue) = (self.pump.borrow(), self.queue.borrow());
        let mut warnings = Vec::new();
        warnings.extend(self.settings_error.iter().map(|error| format!("flags are not applied: {error}")));
        warnings.extend(queue.error.iter().map(|error| format!("queue: {error}")));
        Status {
            stream: self.config.stream.clone(),
            state: self.machine.state(now),
            reason: self.reason(),
            pid: self.machine.phase().pid(),
            uptime_seconds: alive.map(|alive| now.saturating_sub(alive.since).as_secs_f64()),
            restarts: self.machine.restarts(),
            out_time_seconds: alive.map(|alive| alive.out_time.as_secs_f64()),
            last_advance_seconds: alive
                .and_then(|alive| alive.advanced)
                .map(|advanced| now.saturating_sub(advanced).as_secs_f64()),
            speed_ratio: self.encoder.as_ref().and_then(|_| self.speed.ratio(now)),
            published: alive.is_some_and(|alive| alive.published),
            queue_buffer_seconds: Some(queue.summary.buffer_seconds).filter(|seconds| seconds.is_finite()),
            item: pump.on_air.as_ref().map(|item| ItemReport {
                id: item.id,
                asset_path: item.asset_path.clone(),
                content_kind: item.content_kind.clone(),
                duration_seconds: item.duration_seconds,
                position_seconds: item.position_seconds,
            }),
            encoder: self.settings.report(),
            next_start_seconds: next_start,
            daemon_pid: std::process::id(),
            warnings,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let status = self.status();
        let pump = self.pump.borrow();
        let process = self.encoder.as_ref().and_then(Encoder::stat);
        let cpu_seconds = process.map(|process| process.cpu_seconds);
        Stats {
            state: status.state,
            pid: status.pid,
            frames_encoded: self.progress.and_then(|block| block.frames),
            frames_dropped: self.progress.map(|block| block.dropped),
            frames_duplicated: self.progress.map(|block| block.duplicated),
            bytes_sent: self.progress.and_then(|block| block.total_size),
            speed_ratio: status.speed_ratio,
            cpu_seconds,
            cpu_ratio: cpu_seconds
                .zip(status.uptime_seconds)
                .filter(|(_, uptime)| *uptime > 0.0)
                .map(|(cpu, uptime)| cpu / uptime),
            memory_bytes: process.map(|process| process.resident_bytes),
            frames_sent: pump.frames_sent,
            frames_refused: pump.frames_refused,
            slate_frames: pump.slate_frames,
            frames_slipped: pump.frames_slipped,
            log_lines_lost: self.log.lost(),
            daemon_uptime_seconds: self.now().as_secs_f64(),
        }
    }

    pub(super) fn config_report(&self) -> Reply {
        let read = Flags::load(&self.layout.flags()).and_then(|flags| Ok((flags.over(&self.config.encoder)?, flags)));
        let (next, flags) = match read {
            Ok(read) => read,
            Err(error) => return Reply::Refused { reason: format!("{error:#}") },
        };
        // The port is another one at each start.
        let progress = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let mut ffmpeg = vec![self.config.ffmpeg.clone()];
        ffmpeg.extend(encoder::arguments(&self.config, &next, progress));
        let redactor = self.config.redactor();
        let ffmpeg = ffmpeg.iter().map(|argument| redactor.text(argument).into_owned()).collect();
        let video = self.config.video;
        Reply::Config(Box::new(ConfigReport {
            running: self.encoder.as_ref().map(|encoder| encoder.settings.report()),
            next: next.report(),
            flags: flags.named(),
            publish: redactor.text(self.config.publish.url.as_str()).into_owned(),
            video: format!("{}x{} at {} fps", video.width, video.height, video.fps),
            ffmpeg,
        }))
    }

    pub(super) fn outcome_reply(&self, outcome: RestartOutcome) -> Reply {
        match outcome {
            RestartOutcome::Published { old_pid, new_pid, dropped_publisher, took } => Reply::Restarted(Restarted {
                old_pid,
                new_pid,
                dropped_publisher,
                settings: self.settings.report(),
                duration_seconds: took.as_secs_f64(),
            }),
            RestartOutcome::NotPublished { state, dropped_publisher, took, .. } => Reply::NotPublished(NotPublished {
                state,
                reason: self.reason().unwrap_or_else(|| {
                    let stat = &self.config.nginx.stat;
                    format!("the encoder runs, but {stat} does not list it as publisher with advancing bytes")
                }),
                dropped_publisher,
                duration_seconds: took.as_secs_f64(),
            }),
            RestartOutcome::Stopping => Reply::Refused { reason: "the daemon is ending".to_owned() },
        }
    }

    /// Why the encoder is not running, in words.
    pub(super) fn reason(&self) -> Option<String> {
        match (self.machine.phase(), self.machine.state(self.now())) {
            (Phase::Waiting { cause, .. }, _) => Some(cause.to_string()),
            (Phase::Alive(alive), State::Stuck) => Some(match (alive.process, alive.advanced) {
                (ProcessState::Stopped, _) => "the process is stopped (state T)".to_owned(),
                (_, None) => "the process never sent anything".to_owned(),
                (_, Some(at)) => {
                    format!("nothing was sent for {:.1} s", self.now().saturating_sub(at).as_secs_f64())
                }
            }),
            (Phase::Alive(_), State::Dead) => Some("the process has ended, how is not known yet".to_owned()),
            (_, State::Starting) => Some("the encoder is being started".to_owned()),
            _ => None,
        }
    }
}
