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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn blocks(bytes: &[u8]) -> Vec<Block> {
        Blocks::default().feed(bytes).into_iter().map(Result::unwrap).collect()
    }

    fn recorded(name: &str) -> Vec<Block> {
        blocks(&std::fs::read(format!("tests/fixtures/ffmpeg-progress-{name}.txt")).unwrap())
    }

    fn block(frames: u64, out_time_us: u64, total_size: Option<u64>) -> Block {
        let out_time = Some(Duration::from_micros(out_time_us));
        Block { frames: Some(frames), dropped: 0, duplicated: 0, out_time, total_size, ended: false }
    }

    #[rstest]
    #[case("file-healthy", 30, block(728, 29_094_000, Some(3_335_574)))]
    #[case("file-killed9", 30, block(6103, 244_088_000, Some(27_705_072)))]
    #[case("file-ended", 9, Block { ended: true, ..block(200, 8_011_000, Some(390_553)) })]
    #[case("file-fifo-muxer", 6, Block { ended: true, ..block(1406, 56_285_170, None) })]
    #[case("file-drops-2pct", 27, Block { dropped: 11, ended: true, ..block(644, 25_798_000, Some(2_950_809)) })]
    fn the_last_block_of_recorded_files(#[case] name: &str, #[case] count: usize, #[case] last: Block) {
        let blocks = recorded(name);
        assert_eq!((blocks.len(), blocks.last()), (count, Some(&last)));
    }

    #[test]
    fn a_torn_block_waits_for_its_end() {
        let whole = std::fs::read("tests/fixtures/ffmpeg-progress-file-healthy.txt").unwrap();
        for size in [1, 7, 100, 1000] {
            let mut reader = Blocks::default();
            let found: Vec<_> = whole.chunks(size).flat_map(|piece| reader.feed(piece)).map(Result::unwrap).collect();
            assert_eq!(found, blocks(&whole), "in pieces of {size}");
        }
        assert_eq!(blocks(b"frame=12\ndrop_frames=1\nprogr"), []);
    }

    #[test]
    fn the_hole_of_a_truncated_file_is_skipped() {
        let mut bytes = vec![0; 5000];
        bytes.extend(b"frame=12\nout_time_us=480000\nprogress=continue\n");
        assert_eq!(blocks(&bytes), [block(12, 480_000, None)]);
    }

    #[test]
    fn values_that_are_not_known_yet_are_no_numbers() {
        let text = b"frame=0\nout_time_us=N/A\ntotal_size=N/A\nspeed=N/A\nprogress=continue\n";
        let expected = Block { frames: Some(0), ..Block::default() };
        assert_eq!(blocks(text), [expected]);
        assert_eq!(blocks(b"out_time_us=-21333\nprogress=continue\n"), [Block::default()]);
    }

    #[rstest]
    #[case(b"frame=many\nprogress=continue\n", "`frame=many` is not a number")]
    #[case(b"drop_frames=-1\nprogress=continue\n", "`drop_frames=-1` is not a number")]
    #[case(b"progress=perhaps\n", "`progress=perhaps` is neither continue nor end")]
    fn a_block_that_lies_is_refused(#[case] bytes: &[u8], #[case] expected: &str) {
        let found: Vec<_> =
            Blocks::default().feed(bytes).into_iter().map(|block| block.unwrap_err().to_string()).collect();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn text_without_an_end_is_given_up() {
        let mut reader = Blocks::default();
        assert_eq!(reader.feed(&vec![b'x'; TORN_MAX + 1]), [Err(BlockError::Endless)]);
        assert_eq!(reader.feed(b"frame=1\nprogress=continue\n").len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer_not_a_panic(text in "([a-z_]{1,12}=[ -9A-Z/.]{0,12}\n|progress=(continue|end)\n){0,30}") {
            for block in Blocks::default().feed(text.as_bytes()) {
                let _ = block;
            }
        }
    }
}
