//! The frame clock: which frames are due at a moment. Pure.

use std::time::Duration;

/// A moment on the daemon's monotonic clock, counted from its start.
pub(crate) type Moment = Duration;

/// Counts frames in real time. A late caller gets the frames it missed, up to one second's worth; beyond that the clock slips,
/// because a burst of old frames is worse for viewers than a gap.
#[derive(Clone, Debug)]
pub(crate) struct FrameClock {
    fps: u32,
    origin: Moment,
    emitted: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Frames to send now.
    pub(crate) frames: u32,
    /// Frames that were given up because the caller came too late.
    pub(crate) slipped: u64,
}

impl FrameClock {
    pub(crate) const fn new(fps: u32, origin: Moment) -> Self {
        Self { fps, origin, emitted: 0 }
    }

    /// Takes what is due at `now`.
    pub(crate) fn take(&mut self, now: Moment) -> Due {
        let elapsed = now.saturating_sub(self.origin);
        let fps = u128::from(self.fps);
        let target = u64::try_from(elapsed.as_micros() * fps / 1_000_000).unwrap_or(u64::MAX).saturating_add(1);
        let behind = target.saturating_sub(self.emitted);
        let frames = u32::try_from(behind).unwrap_or(u32::MAX);
        if frames > self.fps {
            self.emitted = target;
            return Due { frames: 1, slipped: behind - 1 };
        }
        self.emitted = target.max(self.emitted);
        Due { frames, slipped: 0 }
    }

    /// When the next frame is due.
    pub(crate) fn next(&self) -> Moment {
        let micros = (u128::from(self.emitted) * 1_000_000).div_ceil(u128::from(self.fps));
        self.origin + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_frame_each_forty_milliseconds() {
        let mut clock = FrameClock::new(25, ms(1000));
        assert_eq!(clock.take(ms(1000)), Due { frames: 1, slipped: 0 });
        assert_eq!(clock.next(), ms(1040));
        assert_eq!(clock.take(ms(1039)), Due { frames: 0, slipped: 0 });
        assert_eq!(clock.take(ms(1040)), Due { frames: 1, slipped: 0 });
        assert_eq!(clock.take(ms(1200)), Due { frames: 4, slipped: 0 });
    }

    #[test]
    fn a_long_absence_slips() {
        let mut clock = FrameClock::new(25, ms(0));
        assert_eq!(clock.take(ms(0)), Due { frames: 1, slipped: 0 });
        assert_eq!(clock.take(ms(10_000)), Due { frames: 1, slipped: 249 });
        assert_eq!(clock.next(), ms(10_040));
    }

    proptest! {
        #[test]
        fn every_frame_is_sent_or_counted_as_slipped(steps in proptest::collection::vec(0_u64..2_500, 1..60), fps in 5_u32..=60) {
            let mut clock = FrameClock::new(fps, ms(0));
            let (mut now, mut total) = (0, 0);
            for step in steps {
                now += step;
                let due = clock.take(ms(now));
                total += u64::from(due.frames) + due.slipped;
            }
            prop_assert_eq!(total, now * u64::from(fps) / 1000 + 1);
        }

        #[test]
        fn the_next_moment_always_yields_a_frame(fps in 5_u32..=60, count in 0_usize..500) {
            let mut clock = FrameClock::new(fps, ms(7));
            let mut now = ms(7);
            for _ in 0..=count {
                prop_assert_eq!(clock.take(now), Due { frames: 1, slipped: 0 });
                now = clock.next();
            }
        }
    }
}
