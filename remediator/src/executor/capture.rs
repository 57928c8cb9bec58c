//! Output of a step: its beginning and its end are kept, what lies between is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes kept of the beginning, and as many of the end.
const BYTES_MAX: usize = 256 << 10;

/// What was kept of one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Captured {
    /// Bytes that were read and not kept.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes that were read.
    pub(super) fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.dropped
    }

    /// The output as text; invalid UTF-8 is replaced, and a line says how much was left out, if anything was.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::with_capacity(self.head.len() + self.tail.len() + 64);
        text.extend_from_slice(&self.head);
        if self.dropped > 0 {
            text.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        text.extend(&self.tail);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The output itself, if it fits into what is kept of the beginning.
    pub(super) fn complete(&self) -> Option<&[u8]> {
        (self.dropped == 0 && self.tail.is_empty()).then_some(self.head.as_slice())
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = BYTES_MAX - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        // Of one read only its own end can survive; what it pushes out is dropped.
        let skipped = rest.len().saturating_sub(BYTES_MAX);
        let kept = rest.get(skipped..).unwrap_or_default();
        let pushed_out = (self.tail.len() + kept.len()).saturating_sub(BYTES_MAX);
        self.tail.drain(..pushed_out);
        self.tail.extend(kept);
        self.dropped += (skipped + pushed_out) as u64;
    }
}

/// What was captured so far; whoever held it and died left it whole.
pub(super) fn lock(captured: &Mutex<Captured>) -> MutexGuard<'_, Captured> {
    captured.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a pipe to its end, so that the writer never blocks, however much it writes.
pub(super) async fn drain(pipe: Option<impl AsyncRead + Unpin>, into: &Mutex<Captured>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => lock(into).push(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn beginning_and_end_are_kept_and_the_rest_is_counted(sizes in prop::collection::vec(0_usize..200_000, 0..10)) {
            let mut captured = Captured::default();
            let mut all = Vec::new();
            for (size, byte) in sizes.into_iter().zip(0_u8..) {
                let chunk: Vec<u8> = (0..size).map(|at| byte.wrapping_mul(31).wrapping_add((at % 251) as u8)).collect();
                captured.push(&chunk);
                all.extend_from_slice(&chunk);
            }
            let head = &all[..all.len().min(BYTES_MAX)];
            let rest = &all[head.len()..];
            let tail = &rest[rest.len().saturating_sub(BYTES_MAX)..];
            prop_assert_eq!(&captured.head, head);
            prop_assert!(captured.tail.iter().eq(tail));
            prop_assert_eq!(captured.dropped as usize, rest.len() - tail.len());
        }
    }

    #[test]
    fn text_says_what_is_missing() {
        let mut captured = Captured::default();
        captured.push(b"ab\xffc");
        assert_eq!(captured.text(), "ab\u{fffd}c");
        captured.push(&vec![b'x'; 3 * BYTES_MAX]);
        assert!(captured.text().contains(&format!("\n[{} bytes left out]\n", BYTES_MAX + 4)));
    }
}
