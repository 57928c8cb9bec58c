//! Names of things, each a type of its own so that they cannot be mixed up.

use std::fmt;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Wraps a text.
            #[must_use]
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A runbook's `id`, e.g. `segment-age`.
    RunbookId
);
name_type!(
    /// A step's `id`, unique within its runbook.
    StepId
);
name_type!(
    /// What a runbook acts on: the value of the alert label that it names, e.g. the stream `main`.
    Target
);
name_type!(
    /// The value of `alertname`.
    AlertName
);
name_type!(
    /// The name of an alert label.
    LabelName
);
name_type!(
    /// Alertmanager's fingerprint of an alert's label set.
    Fingerprint
);
name_type!(
    /// The name of one of Alertmanager's receivers.
    ReceiverName
);
name_type!(
    /// A resource that at most one change may hold at a time. `$target` in it stands for the incident's target.
    LockName
);
name_type!(
    /// What asks for health, as the shell knows it. The core only sees whether it is another one.
    HealthTest
);
name_type!(
    /// A way to reach people, by its name in the configuration.
    ChannelName
);
name_type!(
    /// Who did something at the console, by the name that the shell authenticated or was told.
    Person
);

name_type!(
    /// The name of something that comes round by a schedule, e.g. `daily-checks`.
    TaskName
);

/// Number of a task, counted up from 1 and never used again; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u32);

impl TaskId {
    /// Wraps a number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Number of an incident, counted up from 1 and never used again; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(u64);

impl IncidentId {
    /// Wraps a number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A rung of the escalation: 1 is the first person called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The first person called.
    pub const FIRST: Self = Self(1);

    /// Wraps a number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.0)
    }
}
