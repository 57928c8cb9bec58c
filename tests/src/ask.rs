//! Questions to a running stack over HTTP: Prometheus, Alertmanager, NGINX, and the remediator's JSON API.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::site::Site;

/// No answer on loopback takes longer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A client for the parts of one stack.
#[derive(Clone, Debug)]
pub struct Ask {
    http: reqwest::Client,
    site: Site,
}

/// One series of an instant query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Labels, `__name__` included.
    pub labels: BTreeMap<String, String>,
    /// Value; NaN and infinities possible.
    pub value: f64,
}

/// An alert as Alertmanager lists it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ActiveAlert {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Where it stands.
    pub status: AlertStatus,
}

/// Whether an alert is notified about, or held back by others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// `active`, `suppressed` or `unprocessed`.
    pub state: String,
    /// Fingerprints of the alerts that inhibit this one.
    pub inhibited_by: Vec<String>,
}

/// An incident as the remediator's API shows it; what the lab does not use is left out.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// Id of the runbook at work.
    pub runbook: String,
    /// The stream.
    pub target: String,
    /// Where it stands.
    pub phase: String,
    /// Why it stands there.
    #[serde(default)]
    pub reason: Option<String>,
    /// When health returned, RFC 3339.
    #[serde(default)]
    pub healthy_at: Option<String>,
    /// When it was closed, RFC 3339.
    #[serde(default)]
    pub closed_at: Option<String>,
    /// Highest level of people called so far.
    #[serde(default)]
    pub level: Option<u32>,
    /// Steps in the runbook's order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Pages planned and sent.
    #[serde(default)]
    pub pages: Vec<Value>,
    /// What happened, oldest first.
    #[serde(default)]
    pub timeline: Vec<Value>,
}

/// A step of an incident.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Step {
    /// Id within the runbook.
    pub id: String,
    /// `diagnose` or `change`.
    #[serde(default)]
    pub kind: String,
    /// pending, skipped, running, ok, failed, timeout or unknown.
    pub state: String,
    /// Why, for a skipped or failed one.
    #[serde(default)]
    pub reason: Option<String>,
    /// How often it was started.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// Exit code of the command.
    #[serde(default)]
    pub exit_code: Option<i32>,
}

#[derive(Deserialize)]
struct PrometheusAnswer {
    data: PrometheusData,
}

#[derive(Deserialize)]
struct PrometheusData {
    result: Vec<PrometheusSeries>,
}

#[derive(Deserialize)]
struct PrometheusSeries {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

#[derive(Deserialize)]
struct IncidentList {
    incidents: Vec<Incident>,
}

impl Ask {
    /// A client for the stack at `site`.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(site: &Site) -> anyhow::Result<Self> {
        // No kept connections: a part that was restarted has closed them.
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).pool_max_idle_per_host(0);
        let http = http.build().context("make an HTTP client")?;
        Ok(Self { http, site: site.clone() })
    }

    /// The request with the token that the remediator has made for whoever works on its machine, if it goes there.
    fn named(&self, port: u16, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let token = std::fs::read_to_string(self.site.root.join("data/remediator.operator-token"));
        match token {
            Ok(token) if port == self.site.ports.remediator => request.bearer_auth(token.trim()),
            Ok(_) | Err(_) => request,
        }
    }

    /// A link to the remediator's console that is good once.
    ///
    /// # Errors
    /// The remediator does not answer, or gives no link.
    pub async fn console_link(&self) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Link {
            url: String,
        }
        let (status, body) = self.post(self.site.ports.remediator, "/api/v1/login", &serde_json::json!({})).await?;
        let link: Link = serde_json::from_str(&body).with_context(|| format!("ask for a link: {status}: {body}"))?;
        Ok(link.url)
    }

    /// Bytes of a file that the remediator gives to an operator.
    ///
    /// # Errors
    /// No answer in time, or not with success.
    pub async fn download(&self, url: &str) -> anyhow::Result<Vec<u8>> {
        let response = self.named(self.site.ports.remediator, self.http.get(url)).send().await;
        let response = response.with_context(|| format!("GET {url}"))?.error_for_status()?;
        Ok(response.bytes().await.with_context(|| format!("read {url}"))?.to_vec())
    }

    /// The body of a GET that is answered with success.
    ///
    /// # Errors
    /// No answer in time, or another status; the message names the address.
    pub async fn text(&self, port: u16, path: &str) -> anyhow::Result<String> {
        let url = Site::url(port, path);
        let request = self.named(port, self.http.get(&url));
        let response = request.send().await.with_context(|| format!("GET {url}"))?;
        let status = response.status();
        let body = response.text().await.with_context(|| format!("read {url}"))?;
        if !status.is_success() {
            bail!("GET {url}: {status}: {}", body.chars().take(300).collect::<String>());
        }
        Ok(body)
    }

    /// The JSON of a GET.
    ///
    /// # Errors
    /// As [`Self::text`], or the body is not the JSON that was expected.
    pub async fn json<T: serde::de::DeserializeOwned>(&self, port: u16, path: &str) -> anyhow::Result<T> {
        let text = self.text(port, path).await?;
        let excerpt = || format!("{} answered: {}", Site::url(port, path), text.chars().take(300).collect::<String>());
        serde_json::from_str(&text).with_context(excerpt)
    }

    /// Posts JSON; returns status and body, whatever they are.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn post(&self, port: u16, path: &str, body: &Value) -> anyhow::Result<(u16, String)> {
        let url = Site::url(port, path);
        let request = self.named(port, self.http.post(&url)).json(body);
        let response = request.send().await.with_context(|| format!("POST {url}"))?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.with_context(|| format!("read {url}"))?))
    }

    /// The answer of Prometheus to an instant query, as a vector.
    ///
    /// # Errors
    /// Prometheus does not answer, or the query is wrong.
    pub async fn query(&self, promql: &str) -> anyhow::Result<Vec<Sample>> {
        let url = Site::url(self.site.ports.prometheus, "/api/v1/query");
        let request = self.http.get(&url).query(&[("query", promql)]);
        let response = request.send().await.with_context(|| format!("ask Prometheus {promql}"))?;
        let text = response.text().await.with_context(|| format!("read {url}"))?;
        let answer: PrometheusAnswer =
            serde_json::from_str(&text).with_context(|| format!("ask Prometheus {promql}: {text}"))?;
        answer
            .data
            .result
            .into_iter()
            .map(|series| Ok(Sample { labels: series.metric, value: series.value.1.parse()? }))
            .collect()
    }

    /// The value of a query that yields at most one series.
    ///
    /// # Errors
    /// As [`Self::query`], or there are more series.
    pub async fn value(&self, promql: &str) -> anyhow::Result<Option<f64>> {
        let samples = self.query(promql).await?;
        match samples.as_slice() {
            [] => Ok(None),
            [sample] => Ok(Some(sample.value)),
            more => bail!("{promql} yields {} series: {more:?}", more.len()),
        }
    }

    /// The alerts that Alertmanager has, inhibited ones too.
    ///
    /// # Errors
    /// Alertmanager does not answer.
    pub async fn alerts(&self) -> anyhow::Result<Vec<ActiveAlert>> {
        self.json(self.site.ports.alertmanager, "/api/v2/alerts").await
    }

    /// Incidents, newest first; `state` is `open`, `closed` or `all`.
    ///
    /// # Errors
    /// The remediator does not answer.
    pub async fn incidents(&self, state: &str) -> anyhow::Result<Vec<Incident>> {
        let list: IncidentList =
            self.json(self.site.ports.remediator, &format!("/api/v1/incidents?state={state}")).await?;
        Ok(list.incidents)
    }

    /// One incident with its steps, pages and timeline.
    ///
    /// # Errors
    /// The remediator does not answer, or does not know it.
    pub async fn incident(&self, id: u64) -> anyhow::Result<Incident> {
        self.json(self.site.ports.remediator, &format!("/api/v1/incidents/{id}")).await
    }
}
