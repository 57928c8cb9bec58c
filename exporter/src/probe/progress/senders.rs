//! Whose reports count, where several encoders send to one port. Pure.
//!
//! They are told apart by their address, and behind one address (a relay) by counters that go on from where they were. The one that was
//! there first counts while it reports. A sender that was first heard after its last word is its successor, as after a restart, and
//! takes its place after a short silence; one that reported beside it only after a long one.

use std::net::SocketAddr;
use std::time::Duration;

use vvtv_streaming::ffmpeg_progress::Block;

/// Others that are remembered; more are strangers at every word.
const OTHERS_MAX: usize = 16;

/// No encoder makes more frames in a second: a counter that grows faster is another's.
const FRAMES_PER_SECOND_MAX: f64 = 1000.0;

/// Who sends, and who counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    counts: Option<Sender>,
    ended: bool,
    others: Vec<Sender>,
    foreign: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sender {
    from: SocketAddr,
    first: Duration,
    last: Duration,
    frames: u64,
    dropped: u64,
}

impl Sender {
    fn new(at: Duration, from: SocketAddr, block: &Block) -> Self {
        Self { from, first: at, last: at, frames: block.frames.unwrap_or(0), dropped: block.dropped }
    }

    /// How many frames came since its last report, if this is its next one.
    fn continued_by(&self, at: Duration, from: SocketAddr, block: &Block) -> Option<u64> {
        if self.from != from {
            return None;
        }
        let passed = at.saturating_sub(self.last).as_secs_f64();
        let most = ((passed + 1.0) * FRAMES_PER_SECOND_MAX) as u64;
        let grown = block.frames.unwrap_or(self.frames).checked_sub(self.frames)?;
        let dropped = block.dropped.checked_sub(self.dropped)?;
        (grown <= most && dropped <= most).then_some(grown)
    }

    fn goes_on(&mut self, at: Duration, block: &Block) {
        (self.last, self.frames, self.dropped) = (at, block.frames.unwrap_or(self.frames), block.dropped);
    }
}

/// What a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Report {
    /// It counts.
    Counts,
    /// It counts, and is the first of another encoder.
    Successor,
    /// It does not count.
    Foreign {
        /// Its sender was not heard before.
        new: bool,
    },
}

impl Senders {
    /// Takes a report and its sender. `silent_after` is how long a silence is an end.
    pub fn hear(&mut self, at: Duration, from: SocketAddr, block: &Block, silent_after: Duration) -> Report {
        let Some(counts) = &mut self.counts else {
            self.counts = Some(Sender::new(at, from, block));
            return Report::Counts;
        };
        let grown = |sender: &Sender| sender.continued_by(at, from, block);
        let nearest = self.others.iter().filter_map(grown).min();
        if grown(counts).is_some_and(|mine| nearest.is_none_or(|other| mine <= other)) {
            counts.goes_on(at, block);
            self.ended = false;
            return Report::Counts;
        }
        let silence = at.saturating_sub(counts.last);
        let after_the_last_word = counts.last;
        let known = self.others.iter_mut().find(|other| nearest.is_some() && grown(other) == nearest);
        let new = known.is_none();
        let sender = match known {
            Some(other) => {
                other.goes_on(at, block);
                *other
            }
            None => Sender::new(at, from, block),
        };
        let patience = if sender.first > after_the_last_word { silent_after / 2 } else { silent_after };
        if self.ended || silence >= patience {
            self.others.retain(|other| *other != sender);
            (self.counts, self.ended) = (Some(sender), false);
            return Report::Successor;
        }
        self.foreign += 1;
        if new {
            self.others.retain(|other| at.saturating_sub(other.last) < silent_after);
            if self.others.len() < OTHERS_MAX {
                self.others.push(sender);
            }
        }
        Report::Foreign { new }
    }

    /// The one that counts said that it ends: whoever comes next takes its place.
    pub const fn ended(&mut self) {
        self.ended = true;
    }

    /// How many report at present, at most one more than are remembered.
    #[must_use]
    pub fn present(&self, now: Duration, silent_after: Duration) -> usize {
        let speaks = |sender: &&Sender| now.saturating_sub(sender.last) < silent_after;
        self.counts.iter().filter(|_| !self.ended).chain(&self.others).filter(speaks).count()
    }

    /// Reports that did not count.
    #[must_use]
    pub const fn foreign(&self) -> u64 {
        self.foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT_AFTER: Duration = Duration::from_secs(3);

    fn hear_frame(senders: &mut Senders, millis: u64, port: u16, frame: u64) -> Report {
        let block = Block { frames: Some(frame), ..Block::default() };
        senders.hear(Duration::from_millis(millis), SocketAddr::from(([127, 0, 0, 1], port)), &block, SILENT_AFTER)
    }

    fn hear(senders: &mut Senders, millis: u64, port: u16) -> Report {
        hear_frame(senders, millis, port, millis / 40)
    }

    #[test]
    fn the_first_counts_while_it_reports() {
        let mut senders = Senders::default();
        assert_eq!(hear(&mut senders, 0, 1), Report::Counts);
        assert_eq!(hear(&mut senders, 100, 2), Report::Foreign { new: true });
        for half_seconds in 1..20 {
            assert_eq!(hear(&mut senders, half_seconds * 500, 1), Report::Counts);
            assert_eq!(hear(&mut senders, half_seconds * 500 + 100, 2), Report::Foreign { new: false });
        }
        assert_eq!((senders.foreign(), senders.present(Duration::from_secs(10), SILENT_AFTER)), (20, 2));
        assert_eq!(hear(&mut senders, 12_400, 2), Report::Foreign { new: false }, "2.9 s of silence");
        assert_eq!(hear(&mut senders, 12_500, 2), Report::Successor);
        assert_eq!(hear(&mut senders, 12_600, 1), Report::Foreign { new: true }, "it comes back too late");
        assert_eq!(senders.present(Duration::from_secs(60), SILENT_AFTER), 0);
    }

    #[test]
    fn who_comes_after_the_last_word_is_a_restarted_encoder() {
        let mut senders = Senders::default();
        let _ = hear(&mut senders, 0, 1);
        assert_eq!(hear(&mut senders, 700, 2), Report::Foreign { new: true });
        assert_eq!(hear(&mut senders, 1_200, 2), Report::Foreign { new: false });
        assert_eq!(hear(&mut senders, 1_700, 2), Report::Successor);
        assert_eq!(hear(&mut senders, 2_200, 2), Report::Counts);
        senders.ended();
        assert_eq!(senders.present(Duration::from_millis(2_300), SILENT_AFTER), 0);
        assert_eq!(hear(&mut senders, 2_400, 3), Report::Successor, "without any silence after an end");
    }

    #[test]
    fn behind_one_address_counters_tell_two_encoders_apart() {
        let mut senders = Senders::default();
        for half_seconds in 0..20 {
            let (millis, frame) = (half_seconds * 500, half_seconds * 12);
            assert_eq!(hear_frame(&mut senders, millis, 1, 9_000_000 + frame), Report::Counts);
            assert_eq!(hear_frame(&mut senders, millis, 1, frame), Report::Foreign { new: half_seconds == 0 });
            assert_eq!(
                hear_frame(&mut senders, millis, 1, 9_000_000 + frame - 9),
                Report::Foreign { new: half_seconds == 0 }
            );
        }
        assert_eq!((senders.foreign(), senders.present(Duration::from_secs(10), SILENT_AFTER)), (40, 3));
    }

    #[test]
    fn a_restart_behind_the_same_address_is_a_restart() {
        let mut senders = Senders::default();
        let said: Vec<Report> = [(0, 500), (500, 512), (1_000, 2), (1_500, 15), (2_000, 27), (2_500, 40)]
            .map(|(millis, frame)| hear_frame(&mut senders, millis, 1, frame))
            .to_vec();
        let foreign = |new| Report::Foreign { new };
        assert_eq!(
            said,
            [Report::Counts, Report::Counts, foreign(true), foreign(false), Report::Successor, Report::Counts]
        );
    }

    #[test]
    fn a_flood_of_senders_is_bounded() {
        let mut senders = Senders::default();
        for port in 1..10_000 {
            let _ = hear(&mut senders, 1, port);
        }
        assert_eq!((senders.others.len(), senders.foreign()), (OTHERS_MAX, 9_998));
    }
}
