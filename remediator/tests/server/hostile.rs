//! Alert data from somebody who means harm: it stays data, in arguments, environment, files and pages alike.

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::program::{Program, wait_for};

/// Prometheus and Alertmanager as the remediator asks them: everything is sick, and `alerts` stand.
pub(crate) struct Neighbours {
    server: MockServer,
    runtime: Runtime,
}

impl Neighbours {
    pub(crate) fn start(alerts: &Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sick = answer_of("0");
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            let answer = |body: &Value| ResponseTemplate::new(200).set_body_json(body);
            Mock::given(method("POST")).and(path("/api/v1/query")).respond_with(answer(&sick)).mount(&server).await;
            let list = || Mock::given(method("GET")).and(path("/api/v2/alerts/groups"));
            list().respond_with(answer(&json!([]))).up_to_n_times(1).mount(&server).await;
            let group =
                json!([{"labels": {"alertname": "Demo"}, "receiver": {"name": "remediator"}, "alerts": alerts}]);
            list().respond_with(answer(&group)).mount(&server).await;
            let page = Mock::given(method("POST")).and(path("/page"));
            page.respond_with(ResponseTemplate::new(200)).mount(&server).await;
            server
        });
        Self { server, runtime }
    }

    /// Prometheus knows the targets `s0`, `s1`, and so on, and no other.
    pub(crate) fn listing(self, targets: usize) -> Self {
        let sample = |number| json!({"metric": {"stream": format!("s{number}")}, "value": [0, "1"]});
        let samples: Vec<_> = (0..targets).map(sample).collect();
        let answer = json!({"status": "success", "data": {"resultType": "vector", "result": samples}});
        self.runtime.block_on(async {
            Mock::given(method("POST"))
                .and(path("/api/v1/query"))
                .and(body_string_contains("vvtv_ingest_up"))
                .respond_with(ResponseTemplate::new(200).set_body_json(answer))
                .with_priority(1)
                .mount(&self.server)
                .await;
        });
        self
    }

    /// From now on everything is healthy.
    pub(crate) fn heal(&self) {
        let healthy = answer_of("1");
        self.runtime.block_on(async {
            let query = Mock::given(method("POST")).and(path("/api/v1/query"));
            query
                .respond_with(ResponseTemplate::new(200).set_body_json(healthy))
                .with_priority(1)
                .mount(&self.server)
                .await;
        });
    }

    /// Where Prometheus and Alertmanager are.
    pub(crate) fn base(&self) -> String {
        self.server.uri()
    }

    /// Where a channel may send its messages.
    pub(crate) fn pager(&self) -> String {
        format!("{}/page", self.server.uri())
    }

    /// The messages that were sent there.
    pub(crate) fn pages(&self) -> Vec<Value> {
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        requests.iter().filter(|it| it.url.path() == "/page").map(|it| it.body_json().unwrap()).collect()
    }

    pub(crate) fn program(&self) -> Program {
        Program::start().edited(|config| config.replace("http://127.0.0.1:9\n", &format!("{}\n", self.server.uri())))
    }
}

/// Prometheus' answer with one sample.
fn answer_of(value: &str) -> Value {
    json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, value]}]}})
}

fn alert(fingerprint: &str, labels: &Value) -> Value {
    let mut labels = labels.clone();
    labels["alertname"] = json!("Demo");
    json!({
        "status": "firing", "labels": labels, "annotations": labels, "startsAt": "2026-11-22T15:07:17.131Z",
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint,
    })
}

fn body(alerts: &[Value], truncated: u64) -> String {
    let group = json!({"alertname": "Demo"});
    let body = json!({
        "version": "4", "receiver": "remediator", "groupLabels": group, "truncatedAlerts": truncated, "alerts": alerts,
    });
    body.to_string()
}

/// The value of a sample in a scrape.
pub(crate) fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn alert_data_is_exactly_one_argument_and_one_value_and_never_shell_text() {
    let program = Program::start();
    let (show, pwned) = (program.path("show"), program.path("pwned"));
    std::fs::write(&show, "printf '%s\\0' \"$@\" > \"$VVTV_TEST_LOG.argv.$VVTV_INCIDENT\"\nenv -0 > \"$VVTV_TEST_LOG.env.$VVTV_INCIDENT\"\n").unwrap();
    let run =
        format!("run: [/bin/sh, {}, '{{{{ target }}}}', 'note={{{{ alert.labels.note }}}}', end]", show.display());
    let touch = pwned.display();
    let values = [
        r#"double " and single ' quotes"#.to_owned(),
        "two\nlines\r\n\tand a tab".to_owned(),
        format!("$(touch {touch})"),
        format!("`touch {touch}`"),
        format!("; touch {touch} #"),
        format!("' ; touch {touch} ; '"),
        format!("| touch {touch} && touch {touch}"),
        "{{ target }} {% if true %}x{% endif %}".to_owned(),
        "$HOME ${PATH} * ? ~ %s \\n \\".to_owned(),
        "\u{1b}[2J \u{202e} 🦀 é".to_owned(),
        " ".to_owned(),
    ];
    let targets: Vec<_> = values.iter().map(|value| format!("s{value}")).collect();
    let program = program.knowing(&targets).kill_and_start_with(&run);
    for (number, value) in values.iter().enumerate() {
        let labels = json!({"stream": format!("s{value}"), "note": value});
        assert_eq!(program.deliver(body(&[alert(&format!("f{number}"), &labels)], 0)).0, 200);
    }
    for (value, incident) in values.iter().zip(1..) {
        let read = |kind: &str| std::fs::read(program.path(&format!("log.{kind}.{incident}"))).unwrap_or_default();
        let strings = |bytes: Vec<u8>| -> Vec<String> {
            let text = String::from_utf8(bytes).unwrap();
            text.strip_suffix('\0').map_or_else(Vec::new, |text| text.split('\0').map(str::to_owned).collect())
        };
        let argv = wait_for("the step to print its arguments", || match strings(read("argv")) {
            argv if argv.is_empty() => Err(format!("{:#?}", program.incidents().first())),
            argv => Ok(argv),
        });
        assert_eq!(argv, [format!("s{value}"), format!("note={value}"), "end".to_owned()]);
        let environment = wait_for("the step to print its environment", || match strings(read("env")) {
            environment if environment.is_empty() => Err("nothing".to_owned()),
            environment => Ok(environment),
        });
        for expected in [format!("VVTV_LABEL_note={value}"), format!("VVTV_TARGET=s{value}")] {
            assert_eq!(
                environment.iter().filter(|entry| **entry == expected).count(),
                1,
                "{expected}: {environment:?}"
            );
        }
    }
    assert!(!pwned.exists(), "alert data was run");
}

#[test]
fn what_no_process_can_be_given_fails_its_step_and_nothing_else() {
    let long = "x".repeat(1 << 20);
    let targets = ["a\u{0}b", "nul", "long", &long].map(str::to_owned);
    let command = "run: [/bin/echo, '{{ target }}', '{{ alert.labels.note }}']";
    let program = Program::start().knowing(&targets).kill_and_start_with(command);
    let labels = [
        json!({"stream": "a\u{0}b", "note": ""}),
        json!({"stream": "nul", "note": "a\u{0}b"}),
        json!({"stream": "long", "note": long}),
        json!({"stream": long, "note": "long target"}),
    ];
    for (number, labels) in labels.iter().enumerate() {
        assert_eq!(program.deliver(body(&[alert(&format!("f{number}"), labels)], 0)).0, 200);
    }
    // The newest first. What is too long was cut before, with a mark: an argument like any other, and the name of no target.
    let expected = [json!("pending"), json!("ok"), json!("failed"), json!("failed")];
    wait_for("every step to end", || {
        let incidents = program.incidents();
        let states: Vec<_> = incidents.iter().map(|incident| incident["steps"][0]["state"].clone()).collect();
        let reason = incidents.first().map(|newest| newest["reason"].clone()).unwrap_or_default();
        if states == expected && reason == "target_unverified" { Ok(()) } else { Err(format!("{states:?} {reason}")) }
    });
    let said = program.get("/api/v1/incidents/3/output").1;
    assert!(said.contains("x… [cut: 1048576 bytes, sha256 "), "{said}");
    assert_eq!(program.get("/-/ready").0, 200);
    assert_eq!(program.get("/").0, 200);
}

#[test]
fn bytes_that_are_no_text_and_json_without_end_are_refused_and_deep_json_harms_nothing() {
    let program = Program::start();
    let good = body(&[alert("f", &json!({"stream": "main", "note": "MARK"}))], 0);
    let (before, after) = good.rsplit_once("MARK").unwrap();
    let broken = [before.as_bytes(), b"\xff\xfe\xc3\x28", after.as_bytes()].concat();
    assert_eq!(program.deliver(broken).0, 400);
    let deep = format!(r#"{{"version":"4","alerts":[],"commonAnnotations":{}}}"#, "[".repeat(1_000_000));
    assert_eq!(program.deliver(deep).0, 400);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = good.replace(r#""annotations":{"#, &format!(r#""annotations":{nested},"x":{{"#));
    assert_eq!(program.incidents().len(), 0);
    assert_eq!(program.deliver(deep).0, 200, "what nobody reads is skipped, however deep it is");
    assert_eq!(program.incidents().len(), 1);
}

#[test]
fn pages_for_people_show_alert_data_as_text() {
    let program = Program::start();
    let script = "\"><script>alert('x')</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e}";
    let labels = json!({"stream": script, "note": script, "<b>name": "x"});
    assert_eq!(program.deliver(body(&[alert(script, &labels)], 0)).0, 200);
    for page in ["/", "/incidents/1"] {
        let (status, html) = program.get(page);
        assert_eq!(status, 200);
        assert!(html.contains("&#60;script&#62;alert"), "{page}: {html}");
        assert!(html.contains("␛[2J\\u{202e}"), "{page}: {html}");
        for tag in ["\u{1b}", "\u{202e}", "<script>alert", "<img", "<b>name"] {
            assert!(!html.contains(tag), "{tag} on {page}: {html}");
        }
    }
}

#[test]
fn alerts_that_a_delivery_leaves_out_are_fetched() {
    let mut left_out = alert("f-left-out", &json!({"stream": "left-out"}));
    left_out["status"] = json!({"state": "active"});
    let neighbours = Neighbours::start(&json!([left_out]));
    let program = neighbours.program();
    // Alertmanager of this version does not tell whether it is muted: that is known once a delivery has named its group.
    wait_for("the look at the start", || {
        let (_, metrics) = program.get("/metrics");
        if sample(&metrics, r#"vvtv_remediator_reconciliations_total{result="ok"}"#) >= 1.0 {
            Ok(())
        } else {
            Err(metrics)
        }
    });
    assert_eq!(program.incidents().len(), 0);
    assert_eq!(program.deliver(body(&[alert("f-main", &json!({"stream": "main"}))], 3)).0, 200);
    wait_for("the alert that was left out", || {
        let targets: Vec<_> = program.incidents().iter().map(|incident| incident["target"].to_string()).collect();
        if targets.contains(&r#""left-out""#.to_owned()) { Ok(()) } else { Err(format!("{targets:?}")) }
    });
}

#[test]
fn a_storm_of_a_thousand_targets_changes_nothing_and_calls_once() {
    let neighbours = Neighbours::start(&json!([])).listing(1_000);
    let program = neighbours.program().without_first_step();
    let alerts: Vec<_> = (0..1_000).map(|n| alert(&format!("f{n}"), &json!({"stream": format!("s{n}")}))).collect();
    assert_eq!(program.deliver(body(&alerts, 0)).0, 200);
    wait_for("every incident to be held", || {
        let (_, metrics) = program.get("/metrics");
        let held = sample(&metrics, r#"vvtv_remediator_decisions_total{event="blocked",reason="systemic"}"#);
        let open = sample(&metrics, r#"vvtv_remediator_decisions_total{event="opened",reason="alert_firing"}"#);
        if open >= 1_000.0 && held >= 1_000.0 { Ok(()) } else { Err(format!("{open} open, {held} held")) }
    });
    let (_, metrics) = program.get("/metrics");
    let pages: f64 = metrics
        .lines()
        .filter(|line| line.starts_with(r#"vvtv_remediator_decisions_total{event="paged""#))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    let systemic = sample(&metrics, r#"vvtv_remediator_decisions_total{event="paged",reason="systemic"}"#);
    assert_eq!((pages, systemic), (1.0, 1.0), "one page, and it says systemic");
    assert_eq!(program.written(), Vec::<String>::new(), "no change runs");
}

#[test]
fn ten_thousand_alerts_in_one_body_are_all_taken() {
    let neighbours = Neighbours::start(&json!([])).listing(10_000);
    let program = neighbours.program().without_first_step();
    let alerts: Vec<_> = (0..10_000).map(|n| alert(&format!("f{n}"), &json!({"stream": format!("s{n}")}))).collect();
    assert_eq!(program.deliver(body(&alerts, 0)).0, 200);
    let (_, metrics) = program.get("/metrics");
    assert_eq!(sample(&metrics, r#"vvtv_remediator_decisions_total{event="opened",reason="alert_firing"}"#), 10_000.0);
    assert_eq!(program.deliver(body(&alerts, 0)).0, 200, "and again");
    assert_eq!(program.incidents().len(), 100, "the list comes page by page");
    assert_eq!(program.written(), Vec::<String>::new());
}
