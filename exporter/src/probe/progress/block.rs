//! Parsing progress blocks: `key=value` lines closed by `progress=`. Pure.
//!
//! Traps: values are padded or `N/A`; `out_time_ms` is microseconds; `fps`, `bitrate` and `speed` are means since the start, so
//! they are not read at all. Source: ffmpeg's `fftools`, `print_report`.

use std::time::Duration;

/// Bytes kept of a block that is not closed yet: a real one has about 250.
const TORN_MAX: usize = 16 << 10;

/// One report of an encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Frames encoded; none when there is no video.
    pub frames: Option<u64>,
    /// Frames dropped.
    pub dropped: u64,
    /// Frames duplicated.
    pub duplicated: u64,
    /// Media time produced; none before the first packet.
    pub out_time: Option<Duration>,
    /// Bytes written; none where the muxer does not know.
    pub total_size: Option<u64>,
    /// The encoder's last report.
    pub ended: bool,
}

/// Why a closed block cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A counter that is no number.
    #[error("`{key}={value}` is not a number")]
    Number {
        /// Which.
        key: String,
        /// What stands there, cut to a length.
        value: String,
    },
    /// `progress=` is neither `continue` nor `end`.
    #[error("`progress={0}` is neither continue nor end")]
    Progress(String),
    /// Much text, and no end of a block in it.
    #[error("{TORN_MAX} bytes without the end of a block")]
    Endless,
}

/// Cuts a flow of bytes into blocks. What is not closed by `progress=` waits for more.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    torn: Vec<u8>,
}

impl Blocks {
    /// Takes bytes and returns the blocks that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Result<Block, BlockError>> {
        self.torn.extend(bytes);
        let mut blocks = Vec::new();
        let mut start = 0;
        let mut line_start = 0;
        for (at, _) in self.torn.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            let line = self.torn.get(line_start..at).unwrap_or_default();
            line_start = at + 1;
            if line.starts_with(b"progress=") {
                blocks.push(parse(self.torn.get(start..line_start).unwrap_or_default()));
                start = line_start;
            }
        }
        self.torn.drain(..start);
        if self.torn.len() > TORN_MAX {
            self.torn.clear();
            blocks.push(Err(BlockError::Endless));
        }
        blocks
    }
}

fn parse(bytes: &[u8]) -> Result<Block, BlockError> {
    let text = String::from_utf8_lossy(bytes);
    let mut block = Block::default();
    for line in text.lines() {
        // A file that was truncated by somebody else begins with a hole of zero bytes.
        let Some((key, value)) = line.trim_start_matches('\0').split_once('=') else { continue };
        let value = value.trim();
        match key.trim() {
            "frame" => block.frames = number(key, value)?,
            "drop_frames" => block.dropped = number(key, value)?.unwrap_or(0),
            "dup_frames" => block.duplicated = number(key, value)?.unwrap_or(0),
            "total_size" => block.total_size = number(key, value)?,
            "out_time_us" => block.out_time = microseconds(key, value)?,
            "progress" => match value {
                "continue" => {}
                "end" => block.ended = true,
                other => return Err(BlockError::Progress(other.chars().take(40).collect())),
            },
            _ => {}
        }
    }
    Ok(block)
}

fn bad(key: &str, value: &str) -> BlockError {
    BlockError::Number { key: key.to_owned(), value: value.chars().take(40).collect() }
}

fn number(key: &str, value: &str) -> Result<Option<u64>, BlockError> {
    if value == "N/A" { Ok(None) } else { value.parse().map(Some).map_err(|_| bad(key, value)) }
}

/// Negative before the first packet: no time was produced then.
fn microseconds(key: &str, value: &str) -> Result<Option<Duration>, BlockError> {
    if value == "N/A" {
        return Ok(None);
    }
    let micros: i64 = value.parse().map_err(|_| bad(key, value))?;
    Ok(u64::try_from(micros).ok().map(Duration::from_micros))
}
