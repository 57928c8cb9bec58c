//! Questions to Prometheus: instant queries whose answer is 1, 0, or not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde::Deserialize;
use url::Url;
use vvtv_incident::{LabelName, Target, Verdict};

use super::outage::Outage;
use crate::conditions::promql::Query;
use crate::conditions::targets::NAMES_MAX;
use crate::upstream::clock::PeerClock;
use crate::upstream::{Door, Upstream};

/// The largest answer that is read. A question for one number has a short answer.
const BODY_MAX: usize = 1 << 20;
/// The same for a question that names every target.
const LIST_BODY_MAX: usize = 32 << 20;

/// Why Prometheus gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PromError {
    /// No connection, or none in time.
    #[error("cannot ask Prometheus at {url}")]
    Unreachable {
        /// Its address.
        url: Url,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It could not be reached a moment ago.
    #[error("Prometheus could not be reached a moment ago")]
    Resting,
    /// The answer is larger than it needs to be.
    #[error("Prometheus answered with more than {0} bytes")]
    TooLarge(usize),
    /// Prometheus refused the query.
    #[error("Prometheus answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its explanation, at most 300 characters.
        message: String,
    },
    /// The answer is not Prometheus' JSON.
    #[error("Prometheus' answer is not understood")]
    Garbled(#[source] serde_json::Error),
    /// The query yields a range or a text.
    #[error("the query yields a {0}, not numbers")]
    NotNumbers(String),
    /// A sample of the list of targets names none.
    #[error(
        "`targets` yields a sample without a label {0}: expected one sample for each target, e.g. `group by (stream) (vvtv_ingest_up)`"
    )]
    Nameless(String),
    /// There are more targets than are kept.
    #[error("`targets` yields {0} targets; at most {NAMES_MAX} are known")]
    TooMany(usize),
    /// The query yields several samples that say different things.
    #[error("the query yields {0} samples that disagree")]
    Disagree(usize),
    /// The query yields a number that is neither 1 nor 0.
    #[error("the query yields {0}, neither 1 nor 0: does a comparison lack `bool`?")]
    NotBoolean(f64),
}

impl PromError {
    /// Whether Prometheus itself has answered, though not what it was asked for.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Resting | Self::Garbled(_) => false,
            Self::Refused { status, .. } => *status < 500,
            Self::TooLarge(_)
            | Self::NotNumbers(_)
            | Self::Nameless(_)
            | Self::TooMany(_)
            | Self::Disagree(_)
            | Self::NotBoolean(_) => true,
        }
    }
}

/// Asks one Prometheus.
#[derive(Clone, Debug)]
pub struct PromClient {
    door: Door,
    query_url: Url,
    timeout: Duration,
    outage: Arc<Outage>,
    /// What its answers say that it is.
    pub clock: PeerClock,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Sample {
    value: (f64, String),
}

#[derive(Deserialize)]
struct Labelled {
    metric: BTreeMap<String, String>,
}

impl PromClient {
    /// A client for a Prometheus; no question takes longer than `timeout`.
    ///
    /// # Errors
    /// A client cannot be made.
    pub fn new(upstream: &Upstream, timeout: Duration) -> anyhow::Result<Self> {
        let door = upstream.door()?;
        Ok(Self {
            query_url: door.address("api/v1/query")?,
            door,
            timeout,
            outage: Arc::new(Outage::none()),
            clock: PeerClock::default(),
        })
    }

    /// Whether the target is healthy. An error is [`Verdict::Unknown`], and logged; that nobody answers, only from time to time.
    pub async fn health(&self, healthy: &Query, target: &Target) -> Verdict {
        match self.verdict(healthy, target).await {
            Ok(verdict) => verdict,
            Err(error) => {
                let unreachable = matches!(error, PromError::Unreachable { .. } | PromError::Resting);
                let unsaid = if unreachable { self.outage.complains(Instant::now()) } else { Some(0) };
                if let Some(unsaid) = unsaid {
                    let error = vvtv_toolkit::logging::chain(&error);
                    tracing::warn!(target = target.as_str(), error, unsaid, "health cannot be told");
                }
                Verdict::Unknown
            }
        }
    }

    /// The truth of a query about a target: 1 is [`Verdict::Healthy`] (yes), 0 is [`Verdict::Unhealthy`] (no), no sample or NaN
    /// [`Verdict::Unknown`]. Staleness is Prometheus' own: an instant query does not see series that ended.
    ///
    /// # Errors
    /// Prometheus cannot be asked or refuses, or the samples are not one truth.
    pub async fn verdict(&self, query: &Query, target: &Target) -> Result<Verdict, PromError> {
        let values = self.values(&query.about(target)).await?;
        let Some(first) = values.first().copied() else { return Ok(Verdict::Unknown) };
        if values.iter().any(|value| value.is_nan()) {
            return Ok(Verdict::Unknown);
        }
        #[expect(clippy::float_cmp, reason = "PromQL's booleans are exactly 1 and 0")]
        let (same, one, zero) = (values.iter().all(|value| *value == first), first == 1.0, first == 0.0);
        match (same, one, zero) {
            (false, ..) => Err(PromError::Disagree(values.len())),
            (true, true, _) => Ok(Verdict::Healthy),
            (true, _, true) => Ok(Verdict::Unhealthy),
            (true, false, false) => Err(PromError::NotBoolean(first)),
        }
    }

    /// The names that a query yields, one a sample at least: the values of these labels.
    ///
    /// # Errors
    /// Prometheus cannot be asked or refuses, a sample has none of the labels, or there are too many names.
    pub async fn names(&self, query: &str, labels: &BTreeSet<LabelName>) -> Result<BTreeSet<Target>, PromError> {
        names(self.ask_or_rest(query, LIST_BODY_MAX).await?, labels)
    }

    /// Whether Prometheus answers a question that needs none of its series.
    ///
    /// # Errors
    /// Prometheus cannot be asked or refuses.
    pub async fn answers(&self) -> Result<(), PromError> {
        self.ask_or_rest("vector(1)", BODY_MAX).await.map(drop)
    }

    async fn values(&self, query: &str) -> Result<Vec<f64>, PromError> {
        numbers(self.ask_or_rest(query, BODY_MAX).await?)
    }

    async fn ask_or_rest(&self, query: &str, body_max: usize) -> Result<Data, PromError> {
        if self.outage.rests(Instant::now()) {
            return Err(PromError::Resting);
        }
        let data = self.ask(query, body_max).await;
        match &data {
            Err(PromError::Unreachable { source, .. }) if source.is_connect() => self.outage.failed(Instant::now()),
            Err(PromError::Unreachable { .. }) => {}
            Ok(_) | Err(_) if self.outage.answered() => tracing::info!("Prometheus answers again"),
            Ok(_) | Err(_) => {}
        }
        data
    }

    async fn ask(&self, query: &str, body_max: usize) -> Result<Data, PromError> {
        let unreachable = |source| PromError::Unreachable { url: self.query_url.clone(), source };
        let form = [("query", query.to_owned()), ("timeout", format!("{}ms", self.timeout.as_millis()))];
        let response = self
            .door
            .post(self.query_url.clone())
            .timeout(self.timeout)
            .form(&form)
            .send()
            .await
            .map_err(unreachable)?;
        self.clock.hear(response.headers());
        let status = response.status();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(unreachable)?);
            if body.len() > body_max {
                return Err(PromError::TooLarge(body_max));
            }
        }
        let refused = |message: &str| PromError::Refused {
            status: status.as_u16(),
            message: message.chars().take(300).collect(),
        };
        let answer: Answer = match serde_json::from_slice(&body) {
            Ok(answer) => answer,
            Err(_) if !status.is_success() => return Err(refused(&String::from_utf8_lossy(&body))),
            Err(error) => return Err(PromError::Garbled(error)),
        };
        for warning in &answer.warnings {
            tracing::warn!(query, warning, "Prometheus warns");
        }
        match answer.data {
            Some(data) if answer.status == "success" => Ok(data),
            Some(_) | None => Err(refused(answer.error.as_deref().unwrap_or("no reason given"))),
        }
    }
}

fn numbers(data: Data) -> Result<Vec<f64>, PromError> {
    let texts: Vec<String> = match data.result_type.as_str() {
        "vector" => {
            let samples: Vec<Sample> = serde_json::from_value(data.result).map_err(PromError::Garbled)?;
            samples.into_iter().map(|sample| sample.value.1).collect()
        }
        "scalar" => {
            let (_, text): (f64, String) = serde_json::from_value(data.result).map_err(PromError::Garbled)?;
            vec![text]
        }
        other => return Err(PromError::NotNumbers(other.to_owned())),
    };
    // "+Inf", "-Inf" and "NaN" parse as they stand; anything else that is no number is as good as NaN.
    Ok(texts.iter().map(|text| text.parse().unwrap_or(f64::NAN)).collect())
}

fn names(data: Data, labels: &BTreeSet<LabelName>) -> Result<BTreeSet<Target>, PromError> {
    let nameless = || PromError::Nameless(labels.iter().map(LabelName::as_str).collect::<Vec<_>>().join(" or "));
    if data.result_type != "vector" {
        return Err(nameless());
    }
    let samples: Vec<Labelled> = serde_json::from_value(data.result).map_err(PromError::Garbled)?;
    let mut names = BTreeSet::new();
    for sample in samples {
        let values = labels.iter().filter_map(|label| sample.metric.get(label.as_str()));
        let of_sample: Vec<_> =
            values.filter(|value| !value.is_empty()).map(|value| Target::new(value.as_str())).collect();
        if of_sample.is_empty() {
            return Err(nameless());
        }
        names.extend(of_sample);
    }
    if names.len() > NAMES_MAX { Err(PromError::TooMany(names.len())) } else { Ok(names) }
}
