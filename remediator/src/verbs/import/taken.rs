//! Which lines of the page are somewhere in the files: what is in none of them is said.

/// A mark for each line.
#[derive(Debug)]
pub(super) struct Taken(Vec<bool>);

impl Taken {
    pub(super) fn none_of(lines: usize) -> Self {
        Self(vec![false; lines])
    }

    /// Marks lines, both ends included.
    pub(super) fn take(&mut self, first: usize, last: usize) {
        for line in first..=last {
            if let Some(mark) = line.checked_sub(1).and_then(|index| self.0.get_mut(index)) {
                *mark = true;
            }
        }
    }

    pub(super) fn has(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|index| self.0.get(index)).copied().unwrap_or(false)
    }
}
