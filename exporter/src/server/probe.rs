//! `/probe?target=…&module=hls|rtmp`: asks once, for targets that Prometheus' own discovery finds, of those that the configuration names.

mod places;
mod playable;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;
use vvtv_toolkit::render::{Exposition, Format, Kind, Labels};

pub(super) use self::places::Places;
use self::places::{ALL, EACH, Refused};
use self::playable::{Asking, Seen};
use super::Site;
use crate::config::{Location, Probing, RtmpEndpoint};
use crate::fetch::shown_reference;
use crate::health::{Failure, ProbeError};
use crate::probe::rtmp::Answer;
use crate::probe::{Tools, rtmp};
use crate::reach::{Named, Reach};

/// For a probe whose scraper does not say how long it waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// However long a scraper waits: a probe that hangs takes a place from others.
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

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

pub(super) async fn probe(
    State(site): State<Site>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    asked: Query<Asked>,
) -> Response {
    let probing = site.0.watched.borrow().probing.clone();
    let (limit, started) = (patience(&headers), site.0.tools.clock.now());
    let begun = match (&probing.targets, site.0.probes.take(peer.ip())) {
        (None, _) => Err(Refused::Off),
        (Some(_), Err(refused)) => Err(refused),
        (Some(targets), Ok(place)) => {
            Target::of(&site.0.tools, &asked, targets, limit).await.map(|target| (place, target))
        }
    };
    let (_place, target) = match begun {
        Ok(begun) => begun,
        Err(refused) => {
            site.0.probes.count(refused);
            return refuse(refused);
        }
    };
    let outcome = match target {
        Target::Nothing(error) => Outcome { failure: Some(error), ..Outcome::default() },
        Target::Hls(url) => ask_hls(&site.0.tools, url, &probing, limit).await,
        Target::Rtmp(endpoint, addresses) => match rtmp::handshake_at(&endpoint, addresses, limit).await {
            Ok(answer) => Outcome { answer: Some(answer), ..Outcome::default() },
            Err(error) => Outcome { failure: Some(error), ..Outcome::default() },
        },
    };
    let duration = site.0.tools.clock.now().since(started.mono);
    let format = Format::negotiate(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    let body = render(format, duration, &outcome);
    ([(header::CONTENT_TYPE, format.content_type())], body).into_response()
}

/// What is asked for, and may be.
enum Target {
    /// No address of its module.
    Nothing(ProbeError),
    Hls(Url),
    Rtmp(RtmpEndpoint, Vec<SocketAddr>),
}

impl Target {
    /// Every refusal is the same: what is not named is not told from what is not there.
    async fn of(tools: &Tools, asked: &Asked, targets: &Arc<Named>, limit: Duration) -> Result<Self, Refused> {
        let Asked { target, module } = asked;
        let (host, port, found) = match module {
            Module::Hls => match target.parse::<Url>() {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                    (host, url.port_or_known_default().unwrap_or_default(), Ok(url))
                }
                Ok(_) | Err(_) => {
                    return Ok(Self::Nothing(malformed(format!(
                        "`{}` is not an http(s) URL",
                        shown_reference(target)
                    ))));
                }
            },
            Module::Rtmp => match RtmpEndpoint::parse(target) {
                Ok((endpoint, _)) => (endpoint.host.clone(), endpoint.port, Err(endpoint)),
                Err(error) => return Ok(Self::Nothing(malformed(format!("`{}`: {error}", shown_reference(target))))),
            },
        };
        let addresses = timeout(limit, tools.fetcher.named_addresses(&host, port, targets)).await;
        let Ok(Ok(addresses)) = addresses else { return Err(Refused::NotNamed) };
        Ok(match found {
            Ok(url) => Self::Hls(url),
            Err(endpoint) => Self::Rtmp(endpoint, addresses),
        })
    }
}

fn refuse(refused: Refused) -> Response {
    let (status, said) = match refused {
        Refused::Off => {
            let said =
                "/probe is off: name what may be asked for in `probe: {allow: [...]}` of the exporter's configuration";
            (StatusCode::FORBIDDEN, said.to_owned())
        }
        Refused::NotNamed => {
            let said = "this target is not named in `probe: {allow: [...]}` of the exporter's configuration";
            (StatusCode::FORBIDDEN, said.to_owned())
        }
        Refused::Share => (StatusCode::TOO_MANY_REQUESTS, format!("{EACH} probes are running for you")),
        Refused::Full => (StatusCode::SERVICE_UNAVAILABLE, format!("{ALL} probes are running")),
    };
    (status, said + "\n").into_response()
}

/// Prometheus says how long it waits for a scrape.
fn patience(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get("x-prometheus-scrape-timeout-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.map_or(TIMEOUT, |seconds| seconds.saturating_sub(HEADROOM)).clamp(HEADROOM, TIMEOUT_MAX)
}

async fn ask_hls(tools: &Tools, url: Url, probing: &Probing, limit: Duration) -> Outcome {
    let targets = probing.targets.as_ref().unwrap_or(&probing.reach);
    let fetcher = tools.fetcher.within(Reach::asked(&url, targets, &probing.reach));
    let (deadline, unix_seconds) = (Instant::now() + limit, tools.clock.now().unix_seconds);
    let mut asking = Asking { fetcher: &fetcher, deadline, unix_seconds, seen: Seen::default() };
    let played = timeout(limit, asking.play(Location::Http(url))).await;
    let late = |_| Err(ProbeError::new(Failure::Timeout, format!("no segment was found within {limit:?}")));
    let failure = played.unwrap_or_else(late).err();
    Outcome { seen: asking.seen, answer: None, failure }
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
