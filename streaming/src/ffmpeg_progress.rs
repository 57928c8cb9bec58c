//! What ffmpeg says of itself with `-progress`: blocks of `key=value` lines closed by `progress=`. Pure.
//!
//! Traps: values are padded or `N/A`; `out_time_ms` is microseconds; `fps`, `bitrate` and `speed` are means since the start, so
//! they are not read at all. Source: ffmpeg's `fftools`, `print_report`.

use std::time::Duration;

/// Bytes kept of a block that is not closed yet: a real one has about 250.
const TORN_MAX: usize = 16 << 10;

/// More than this is no time: ffmpeg writes its "no timestamp", 292 thousand years before zero, as if it were one.
const TIME_MAX: i64 = 10 * 365 * 86_400 * 1_000_000;

/// A place in an encoder's media, in microseconds; its zero is the encoder's own, and it may lie before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaTime(i64);

impl MediaTime {
    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// How far it lies behind the encoder's zero; nothing before it.
    #[must_use]
    pub fn after_zero(self) -> Duration {
        Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    fn new(micros: i64) -> Option<Self> {
        (-TIME_MAX..=TIME_MAX).contains(&micros).then_some(Self(micros))
    }
}

impl From<Duration> for MediaTime {
    fn from(after_zero: Duration) -> Self {
        Self(i64::try_from(after_zero.as_micros()).unwrap_or(i64::MAX).min(TIME_MAX))
    }
}

/// One report of an encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Frames encoded by the first video output; none when there is no video.
    pub frames: Option<u64>,
    /// Frames dropped; up to FFmpeg 6.0 by all video outputs together.
    pub dropped: u64,
    /// Frames duplicated, counted as those dropped are.
    pub duplicated: u64,
    /// Media time produced; none before the first packet, and where the muxer does not know.
    pub out_time: Option<MediaTime>,
    /// Bytes written; none where the muxer does not know.
    pub total_size: Option<u64>,
    /// Video outputs that are encoded, by their `stream_FILE_INDEX_q` lines; 0 where there are none.
    pub outputs: u32,
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
        let (key, value) = (key.trim(), value.trim());
        match key {
            "frame" => block.frames = number(key, value)?,
            "drop_frames" => block.dropped = number(key, value)?.unwrap_or(0),
            "dup_frames" => block.duplicated = number(key, value)?.unwrap_or(0),
            "total_size" => block.total_size = number(key, value)?,
            // The same time thrice, and not every version writes each: the first that can be used counts.
            "out_time_us" | "out_time_ms" => block.out_time = block.out_time.or(microseconds(key, value)?),
            "out_time" => block.out_time = block.out_time.or(clock(key, value)?),
            "progress" => match value {
                "continue" => {}
                "end" => block.ended = true,
                other => return Err(BlockError::Progress(other.chars().take(40).collect())),
            },
            _ if is_encoded_output(key, value) => block.outputs += 1,
            _ => {}
        }
    }
    Ok(block)
}

/// `stream_0_1_q=28.0`: the quantiser of each video output; -1 of one that is copied, and can drop nothing.
fn is_encoded_output(key: &str, value: &str) -> bool {
    let middle = key.strip_prefix("stream_").and_then(|rest| rest.strip_suffix("_q"));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    middle.and_then(|middle| middle.split_once('_')).is_some_and(|(file, index)| number(file) && number(index))
        && value != "-1.0"
}

fn bad(key: &str, value: &str) -> BlockError {
    BlockError::Number { key: key.to_owned(), value: value.chars().take(40).collect() }
}

fn is_unknown(value: &str) -> bool {
    value.is_empty() || value.eq_ignore_ascii_case("n/a")
}

fn number(key: &str, value: &str) -> Result<Option<u64>, BlockError> {
    if is_unknown(value) { Ok(None) } else { value.parse().map(Some).map_err(|_| bad(key, value)) }
}

fn microseconds(key: &str, value: &str) -> Result<Option<MediaTime>, BlockError> {
    if is_unknown(value) {
        return Ok(None);
    }
    value.parse().map(MediaTime::new).map_err(|_| bad(key, value))
}

/// `-00:00:01.500000`.
fn clock(key: &str, value: &str) -> Result<Option<MediaTime>, BlockError> {
    if is_unknown(value) {
        return Ok(None);
    }
    let (sign, rest) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let fields: Vec<&str> = whole.split(':').collect();
    let [hours, minutes, seconds] = fields.as_slice() else { return Err(bad(key, value)) };
    let field = |text: &str| text.parse::<u32>().map(i64::from).map_err(|_| bad(key, value));
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let total = ((field(hours)? * 60 + field(minutes)?) * 60 + field(seconds)?) * 1_000_000 + field(&micros)?;
    Ok(MediaTime::new(sign * total))
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
        let out_time = Some(Duration::from_micros(out_time_us).into());
        Block { frames: Some(frames), dropped: 0, duplicated: 0, out_time, total_size, outputs: 1, ended: false }
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
        assert_eq!(blocks(&bytes), [Block { outputs: 0, ..block(12, 480_000, None) }]);
    }

    #[test]
    fn values_that_are_not_known_yet_are_no_numbers() {
        let text = b"frame=0\nout_time_us=N/A\ntotal_size=N/A\nspeed=N/A\nprogress=continue\n";
        let expected = Block { frames: Some(0), ..Block::default() };
        assert_eq!(blocks(text), [expected]);
    }

    #[rstest]
    #[case::microseconds("out_time_us=1500000", Some(1_500_000))]
    #[case::padded("out_time_us=   1500000  ", Some(1_500_000))]
    #[case::by_its_old_name_which_is_microseconds_all_the_same("out_time_ms=1500000", Some(1_500_000))]
    #[case::by_the_clock("out_time=00:00:01.500000", Some(1_500_000))]
    #[case::by_the_clock_for_days("out_time=100:00:00.25", Some(360_000_250_000))]
    #[case::the_first_that_is_known("out_time_us=N/A\nout_time_ms=N/A\nout_time=00:00:02.000000", Some(2_000_000))]
    #[case::before_zero("out_time_us=-21333", Some(-21_333))]
    #[case::before_zero_by_the_clock("out_time=-00:00:01.500000", Some(-1_500_000))]
    #[case::no_timestamp("out_time_us=-9223372036854775807", None)]
    #[case::no_timestamp_by_the_clock("out_time=-577014:32:22.775808", None)]
    #[case::not_available("out_time_us=N/A\nout_time=N/A", None)]
    #[case::empty("out_time_us=", None)]
    #[case::windows_lines("out_time_us=1500000\r", Some(1_500_000))]
    fn media_time_by_any_of_its_names(#[case] lines: &str, #[case] micros: Option<i64>) {
        let text = format!("frame=7\n{lines}\nprogress=continue\n");
        let expected = Block { frames: Some(7), out_time: micros.map(MediaTime), ..Block::default() };
        assert_eq!(blocks(text.as_bytes()), [expected]);
    }

    #[rstest]
    #[case::one("stream_0_0_q=28.0", 1)]
    #[case::several_files("stream_0_0_q=28.0\nstream_1_0_q=0.0\nstream_12_3_q=-0.0", 3)]
    #[case::a_copied_one_drops_nothing("stream_0_0_q=-1.0\nstream_1_0_q=23.0", 1)]
    #[case::other_keys("stream_0_0_psnr_y=30.1\nstream_q=1\nstream_a_0_q=1", 0)]
    fn video_outputs_are_told_by_their_quantisers(#[case] lines: &str, #[case] outputs: u32) {
        let found = blocks(format!("{lines}\nprogress=continue\n").as_bytes());
        assert_eq!(found, [Block { outputs, ..Block::default() }]);
    }

    #[rstest]
    #[case(b"frame=many\nprogress=continue\n", "`frame=many` is not a number")]
    #[case(b"drop_frames=-1\nprogress=continue\n", "`drop_frames=-1` is not a number")]
    #[case(b"out_time=soon\nprogress=continue\n", "`out_time=soon` is not a number")]
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
