//! Room for large bodies: how much of the process's memory they may take, all together.
//!
//! A body is held until the last of its readers lets it go. One that grows takes room twice at most, and always in the same order, so
//! that bodies never wait for one another in a circle.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: usize = 1 << 20;

/// Bodies up to this size are not counted.
pub(super) const SMALL: usize = MIB;

/// Bodies up to this size share [`MIDDLING_MIB`].
pub(super) const MIDDLING: usize = 8 * MIB;

/// For middling bodies together: two of unknown length.
const MIDDLING_MIB: usize = 16;

/// Bodies beyond [`MIDDLING`] at once.
const HUGE: usize = 1;

/// Large buffers that wait to be used again.
const SPARES: usize = 1;

/// The process's room; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    middling: Arc<Semaphore>,
    huge: Arc<Semaphore>,
    spares: Spares,
}

/// A large buffer is used again: the allocator keeps what was freed for a while, and at every poll another one would come on top of it.
type Spares = Arc<Mutex<Vec<Vec<u8>>>>;

/// Bytes of a body that are put together.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    spares: Spares,
}

impl Buffer {
    /// Makes room for a body of so many bytes. Untouched memory costs nothing; a copy of what is there would cost it twice.
    pub(super) fn grow(&mut self, bytes: usize) {
        if bytes <= SMALL || bytes <= self.bytes.capacity() {
            return;
        }
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut larger = spare.unwrap_or_default();
        larger.reserve_exact(bytes);
        larger.extend_from_slice(&self.bytes);
        self.bytes = larger;
    }

    pub(super) fn extend(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    pub(super) const fn bytes(&self) -> &Vec<u8> {
        &self.bytes
    }

    pub(super) const fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.capacity() > SMALL && spares.len() < SPARES {
            bytes.clear();
            spares.push(bytes);
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            middling: Arc::new(Semaphore::new(MIDDLING_MIB)),
            huge: Arc::new(Semaphore::new(HUGE)),
            spares: Spares::default(),
        }
    }
}

/// Room that a body has.
#[derive(Debug, Default)]
pub(super) struct Taken {
    bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Room {
    /// An empty one.
    pub(super) fn buffer(&self) -> Buffer {
        Buffer { bytes: Vec::new(), spares: Arc::clone(&self.spares) }
    }

    /// Waits until there is room for `bytes`; `expected` is how many there will be, where that is known.
    pub(super) async fn take(&self, taken: &mut Taken, bytes: usize, expected: Option<usize>) {
        if bytes <= taken.bytes.max(SMALL) {
            return;
        }
        let wanted = expected.unwrap_or(MIDDLING).max(bytes);
        if taken.bytes == 0 {
            let mib = u32::try_from(wanted.min(MIDDLING).div_ceil(MIB)).unwrap_or(u32::MAX);
            // The semaphores are never closed.
            taken.permits.extend(Arc::clone(&self.middling).acquire_many_owned(mib).await);
            taken.bytes = wanted.min(MIDDLING);
        }
        if bytes.max(expected.unwrap_or_default()) > taken.bytes {
            taken.permits.extend(Arc::clone(&self.huge).acquire_owned().await);
            taken.bytes = usize::MAX;
        }
    }
}

struct Held {
    body: Buffer,
    _taken: Taken,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body.bytes
    }
}

impl Taken {
    /// A body that keeps its room as long as it lives.
    pub(super) fn hold(self, mut body: Buffer) -> Bytes {
        if self.permits.is_empty() {
            return Bytes::from(std::mem::take(&mut body.bytes));
        }
        Bytes::from_owner(Held { body, _taken: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_given_back_with_the_last_reader() {
        let room = Room::default();
        let free = |room: &Room| (room.middling.available_permits(), room.huge.available_permits());
        let mut small = Taken::default();
        room.take(&mut small, SMALL, None).await;
        assert_eq!(free(&room), (16, 1));
        let mut known = Taken::default();
        room.take(&mut known, SMALL + 1, Some(3 * MIB - 5)).await;
        room.take(&mut known, 3 * MIB - 5, Some(3 * MIB - 5)).await;
        assert_eq!(free(&room), (13, 1));
        let mut growing = Taken::default();
        room.take(&mut growing, SMALL + 1, None).await;
        assert_eq!(free(&room), (5, 1));
        room.take(&mut growing, MIDDLING + 1, None).await;
        room.take(&mut growing, 4 * MIDDLING, None).await;
        assert_eq!(free(&room), (5, 0));
        let mut nine = room.buffer();
        nine.extend(&[1; 9]);
        let body = growing.hold(nine);
        let reader = body.slice(3..);
        drop((body, known, small));
        assert_eq!((free(&room), reader.len()), ((8, 0), 6));
        drop(reader);
        assert_eq!(free(&room), (16, 1));
    }

    #[test]
    fn a_large_buffer_is_used_again_and_a_small_one_is_not_kept() {
        let room = Room::default();
        let mut first = room.buffer();
        first.extend(b"begun");
        first.grow(2 * MIB);
        let address = first.bytes().as_ptr();
        assert_eq!(first.bytes(), b"begun");
        drop(first);
        let mut small = room.buffer();
        small.extend(b"small");
        drop(small);
        let mut second = room.buffer();
        second.grow(2 * MIB);
        assert_eq!((second.bytes().as_ptr(), second.bytes().len()), (address, 0));
    }
}
