//! Google Cloud Monitoring's webhook: one incident of an alerting policy. Its alert has the policy's name, and as labels those of the
//! resource, of the metric and of the policy; where they differ, the policy's count, which somebody wrote for this alert.
//!
//! Source: Google Cloud documentation, Monitoring, "Notification options": webhooks, schema 1.2.

use std::collections::BTreeMap;

use serde::Deserialize;
use vvtv_incident::{Fingerprint, Sender, Timestamp};

use super::{AlertUpdate, Delivery, FINGERPRINT_BYTES_MAX, LABELS_MAX, WebhookError, alert, bounded};

/// An incident as it is written.
#[derive(Deserialize)]
pub(super) struct Incident {
    incident_id: String,
    state: String,
    policy_name: String,
    #[serde(default)]
    started_at: Option<u64>,
    #[serde(default)]
    ended_at: Option<u64>,
    #[serde(default)]
    resource: Option<Labelled>,
    #[serde(default)]
    metric: Option<Labelled>,
    #[serde(default)]
    policy_user_labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// What it says.
pub(super) fn delivery(incident: Incident) -> Delivery {
    let (mut cut, mut alerts, mut refused) = (0, Vec::new(), Vec::new());
    match update(incident, &mut cut) {
        Ok(update) => alerts.push(update),
        Err(error) => refused.push(error),
    }
    Delivery { alerts, refused, truncated: 0, left_out: 0, cut, receiver: None, group: None }
}

fn update(incident: Incident, cut: &mut u64) -> Result<AlertUpdate, WebhookError> {
    let seconds = |at: Option<u64>| at.map(|at| Timestamp::from_millis(at.saturating_mul(1000)));
    let (starts_at, ends_at) = (seconds(incident.started_at).unwrap_or_default(), seconds(incident.ended_at));
    // Fingerprints of Alertmanager have no colon.
    let fingerprint = format!("google:{}", incident.incident_id);
    let refused = |incident: &str| incident.chars().take(64).collect();
    match incident.state.as_str() {
        "open" => {
            let mut labels = BTreeMap::from([("alertname".to_owned(), incident.policy_name)]);
            let of = |labelled: Option<Labelled>| labelled.and_then(|it| it.labels).unwrap_or_default();
            labels.extend(of(incident.resource));
            labels.extend(of(incident.metric));
            labels.extend(incident.policy_user_labels.unwrap_or_default());
            if labels.len() > LABELS_MAX {
                return Err(WebhookError::Labels { alert: refused(&incident.incident_id), labels: labels.len() });
            }
            Ok(AlertUpdate::Firing(alert(fingerprint, labels, starts_at, Sender::Other, cut)))
        }
        "closed" => {
            let fingerprint = Fingerprint::new(bounded(fingerprint, FINGERPRINT_BYTES_MAX, cut));
            Ok(AlertUpdate::Resolved { fingerprint, starts_at, ends_at })
        }
        other => Err(WebhookError::Incident { incident: refused(&incident.incident_id), state: refused(other) }),
    }
}
