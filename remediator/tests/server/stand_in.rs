//! Alertmanager, Prometheus and a pager for many servers at once, each with a directory of its own under the stand-in's root.
//!
//! What they say is in files: an alert fires while `firing` exists and `healthy` does not; the target is healthy while `healthy`
//! exists; every page that was taken is a line of `pages`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::routing::{any, get, post};

use crate::program::ADMIN;

/// The stand-in, on a port of its own for as long as it lives.
pub(crate) struct StandIn {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    address: String,
}

impl StandIn {
    pub(crate) fn start(root: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new()
            .route("/{case}/api/v2/alerts/groups", get(alerts))
            .route("/{case}/api/v1/query", any(query))
            .route("/{case}/page", post(page))
            .with_state(Arc::<Path>::from(root));
        runtime.spawn(async move { axum::serve(listener, app).await });
        // The server that is talked to dies: no connection is kept.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
        Self { runtime, client, address }
    }

    /// The address under which a case finds all three.
    pub(crate) fn base(&self, case: &str) -> String {
        format!("http://{}/{case}", self.address)
    }

    /// The status of an answer; `None` if there was none.
    pub(crate) fn post(&self, url: &str, body: String) -> Option<u16> {
        let request = self.client.post(url).bearer_auth(ADMIN).header("content-type", "application/json").body(body);
        let sent = self.runtime.block_on(request.send());
        sent.ok().map(|response| response.status().as_u16())
    }
}

type Root = State<Arc<Path>>;

fn has(root: &Root, case: &str, name: &str) -> bool {
    root.join(case).join(name).exists()
}

async fn alerts(root: Root, UrlPath(case): UrlPath<String>) -> impl axum::response::IntoResponse {
    let fires = has(&root, &case, "firing") && !has(&root, &case, "healthy");
    let body = if fires { FIRING } else { "[]" };
    dated(&root, &case, body.to_owned())
}

/// Of the receiver that the tests' deliveries name.
const FIRING: &str = r#"[{"labels":{},"receiver":{"name":"r"},"alerts":[{"fingerprint":"f-main",
        "labels":{"alertname":"Demo","stream":"main"},"startsAt":"2026-11-22T15:07:17.131Z","status":{"state":"active"}}]}]"#;

/// The date of this machine, or so many seconds after it as `ahead` says.
fn dated(root: &Root, case: &str, body: String) -> impl axum::response::IntoResponse + use<> {
    let ahead = std::fs::read_to_string(root.join(case).join("ahead")).unwrap_or_default();
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead.trim().parse().unwrap_or(0));
    ([("date", at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())], body)
}

async fn query(root: Root, UrlPath(case): UrlPath<String>) -> impl axum::response::IntoResponse {
    let value = u8::from(has(&root, &case, "healthy"));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{now},"{value}"]}}]}}}}"#
    );
    dated(&root, &case, body)
}

async fn page(root: Root, UrlPath(case): UrlPath<String>, body: String) {
    let path: PathBuf = root.join(case).join("pages");
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(format!("{}\n", body.replace('\n', " ")).as_bytes()).unwrap();
}
