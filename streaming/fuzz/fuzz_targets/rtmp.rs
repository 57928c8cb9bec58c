//! Any bytes as what a server says, in one piece and torn: the same verdict.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_streaming::rtmp::{Connect, Dialogue, DialogueError, OPENING, Verdict};

fn verdict(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<Option<Verdict>, DialogueError> {
    let connect = Connect { app: "live", tc_url: "rtmp://127.0.0.1:1935/live", client: "fuzz" };
    let mut dialogue = Dialogue::new(Some(connect));
    for piece in pieces {
        if let Some(verdict) = dialogue.feed(piece.as_ref())?.verdict {
            return Ok(Some(verdict));
        }
    }
    Ok(None)
}

fuzz_target!(|bytes: &[u8]| {
    // A recorded answer begins behind the handshake.
    let said = [OPENING.as_slice(), &OPENING[1..], bytes].concat();
    assert_eq!(verdict(said.chunks(5)), verdict(std::iter::once(&said)));
    let _ = verdict(bytes.chunks(5));
});
