//! Labels as they are written: prepared once, kept where many are written one after another.

use std::sync::Arc;

/// A prepared set of labels: escaped once, written many times; clones share the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Option<Arc<str>>);

impl Labels {
    /// No labels.
    pub const NONE: Self = Self(None);

    /// Prepares labels in the given order. Names are the caller's constants, values may hold anything.
    #[must_use]
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        Self::NONE.with(pairs)
    }

    /// These labels and more.
    #[must_use]
    pub fn with(&self, pairs: &[(&str, &str)]) -> Self {
        let mut text = self.text().to_owned();
        for (name, value) in pairs {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            push_escaped(&mut text, value, true);
            text.push('"');
        }
        Self(Some(text.into()))
    }

    pub(super) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Prepared labels, wherever they are kept.
#[derive(Clone, Copy, Debug)]
pub struct LabelsRef<'a>(pub(super) &'a str);

impl<'a> From<&'a Labels> for LabelsRef<'a> {
    fn from(labels: &'a Labels) -> Self {
        Self(labels.text())
    }
}

/// The labels of many samples, side by side: those of ten thousand streams, each where it was allocated, would be fetched from memory
/// again for each family.
#[derive(Clone, Debug, Default)]
pub struct LabelList {
    text: String,
    ends: Vec<usize>,
}

impl LabelList {
    /// Adds a sample's labels, and those that it shares with many.
    pub fn push(&mut self, labels: &Labels, more: &Labels) {
        self.text.push_str(labels.text());
        if !labels.text().is_empty() && !more.text().is_empty() {
            self.text.push(',');
        }
        self.text.push_str(more.text());
        self.ends.push(self.text.len());
    }

    /// The labels of each sample.
    pub fn iter(&self) -> impl Iterator<Item = LabelsRef<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| LabelsRef(self.text.get(start..*end).unwrap_or_default()))
    }
}

/// Escapes as both formats do; HELP texts of text 0.0.4 keep their quotes.
pub(super) fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}
