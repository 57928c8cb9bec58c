//! Planned work: windows in which no step is started, and what comes round by the calendar.

pub mod schedule;
pub mod task;
pub mod windows;
