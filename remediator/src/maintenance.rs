//! Planned work: windows in which no step is started, and what comes round by the calendar.

pub(crate) mod schedule;
pub(crate) mod task;
pub(crate) mod windows;
