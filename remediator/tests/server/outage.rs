//! Pagers that do not take pages for a while, and who is called meanwhile; the program is real, the pager answers as services do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// A pager whose answer can be changed while it serves.
struct Pager {
    server: MockServer,
    answer: Arc<Mutex<ResponseTemplate>>,
    /// What it was asked, and when.
    asked: Arc<Mutex<Vec<(Instant, Value)>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Pager {
    fn start(answer: ResponseTemplate) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(MockServer::start());
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let (answers, notes) = (Arc::clone(&answer), Arc::clone(&asked));
        let respond = move |request: &Request| {
            notes.lock().unwrap().push((Instant::now(), request.body_json().unwrap()));
            answers.lock().unwrap().clone()
        };
        runtime.block_on(Mock::given(any()).respond_with(respond).mount(&server));
        Self { server, answer, asked, _runtime: runtime }
    }

    fn answer(&self, answer: ResponseTemplate) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> Vec<(Instant, Value)> {
        self.asked.lock().unwrap().clone()
    }

    /// Kind, level, key and reason of what it was asked, without repetitions.
    fn asked_for(&self) -> BTreeSet<String> {
        let told = |page: &Value| format!("{} L{} {}", page["kind"].as_str().unwrap(), page["level"], page["reason"]);
        self.asked().iter().map(|(_, page)| told(page)).collect()
    }
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

/// The program whose one target stays sick, with four levels over these channels, each of one pager.
fn program(neighbours: &Neighbours, pagers: &[(&str, &Pager)], levels: [&str; 4]) -> Program {
    neighbours.program().edited(|config| {
        let (head, _) = config.split_once("contacts:").unwrap();
        let contact = |(channel, level): (&str, u8)| {
            format!("  - {{level: {level}, name: Level {level}, respond_within: 5m, scope: '', notify: [{channel}]}}\n")
        };
        let contacts: String = levels.into_iter().zip(1..).map(contact).collect();
        let channel = |(name, pager): &(&str, &Pager)| {
            format!("  {name}: {{webhook: {{url: '{}/{name}'}}}}\n", pager.server.uri())
        };
        let channels: String = pagers.iter().map(channel).collect();
        format!("{head}contacts:\n{contacts}channels:\n{channels}")
    })
}

fn incident(program: &Program) -> Value {
    let (status, body) = program.get("/api/v1/incidents/1");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Event, reason and detail of the lines of the timeline with these events.
fn timeline(program: &Program, events: &[&str]) -> Vec<String> {
    let incident = incident(program);
    let lines = incident["timeline"].as_array().unwrap().iter();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let wanted = lines.filter(|line| events.contains(&line["event"].as_str().unwrap()));
    wanted.map(|line| ["event", "reason", "detail"].map(|key| text(line, key)).join(" ")).collect()
}

fn wait_for_line(program: &Program, line: &str) {
    let event = line.split(' ').next().unwrap();
    wait_for(line, || match timeline(program, &[event]) {
        lines if lines.iter().any(|it| it == line) => Ok(()),
        _ => Err(incident(program)["timeline"].to_string()),
    });
}

fn metric(program: &Program, name: &str) -> f64 {
    let (_, metrics) = program.get("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

const FAILING: &str = "vvtv_remediator_channel_failing{channel=\"hook\"}";
const FAILING_SINCE: &str = "vvtv_remediator_channel_failing_since_timestamp_seconds{channel=\"hook\"}";
const ALL_ONE: [&str; 4] = ["hook"; 4];

#[test]
fn an_outage_of_the_one_channel_is_said_everywhere_and_calls_the_first_level_alone() {
    let neighbours = Neighbours::start(&json!([]));
    let pager = Pager::start(status(500).set_body_string("down"));
    let program = program(&neighbours, &[("hook", &pager)], ALL_ONE);
    assert_eq!((metric(&program, FAILING), metric(&program, FAILING_SINCE)), (0.0, 0.0));
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for_line(&program, "not_called no_other_channel L1");
    assert_eq!(metric(&program, FAILING), 1.0);
    assert!(metric(&program, FAILING_SINCE) > 1e9);
    let (_, console) = program.get("/");
    assert!(console.contains("Nobody can be called: every channel to every contact fails."), "{console}");
    assert!(console.contains("the webhook cannot take the notice now: 500: down"), "{console}");
    assert!(program.logged().iter().any(|line| line.contains("the channel takes no messages")));
    let asked = pager.asked().len();
    assert!((2..=6).contains(&asked), "{asked} questions");

    pager.answer(status(200));
    wait_for_line(&program, "page_delivered delivered 1");
    assert_eq!((metric(&program, FAILING), metric(&program, FAILING_SINCE)), (0.0, 0.0));
    assert!(!program.get("/").1.contains("Nobody can be called"));
    assert_eq!(pager.asked_for(), BTreeSet::from(["trigger L1 \"exhausted\"".to_owned()]));
    assert_eq!(timeline(&program, &["paged"]), ["paged exhausted L1"]);
}

#[rstest]
#[case::invalid(status(400).set_body_string(r#"{"status":"invalid event"}"#))]
#[case::elsewhere(status(301).insert_header("Location", "http://127.0.0.1:1/x"))]
#[case::gone(status(404))]
fn a_pager_that_refuses_the_page_calls_nobody_else_and_a_reload_that_mends_it_sends_it_at_once(
    #[case] refusal: ResponseTemplate,
) {
    let neighbours = Neighbours::start(&json!([]));
    let (wrong, right) = (Pager::start(refusal), Pager::start(status(200)));
    let program = program(&neighbours, &[("hook", &wrong)], ALL_ONE);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for_line(&program, "not_called no_other_channel L1");
    assert_eq!(wrong.asked().len(), 1, "what is refused is not asked for again at once");
    program.rewrite("remediator.yml", |config| config.replace(&wrong.server.uri(), &right.server.uri()));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    wait_for_line(&program, "page_delivered delivered 1");
    assert_eq!(right.asked_for(), BTreeSet::from(["trigger L1 \"exhausted\"".to_owned()]));
    assert_eq!(timeline(&program, &["paged"]), ["paged exhausted L1"]);
}

#[test]
fn a_level_with_another_channel_is_called_in_the_place_of_one_that_cannot_be_reached() {
    let neighbours = Neighbours::start(&json!([]));
    let (dead, phone) = (Pager::start(status(403)), Pager::start(status(200)));
    let program = program(&neighbours, &[("hook", &dead), ("phone", &phone)], ["hook", "hook", "phone", "phone"]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for_line(&program, "page_delivered delivered 2");
    let expected = ["paged exhausted L1", "page_delivered undeliverable 1", "paged undeliverable L3"];
    let lines = timeline(&program, &["paged", "page_delivered"]);
    assert_eq!(lines, [&expected[..], &["page_delivered delivered 2"]].concat());
    assert_eq!(phone.asked_for(), BTreeSet::from(["trigger L3 \"undeliverable\"".to_owned()]));
    let (_, console) = program.get("/");
    assert!(console.contains("The channel hook has taken no message since"), "{console}");
    assert!(!console.contains("Nobody can be called"), "{console}");
}

#[test]
fn a_pager_that_wants_to_be_left_alone_is() {
    let neighbours = Neighbours::start(&json!([]));
    let pager = Pager::start(status(429).insert_header("Retry-After", "3"));
    let program = program(&neighbours, &[("hook", &pager)], ALL_ONE);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the first question", || if pager.asked().is_empty() { Err(String::new()) } else { Ok(()) });
    pager.answer(status(200));
    wait_for_line(&program, "page_delivered delivered 1");
    let asked: Vec<_> = pager.asked().into_iter().map(|(at, _)| at).collect();
    let [first, second] = asked[..] else { panic!("{} questions", asked.len()) };
    assert!(second - first >= Duration::from_secs(3), "asked again after {:?}", second - first);
    assert_eq!(metric(&program, FAILING), 0.0, "a hiccup");
}

#[test]
fn what_happens_after_an_acknowledgement_calls_nobody() {
    let neighbours = Neighbours::start(&json!([]));
    let pager = Pager::start(status(200));
    let program = program(&neighbours, &[("hook", &pager)], ALL_ONE);
    let wait = "while [ ! -e \"$VVTV_TEST_LOG.go\" ]; do sleep 0.05; done; exit 1";
    program.rewrite("runbooks/demo.yml", |text| text.replace("echo mended >> \"$VVTV_TEST_LOG\"", wait));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for_line(&program, "step_started next_step mend (attempt 1)");
    assert_eq!(program.post("/api/v1/incidents/1/ack"), 200);
    std::fs::write(program.path("log.go"), "").unwrap();
    wait_for_line(&program, "told exhausted tester");
    assert_eq!(timeline(&program, &["paged", "told"]), ["told step_failed tester", "told exhausted tester"]);
    assert_eq!(pager.asked_for(), BTreeSet::new());
    assert_eq!(incident(&program)["acked_by"], "tester");
}

#[test]
fn whoever_was_called_and_acknowledged_is_told_more_by_the_same_page() {
    let neighbours = Neighbours::start(&json!([]));
    let pager = Pager::start(status(200));
    let program = program(&neighbours, &[("hook", &pager)], ALL_ONE);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for_line(&program, "page_delivered delivered 1");
    for operation in ["ack", "hold"] {
        assert_eq!(program.post(&format!("/api/v1/incidents/1/{operation}")), 200);
    }
    let states = || {
        let incident = incident(&program);
        let states =
            incident["pages"].as_array().unwrap().iter().map(|page| format!("{} {}", page["kind"], page["state"]));
        states.collect::<Vec<_>>()
    };
    let both = [r#""trigger" "sent""#, r#""update" "sent""#];
    wait_for("the update", || if states() == both { Ok(()) } else { Err(format!("{:?}", states())) });
    let told: Vec<_> = pager.asked().into_iter().map(|(_, page)| page).collect();
    let kinds: Vec<_> = told.iter().map(|page| [&page["kind"], &page["reason"]]).collect();
    assert_eq!(kinds, [[&json!("trigger"), &json!("exhausted")], [&json!("update"), &json!("held")]]);
    assert_eq!(told[0]["key"], told[1]["key"]);
}
