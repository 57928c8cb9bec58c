//! Planned work: windows in which no step is started, and what comes round by the calendar.

pub mod duty;
pub mod schedule;
pub mod windows;
