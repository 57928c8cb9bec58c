//! What is kept of nobody's in particular: the pause, who we are, which targets and receivers are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vvtv_incident::{IncidentId, Pause, Person, ReceiverName, Target, TaskId};

use super::Kept;
use super::word::{MillisV1, at};
use crate::conditions::targets::Told;
use crate::installation::{Installation, InstallationId, Nameless, NoInstallationId};

/// A person's stop of all new actions.
#[derive(Serialize, Deserialize)]
pub(in crate::journal) struct PauseV1 {
    by: String,
    at: MillisV1,
}

/// The targets that Prometheus told of, and when it told of each last.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::journal) struct ToldV1(BTreeMap<String, MillisV1>);

/// The receivers that deliveries came through.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::journal) struct ReceiversV1(Vec<String>);

/// Who wrote the journal.
#[derive(Serialize, Deserialize)]
pub(in crate::journal) struct InstallationV1 {
    id: InstallationIdV1,
    nameless: NamelessV1,
}

/// Sixteen hexadecimal digits.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct InstallationIdV1(InstallationId);

/// What was written before there was an id.
#[derive(Serialize, Deserialize)]
struct NamelessV1 {
    incident: u64,
    task: u32,
}

impl Kept for Pause {
    type Wire = PauseV1;
}

impl From<&Pause> for PauseV1 {
    fn from(pause: &Pause) -> Self {
        let Pause { by, at } = pause;
        Self { by: by.to_string(), at: at.millis() }
    }
}

impl From<PauseV1> for Pause {
    fn from(pause: PauseV1) -> Self {
        let PauseV1 { by, at: since } = pause;
        Self { by: Person::new(by), at: at(since) }
    }
}

impl Kept for Told {
    type Wire = ToldV1;
}

impl From<&Told> for ToldV1 {
    fn from(told: &Told) -> Self {
        Self(told.iter().map(|(target, at)| (target.to_string(), at.millis())).collect())
    }
}

impl From<ToldV1> for Told {
    fn from(ToldV1(told): ToldV1) -> Self {
        told.into_iter().map(|(target, millis)| (Target::new(target), at(millis))).collect()
    }
}

impl Kept for Vec<ReceiverName> {
    type Wire = ReceiversV1;
}

impl From<&Vec<ReceiverName>> for ReceiversV1 {
    fn from(receivers: &Vec<ReceiverName>) -> Self {
        Self(receivers.iter().map(ReceiverName::to_string).collect())
    }
}

impl From<ReceiversV1> for Vec<ReceiverName> {
    fn from(ReceiversV1(receivers): ReceiversV1) -> Self {
        receivers.into_iter().map(ReceiverName::new).collect()
    }
}

impl Kept for Installation {
    type Wire = InstallationV1;
}

impl From<&Installation> for InstallationV1 {
    fn from(installation: &Installation) -> Self {
        let Installation { id, nameless: Nameless { incident, task } } = installation;
        Self { id: InstallationIdV1(id.clone()), nameless: NamelessV1 { incident: incident.get(), task: task.get() } }
    }
}

impl From<InstallationV1> for Installation {
    fn from(installation: InstallationV1) -> Self {
        let InstallationV1 { id: InstallationIdV1(id), nameless: NamelessV1 { incident, task } } = installation;
        Self { id, nameless: Nameless { incident: IncidentId::new(incident), task: TaskId::new(task) } }
    }
}

impl TryFrom<String> for InstallationIdV1 {
    type Error = NoInstallationId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        InstallationId::try_from(text).map(Self)
    }
}

impl From<InstallationIdV1> for String {
    fn from(InstallationIdV1(id): InstallationIdV1) -> Self {
        id.into()
    }
}
