//! The real router on the real event loop and journal: what each route answers to whom.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use proptest::prelude::*;
use tempfile::TempDir;
use tower::ServiceExt as _;
use vvtv_toolkit::access::App;

use super::*;

mod sns;

const RUNBOOK: &str = "
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream=\"$target\"}'
respond_within: 5m
steps: [{id: look, title: Look, kind: diagnose, run: ['true'], timeout: 5s}]
";

const CONFIG: &str = "
listen: 127.0.0.1:0
database: sqlite:r.db
runbooks: runbooks
prometheus: http://127.0.0.1:9
alertmanager: http://127.0.0.1:9
webhook: {token_file: webhook}
contacts: [{level: 1, name: A, respond_within: 5m, notify: [hook]}]
channels: {hook: {webhook: {url: 'http://127.0.0.1:9/x'}}}
";

const WEB: &str = "tokens: [{name: v, role: viewer, file: viewer}, {name: o, role: operator, file: operator}, {name: a, role: admin, file: admin}]\n";

const DELIVERY: &str = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Demo","stream":"main"},
    "startsAt":"2026-11-22T15:07:17.131Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f"}]}"#;

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::TRACE,
];

struct Site {
    _dir: TempDir,
    app: App,
    stop: CancellationToken,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A token is the name of who shows it.
fn token(name: &str) -> String {
    format!("the-token-of-the-{name}")
}

fn files() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    std::fs::create_dir(dir.path().join("runbooks")).unwrap();
    write("runbooks/demo.yml", RUNBOOK);
    write("remediator.yml", CONFIG);
    write("web.yml", WEB);
    for name in ["viewer", "operator", "admin", "webhook"] {
        write(name, &token(name));
    }
    dir
}

fn site() -> Site {
    let dir = files();
    let stop = CancellationToken::new();
    let app = served(dir.path(), &stop);
    Site { _dir: dir, app, stop }
}

fn served(dir: &Path, stop: &CancellationToken) -> App {
    router(furnished(dir, stop), "/metrics")
}

/// What the handlers have, with the loop running.
fn furnished(dir: &Path, stop: &CancellationToken) -> Shared {
    let file = dir.join("remediator.yml");
    let config = config::load(&file, SecretFiles::Demand).unwrap();
    let books = load_dir(&config.runbooks, &config.site).unwrap();
    let opened = people_only::open(&config.database).unwrap();
    let metrics = Metrics::new().unwrap();
    let web = WebConfig::load(&dir.join("web.yml")).unwrap();
    let gate = doors::gate(&config, &web, AccessMetrics::default(), true).unwrap();
    let live = Live::new(&config, books).unwrap();
    let room = Room::new(&serve::ServeMetrics::default());
    let house = House { file, config, live, metrics, gate, room, tasks: TaskTracker::new() };
    let (event_loop, shared) = house.furnish(opened, stop).unwrap();
    tokio::spawn(event_loop.run(stop.clone()));
    shared
}

async fn ask(app: &App, method: &Method, path: &str, caller: &str) -> u16 {
    let (kind, body) = match path {
        "/webhook/alertmanager" => ("application/json", DELIVERY.to_owned()),
        "/login" => ("application/x-www-form-urlencoded", format!("token={}", token("viewer"))),
        _ => ("application/json", String::new()),
    };
    let mut request = Request::builder().method(method).uri(path).header("content-type", kind);
    if caller != "nobody" {
        request = request.header("authorization", format!("Bearer {}", token(caller)));
    }
    let request = request.body(Body::from(body)).unwrap();
    app.clone().into_router().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_by_every_role() {
    let site = site();
    assert_eq!(ask(&site.app, &Method::POST, "/webhook/alertmanager", "webhook").await, 200);
    let mut table = String::new();
    for route in site.app.declared() {
        let path = [("{id}", "1"), ("{operation}", "ack"), ("{file}", "console.css")];
        let path = path.iter().fold(route.path.clone(), |path, (name, value)| path.replace(name, value));
        let path = path.replace("/runbooks/1", "/runbooks/demo");
        let served: Vec<_> = site.app.declared().iter().filter(|other| other.path == route.path).collect();
        table.push_str(&format!("{route}:"));
        for caller in ["nobody", "webhook", "viewer", "operator", "admin"] {
            let method = Method::from_bytes(route.method.as_bytes()).unwrap();
            table.push_str(&format!(" {caller} {}", ask(&site.app, &method, &path, caller).await));
            let unserved = |method: &&Method| {
                let name = if **method == Method::HEAD { "GET" } else { method.as_str() };
                served.iter().all(|other| other.method != name)
            };
            for method in METHODS.iter().filter(unserved) {
                assert_eq!(ask(&site.app, method, &path, caller).await, 405, "{method} {path} by {caller}");
            }
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

#[test]
fn without_credentials_no_path_answers_anything_but_health_and_the_way_in() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let site = runtime.block_on(async { site() });
    let part = prop_oneof![
        prop::sample::select(vec![
            "api",
            "v1",
            "incidents",
            "1",
            "output",
            "ack",
            "approve",
            "abort",
            "pause",
            "resume",
            "tasks",
            "done",
            "-",
            "reload",
            "metrics",
            "events",
            "static",
            "console.js",
            "bundle",
            "webhook",
            "alertmanager",
            "maintenance",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9%2e.~-]{0,8}",
    ];
    let path = (prop::collection::vec(part, 0..6), "(\\?[a-z=&/:.%0-9]{0,12})?")
        .prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")));
    let input =
        (prop::sample::select(METHODS.to_vec()), path, prop::sample::select(vec!["nobody", "webhook", "stranger"]));
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&input, |(method, path, caller)| {
            let delivers = path.starts_with("/webhook/alertmanager") && caller == "webhook";
            prop_assume!(path.parse::<axum::http::Uri>().is_ok() && !delivers);
            let status = runtime.block_on(ask(&site.app, &method, &path, caller));
            prop_assert!([401, 403, 404, 405].contains(&status), "{method} {path} by {caller}: {status}");
            Ok(())
        })
        .unwrap();
}
