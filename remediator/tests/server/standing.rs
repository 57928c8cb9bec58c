//! Pages at real Alertmanagers that are restarted, or come late: people are called, and told of the end, all the same.

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Program, block_on, firing, resolved, wait_for};
use crate::real::Alertmanager;

/// Who is called by an Alertmanager.
struct Person {
    server: MockServer,
    runtime: tokio::runtime::Runtime,
}

impl Person {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
            server
        });
        Self { server, runtime }
    }

    /// What they were told, in order.
    fn told(&self) -> Vec<String> {
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        let status =
            |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["status"].as_str().unwrap().to_owned();
        requests.iter().map(|request| status(&request.body)).collect()
    }

    /// An Alertmanager that waits so long before it tells them of something new.
    fn alertmanager(&self, group_wait: &str) -> Alertmanager {
        Alertmanager::start(&json!({
            "route": {"receiver": "people", "group_wait": group_wait, "group_interval": "1s"},
            "receivers": [{"name": "people", "webhook_configs": [{"url": self.server.uri()}]}],
        }))
    }
}

fn pages_at(alertmanager: &Alertmanager) -> usize {
    let list = block_on(async { reqwest::get(alertmanager.alerts()).await?.json::<Value>().await });
    list.ok().and_then(|list| list.as_array().map(Vec::len)).unwrap_or(0)
}

/// A program that pages by these Alertmanagers as soon as health is unknown, which it is.
fn paging(alertmanagers: &[&Alertmanager]) -> Program {
    let urls: Vec<_> = alertmanagers.iter().map(|it| it.base()).collect();
    let channel = format!("alertmanager: {{urls: {}}}", json!(urls));
    Program::start_in(Program::lay_out(&[
        (r#"webhook: {url: "http://127.0.0.1:9/"}"#, &channel),
        (
            "contacts:",
            "limits: {health_unknown_for: 100ms, health_interval: 50ms, health_interval_idle: 50ms}\ncontacts:",
        ),
    ]))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    wait_for(what, || if is_so() { Ok(()) } else { Err("not yet".to_owned()) });
}

#[test]
fn a_page_is_told_again_to_an_alertmanager_that_restarts_before_it_calls() {
    let person = Person::start();
    let (mut first, mut second) = (person.alertmanager("3s"), person.alertmanager("3s"));
    second.end();
    let program = paging(&[&first, &second]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_until("the page to be there", || pages_at(&first) == 1);
    first.restart();
    assert_eq!((pages_at(&first), person.told().len()), (0, 0), "its alerts are lost, and nobody was called");
    second.restart();
    wait_until("the page to be back", || pages_at(&first) == 1);
    wait_until("the page to be at the other one as well", || pages_at(&second) == 1);
    wait_until("the call of each", || person.told() == ["firing"; 2]);

    // What was taken before a start stands after it.
    let program = program.kill_and_start();
    first.restart();
    assert_eq!(pages_at(&first), 0);
    wait_until("the page to be back", || pages_at(&first) == 1);

    // The end is told again, too.
    second.end();
    assert_eq!(program.deliver(resolved("main")).0, 200);
    assert_eq!(program.post("/api/v1/incidents/1/abort"), 200);
    wait_until("the end", || person.told().iter().any(|status| status == "resolved"));
    second.restart();
    wait_until("the end of each", || person.told().iter().filter(|status| *status == "resolved").count() == 2);
}
