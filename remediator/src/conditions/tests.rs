use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use url::Url;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::site::platform::Platform;
use crate::upstream::Upstream;

fn client(server: &MockServer) -> PromClient {
    let base = Url::parse(&format!("{}/", server.uri())).unwrap();
    PromClient::new(&Upstream::open_to_all(base), Duration::from_millis(500)).unwrap()
}

async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/api/v1/query")).respond_with(response).mount(&server).await;
    server
}

fn vector(values: &[&str]) -> ResponseTemplate {
    let result: Vec<_> = values.iter().map(|value| json!({"metric": {"a": value}, "value": [1.5, value]})).collect();
    ResponseTemplate::new(200)
        .set_body_json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

fn query() -> Query {
    Query::parse("up{stream=\"$target\"} == bool 1").unwrap()
}

async fn verdict(response: ResponseTemplate) -> Result<Verdict, String> {
    let server = answering(response).await;
    client(&server)
        .verdict(&query(), &Target::new("main"))
        .await
        .map_err(|error| chain(&error).replace(&server.uri(), "URI"))
}

#[rstest]
#[case(&["1"], Ok(Verdict::Healthy))]
#[case(&["0"], Ok(Verdict::Unhealthy))]
#[case(&["1", "1"], Ok(Verdict::Healthy))]
#[case(&[], Ok(Verdict::Unknown))]
#[case(&["NaN"], Ok(Verdict::Unknown))]
#[case(&["1", "NaN"], Ok(Verdict::Unknown))]
#[case(&["1", "0"], Err("the query yields 2 samples that disagree"))]
#[case(&["0.7"], Err("the query yields 0.7, neither 1 nor 0: does a comparison lack `bool`?"))]
#[case(&["+Inf"], Err("the query yields inf, neither 1 nor 0: does a comparison lack `bool`?"))]
#[tokio::test]
async fn only_one_and_zero_are_answers(#[case] values: &[&str], #[case] expected: Result<Verdict, &str>) {
    assert_eq!(verdict(vector(values)).await, expected.map_err(str::to_owned));
}

#[rstest]
#[case(
    ResponseTemplate::new(400).set_body_json(json!({"status": "error", "errorType": "bad_data", "error": "parse error"})),
    "Prometheus answered 400: parse error"
)]
#[case(ResponseTemplate::new(503).set_body_string("starting up"), "Prometheus answered 503: starting up")]
#[case(
    ResponseTemplate::new(200).set_body_string("<html>"),
    "Prometheus' answer is not understood: expected value at line 1 column 1"
)]
#[case(
    ResponseTemplate::new(200).set_body_string("x".repeat(2 << 20)),
    "Prometheus answered with more than 1048576 bytes"
)]
#[case(
    ResponseTemplate::new(200)
        .set_body_json(json!({"status": "success", "data": {"resultType": "string", "result": [1, "x"]}})),
    "the query yields a string, not numbers"
)]
#[tokio::test]
async fn everything_else_is_an_error_that_names_it(#[case] response: ResponseTemplate, #[case] expected: &str) {
    assert_eq!(verdict(response).await, Err(expected.to_owned()));
}

#[tokio::test]
async fn a_prometheus_that_is_slow_or_gone_is_unknown_health() {
    let slow = answering(vector(&["1"]).set_delay(Duration::from_secs(30))).await;
    assert_eq!(client(&slow).health(&query(), &Target::new("main")).await, Verdict::Unknown);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base = Url::parse(&format!("http://{gone}/")).unwrap();
    let nobody = PromClient::new(&Upstream::open_to_all(base), Duration::from_millis(500)).unwrap();
    assert_eq!(nobody.health(&query(), &Target::new("main")).await, Verdict::Unknown);
}

#[tokio::test]
async fn the_query_is_a_form_with_the_target_in_its_place() {
    let server = answering(vector(&["1"])).await;
    client(&server).health(&query(), &Target::new("a\"b")).await;
    let requests = server.received_requests().await.unwrap();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&requests[0].body).into_owned().collect();
    let expected = [("query", "up{stream=\"a\\\"b\"} == bool 1"), ("timeout", "500ms")];
    assert_eq!(form, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

fn expr(text: &str) -> Condition {
    Condition::Expr(text.into())
}

const YES: &str = "target == 'main'";
const NO: &str = "target == 'other'";
const ERROR: &str = "alert.labels.none == 1";

#[rstest]
#[case(&[YES, YES], "yes", "yes")]
#[case(&[YES, NO], "no", "yes")]
#[case(&[NO, NO], "no", "no")]
#[case(&[ERROR, NO], "no", "error")]
#[case(&[NO, ERROR], "no", "error")]
#[case(&[ERROR, YES], "error", "yes")]
#[case(&[YES, ERROR], "error", "yes")]
#[case(&[ERROR], "error", "error")]
#[tokio::test]
async fn all_and_any_are_three_valued(#[case] parts: &[&str], #[case] all: &str, #[case] any: &str) {
    let server = MockServer::start().await;
    let facts = Facts { target: "main".to_owned(), ..Facts::default() };
    let site = SiteValues { platform: Platform::Linux, variables: Default::default() };
    let parts: Vec<_> = parts.iter().map(|text| expr(text)).collect();
    let prometheus = client(&server);
    let name = |answer: Answer| match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Error(_) => "error",
    };
    let (of_all, of_any) = (Condition::All(parts.clone()), Condition::Any(parts));
    assert_eq!(name(holds(&of_all, &facts, &site, &prometheus).await), all);
    assert_eq!(name(holds(&of_any, &facts, &site, &prometheus).await), any);
}

#[tokio::test]
async fn promql_and_expressions_mix_and_errors_name_their_part() {
    let server = MockServer::start().await;
    let yes = Mock::given(body_string_contains("yes")).respond_with(vector(&["1"]));
    yes.mount(&server).await;
    Mock::given(body_string_contains("empty")).respond_with(vector(&[])).mount(&server).await;
    let prometheus = client(&server);
    let facts = Facts { target: "main".to_owned(), ..Facts::default() };
    let site = SiteValues { platform: Platform::Linux, variables: Default::default() };
    let promql = |text: &str| Condition::Promql(Query::parse(text).unwrap());
    let both = Condition::All(vec![promql("yes"), expr(YES)]);
    assert_eq!(holds(&both, &facts, &site, &prometheus).await, Answer::Yes);
    let both = Condition::All(vec![promql("empty"), expr(YES)]);
    assert_eq!(holds(&both, &facts, &site, &prometheus).await, Answer::Error("`empty`: no sample".to_owned()));
}

/// What a list of targets yields, by the labels `stream` and `instance`.
async fn names(result: serde_json::Value) -> Result<Vec<String>, String> {
    let answer = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    let server = answering(ResponseTemplate::new(200).set_body_json(answer)).await;
    let labels = ["instance", "stream"].map(vvtv_incident::LabelName::new).into();
    let names = client(&server).names("group by (stream) (x)", &labels).await;
    names.map(|names| names.iter().map(ToString::to_string).collect()).map_err(|error| chain(&error))
}

#[tokio::test]
async fn every_sample_of_the_targets_names_one() {
    let sample = |labels: serde_json::Value| json!({"metric": labels, "value": [1.5, "1"]});
    let listed = [
        json!({"stream": "b"}),
        json!({"instance": "h:1", "job": "x"}),
        json!({"stream": "a"}),
        json!({"stream": "b"}),
    ];
    assert_eq!(names(listed.map(sample).to_vec().into()).await, Ok(["a", "b", "h:1"].map(str::to_owned).to_vec()));
    assert_eq!(names(json!([])).await, Ok(Vec::new()));
    let nameless = "`targets` yields a sample without a label instance or stream: expected one sample for each target, e.g. \
                    `group by (stream) (vvtv_ingest_up)`";
    for labels in [json!({}), json!({"job": "x"}), json!({"stream": ""})] {
        assert_eq!(names(json!([sample(labels)])).await, Err(nameless.to_owned()));
    }
}
