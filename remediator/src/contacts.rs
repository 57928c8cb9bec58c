//! Who is called: people and rotas, by the levels of the escalation.

use std::time::Duration;

use vvtv_incident::{ChannelName, Level};

/// A person or rota, and how to reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The rung of the escalation.
    pub level: Level,
    /// Name for people.
    pub name: String,
    /// What they decide about.
    pub scope: String,
    /// Time until the next level is called.
    pub respond_within: Duration,
    /// The channels to use, all of them.
    pub notify: Vec<ChannelName>,
}
