//! Output of a step: its beginning and its end are kept, what lies between is counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes kept of the beginning, and as many of the end.
const BYTES_MAX: usize = 256 << 10;

/// So many bytes next to what is left out are looked through for the end of a line.
const EDGE: usize = 4 << 10;

/// What was kept of one output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Captured {
    /// Bytes that were read.
    pub(super) fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.dropped
    }

    /// The output as text; invalid UTF-8 is replaced, and a line says how much was left out, if anything was.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let (head, tail) = (self.head.as_slice(), Vec::from_iter(self.tail.iter().copied()));
        if self.dropped == 0 {
            return String::from_utf8_lossy(&[head, &tail].concat()).into_owned();
        }
        let (end, begin) = (end_of_whole(head), begin_of_whole(&tail));
        let dropped = self.dropped + (head.len() - end + begin) as u64;
        let (head, tail) = (head.get(..end).unwrap_or_default(), tail.get(begin..).unwrap_or_default());
        let note = format!("\n[{dropped} bytes left out]\n");
        String::from_utf8_lossy(&[head, note.as_bytes(), tail].concat()).into_owned()
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

/// Where the last whole line ends, or else the last whole word: half a secret is not known as one, and would be shown.
fn end_of_whole(head: &[u8]) -> usize {
    let edge = head.len().saturating_sub(EDGE);
    let near = head.get(edge..).unwrap_or_default();
    let cut = near.iter().rposition(|byte| *byte == b'\n').or_else(|| near.iter().rposition(u8::is_ascii_whitespace));
    cut.map_or(head.len(), |at| edge + at)
}

fn begin_of_whole(tail: &[u8]) -> usize {
    let near = tail.get(..EDGE).unwrap_or(tail);
    let cut = near.iter().position(|byte| *byte == b'\n').or_else(|| near.iter().position(u8::is_ascii_whitespace));
    cut.map_or(0, |at| at + 1)
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
    fn no_half_line_is_left_beside_what_is_left_out() {
        let mut captured = Captured::default();
        let line = b"password=hunter2 of the encoder\n";
        captured.push(&line.repeat(4 * BYTES_MAX / line.len() + 3));
        let text = captured.text();
        let odd: Vec<_> = text.lines().filter(|found| found.as_bytes() != &line[..line.len() - 1]).collect();
        assert!(odd.len() == 1 && odd[0].ends_with(" bytes left out]"), "{odd:?}");
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
