//! What the command line and the daemon say to each other over `run/playout.sock`: one line of JSON each way.

use serde::{Deserialize, Serialize};

use crate::playout::machine::State;
use crate::settings::EncoderReport;

/// A request line is at most so long.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 10;

/// A reply line is at most so long.
pub(crate) const REPLY_BYTES_MAX: usize = 8 << 20;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Status,
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
        lines: usize,
    },
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Status(Box<Status>),
    Stats(Box<Stats>),
    Config(Box<ConfigReport>),
    Restarted(Restarted),
    /// The settings in force are the running encoder's already.
    Unchanged,
    /// No encoder runs; the next one will have the settings in force.
    Deferred,
    /// The restart was done, but the new encoder does not publish.
    NotPublished(NotPublished),
    LogTail(Vec<String>),
    /// The item that was on air.
    Skipped {
        id: i64,
        asset_path: String,
    },
    /// The daemon ends; the root's lock is free when nothing is left of it.
    HandingOver {
        daemon_pid: u32,
    },
    /// The request was not understood or cannot be served.
    Refused {
        reason: String,
    },
}

/// `streaming status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) stream: String,
    pub(crate) state: State,
    /// Why the state is not `running`, in words.
    pub(crate) reason: Option<String>,
    pub(crate) pid: Option<u32>,
    /// Of the encoder process.
    pub(crate) uptime_seconds: Option<f64>,
    /// Encoders started after the first.
    pub(crate) restarts: u64,
    pub(crate) out_time_seconds: Option<f64>,
    /// Since the encoder's output last advanced.
    pub(crate) last_advance_seconds: Option<f64>,
    pub(crate) speed_ratio: Option<f64>,
    /// nginx confirmed this encoder as publisher.
    pub(crate) published: bool,
    /// `None` where it is not known.
    pub(crate) queue_buffer_seconds: Option<f64>,
    pub(crate) item: Option<ItemReport>,
    pub(crate) encoder: EncoderReport,
    /// When the daemon will start the encoder by itself.
    pub(crate) next_start_seconds: Option<f64>,
    pub(crate) daemon_pid: u32,
    /// Trouble that leaves the stream running: broken flags, a queue that cannot be read.
    pub(crate) warnings: Vec<String>,
}

/// The item on air.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemReport {
    pub(crate) id: i64,
    pub(crate) asset_path: String,
    pub(crate) content_kind: String,
    /// `None` where neither the file nor the queue tells.
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) position_seconds: f64,
}

/// `streaming stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) state: State,
    pub(crate) pid: Option<u32>,
    pub(crate) frames_encoded: Option<u64>,
    /// By ffmpeg's own count.
    pub(crate) frames_dropped: Option<u64>,
    pub(crate) frames_duplicated: Option<u64>,
    pub(crate) bytes_sent: Option<u64>,
    pub(crate) speed_ratio: Option<f64>,
    pub(crate) cpu_seconds: Option<f64>,
    /// Cores used, mean over the process' life.
    pub(crate) cpu_ratio: Option<f64>,
    pub(crate) memory_bytes: Option<u64>,
    /// Handed to the encoders since the daemon's start.
    pub(crate) frames_sent: u64,
    /// Frames that the encoder was too slow to take.
    pub(crate) frames_refused: u64,
    pub(crate) slate_frames: u64,
    pub(crate) frames_slipped: u64,
    pub(crate) log_lines_lost: u64,
    pub(crate) daemon_uptime_seconds: f64,
}

/// `streaming config --show-encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConfigReport {
    /// Of the running encoder.
    pub(crate) running: Option<EncoderReport>,
    /// For the next start: playout.yml with the flags over it.
    pub(crate) next: EncoderReport,
    pub(crate) flags: std::collections::BTreeMap<String, String>,
    pub(crate) publish: String,
    pub(crate) video: String,
    pub(crate) ffmpeg: Vec<String>,
}

/// `streaming restart-encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restarted {
    pub(crate) old_pid: Option<u32>,
    pub(crate) new_pid: u32,
    /// A silent publisher had to be dropped from nginx first.
    pub(crate) dropped_publisher: bool,
    pub(crate) settings: EncoderReport,
    pub(crate) duration_seconds: f64,
}

/// A restart after which nobody publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NotPublished {
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) dropped_publisher: bool,
    pub(crate) duration_seconds: f64,
}
