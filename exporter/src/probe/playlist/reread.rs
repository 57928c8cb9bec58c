//! When a master playlist is read again: rarely, because each look may open a viewer's session; soon when a variant does not come. Pure.

/// Polls between two looks while all is well.
const RARELY: u32 = 60;

/// The most polls between two looks at a master that gives its variants another address each time.
const RARELY_MAX: u32 = 600;

/// The most polls between two looks while a variant does not come.
const SOON_MAX: u32 = 10;

/// Counts polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reread {
    since: u32,
    rarely: u32,
    soon: u32,
}

impl Default for Reread {
    fn default() -> Self {
        Self { since: 0, rarely: RARELY, soon: 1 }
    }
}

impl Reread {
    /// A poll begins; whether the master shall be read. `wanted`: a variant fails, or should have had a new segment.
    pub(super) fn is_due(&mut self, wanted: bool) -> bool {
        self.since = self.since.saturating_add(1);
        if !wanted {
            self.soon = 1;
        }
        self.since >= if wanted { self.soon } else { self.rarely }
    }

    /// It was asked for.
    pub(super) fn asked(&mut self, wanted: bool) {
        self.since = 0;
        if wanted {
            self.soon = (self.soon * 2).min(SOON_MAX);
        }
    }

    /// It was read; `moved`: variants that are known were at other addresses.
    pub(super) fn read(&mut self, moved: bool) {
        self.rarely = if moved { (self.rarely * 2).min(RARELY_MAX) } else { RARELY };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The polls at which it is read.
    fn reads(polls: u32, wanted: impl Fn(u32) -> bool, moved: bool) -> Vec<u32> {
        let mut reread = Reread::default();
        let due = |poll: &u32| {
            let due = reread.is_due(wanted(*poll));
            if due {
                reread.asked(wanted(*poll));
                reread.read(moved);
            }
            due
        };
        (1..=polls).filter(due).collect()
    }

    #[test]
    fn rarely_more_rarely_where_each_look_is_a_session_and_soon_in_trouble() {
        assert_eq!(reads(200, |_| false, false), [60, 120, 180]);
        assert_eq!(reads(2000, |_| false, true), [60, 180, 420, 900, 1500]);
        assert_eq!(reads(110, |poll| poll > 70 && poll < 105, false), [60, 71, 73, 77, 85, 95]);
    }
}
