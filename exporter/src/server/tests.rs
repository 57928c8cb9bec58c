use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use prometheus::Registry;
use proptest::prelude::*;
use tokio::sync::mpsc;
use tower::ServiceExt as _;
use vvtv_toolkit::access::{App, Gate, Role, Rules, Token};
use vvtv_toolkit::web_config::WebConfig;

use super::{Site, router};
use crate::app::ReloadRequest;
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::probe::playlist::Remembered;
use crate::probe::{Pace, Tools};
use crate::probe_fleet::ProbeFleet;
use crate::recorder::Recorder;

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

/// Everything that is served, of the built-in configuration; whoever is not named may do what `anonymous` says.
async fn app(anonymous: Option<Role>) -> App {
    let registry = Registry::new();
    let pace = Pace::register(&registry).unwrap();
    let remembered = Remembered::default().into();
    let tools = Tools {
        clock: Clock::start(),
        fetcher: Fetcher::new().unwrap().into(),
        recorder: Recorder::start(),
        remembered,
        pace,
    };
    let mut fleet = ProbeFleet::new(tools.clone());
    fleet.apply(&Config::builtin().unwrap()).await;
    let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
    let site = Site::new(fleet.watched(), tools, registry, reload, "/metrics").unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let _: Result<(), _> = request.send(Ok(()));
        }
        fleet.stop().await;
    });
    let token = |role: Role| Token::new(role.as_str(), role, &format!("token-of-the-{role}"));
    let own = [Role::Viewer, Role::Operator, Role::Admin].map(token).into();
    router(site, Gate::new(WebConfig::default(), Rules { own, anonymous, ..Rules::default() }))
}

async fn ask(app: &App, method: &Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
    app.clone().into_router().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_route_by_every_role() {
    let app = app(None).await;
    let mut table = String::new();
    for route in app.declared() {
        let path = route.path.replace("{name}", "main");
        let declared = [route.method, if route.method == "GET" { "HEAD" } else { "" }];
        table.push_str(&format!("{route}:"));
        for caller in ["nobody", "viewer", "operator", "admin"] {
            let bearer = format!("Bearer token-of-the-{caller}");
            let headers = [("authorization", bearer.as_str())];
            let shown = if caller == "nobody" { &headers[..0] } else { &headers[..] };
            table.push_str(&format!(
                " {caller} {}",
                ask(&app, &Method::from_bytes(route.method.as_bytes()).unwrap(), &path, shown).await
            ));
            for method in METHODS.iter().filter(|method| !declared.contains(&method.as_str())) {
                assert_eq!(ask(&app, method, &path, shown).await, 405, "{method} {path} by {caller}");
            }
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn where_nobody_has_credentials_a_page_of_another_site_still_reloads_nothing() {
    let app = app(Some(Role::Admin)).await;
    assert_eq!(ask(&app, &Method::GET, "/metrics", &[("authorization", "Basic left-over")]).await, 200);
    assert_eq!(ask(&app, &Method::POST, "/-/reload", &[]).await, 200);
    let evil = [("host", "127.0.0.1:10047"), ("origin", "http://evil.example")];
    assert_eq!(ask(&app, &Method::POST, "/-/reload", &evil).await, 403);
    assert_eq!(ask(&app, &Method::POST, "/-/reload", &[("sec-fetch-site", "cross-site")]).await, 403);
}

#[test]
fn without_credentials_no_path_answers_anything_but_health() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(app(None));
    let part = prop_oneof![
        Just("probe".to_owned()),
        Just("metrics".to_owned()),
        Just("-".to_owned()),
        Just("reload".to_owned()),
        Just("debug".to_owned()),
        Just("stream".to_owned()),
        "[a-z0-9%2e.~-]{0,8}",
    ];
    let path = (prop::collection::vec(part, 0..4), "(\\?[a-z=&/:.%0-9]{0,12})?")
        .prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")));
    let method = prop::sample::select(METHODS.to_vec());
    let config = ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&(method, path), |(method, path)| {
            prop_assume!(path.parse::<axum::http::Uri>().is_ok());
            let status = runtime.block_on(ask(&app, &method, &path, &[]));
            prop_assert!([401, 403, 404, 405].contains(&status), "{method} {path}: {status}");
            Ok(())
        })
        .unwrap();
}
