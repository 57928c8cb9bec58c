//! Alertmanager's API, for those who call people by its receivers: <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! A page is an alert of its own. It has no label that runbooks take for a target, and no `severity` that calls people by itself, so that its
//! way back here leads to nothing. Alertmanager forgets its alerts when it restarts, and members of a cluster do not tell each other of them:
//! every one of them is told again, as by Prometheus, until the page is over.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::Url;

use super::{Notice, NoticeKind, PagerError, short_key, text};
use crate::config::Secret;

pub(super) const CHANNEL: &str = "Alertmanager";
const KEY_CHARS_MAX: usize = 255;
const TRIED_BYTES_MAX: usize = 8_000;
/// An alert without an end would be taken for over after Alertmanager's `resolve_timeout`; a page is over only when that is said, also where
/// nobody is there to tell it again.
const ENDS_AFTER: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A page that Alertmanager is to know of.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What it says.
    pub notice: Notice,
    /// When it was over, if it is.
    pub over_at: Option<Timestamp>,
}

impl Standing {
    /// As it is now: a page that calls stands, one that takes a call back is over.
    #[must_use]
    pub fn new(notice: Notice, now: Timestamp) -> Self {
        let over_at = match notice.kind {
            NoticeKind::Trigger | NoticeKind::Update => None,
            NoticeKind::Resolve => Some(now),
        };
        Self { notice, over_at }
    }
}

/// Tells each of them; one that takes it is enough.
pub(super) async fn tell(
    http: &reqwest::Client,
    (urls, token): (&[Url], Option<&Secret>),
    pages: &[Standing],
    now: Timestamp,
) -> Result<(), PagerError> {
    let alerts = &pages.iter().map(|page| alert(page, now)).collect::<Vec<_>>();
    let told = urls.iter().map(|url| async move {
        let request = http.post(url.clone()).json(alerts);
        let request = match token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        };
        super::taken(CHANNEL, request).await.map_err(|error| (url, error))
    });
    let (taken, failed): (Vec<_>, Vec<_>) = join_all(told).await.into_iter().partition(Result::is_ok);
    let mut failed: Vec<_> = failed.into_iter().filter_map(Result::err).collect();
    if taken.is_empty() {
        // One that may take it later is worth another try.
        failed.sort_by_key(|(_, error)| !error.retryable());
        return failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error));
    }
    for (url, error) in failed {
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let error = vvtv_toolkit::logging::chain(&error);
        tracing::warn!(host, port, error, "another Alertmanager has the page, this one not yet");
    }
    Ok(())
}

fn alert(page: &Standing, now: Timestamp) -> Value {
    let notice = &page.notice;
    let ends_at = page.over_at.unwrap_or_else(|| now.saturating_add(ENDS_AFTER).unwrap_or(Timestamp::MAX));
    json!({
        // The resolve must have the same, whatever a runbook says by then.
        "labels": {
            "alertname": "RemediatorPage",
            "page": short_key(&notice.key, KEY_CHARS_MAX),
            "level": notice.level.to_string(),
            "contact": notice.contact,
            "runbook": notice.runbook.as_str(),
            "target": notice.target,
        },
        "annotations": {
            "summary": text::headline(notice),
            "description": text::plain(notice, TRIED_BYTES_MAX),
            "severity": notice.severity.as_str(),
            "reason": notice.reason.as_str(),
            "runbook_url": notice.links.runbook.as_deref().unwrap_or_default(),
        },
        "startsAt": notice.opened_at,
        "endsAt": ends_at.to_string(),
        "generatorURL": notice.links.incident,
    })
}
