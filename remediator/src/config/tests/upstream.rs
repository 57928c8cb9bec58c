//! Whom the remediator asks, and what they demand.

use rstest::rstest;

use super::*;

fn asking(alertmanager: &str) -> Result<Vec<Upstream>, String> {
    let dir = tempfile::tempdir().unwrap();
    let fixture = |name: &str| {
        std::fs::read_to_string(format!("{}/../toolkit/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR")))
    };
    for (name, text) in [
        ("token", "t0ken\n"),
        ("two-lines", "a\nb"),
        ("ca.pem", &fixture("ca.pem").unwrap()),
        ("me.pem", &fixture("server.pem").unwrap()),
        ("me.key", &fixture("server.key").unwrap()),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let text = MINIMAL.replace("alertmanager: http://127.0.0.1:9093/am", &format!("alertmanager: {alertmanager}"));
    let source = document(dir.path().join("remediator.yml"), &text);
    let root = dir.path().display().to_string();
    let config = build::config(source, SecretFiles::Demand);
    config.map(|config| config.alertmanager).map_err(|error| error.to_string().replace(&root, "DIR"))
}

#[test]
fn what_an_alertmanager_demands_is_read_in_prometheus_words_and_a_cluster_is_a_list() {
    let read = asking(
        "
  - https://am-1.example
  - url: https://am-2.example/am
    authorization: {type: Token, credentials_file: token}
    http_headers: {X-Scope-OrgID: {values: [a, b], files: [token]}}
    tls_config: {ca_file: ca.pem, cert_file: me.pem, key_file: me.key, server_name: am.example}",
    );
    let read = read.unwrap();
    let [first, second] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!(*first, Upstream::open_to_all(Url::parse("https://am-1.example/").unwrap()));
    assert_eq!(
        (second.url.as_str(), second.to_string().as_str()),
        ("https://am-2.example/am/", "https://am-2.example/am")
    );
    assert_eq!(
        second.secrets().filter(|secret| !secret.contains("PRIVATE")).collect::<Vec<_>>(),
        ["t0ken", "a", "b", "t0ken"]
    );
    assert_eq!(second.tls.server_name.as_deref(), Some("am.example"));
    assert!(second.tls.ca.is_some() && second.tls.identity.is_some());
    assert!(!format!("{second:?}").contains("t0ken"), "{second:?}");
}

#[rstest]
#[case("[]", "4:15: the list is empty")]
#[case("7", "4:1: invalid type: integer `7`, expected an address, {url: ADDRESS, …}, or a list of these")]
#[case("{url: 'http://a', authorization: {}}", "4:48: expected `credentials_file: FILE` or `credentials_env: NAME`")]
#[case(
    "{url: 'http://a', authorization: {credentials: x}}",
    "4:49: unknown field `credentials`, expected one of type, credentials_file, credentials_env"
)]
#[case(
    "{url: 'http://a', authorization: {type: Basic, credentials_file: token}}",
    "4:55: a user and a password are `basic_auth`"
)]
#[case(
    "{url: 'http://a', authorization: {credentials_file: two-lines}}",
    "4:67: the secret in DIR/two-lines is not one line of text"
)]
#[case(
    "{url: 'http://a', authorization: {credentials_env: VVTV_NO_SUCH_VARIABLE}}",
    "4:66: cannot read the secret in $VVTV_NO_SUCH_VARIABLE: environment variable not found"
)]
#[case(
    "{url: 'http://a', basic_auth: {username: 'a:b', password_file: token}}",
    "4:56: a user's name has no colon (RFC 7617)"
)]
#[case(
    "{url: 'http://a', basic_auth: {username: a, password_file: token}, authorization: {credentials_file: token}}",
    "4:45: `authorization` and `basic_auth` exclude each other"
)]
#[case(
    "{url: 'http://u:p@a', authorization: {credentials_file: token}}",
    "4:21: the address has a user in it, and credentials beside it"
)]
#[case(
    "{url: 'http://a', http_headers: {Host: {values: [x]}}}",
    "4:54: `Host` is not set here: there are `authorization`, `basic_auth` and `url`"
)]
#[case("{url: 'http://a', http_headers: {X-A: {}}}", "4:53: `X-A` has no value: expected `values`, `files` or `env`")]
#[case(
    "{url: 'http://a', tls_config: {ca_file: ca.pem}}",
    "4:45: the address is not https: nothing of this would be used"
)]
#[case(
    "{url: 'https://a', tls_config: {cert_file: me.pem}}",
    "4:58: a client certificate has both `cert_file` and `key_file`"
)]
#[case("{url: 'https://a', tls_config: {ca_file: token}}", "4:56: DIR/token holds no certificate (PEM)")]
#[case(
    "{url: 'https://a', tls_config: {server_name: 127.0.0.1}}",
    "4:60: not a name: expected a host's, as in its certificate"
)]
#[case(
    "{url: 'https://a', tls_config: {cert_file: ca.pem, key_file: me.key}}",
    "4:46: cannot set up the HTTP client: "
)]
#[case(
    "{url: 'https://a', tls_config: {insecure_skip_verify: true}}",
    "4:47: unknown field `insecure_skip_verify`, expected one of ca_file, cert_file, key_file, server_name"
)]
fn what_cannot_be_asked_so_is_said_in_its_place(#[case] alertmanager: &str, #[case] expected: &str) {
    let error = asking(alertmanager).unwrap_err();
    let (first, expected) = (error.lines().next().unwrap(), format!("DIR/remediator.yml:{expected}"));
    assert!(first.starts_with(&expected) && (first == expected || expected.ends_with(' ')), "{first}\n{expected}");
}
