//! The endpoints. A scrape renders what is known; only `/probe` goes out and asks.

mod probe;
mod scrape;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Json, Response};
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot};
use vvtv_toolkit::access::{Access, App, Gate, Routes};
use vvtv_toolkit::redaction::Redactor;

use self::probe::Places;
use self::scrape::LargeScrapes;
use crate::app::ReloadRequest;
use crate::probe::{Tools, View, record_names};
use crate::probe_fleet::Watched;

/// What the endpoints read.
#[derive(Clone, Debug)]
pub struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    watched: View<Watched>,
    tools: Tools,
    registry: Registry,
    reload: mpsc::Sender<ReloadRequest>,
    telemetry_path: String,
    probes: Places,
    large_scrapes: LargeScrapes,
}

impl Site {
    /// Puts together what the endpoints read.
    ///
    /// # Errors
    /// A metric of theirs is registered already.
    pub fn new(
        watched: View<Watched>,
        tools: Tools,
        registry: Registry,
        reload: mpsc::Sender<ReloadRequest>,
        telemetry_path: &str,
    ) -> Result<Self, prometheus::Error> {
        let telemetry_path = telemetry_path.to_owned();
        let probes = Places::register(&registry)?;
        let large_scrapes = LargeScrapes::default();
        Ok(Self(Arc::new(Inner { watched, tools, registry, reload, telemetry_path, probes, large_scrapes })))
    }
}

/// All endpoints, each with the role that it asks for where anybody has one.
pub fn router(site: Site, gate: Gate) -> App {
    let telemetry_path = site.0.telemetry_path.clone();
    Routes::new(gate)
        .get(Access::Open, "/-/healthy", || async { "vvtv-exporter is healthy\n" })
        .get(Access::Open, "/-/ready", ready)
        .get(Access::Viewer, &telemetry_path, scrape::scrape)
        .get(Access::Viewer, "/probe", probe::probe)
        .get(Access::Viewer, "/debug/stream/{name}", debug)
        .get(Access::Viewer, "/", landing)
        .post(Access::Admin, "/-/reload", reload)
        .with_state(site)
}

async fn ready(State(site): State<Site>) -> Response {
    let streams = site.0.watched.borrow().streams.len();
    if streams > 0 {
        format!("vvtv-exporter watches {streams} streams\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "vvtv-exporter watches nothing yet\n").into_response()
    }
}

async fn reload(State(site): State<Site>) -> Response {
    let (answer, outcome) = oneshot::channel();
    let asked = site.0.reload.send(answer).await;
    match (asked, outcome.await) {
        (Ok(()), Ok(Ok(()))) => "reloaded\n".into_response(),
        (Ok(()), Ok(Err(message))) => {
            let message = format!("the old configuration goes on: {message}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
        (Err(_), _) | (_, Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn debug(State(site): State<Site>, Path(name): Path<String>) -> Response {
    let watched = Arc::clone(&site.0.watched.borrow());
    let Some(stream) = watched.streams.iter().find(|stream| stream.config.name == name) else {
        return (StatusCode::NOT_FOUND, "no such stream is configured\n").into_response();
    };
    let mut observations = Vec::new();
    for name in record_names(&stream.config) {
        observations.extend(site.0.tools.recorder.read(&name).await);
    }
    observations.sort_by(|a, b| a.at.cmp(&b.at));
    // Under another name than the stream's, it is published with a key.
    let keyed = stream.config.nginx_stat.as_ref().filter(|entry| entry.key != stream.config.name);
    let redactor = keyed.map(|entry| Redactor::default().with_stream_key(&entry.app, &entry.key)).unwrap_or_default();
    for seen in observations.iter_mut().map(|observation| &mut observation.seen) {
        *seen = redactor.text(seen).into_owned();
    }
    Json(serde_json::json!({ "stream": name, "observations": observations })).into_response()
}

async fn landing(State(site): State<Site>) -> Html<String> {
    let watched = Arc::clone(&site.0.watched.borrow());
    let mut streams = String::new();
    for stream in watched.streams.iter().take(1000) {
        let name = escape(&stream.config.name);
        let path: String = url::form_urlencoded::byte_serialize(stream.config.name.as_bytes()).collect();
        streams.push_str(&format!("<li><a href=\"/debug/stream/{}\">{name}</a></li>\n", path.replace('+', "%20")));
    }
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>vvtv-exporter</title></head><body>\n\
         <h1>vvtv-exporter {}</h1>\n<ul>\n<li><a href=\"{}\">Metrics</a></li>\n\
         <li><a href=\"/-/healthy\">Healthy</a></li>\n<li><a href=\"/-/ready\">Ready</a></li>\n</ul>\n\
         <h2>What was seen of each stream</h2>\n<ul>\n{streams}</ul>\n</body></html>\n",
        env!("CARGO_PKG_VERSION"),
        site.0.telemetry_path,
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
