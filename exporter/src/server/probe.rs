//! `/probe?target=…&module=hls|rtmp`: asks once, for targets that Prometheus' own discovery finds.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use url::Url;
use vvtv_toolkit::render::{Exposition, Format, Kind, Labels};

use super::Site;
use crate::config::{Location, RtmpEndpoint};
use crate::health::{Failure, ProbeError};
use crate::probe::hls::{self, Playlist};
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

/// What a probe found.
#[derive(Default)]
struct Found {
    /// Seconds since the content changed, by the server's own clock.
    age_seconds: Option<f64>,
    segments: Option<usize>,
    variants: Option<usize>,
    target_duration_seconds: Option<u64>,
}

pub(super) async fn probe(State(site): State<Site>, headers: HeaderMap, asked: Query<Asked>) -> Response {
    let Ok(_permit) = site.0.probes.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{CONCURRENT_MAX} probes are running\n")).into_response();
    };
    let limit = patience(&headers);
    let started = site.0.tools.clock.now();
    let outcome = match asked.module {
        Module::Hls => ask_hls(&site.0.tools, &asked.target, limit).await,
        Module::Rtmp => ask_rtmp(&asked.target, limit).await,
    };
    let duration = site.0.tools.clock.now().since(started.mono);
    let format = Format::negotiate(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    let body = render(format, duration, outcome);
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

async fn ask_hls(tools: &Tools, target: &str, limit: Duration) -> Result<Found, ProbeError> {
    let url: Url = target.parse().map_err(|error| malformed(format!("`{target}` is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(malformed(format!("`{target}` is not an http(s) URL")));
    }
    let document = tools.fetcher.get(&Location::Http(url), limit).await?;
    let age_seconds = document.age.map(|age| age.as_secs_f64());
    Ok(match hls::parse(&document.body, &hls::Context::default())? {
        Playlist::Master(master) => Found { variants: Some(master.named.len()), ..Found::default() },
        Playlist::Presentation(presentation) => {
            Found { variants: Some(presentation.variants()), age_seconds, ..Found::default() }
        }
        Playlist::Media(media) => Found {
            age_seconds,
            segments: Some(media.segments),
            variants: None,
            target_duration_seconds: media.target_duration_seconds,
        },
    })
}

async fn ask_rtmp(target: &str, limit: Duration) -> Result<Found, ProbeError> {
    let url: Url = target.parse().map_err(|error| malformed(format!("`{target}` is not a URL: {error}")))?;
    let path = url.path().trim_matches('/');
    let app = path.rsplit_once('/').map_or(path, |(app, _)| app);
    match (url.scheme(), url.host_str()) {
        ("rtmp", Some(host)) if !app.is_empty() => {
            let (host, app) = (host.to_owned(), app.to_owned());
            let endpoint = RtmpEndpoint { host, port: url.port().unwrap_or(1935), app };
            rtmp::handshake(&endpoint, limit).await.map(|_| Found::default())
        }
        _ => Err(malformed(format!("`{target}` is not rtmp://HOST[:PORT]/APPLICATION[/STREAM]"))),
    }
}

fn malformed(message: String) -> ProbeError {
    ProbeError::new(Failure::Malformed, message)
}

fn render(format: Format, duration: Duration, outcome: Result<Found, ProbeError>) -> bytes::Bytes {
    let mut out = Exposition::new(format);
    let mut one = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            out.family(name, help, Kind::Gauge);
            out.sample(&Labels::NONE, value);
        }
    };
    one("vvtv_probe_success", "1 if the target answered as it should.", Some(f64::from(u8::from(outcome.is_ok()))));
    one("vvtv_probe_duration_seconds", "Duration of the probe.", Some(duration.as_secs_f64()));
    match outcome {
        Ok(found) => {
            let age = "Seconds since the playlist changed, by the server's own clock.";
            one("vvtv_probe_playlist_age_seconds", age, found.age_seconds);
            let segments = found.segments.map(|count| count as f64);
            one("vvtv_probe_playlist_segments", "Segments listed.", segments);
            let variants = found.variants.map(|count| count as f64);
            one("vvtv_probe_playlist_variants", "Variants listed.", variants);
            let target = found.target_duration_seconds.map(|seconds| seconds as f64);
            one("vvtv_probe_playlist_target_duration_seconds", "EXT-X-TARGETDURATION.", target);
        }
        Err(error) => {
            tracing::debug!(%error, "probe failed");
            out.family("vvtv_probe_failure", "1 for the reason of the failure.", Kind::Gauge);
            out.sample(&Labels::new(&[("reason", error.reason.label())]), 1.0);
        }
    }
    out.finish()
}
