//! A sign of life for a service outside that calls people when it stays away (a dead man's switch), since who is dead cannot say so.
//!
//! It is sent only after the event loop has answered and the journal was written: a program that runs and can do nothing is dead, too.
//! One `GET` as healthchecks.io, Dead Man's Snitch and Better Stack take it; any 2xx status is the taking.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_toolkit::logging;

use crate::config;
use crate::event_loop::{Input, Unavailable};
use crate::metrics::Metrics;

/// How long the event loop may take to show that it lives.
const PULSE_WITHIN: Duration = Duration::from_secs(10);
/// How long the service may take.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// What became of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The service took it.
    Sent,
    /// The service did not.
    Failed,
    /// The event loop or the journal does not live.
    Withheld,
}

impl Beat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Withheld];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// Why the event loop did not show that it lives.
#[derive(Debug, thiserror::Error)]
enum NoPulse {
    #[error("the event loop has not answered in {PULSE_WITHIN:?}")]
    Late,
    #[error("the event loop has ended")]
    Ended,
    #[error(transparent)]
    Journal(#[from] Unavailable),
}

/// Why the service did not take it.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("the service cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the service answers {0}")]
    Status(reqwest::StatusCode),
}

struct Heart {
    client: reqwest::Client,
    heartbeat: config::Heartbeat,
    inputs: mpsc::Sender<Input>,
    metrics: Metrics,
}

/// Begins where one is configured, until `stop`.
///
/// # Errors
/// The HTTP client cannot be set up.
pub(crate) fn start(
    heartbeat: Option<&config::Heartbeat>,
    (inputs, metrics): (&mpsc::Sender<Input>, &Metrics),
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> anyhow::Result<()> {
    let Some(heartbeat) = heartbeat else { return Ok(()) };
    let client = reqwest::Client::builder().timeout(TAKEN_WITHIN).redirect(reqwest::redirect::Policy::none()).build();
    let client = client.context("cannot set up the HTTP client")?;
    let heart = Heart { client, heartbeat: heartbeat.clone(), inputs: inputs.clone(), metrics: metrics.clone() };
    let stop = stop.clone();
    tasks.spawn(async move { stop.run_until_cancelled(heart.run()).await });
    Ok(())
}

impl Heart {
    async fn run(self) {
        let mut beats = tokio::time::interval(self.heartbeat.every);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let beat = self.beat().await;
            self.metrics.people.heartbeats.with_label_values(&[beat.as_str()]).inc();
            if beat == Beat::Sent {
                self.metrics.people.heartbeat_at.set(jiff::Timestamp::now().as_second());
            }
        }
    }

    async fn beat(&self) -> Beat {
        if let Err(error) = self.pulse().await {
            tracing::warn!(error = logging::chain(&error), "heartbeat withheld");
            return Beat::Withheld;
        }
        match self.call().await {
            Ok(()) => Beat::Sent,
            Err(error) => {
                tracing::warn!(error = logging::chain(&error), "heartbeat not taken");
                Beat::Failed
            }
        }
    }

    async fn pulse(&self) -> Result<(), NoPulse> {
        let (done, answer) = oneshot::channel();
        let asked = async {
            self.inputs.send(Input::Pulse { done }).await.map_err(|_| NoPulse::Ended)?;
            Ok(answer.await.map_err(|_| NoPulse::Ended)??)
        };
        tokio::time::timeout(PULSE_WITHIN, asked).await.map_err(|_| NoPulse::Late)?
    }

    async fn call(&self) -> Result<(), NotTaken> {
        // The address is a secret.
        let unreachable = |error: reqwest::Error| NotTaken::Unreachable(error.without_url());
        let response = self.client.get(self.heartbeat.url.reveal()).send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(NotTaken::Status(status)) }
    }
}
