//! What of the configuration may change while the server runs.
//!
//! The event loop puts it in force, between two turns and whole; everybody else looks at the snapshot that it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use vvtv_incident::{ChannelName, Policy, Runbook, Target};
use vvtv_toolkit::redaction::Redactor;

use crate::config::Config;
use crate::config::redaction;
use crate::contacts::Contact;
use crate::maintenance::task::TaskSpecs;
use crate::maintenance::windows::Windows;
use crate::paging::channels::{Channel, Settings};
use crate::runbook::{LoadedRunbook, RunbooksInForce};
use crate::site::SiteValues;

/// How long one try to hand a message over may take.
const TRY_WITHIN: Duration = Duration::from_secs(5);

/// What may change. What [`super::reload::fixed`] names needs a restart.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The runbooks.
    pub books: Vec<Arc<LoadedRunbook>>,
    /// The limits, and the mode.
    pub policy: Policy,
    /// Who is called on which channels.
    pub contacts: Vec<Contact>,
    /// The ways to reach them, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Planned times in which nothing is done.
    pub windows: Windows,
    /// Targets that exist whatever Prometheus says.
    pub inventory: BTreeSet<Target>,
    /// What comes round by the calendar.
    pub task_specs: TaskSpecs,
    /// What runbooks may use of this installation.
    pub site: SiteValues,
    /// What must not be written down.
    pub redaction: Redactor,
}

/// The snapshot that readers look at.
pub(crate) type Watched = watch::Receiver<Arc<Live>>;

impl Live {
    /// What a configuration and its runbooks say.
    ///
    /// # Errors
    /// A channel's HTTP client cannot be set up.
    pub(crate) fn new(config: &Config, books: Vec<LoadedRunbook>) -> anyhow::Result<Self> {
        let channel = |(name, channel): (&ChannelName, &Settings)| {
            let channel = Channel::new(channel.clone(), TRY_WITHIN).context("cannot set up the HTTP client")?;
            Ok((name.to_string(), channel))
        };
        Ok(Self {
            books: books.into_iter().map(Arc::new).collect(),
            policy: config.policy.clone(),
            contacts: config.contacts.clone(),
            channels: config.channels.iter().map(channel).collect::<anyhow::Result<_>>()?,
            windows: Windows::new(config.maintenance_windows.clone()),
            inventory: config.inventory.clone(),
            task_specs: TaskSpecs::new(config.maintenance.clone()),
            site: config.site.clone(),
            redaction: redaction::redactor(config),
        })
    }

    /// The runbooks as the core knows them.
    #[must_use]
    pub(crate) fn plans(&self) -> Vec<Runbook> {
        self.books.iter().map(|book| book.plan.clone()).collect()
    }
}

/// The runbooks of the snapshot, for whoever needs no more of it.
#[must_use]
pub(crate) fn runbooks(watched: &Watched) -> RunbooksInForce {
    let watched = watched.clone();
    RunbooksInForce::new(move || watched.borrow().books.clone())
}
