//! What the command line and the daemon say to each other over `run/playout.sock`: one line of JSON each way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::settings::EncoderReport;

/// A request line is at most so long.
pub const REQUEST_BYTES_MAX: usize = 4 << 10;

/// A reply line is at most so long.
pub const REPLY_BYTES_MAX: usize = 8 << 20;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the encoder is, and what is on air.
    Status,
    /// Numbers of the encoder and of the frames handed to it.
    Stats,
    /// Which settings are in force, and ffmpeg's arguments.
    Config,
    /// Restart the encoder. Answered when the new one publishes, or did not in time.
    Restart {
        /// Only if the settings in force differ from the running encoder's.
        only_if_changed: bool,
    },
    /// End the item on air, so that the next one plays.
    Skip,
    /// End, and leave the item on air to the daemon that asks, from where it is.
    HandOver,
    /// The newest lines of the log.
    LogTail {
        /// At most so many.
        lines: usize,
    },
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Stats`].
    Stats(Box<Stats>),
    /// To [`Request::Config`].
    Config(Box<ConfigReport>),
    /// The restart was done, and the new encoder publishes.
    Restarted(Restarted),
    /// The settings in force are the running encoder's already.
    Unchanged,
    /// No encoder runs; the next one will have the settings in force.
    Deferred,
    /// The restart was done, but the new encoder does not publish.
    NotPublished(NotPublished),
    /// Lines of the log, oldest first.
    LogTail(Vec<String>),
    /// The item that was on air.
    Skipped {
        /// Its id in the queue.
        id: i64,
        /// Its file.
        asset_path: String,
    },
    /// The daemon ends; the root's lock is free when nothing is left of it.
    HandingOver {
        /// The daemon that ends.
        daemon_pid: u32,
    },
    /// The request was not understood or cannot be served.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// The state as reported. Runbooks branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A process is being started or has not sent anything yet.
    Starting,
    /// Its output advances.
    Running,
    /// The process is there, but nothing advances, or it is stopped.
    Stuck,
    /// No process; one will be started when the back-off ends.
    Dead,
    /// The daemon is ending or has not begun.
    Stopped,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stuck => "stuck",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
        })
    }
}

/// `streaming status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The stream's public name.
    pub stream: String,
    /// How the encoder is.
    pub state: State,
    /// Why the state is not `running`, in words.
    pub reason: Option<String>,
    /// The encoder's process.
    pub pid: Option<u32>,
    /// Of the encoder process.
    pub uptime_seconds: Option<f64>,
    /// Encoders started after the first.
    pub restarts: u64,
    /// Stream seconds that the encoder process has put out.
    pub out_time_seconds: Option<f64>,
    /// Since the encoder's output last advanced.
    pub last_advance_seconds: Option<f64>,
    /// Stream seconds per second, over the last five seconds.
    pub speed_ratio: Option<f64>,
    /// nginx confirmed this encoder as publisher.
    pub published: bool,
    /// Seconds of content ahead; `None` where it is not known.
    pub queue_buffer_seconds: Option<f64>,
    /// What is on air; `None`: the slate.
    pub item: Option<ItemReport>,
    /// The settings of the last start.
    pub encoder: EncoderReport,
    /// When the daemon will start the encoder by itself.
    pub next_start_seconds: Option<f64>,
    /// The daemon's own process.
    pub daemon_pid: u32,
    /// Trouble that leaves the stream running: broken flags, a queue that cannot be read.
    pub warnings: Vec<String>,
}

/// The item on air.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemReport {
    /// Its id in the queue.
    pub id: i64,
    /// Its file.
    pub asset_path: String,
    /// `emergency`, or another kind as the queue has it.
    pub content_kind: String,
    /// `None` where neither the file nor the queue tells.
    pub duration_seconds: Option<f64>,
    /// From the item's beginning.
    pub position_seconds: f64,
}

/// `streaming stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// How the encoder is.
    pub state: State,
    /// The encoder's process.
    pub pid: Option<u32>,
    /// By ffmpeg's own count, since the process' start.
    pub frames_encoded: Option<u64>,
    /// By ffmpeg's own count.
    pub frames_dropped: Option<u64>,
    /// By ffmpeg's own count.
    pub frames_duplicated: Option<u64>,
    /// By ffmpeg's own count.
    pub bytes_sent: Option<u64>,
    /// Stream seconds per second, over the last five seconds.
    pub speed_ratio: Option<f64>,
    /// CPU that the process has used, user and system.
    pub cpu_seconds: Option<f64>,
    /// Cores used, mean over the process' life.
    pub cpu_ratio: Option<f64>,
    /// Resident memory of the process.
    pub memory_bytes: Option<u64>,
    /// Handed to the encoders since the daemon's start.
    pub frames_sent: u64,
    /// Frames that the encoder was too slow to take.
    pub frames_refused: u64,
    /// Frames for which no item had a picture, since the daemon's start.
    pub slate_frames: u64,
    /// Frames that were never made because the daemon itself came too late.
    pub frames_slipped: u64,
    /// Lines of the log that the disk was too slow for.
    pub log_lines_lost: u64,
    /// Since the daemon's start.
    pub daemon_uptime_seconds: f64,
}

/// `streaming config --show-encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigReport {
    /// Of the running encoder.
    pub running: Option<EncoderReport>,
    /// For the next start: playout.yml with the flags over it.
    pub next: EncoderReport,
    /// The flags that are set, by name.
    pub flags: BTreeMap<String, String>,
    /// Where the encoder publishes, without a key.
    pub publish: String,
    /// Size and rate of the picture, in words.
    pub video: String,
    /// The encoder's command line at the next start, without a key.
    pub ffmpeg: Vec<String>,
}

/// `streaming restart-encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restarted {
    /// The encoder before, if there was one.
    pub old_pid: Option<u32>,
    /// The encoder that publishes.
    pub new_pid: u32,
    /// A silent publisher had to be dropped from nginx first.
    pub dropped_publisher: bool,
    /// What the new encoder works by.
    pub settings: EncoderReport,
    /// From the request until it published.
    pub duration_seconds: f64,
}

/// A restart after which nobody publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotPublished {
    /// How the new encoder is.
    pub state: State,
    /// What is in its way, in words.
    pub reason: String,
    /// A silent publisher had to be dropped from nginx first.
    pub dropped_publisher: bool,
    /// How long it was waited for.
    pub duration_seconds: f64,
}
