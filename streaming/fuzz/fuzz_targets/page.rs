//! Any bytes as a statistics page, in one piece and torn: the same page, or none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_streaming::nginx_rtmp::{PageReader, parse};

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    let mut reader = PageReader::default();
    let torn = bytes.chunks(7).try_for_each(|piece| reader.feed(piece)).and_then(|()| reader.finish());
    assert_eq!(torn.ok(), whole.ok());
});
