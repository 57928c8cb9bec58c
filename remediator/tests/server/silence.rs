//! Who watches whom, on the real binary: people are called when nothing is heard any more, and a service outside hears of us.

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// Kind and reason of every page, in order.
fn pages(neighbours: &Neighbours) -> Vec<(Value, Value)> {
    neighbours.pages().into_iter().map(|page| (page["kind"].clone(), page["summary"].clone())).collect()
}

fn metric(program: &Program, name: &str) -> f64 {
    let (_, metrics) = program.get("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("vvtv_remediator_{name} ")));
    line.map_or(-1.0, |value| value.parse().unwrap())
}

#[test]
fn a_watchdog_that_stops_coming_calls_people_and_one_that_comes_back_ends_it() {
    let neighbours = Neighbours::start(&json!([]));
    let program = neighbours.program().edited(|config| {
        let config = config.replace("http://127.0.0.1:9/", &neighbours.pager());
        format!("{config}\nreconcile: 200ms\nwatchdog: {{silent_after: 1s}}\nlimits: {{page_hold: 100ms, returns_within: 100ms}}\n")
    });
    let silent = "Silent monitoring: The alert that always fires does not come any more, so faults may go unheard.";
    let called = ("trigger".into(), silent.into());
    wait_for("the call", || match pages(&neighbours) {
        said if said == [called.clone()] => Ok(()),
        said => Err(format!("{said:?}")),
    });
    let watchdog = firing("main").replace("\"Demo\"", "\"Watchdog\"");
    assert_eq!(program.deliver(watchdog).0, 200);
    wait_for("its end", || match pages(&neighbours) {
        said if said.len() == 2 && said[1].0 == "resolve" => Ok(()),
        said => Err(format!("{said:?}")),
    });
    assert_eq!(program.incidents().len(), 1, "the alert that always fires opens nothing");
    // It stays away again: that is another silence.
    wait_for("another call", || match pages(&neighbours) {
        said if said.len() == 3 && said[2] == called => Ok(()),
        said => Err(format!("{said:?}")),
    });
}

#[test]
fn prometheus_that_does_not_answer_outside_an_incident_calls_people_until_it_does() {
    let neighbours = Neighbours::start(&json!([]));
    let program = neighbours.program();
    let prometheus = std::fs::read_to_string(program.path("remediator.yml")).unwrap();
    let prometheus = prometheus.lines().find(|line| line.starts_with("prometheus:")).unwrap().to_owned();
    let program = program.edited(|config| {
        let config = config.replace("http://127.0.0.1:9/", &neighbours.pager());
        let config = config.replace(&prometheus, "prometheus: http://127.0.0.1:9");
        format!("{config}\nreconcile: 200ms\nwatchdog: {{silent_after: 1s}}\nlimits: {{page_hold: 100ms, returns_within: 100ms}}\n")
    });
    let watchdog = firing("main").replace("\"Demo\"", "\"Watchdog\"");
    wait_for("the call", || {
        assert_eq!(program.deliver(watchdog.clone()).0, 200);
        match neighbours.pages() {
            pages if pages.len() == 1 && pages[0]["reason"] == "prometheus_silent" => Ok(()),
            pages => Err(format!("{pages:?}")),
        }
    });
    // Kill -9 and a start that finds it: the silence is over, and its page is taken back.
    let program = program.edited(|config| config.replace("prometheus: http://127.0.0.1:9", &prometheus));
    wait_for("its end", || {
        assert_eq!(program.deliver(watchdog.clone()).0, 200);
        match neighbours.pages() {
            pages if pages.len() == 2 && pages[1]["kind"] == "resolve" => Ok(()),
            pages => Err(format!("{pages:?}")),
        }
    });
}

#[test]
fn a_service_outside_hears_of_us_for_as_long_as_the_journal_can_be_written() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let service = runtime.block_on(MockServer::start());
    let answer = |status: u16| {
        runtime.block_on(service.reset());
        let ping = Mock::given(method("GET")).and(path("/ping/5ecre7"));
        runtime.block_on(ping.respond_with(ResponseTemplate::new(status)).mount(&service));
    };
    let heard = || runtime.block_on(service.received_requests()).unwrap().len();
    let until = |what: &str, enough: &dyn Fn() -> bool| {
        wait_for(what, || if enough() { Ok(()) } else { Err(heard().to_string()) });
    };

    answer(200);
    let dir = Program::lay_out(&[("contacts:", "heartbeat: {url_file: heartbeat, every: 50ms}\ncontacts:")]);
    std::fs::write(dir.path().join("heartbeat"), format!("{}/ping/5ecre7\n", service.uri())).unwrap();
    let program = Program::start_in(dir);
    until("signs of life", &|| heard() >= 3 && metric(&program, "heartbeats_total{result=\"sent\"}") >= 3.0);
    assert!(metric(&program, "last_heartbeat_timestamp_seconds") > 1e9);

    answer(500);
    until("one that is not taken", &|| metric(&program, "heartbeats_total{result=\"failed\"}") >= 2.0);
    assert!(program.logged().iter().any(|line| line.contains("heartbeat not taken")));
    assert!(program.logged().iter().all(|line| !line.contains("5ecre7")), "its address is a secret");

    // Nothing that is written would be found again: the program runs, and is as good as dead.
    answer(200);
    std::fs::rename(program.path("remediator.db"), program.path("away.db")).unwrap();
    until("one that is withheld", &|| metric(&program, "heartbeats_total{result=\"withheld\"}") >= 1.0);
    let before = heard();
    until("more of them", &|| metric(&program, "heartbeats_total{result=\"withheld\"}") >= 5.0);
    assert_eq!(heard(), before);
    std::fs::rename(program.path("away.db"), program.path("remediator.db")).unwrap();
    until("signs of life again", &|| heard() > before);
}
