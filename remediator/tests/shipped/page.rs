//! Timers, actions and their order are the page's; restores go back to what was there.

use vvtv_incident::{Kind, Severity, StepId};
use vvtv_remediator::conditions::facts::{Facts, IncidentFacts, StepFacts};
use vvtv_remediator::config::Config;
use vvtv_remediator::runbook::{Book, load_dir};

use crate::installation::shipped;

fn books(config: &Config) -> Vec<Book> {
    load_dir(&config.runbooks, &config.site).unwrap_or_else(|error| panic!("{error}"))
}

fn book<'a>(books: &'a [Book], id: &str) -> &'a Book {
    books.iter().find(|book| book.plan.id.as_str() == id).unwrap()
}

#[test]
fn timers_severities_and_people_are_the_page_s() {
    let (_root, config) = shipped();
    let books = books(&config);
    let lines: Vec<_> = books
        .iter()
        .map(|book| {
            let escalate = book.plan.escalate.unwrap();
            (
                book.plan.id.as_str(),
                book.plan.severity,
                book.plan.respond_within.as_secs() / 60,
                (escalate.level.get(), escalate.after.as_secs() / 60),
            )
        })
        .collect();
    let expected = [
        ("bitrate-variance", Severity::Major, 15, (2, 30)),
        ("encoder-drops", Severity::Major, 15, (2, 30)),
        ("ingest-down", Severity::Critical, 2, (2, 5)),
        ("segment-age", Severity::Critical, 5, (2, 10)),
    ];
    assert_eq!(lines, expected);
    let people: Vec<_> = config
        .contacts
        .iter()
        .map(|it| (it.name.as_str(), it.respond_within.as_secs() / 60, it.scope.as_str()))
        .collect();
    let expected = [
        ("SRE On-Call", 5, "Immediate response"),
        ("Streaming Lead", 15, "Technical expertise"),
        ("Engineering Manager", 30, "Resource allocation"),
        ("CTO", 60, "Business decisions"),
    ];
    assert_eq!(people, expected);
}

#[test]
fn every_action_of_the_page_is_there_in_its_order() {
    let (_root, config) = shipped();
    for book in books(&config) {
        let actions: Vec<u8> = book.plan.steps.iter().map(|step| book.steps[&step.id].action.unwrap()).collect();
        assert!(actions.is_sorted(), "{}: {actions:?}", book.plan.id);
        let mut distinct = actions.clone();
        distinct.dedup();
        assert_eq!(distinct, [1, 2, 3, 4, 5], "{}", book.plan.id);
    }
}

#[test]
fn nothing_slow_stands_before_the_first_repair() {
    let (_root, config) = shipped();
    let books = books(&config);
    for id in ["segment-age", "ingest-down"] {
        let steps = &book(&books, id).plan.steps;
        let first = steps.iter().position(vvtv_incident::Step::is_change).unwrap();
        let waits: Vec<_> = steps[..first]
            .iter()
            .filter(|step| matches!(step.kind, Kind::Diagnose { background: false, .. }))
            .map(|step| step.id.as_str())
            .collect();
        assert_eq!(waits, [if id == "segment-age" { "encoder_status" } else { "check_nginx_config" }]);
    }
}

fn argv(book: &Book, config: &Config, step: &str, facts: &Facts) -> Vec<String> {
    book.steps[&StepId::new(step)].argv(facts, &config.site).unwrap()
}

#[test]
fn restores_go_back_to_what_the_changes_reported() {
    let (_root, config) = shipped();
    let books = books(&config);
    let drops = book(&books, "encoder-drops");
    let mut facts = Facts { target: "main".to_owned(), ..Facts::default() };
    let mut report = |step: &str, json: serde_json::Value| {
        let step_facts = StepFacts { json: Some(json.clone()), first_json: Some(json), ..StepFacts::default() };
        facts.steps.insert(step.to_owned(), step_facts);
    };
    report("lower_preset", serde_json::json!({"key": "encoder.preset", "old": "slow", "new": "fast"}));
    report("raise_crf", serde_json::json!({"key": "encoder.crf", "old": null, "new": "23"}));
    report(
        "encoder_settings",
        serde_json::json!({"running": {"preset": "slow", "bitrate_kbps": 2500}, "flags": {"encoder.bitrate": "6000k"}}),
    );
    let json = ["--format", "json"];
    let flags = |words: &[&'static str]| [&["vvtvctl", "flags"], words, &json].concat();
    assert_eq!(argv(drops, &config, "restore_preset", &facts), flags(&["set", "encoder.preset=slow"]));
    assert_eq!(argv(drops, &config, "restore_crf", &facts), flags(&["unset", "encoder.crf"]));
    assert_eq!(argv(drops, &config, "restore_bitrate", &facts), flags(&["set", "encoder.bitrate=6000k"]));
    let restart = argv(drops, &config, "restart_lighter", &facts);
    assert_eq!(restart[..5], ["vvtvctl", "streaming", "restart-encoder", "--bitrate", "2500"]);
}

#[test]
fn site_variables_and_the_incident_s_own_directory_reach_the_steps() {
    let (_root, config) = shipped();
    let books = books(&config);
    let incident = IncidentFacts { attachments: "/data/attachments/7".to_owned(), ..IncidentFacts::default() };
    let facts = Facts { incident, ..Facts::default() };
    let restart = argv(book(&books, "ingest-down"), &config, "restart_nginx", &facts);
    assert_eq!(restart, ["systemctl", "restart", "nginx-rtmp"]);
    let bundle = argv(book(&books, "segment-age"), &config, "bundle", &facts);
    assert_eq!(bundle[6], "/data/attachments/7/streaming_debug.tar.gz");
}
