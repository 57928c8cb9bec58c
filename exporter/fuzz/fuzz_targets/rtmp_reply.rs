//! Any bytes as the answer to `connect`, in one piece and torn: the same verdict.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_streaming::rtmp::ReplyReader;

fuzz_target!(|bytes: &[u8]| {
    let whole = ReplyReader::default().feed(bytes);
    let mut reader = ReplyReader::default();
    let mut torn = Ok(None);
    for piece in bytes.chunks(5) {
        torn = reader.feed(piece);
        if torn != Ok(None) {
            break;
        }
    }
    assert_eq!(torn, whole);
});
