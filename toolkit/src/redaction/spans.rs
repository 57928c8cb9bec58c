//! Parts of a line that are not to be shown.

use std::ops::Range;

use super::MARK;

/// Byte ranges of one line, in any order, overlapping or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Vec<Range<usize>>);

impl Spans {
    pub(super) fn push(&mut self, span: Range<usize>) {
        if !span.is_empty() {
            self.0.push(span);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their union, in order. Ranges that only touch become one.
    fn merged(&self) -> Vec<Range<usize>> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(sorted.len());
        for span in sorted {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }

    fn each(&self, line: &str, mut hide: impl FnMut(&mut String, &str)) -> String {
        let mut out = String::with_capacity(line.len() + MARK.len());
        let mut at = 0;
        for span in self.merged() {
            out.push_str(line.get(at..span.start).unwrap_or_default());
            // A range that cuts a character would be a fault of a rule; then the rest is hidden rather than shown.
            hide(&mut out, line.get(span.clone()).unwrap_or_default());
            at = span.end;
        }
        out.push_str(line.get(at..).unwrap_or_default());
        out
    }

    pub(super) fn replaced(&self, line: &str) -> String {
        self.each(line, |out, _| out.push_str(MARK))
    }

    pub(super) fn covered(&self, line: &str) -> String {
        self.each(line, |out, secret| out.extend(secret.chars().map(|_| '*')))
    }

    pub(super) fn hidden<'a>(&self, line: &'a str) -> Vec<&'a str> {
        self.merged().into_iter().filter_map(|span| line.get(span)).collect()
    }
}
