//! Room for large bodies: how much of the process's memory they may take, all together.
//!
//! A body is held until the last of its readers lets it go. One that grows takes room twice at most, and always in the same order, so
//! that bodies never wait for one another in a circle.

use std::sync::Arc;

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

/// The process's room; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    middling: Arc<Semaphore>,
    huge: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self { middling: Arc::new(Semaphore::new(MIDDLING_MIB)), huge: Arc::new(Semaphore::new(HUGE)) }
    }
}

/// Room that a body has.
#[derive(Debug, Default)]
pub(super) struct Taken {
    bytes: usize,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Room {
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
    body: Vec<u8>,
    _taken: Taken,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Taken {
    /// A body that keeps its room as long as it lives.
    pub(super) fn hold(self, body: Vec<u8>) -> Bytes {
        if self.permits.is_empty() { Bytes::from(body) } else { Bytes::from_owner(Held { body, _taken: self }) }
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
        let body = growing.hold(vec![1; 9]);
        let reader = body.slice(3..);
        drop((body, known, small));
        assert_eq!((free(&room), reader.len()), ((8, 0), 6));
        drop(reader);
        assert_eq!(free(&room), (16, 1));
    }
}
