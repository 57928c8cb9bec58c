//! What Alertmanager says stands now. A webhook is a hint; this is the truth, of the receivers that are ours.
//!
//! Source: Alertmanager API v2, `GET /api/v2/alerts/groups`; what is muted by a time interval stands there since 0.28 (`mutedBy`), and
//! nowhere before.

mod merge;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;
use vvtv_incident::{ReceiverName, Scope, Sender};

use self::merge::{Stands, merged};
use crate::alerts::webhook::{AlertUpdate, Group, LABELS_MAX, alert, time};
use crate::upstream::clock::PeerClock;
use crate::upstream::{Door, Upstream};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of why it refuses.
const EXPLANATION_CHARS_MAX: usize = 300;

/// Why it is not known what stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AlertmanagerError {
    /// It cannot be reached, or breaks off.
    #[error("cannot ask Alertmanager for its alerts")]
    Request(#[from] reqwest::Error),
    /// It answers with an error.
    #[error("Alertmanager answers {status} when asked for its alerts: {message}")]
    Status {
        /// The status.
        status: reqwest::StatusCode,
        /// Its explanation, at most 300 characters.
        message: String,
    },
    /// Its answer is larger than is read.
    #[error("Alertmanager's list of alerts is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    /// Its answer cannot be understood.
    #[error("Alertmanager's list of alerts cannot be read")]
    Answer(#[from] serde_json::Error),
}

/// What stands.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The alerts, each once.
    pub updates: Vec<AlertUpdate>,
    /// Alerts that have more labels than are kept.
    pub refused: u64,
    /// Texts that were too long and were cut.
    pub cut: u64,
    /// How many have answered.
    pub answered: usize,
}

/// The Alertmanagers of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Alertmanagers(Vec<Alertmanager>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Alertmanager {
    door: Door,
    groups: Url,
    /// Its address for people.
    pub name: String,
    /// What its answers say that it is.
    pub clock: PeerClock,
}

#[derive(Deserialize)]
struct WireGroup {
    labels: BTreeMap<String, String>,
    receiver: WireReceiver,
    alerts: Vec<WireAlert>,
}

#[derive(Deserialize)]
struct WireReceiver {
    name: String,
}

#[derive(Deserialize)]
struct WireAlert {
    fingerprint: String,
    labels: BTreeMap<String, String>,
    #[serde(rename = "startsAt")]
    starts_at: String,
    status: WireStatus,
}

#[derive(Deserialize)]
struct WireStatus {
    state: String,
    #[serde(default, rename = "mutedBy")]
    muted_by: Option<Vec<IgnoredAny>>,
}

impl Alertmanagers {
    /// Asks these.
    ///
    /// # Errors
    /// A client cannot be made.
    pub(crate) fn new(upstreams: &[Upstream]) -> anyhow::Result<Self> {
        upstreams.iter().map(Alertmanager::new).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Alertmanager> {
        self.0.iter()
    }

    /// Every alert that stands at one of them for these receivers. One that answers is enough: what is wrong with the others is told
    /// to `complain`.
    ///
    /// Alerts of the groups in `left_out` are delivered, though no delivery names them.
    pub(crate) async fn standing(
        &self,
        scope: &Scope,
        left_out: &[Group],
        mut complain: impl FnMut(&Alertmanager, AlertmanagerError),
    ) -> Standing {
        let answers = join_all(self.0.iter().map(|peer| peer.groups(scope))).await;
        let (mut refused, mut cut, mut answered, mut alerts) = (0, 0, 0, Vec::new());
        for (peer, answer) in self.0.iter().zip(answers) {
            match answer {
                Ok(groups) => {
                    answered += 1;
                    alerts.extend(groups.into_iter().flat_map(|group| standing_in(group, scope, left_out)));
                }
                Err(error) => complain(peer, error),
            }
        }
        let stand = alerts.into_iter().filter_map(|(wire, sender, stands)| {
            if wire.labels.len() > LABELS_MAX {
                refused += 1;
                return None;
            }
            let starts_at = time(&wire.starts_at).unwrap_or_default();
            Some((alert(wire.fingerprint, wire.labels, starts_at, sender, &mut cut), stands))
        });
        let updates = merged(stand);
        Standing { updates, refused, cut, answered }
    }
}

/// The alerts of a group that is ours.
fn standing_in(group: WireGroup, scope: &Scope, left_out: &[Group]) -> Vec<(WireAlert, Sender, Stands)> {
    let receiver = ReceiverName::new(group.receiver.name);
    let (sender, asked) = match scope {
        // Whose it is matters only once it is known who we are.
        Scope::All => (Sender::Alertmanager, false),
        Scope::Receivers(names) if names.contains(&receiver) => (Sender::Receiver(receiver.clone()), true),
        Scope::Receivers(_) => return Vec::new(),
    };
    let named = left_out.iter().any(|it| it.receiver == receiver && it.labels == group.labels);
    let stands = |wire: WireAlert| {
        let stands = match (wire.status.state.as_str(), &wire.status.muted_by) {
            (_, Some(by)) if !by.is_empty() => Stands::Muted,
            // "unprocessed": Alertmanager itself does not know yet. It stands, and nothing is done about it before it does.
            ("suppressed" | "unprocessed", _) => Stands::Silenced,
            ("active", _) if named => Stands::LeftOut,
            ("active", Some(_)) if asked => Stands::NotMuted,
            ("active", _) => Stands::Unsaid,
            _ => return None,
        };
        Some((wire, sender.clone(), stands))
    };
    group.alerts.into_iter().filter_map(stands).collect()
}

impl Alertmanager {
    fn new(upstream: &Upstream) -> anyhow::Result<Self> {
        let door = upstream.door()?;
        let groups = door.address("api/v2/alerts/groups")?;
        Ok(Self { door, groups, name: upstream.to_string(), clock: PeerClock::default() })
    }

    async fn groups(&self, scope: &Scope) -> Result<Vec<WireGroup>, AlertmanagerError> {
        let mut url = self.groups.clone();
        if let Scope::Receivers(names) = scope {
            let pattern = names.iter().map(|name| literally(name.as_str())).collect::<Vec<_>>().join("|");
            url.query_pairs_mut().append_pair("receiver", &pattern);
        }
        let mut response = self.door.get(url).timeout(TIMEOUT).send().await.map_err(reqwest::Error::without_url)?;
        self.clock.hear(response.headers());
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(AlertmanagerError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let message = String::from_utf8_lossy(&body).trim().chars().take(EXPLANATION_CHARS_MAX).collect();
            return Err(AlertmanagerError::Status { status, message });
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// A regular expression (RE2) that matches this text alone, where Alertmanager anchors it: `^(?:…)$`.
fn literally(text: &str) -> String {
    let escape = |c: char| if c.is_ascii_punctuation() { vec!['\\', c] } else { vec![c] };
    text.chars().flat_map(escape).collect()
}

#[cfg(test)]
mod tests;
