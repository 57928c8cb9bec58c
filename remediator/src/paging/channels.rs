//! Reaching people: one try to hand one notice to one channel, and what came of it.
//!
//! Boundary: who is called and when is the core's decision; when to try again is `delivery`'s; that every notice is sent at least once,
//! across restarts too, is the journal's. The key of a notice does not change when it is sent again, so that the receiver can tell.

mod alertmanager;
mod email;
mod opsgenie;
mod pagerduty;
mod retry_after;
mod slack;
mod text;
mod webhook;

use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use vvtv_incident::{Level, Reason, RunbookId, Severity, StepState};

pub use self::alertmanager::Standing;
use crate::clock::wall;
use crate::config;
use crate::journal::outbox::Subject;

/// The longest summary, in bytes: PagerDuty's limit.
pub const SUMMARY_BYTES_MAX: usize = 1024;
/// The longest other text of a notice, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// The longest excerpt of a step's stderr, in bytes.
const SAID_BYTES_MAX: usize = 500;
/// Steps that a notice tells of.
const TRIED_MAX: usize = 50;
/// The most that is read of a receiver's explanation.
const EXPLANATION_CHARS_MAX: usize = 300;

/// What somebody is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same for every sending of this page, and for its resolution.
    pub key: String,
    /// Whether it begins, goes on, or is over.
    pub kind: NoticeKind,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence. Longer ones than [`SUMMARY_BYTES_MAX`] are cut.
    pub summary: String,
    /// The level that is called.
    pub level: Level,
    /// Who that is.
    pub contact: String,
    /// Why they are called.
    pub reason: Reason,
    /// The runbook at work; `maintenance` for a task.
    pub runbook: RunbookId,
    /// Its name for people.
    pub title: String,
    /// What it works on; the name of a task.
    pub target: String,
    /// What it is about.
    pub subject: Subject,
    /// When the incident was opened, or the task was scheduled, RFC 3339.
    pub opened_at: String,
    /// Where to read on.
    pub links: Links,
    /// What was tried, in order.
    pub tried: Vec<Tried>,
}

/// Whether a notice begins something, tells more of it, or ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// Somebody is called.
    Trigger,
    /// There is more to know about what somebody was called for.
    Update,
    /// The trouble is over.
    Resolve,
}

/// Addresses in the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Links {
    /// The page of the incident or task.
    pub incident: String,
    /// The incident's diagnostic bundle.
    pub bundle: Option<String>,
    /// The runbook's page.
    pub runbook: Option<String>,
}

/// A step that was tried or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its id.
    pub step: String,
    /// Its name for people.
    pub title: String,
    /// How it stands.
    pub state: StepState,
    /// Why.
    pub reason: Option<Reason>,
    /// If it failed: the last lines of its stderr, on one line. Longer ones than `SAID_BYTES_MAX` are cut.
    pub said: Option<String>,
}

/// Why a notice did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum PagerError {
    /// No connection, or no answer in time.
    #[error("cannot reach {channel}")]
    Unreachable {
        /// The kind of channel.
        channel: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The receiver is busy or broken: it may take the same notice later.
    #[error("{channel} cannot take the notice now: {status}: {explanation}")]
    Busy {
        /// The kind of channel.
        channel: &'static str,
        /// The status of HTTP or SMTP.
        status: u16,
        /// The beginning of what it answered.
        explanation: String,
        /// How long it wants to be left alone, if it says so.
        retry_after: Option<Duration>,
    },
    /// The receiver will never take this notice.
    #[error("{channel} refuses the notice: {status}: {explanation}")]
    Refused {
        /// The kind of channel.
        channel: &'static str,
        /// The status of HTTP or SMTP.
        status: u16,
        /// The beginning of what it answered.
        explanation: String,
    },
    /// It took longer than one try may.
    #[error("{channel} took longer than {limit:?}")]
    TooSlow {
        /// The kind of channel.
        channel: &'static str,
        /// The limit.
        limit: Duration,
    },
}

impl PagerError {
    /// Whether the channel as a whole is not to be had now. Otherwise the receiver is there, and does not want this notice.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::TooSlow { .. } => true,
            Self::Refused { .. } => false,
        }
    }

    /// How long the receiver wants to be left alone, if it says so; bounded.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::TooSlow { .. } => None,
        }
    }
}

/// A way to reach people.
#[derive(Clone, Debug)]
pub struct Channel {
    http: reqwest::Client,
    kind: config::Channel,
    within: Duration,
}

impl Channel {
    /// A sender for a configured channel, and how long one try may take.
    ///
    /// # Errors
    /// The TLS roots cannot be loaded.
    pub fn new(kind: config::Channel, within: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(within).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { http, kind, within })
    }

    /// Whether it leads to the same place in the same way.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.kind, self.within) == (&other.kind, other.within)
    }

    /// Tries once to hand a notice over.
    ///
    /// # Errors
    /// The receiver cannot be reached, is busy, or refuses it.
    pub async fn send(&self, notice: &Notice) -> Result<(), PagerError> {
        self.hand_over(&notice.cut()).await
    }

    const fn name(&self) -> &'static str {
        match self.kind {
            config::Channel::Pagerduty { .. } => "PagerDuty",
            config::Channel::Webhook { .. } => "the webhook",
            config::Channel::Slack { .. } => "Slack",
            config::Channel::Opsgenie { .. } => "Opsgenie",
            config::Channel::Alertmanager { .. } => alertmanager::CHANNEL,
            config::Channel::Email(_) => "the mail server",
        }
    }

    async fn hand_over(&self, notice: &Notice) -> Result<(), PagerError> {
        let request = match &self.kind {
            config::Channel::Pagerduty { routing_key, url } => {
                self.http.post(url.clone()).json(&pagerduty::event(notice, routing_key))
            }
            config::Channel::Webhook { url, headers, token } => {
                let request =
                    headers.iter().fold(self.http.post(url.clone()), |it, (name, value)| it.header(name, value));
                let request = match token {
                    Some(token) => request.bearer_auth(token.reveal()),
                    None => request,
                };
                request.json(&webhook::body(notice))
            }
            config::Channel::Slack { url } => self.http.post(url.reveal()).json(&slack::message(notice)),
            config::Channel::Opsgenie { api_key, url } => self
                .http
                .post(opsgenie::address(notice, url))
                .header(reqwest::header::AUTHORIZATION, format!("GenieKey {}", api_key.reveal()))
                .json(&opsgenie::body(notice)),
            config::Channel::Alertmanager { urls, token } => {
                let now = jiff::Timestamp::now();
                let page = Standing::new(notice.clone(), now);
                return alertmanager::tell(&self.http, (urls, token.as_ref()), &[page], now).await;
            }
            config::Channel::Email(email) => return email::send(email, notice, self.within).await,
        };
        taken(self.name(), request).await
    }

    /// Whether what it has taken is forgotten there, so that it is to be told again until it is over.
    #[must_use]
    pub const fn forgets(&self) -> bool {
        matches!(self.kind, config::Channel::Alertmanager { .. })
    }

    /// Tells of all these pages again, once.
    ///
    /// # Errors
    /// Nobody takes them.
    pub async fn tell_again(&self, pages: &[Standing]) -> Result<(), PagerError> {
        match &self.kind {
            config::Channel::Alertmanager { urls, token } => {
                let cut: Vec<_> =
                    pages.iter().map(|page| Standing { notice: page.notice.cut(), ..page.clone() }).collect();
                alertmanager::tell(&self.http, (urls, token.as_ref()), &cut, jiff::Timestamp::now()).await
            }
            config::Channel::Pagerduty { .. }
            | config::Channel::Webhook { .. }
            | config::Channel::Slack { .. }
            | config::Channel::Opsgenie { .. }
            | config::Channel::Email(_) => Ok(()),
        }
    }
}

/// Whether a receiver takes what it is sent.
async fn taken(channel: &'static str, request: reqwest::RequestBuilder) -> Result<(), PagerError> {
    let response = request.send().await.map_err(|source| {
        // The address may hold a secret (many webhooks' addresses are one).
        PagerError::Unreachable { channel, source: source.without_url().into() }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let retry_after = retry_after::retry_after(response.headers(), wall());
    let explanation = explanation(response).await;
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let status_code = status.as_u16();
    if is_busy || status.is_server_error() {
        Err(PagerError::Busy { channel, status: status_code, explanation, retry_after })
    } else {
        Err(PagerError::Refused { channel, status: status_code, explanation })
    }
}

async fn explanation(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= 4 * EXPLANATION_CHARS_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(EXPLANATION_CHARS_MAX).collect()
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.state.as_str())?;
        if let Some(reason) = self.reason {
            write!(f, " ({reason})")?;
        }
        self.said.as_ref().map_or(Ok(()), |said| write!(f, ": {said}"))
    }
}

impl Notice {
    /// The notice with every text within its limit: a label of a megabyte must not keep a page from being taken.
    fn cut(&self) -> Self {
        let short = |text: &str| cut(text, TEXT_BYTES_MAX).to_owned();
        let tried = self.tried.iter().take(TRIED_MAX);
        Self {
            summary: cut(&self.summary, SUMMARY_BYTES_MAX).to_owned(),
            contact: short(&self.contact),
            title: short(&self.title),
            target: short(&self.target),
            tried: tried
                .map(|step| Tried {
                    title: short(&step.title),
                    said: step.said.as_deref().map(|said| cut(said, SAID_BYTES_MAX).to_owned()),
                    ..step.clone()
                })
                .collect(),
            ..self.clone()
        }
    }
}

/// The key itself, or what stands for it if it is longer than a receiver takes (at least 64 characters).
fn short_key(key: &str, chars_max: usize) -> String {
    if key.chars().count() <= chars_max {
        return key.to_owned();
    }
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The beginning of a text, at most `bytes` long, ending between two characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
