//! Any bytes as an encoder's reports, in one piece and torn: the same blocks.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_streaming::ffmpeg_progress::Blocks;

fuzz_target!(|bytes: &[u8]| {
    // Beyond this size an unclosed block is given up, and where depends on the pieces.
    if bytes.len() < 8 << 10 {
        let mut reader = Blocks::default();
        let torn: Vec<_> = bytes.chunks(61).flat_map(|piece| reader.feed(piece)).collect();
        assert_eq!(torn, Blocks::default().feed(bytes));
    }
});
