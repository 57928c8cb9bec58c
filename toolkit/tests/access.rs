//! The gate behind the real server: HTTP/2, changed tokens, the exporter's rules.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::extract::Extension;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vvtv_toolkit::access::{Access, Caller, Gate, Role, Routes, Rules};
use vvtv_toolkit::serve::{self, Limits, ListenAddress};
use vvtv_toolkit::web_config::WebConfig;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Writes a file as its owner's alone, whole.
fn write(dir: &TempDir, name: &str, text: &str) {
    let beside = dir.path().join("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(beside, dir.path().join(name)).unwrap();
}

/// Serves who asks under `/` by GET for viewers, by POST for admins, until the test ends.
async fn served(dir: &TempDir, rules: Rules) -> SocketAddr {
    let web = WebConfig::load(&dir.path().join("web.yml")).unwrap();
    let who = |caller: Option<Extension<Caller>>| async move {
        caller.map_or_else(String::new, |Extension(caller)| format!("{} {} {:?}", caller.name, caller.role, caller.how))
    };
    let gate = Gate::new(web.clone(), rules);
    let app = Routes::new(gate).get(Access::Viewer, "/", who).post(Access::Admin, "/", who).with_state(());
    let listeners = serve::bind(&[ListenAddress::loopback(0)]).await.unwrap();
    let address = listeners[0].local_addr().unwrap();
    tokio::spawn(serve::run(listeners, app, web, Limits::default(), CancellationToken::new()));
    address
}

fn client() -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(&std::fs::read(fixture("ca.pem")).unwrap()).unwrap();
    reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap()
}

async fn sent(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn our_own_page_acts_over_http_2_and_another_site_s_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| fixture(name).display().to_string();
    let tls = format!("tls_server_config: {{cert_file: {}, key_file: {}}}\n", path("server.pem"), path("server.key"));
    write(&dir, "web.yml", &tls);
    let address = served(&dir, Rules { anonymous: Some(Role::Admin), ..Rules::default() }).await;
    let url = format!("https://{address}/");
    let post = |origin: String| client().post(&url).header("origin", origin);
    let ours = post(format!("https://{address}")).send().await.unwrap();
    assert_eq!((ours.version(), ours.status().as_u16()), (reqwest::Version::HTTP_2, 200));
    let (status, said) = sent(post("https://evil.example".to_owned())).await;
    assert_eq!((status, said.as_str()), (403, "requests from another site are refused (https://evil.example)\n"));
}

#[tokio::test]
async fn a_changed_token_is_good_at_once_and_the_old_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "web.yml", "tokens: [{name: ci, role: admin, file: token}]\n");
    write(&dir, "token", "the-first-token-of-ci");
    let address = served(&dir, Rules { anonymous: Some(Role::Admin), ..Rules::default() }).await;
    let ask = async |token: &str| sent(client().post(format!("http://{address}/")).bearer_auth(token)).await;
    assert_eq!(ask("the-first-token-of-ci").await, (200, "ci admin Token".to_owned()));
    assert_eq!(sent(client().get(format!("http://{address}/"))).await.0, 401, "anybody, where tokens are configured");
    write(&dir, "token", "the-second-token-of-ci");
    assert_eq!(ask("the-first-token-of-ci").await.0, 401);
    assert_eq!(ask("the-second-token-of-ci").await.0, 200);
    write(&dir, "web.yml", "{}\n");
    assert_eq!(sent(client().get(format!("http://{address}/"))).await.0, 401, "a file does not open what was closed");
}

#[tokio::test]
async fn users_have_the_roles_that_are_named_or_what_the_program_says_where_none_are() {
    let dir = tempfile::tempdir().unwrap();
    let users = format!("basic_auth_users: {{ana: {0}, bo: {0}}}\n", bcrypt::hash("password", 4).unwrap());
    write(&dir, "web.yml", &users);
    let address = served(&dir, Rules { unassigned: Some(Role::Admin), ..Rules::default() }).await;
    let post =
        async |user: &str| sent(client().post(format!("http://{address}/")).basic_auth(user, Some("password"))).await;
    assert_eq!(
        [post("ana").await, post("bo").await],
        ["ana", "bo"].map(|name| (200, format!("{name} admin Password")))
    );
    write(&dir, "web.yml", &format!("{users}roles: {{ana: admin}}\n"));
    assert_eq!(post("ana").await.0, 200);
    let why = "bo has no role: it is named under `roles:` of the web configuration, as viewer, operator or admin\n";
    assert_eq!(post("bo").await, (403, why.to_owned()));
}
