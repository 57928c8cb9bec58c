//! Series of many subjects: values are found in one pass over the subjects, because what is known of ten thousand streams lies
//! scattered in memory, and then lie side by side, to be written family by family.

use vvtv_toolkit::render::{Exposition, Kind, LabelList, Labels};

/// A yes or a no as a value.
pub(crate) const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// A family and how the value of its samples is found.
pub(crate) struct Family<F> {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    /// How the value is found; `()` where whoever pushes has it.
    pub(crate) value: F,
}

/// A family of values that go up and down.
pub(crate) const fn gauge<F>(name: &'static str, help: &'static str, value: F) -> Family<F> {
    Family { name, help, kind: Kind::Gauge, value }
}

/// A family of values that grow.
pub(crate) const fn counter<F>(name: &'static str, help: &'static str, value: F) -> Family<F> {
    Family { name, help, kind: Kind::Counter, value }
}

/// The values of families whose samples have the same labels.
pub(crate) struct Table<const N: usize> {
    labels: LabelList,
    columns: [Vec<Option<f64>>; N],
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        Self { labels: LabelList::default(), columns: [const { Vec::new() }; N] }
    }
}

impl<const N: usize> Table<N> {
    /// Adds a subject by its labels, those that it shares with many, and its value in each family; none is not written.
    pub(crate) fn push(&mut self, labels: &Labels, more: &Labels, values: [Option<f64>; N]) {
        self.labels.push(labels, more);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
    }

    /// Writes family by family.
    pub(crate) fn write<F>(&self, out: &mut Exposition, families: &[Family<F>; N]) {
        for (family, column) in families.iter().zip(&self.columns) {
            out.family(family.name, family.help, family.kind);
            for (labels, value) in self.labels.iter().zip(column) {
                if let Some(value) = value {
                    out.sample(labels, *value);
                }
            }
        }
    }
}

/// Which of several states each subject is in: 1 for that one, 0 for the others.
pub(crate) struct States<S> {
    labels: LabelList,
    states: Vec<S>,
}

impl<S> Default for States<S> {
    fn default() -> Self {
        Self { labels: LabelList::default(), states: Vec::new() }
    }
}

impl<S: PartialEq> States<S> {
    /// Adds a subject by its labels, and the state that it is in.
    pub(crate) fn push(&mut self, labels: &Labels, state: S) {
        self.labels.push(labels, &Labels::NONE);
        self.states.push(state);
    }

    /// Writes a gauge with a sample of each possible state, told by the labels beside it.
    pub(crate) fn write(&self, out: &mut Exposition, name: &str, help: &str, possible: &[(S, Labels)]) {
        out.family(name, help, Kind::Gauge);
        for (labels, state) in self.labels.iter().zip(&self.states) {
            for (one, more) in possible {
                out.sample_with(labels, more, flag(one == state));
            }
        }
    }
}
