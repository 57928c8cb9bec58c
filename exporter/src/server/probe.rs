//! `/probe?target=…&module=hls|rtmp`: asks once, for targets that Prometheus' own discovery finds.

mod playable;

use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;
use vvtv_toolkit::render::{Exposition, Format, Kind, Labels};

use self::playable::{Asking, Seen};
use super::Site;
use crate::config::{Location, RtmpEndpoint};
use crate::fetch::shown_reference;
use crate::health::{Failure, ProbeError};
use crate::probe::rtmp::Answer;
use crate::probe::{Tools, rtmp};

/// Probes at once.
pub(super) const CONCURRENT_MAX: usize = 64;

/// For a probe whose scraper does not say how long it waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is kept back of the scraper's patience for the answer's way home.
const HEADROOM: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    target: String,
    #[serde(default)]
    module: Module,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Module {
    #[default]
    Hls,
    Rtmp,
}

/// What a probe found, and whether it was enough.
#[derive(Default)]
struct Outcome {
    seen: Seen,
    answer: Option<Answer>,
    failure: Option<ProbeError>,
}

pub(super) async fn probe(State(site): State<Site>, headers: HeaderMap, asked: Query<Asked>) -> Response {
    let Ok(_permit) = site.0.probes.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{CONCURRENT_MAX} probes are running\n")).into_response();
    };
    let limit = patience(&headers);
    let started = site.0.tools.clock.now();
    let outcome = match asked.module {
        Module::Hls => ask_hls(&site.0.tools, &asked.target, limit).await,
        Module::Rtmp => match ask_rtmp(&asked.target, limit).await {
            Ok(answer) => Outcome { answer: Some(answer), ..Outcome::default() },
            Err(error) => Outcome { failure: Some(error), ..Outcome::default() },
        },
    };
    let duration = site.0.tools.clock.now().since(started.mono);
    let format = Format::negotiate(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    let body = render(format, duration, &outcome);
    ([(header::CONTENT_TYPE, format.content_type())], body).into_response()
}

/// Prometheus says how long it waits for a scrape.
fn patience(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get("x-prometheus-scrape-timeout-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.map_or(TIMEOUT, |seconds| seconds.saturating_sub(HEADROOM)).clamp(HEADROOM, Duration::from_secs(60))
}

async fn ask_hls(tools: &Tools, target: &str, limit: Duration) -> Outcome {
    let location = match target.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Location::Http(url),
        Ok(_) | Err(_) => {
            let message = format!("`{}` is not an http(s) URL", shown_reference(target));
            return Outcome { failure: Some(malformed(message)), ..Outcome::default() };
        }
    };
    let (deadline, unix_seconds) = (Instant::now() + limit, tools.clock.now().unix_seconds);
    let mut asking = Asking { fetcher: &tools.fetcher, deadline, unix_seconds, seen: Seen::default() };
    let played = timeout(limit, asking.play(location)).await;
    let late = |_| Err(ProbeError::new(Failure::Timeout, format!("no segment was found within {limit:?}")));
    let failure = played.unwrap_or_else(late).err();
    Outcome { seen: asking.seen, answer: None, failure }
}

async fn ask_rtmp(target: &str, limit: Duration) -> Result<Answer, ProbeError> {
    let parsed = RtmpEndpoint::parse(target);
    let (endpoint, _) = parsed.map_err(|error| malformed(format!("`{}`: {error}", shown_reference(target))))?;
    rtmp::handshake(&endpoint, limit).await
}

fn malformed(message: String) -> ProbeError {
    ProbeError::new(Failure::Malformed, message)
}

fn render(format: Format, duration: Duration, outcome: &Outcome) -> bytes::Bytes {
    let mut out = Exposition::new(format);
    let mut one = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            out.family(name, help, Kind::Gauge);
            out.sample(&Labels::NONE, value);
        }
    };
    let Outcome { seen, answer, failure } = outcome;
    let success = "1 if the target can be played, or answers as an RTMP server does.";
    one("vvtv_probe_success", success, Some(f64::from(u8::from(failure.is_none()))));
    one("vvtv_probe_duration_seconds", "Duration of the probe.", Some(duration.as_secs_f64()));
    let age = "Seconds since the playlist changed, by the server's own clock.";
    one("vvtv_probe_playlist_age_seconds", age, seen.age.map(|age| age.as_secs_f64()));
    one("vvtv_probe_playlist_segments", "Segments listed.", seen.segments.map(|count| count as f64));
    one("vvtv_probe_playlist_variants", "Variants listed.", seen.variants.map(|count| count as f64));
    let target = seen.target_duration_seconds.map(|seconds| seconds as f64);
    one("vvtv_probe_playlist_target_duration_seconds", "EXT-X-TARGETDURATION.", target);
    let ended = "1 if no segments will follow, which is playable.";
    one("vvtv_probe_playlist_ended", ended, seen.ended.map(|ended| f64::from(u8::from(ended))));
    let bytes = seen.segment_bytes.map(|bytes| bytes as f64);
    one("vvtv_probe_segment_bytes", "Length of the newest segment, where the server tells.", bytes);
    let status = failure.as_ref().and_then(|error| error.http_status).map(f64::from);
    one("vvtv_probe_http_status_code", "HTTP status of the answer that made the probe fail.", status);
    if let Some(answer) = answer {
        out.family("vvtv_probe_rtmp_answer", "1 for what the server answers `connect` with.", Kind::Gauge);
        out.sample(&Labels::new(&[("answer", answer.label())]), 1.0);
    }
    if let Some(error) = failure {
        tracing::debug!(%error, "probe failed");
        out.family("vvtv_probe_failure", "1 for the reason of the failure.", Kind::Gauge);
        out.sample(&Labels::new(&[("reason", error.reason.label())]), 1.0);
    }
    out.finish()
}
