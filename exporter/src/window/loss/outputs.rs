//! Over how many outputs an encoder sums what it drops.
//!
//! Up to version 6.0 ffmpeg's `drop_frames` is the sum over all video outputs, while `frame` is the first one's; since then both are the
//! first one's. A report does not tell its version. Outputs of one source drop the same frames, so that a sum grows by multiples of
//! their number; one output's counter does not.

/// So many steps decide.
const STEPS_MIN: u32 = 16;

/// What the counter of one process tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outputs {
    /// The most that a report named: before an output is set up, it is not in it.
    named: u32,
    last: Option<u64>,
    steps: u32,
    multiples: u32,
}

impl Outputs {
    pub(super) fn observe(&mut self, named: u32, dropped: u64) {
        if named > self.named {
            *self = Self { named, ..Self::default() };
        }
        let step = dropped.saturating_sub(self.last.replace(dropped).unwrap_or(dropped));
        if step == 0 || self.named < 2 || self.steps == u32::MAX {
            return;
        }
        self.steps += 1;
        self.multiples += u32::from(step.is_multiple_of(u64::from(self.named)));
    }

    /// By what the counter has to be divided to be one output's. A sum is what is assumed until enough steps say otherwise.
    pub(super) fn summed(self) -> u32 {
        let is_sum = self.steps < STEPS_MIN || self.multiples >= self.steps - self.steps / 4;
        if is_sum { self.named.max(1) } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(named: u32, counter: impl IntoIterator<Item = u64>) -> u32 {
        let mut outputs = Outputs::default();
        counter.into_iter().for_each(|dropped| outputs.observe(named, dropped));
        outputs.summed()
    }

    #[test]
    fn a_sum_grows_by_multiples_of_the_outputs_and_one_outputs_counter_does_not() {
        let one: Vec<u64> = (0..80).map(|report| report * 5 / 2).collect();
        assert_eq!(summed(1, one.clone()), 1);
        assert_eq!(summed(4, one.iter().map(|dropped| dropped * 4)), 4);
        assert_eq!(summed(4, one.clone()), 1);
        assert_eq!(summed(4, one[..8].to_vec()), 4, "too early to tell");
        assert_eq!(summed(0, []), 1);
    }
}
