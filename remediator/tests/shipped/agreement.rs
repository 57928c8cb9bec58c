//! Configuration, runbooks and alert rules agree, and the runbooks' queries mean what they should to Prometheus itself.

use std::fmt::Write as _;
use std::process::Command;

use vvtv_incident::Target;
use vvtv_remediator::runbook::load_dir;
use vvtv_remediator::verbs::check::{Weight, check};
use vvtv_remediator::verbs::rehearsal::tests_of;

use crate::installation::shipped;

#[test]
fn check_finds_nothing_but_programs_that_are_not_here() {
    let (root, _config) = shipped();
    let report = check(&root.path().join("remediator.yml"));
    let found: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.weight == Weight::Error || !finding.text.contains("is not on this machine's PATH"))
        .filter_map(|finding| finding.text.lines().next())
        .map(|said| said.replace(&root.path().display().to_string(), "ROOT"))
        .collect();
    // Nobody but the operator knows under which name people reach the console, and by which ways.
    let console = "ROOT/remediator.yml:4:15: pages that channel `pagerduty` takes to other machines link to http://127.0.0.1:10048/, which leads there to \
                    nothing: let `external_url` be the address under which people reach the console";
    let levels = "ROOT/remediator.yml:92:3: every level is reached through `pagerduty` alone: while that fails nobody can be called, and \
                  whoever it rings for level 1 may be whom it rings for all of them; give a higher level a channel of its own";
    assert_eq!(found, [console, levels]);
    assert_eq!(report.runbooks, 4);
}

#[test]
fn a_metric_that_the_exporter_does_not_have_is_found() {
    let (root, _config) = shipped();
    let book = root.path().join("runbooks/ingest-down.yml");
    let text = std::fs::read_to_string(&book).unwrap();
    std::fs::write(&book, text.replace("vvtv_ingest_up", "vvtv_ingest_ok")).unwrap();
    let report = check(&root.path().join("remediator.yml"));
    let errors = report.findings.iter().filter(|finding| finding.weight == Weight::Error);
    let errors: Vec<_> = errors.filter_map(|finding| finding.text.lines().next()).collect();
    let expected =
        format!("{}:10:10: no metric has the name `vvtv_ingest_ok`: is it `vvtv_ingest_up`?", book.display());
    assert_eq!(errors, [expected]);
}

const THRESHOLDS: &str = "
      - {series: 'vvtv_alert_threshold{stream=\"main\",signal=\"segment_age\"}', values: '10x3'}
      - {series: 'vvtv_alert_threshold{stream=\"main\",signal=\"encoder_drops\"}', values: '0.005x3'}
      - {series: 'vvtv_alert_threshold{stream=\"main\",signal=\"bitrate_variance\"}', values: '0.25x3'}
";

/// Series of one stream, and each runbook's answer (in the order of the files): 1, 0, or no sample.
const CASES: [(&str, [Option<u8>; 4]); 7] = [
    (
        "all is well
         vvtv_segment_age_seconds{stream=\"main\",variant=\"a\"} 2
         vvtv_segment_age_seconds{stream=\"main\",variant=\"b\"} 3
         vvtv_ingest_publishing{stream=\"main\"} 1
         vvtv_ingest_up{stream=\"main\"} 1
         vvtv_encoder_drops_ratio{stream=\"main\"} 0.005
         vvtv_encoder_drops_run_ratio{stream=\"main\"} 0.005
         vvtv_bitrate_variance_ratio{stream=\"main\"} 0.1
         vvtv_bitrate_variance_run_ratio{stream=\"main\"} 0.1",
        [Some(1), Some(1), Some(1), Some(1)],
    ),
    (
        "a new encoder is well, and the minute tells of the old one still
         vvtv_encoder_drops_ratio{stream=\"main\"} 0.3
         vvtv_encoder_drops_run_ratio{stream=\"main\"} 0
         vvtv_bitrate_variance_ratio{stream=\"main\"} 0.9
         vvtv_bitrate_variance_run_ratio{stream=\"main\"} 0.02",
        [Some(1), Some(1), None, None],
    ),
    (
        "of a new encoder nothing is known yet, and the minute tells of the old one
         vvtv_encoder_drops_ratio{stream=\"main\"} 0.3
         vvtv_encoder_expected_frames{stream=\"main\"} 900
         vvtv_bitrate_variance_ratio{stream=\"main\"} 0.1
         vvtv_bitrate_samples{stream=\"main\"} 20",
        [Some(1), Some(0), None, None],
    ),
    (
        "the exporter has just started, and nothing is known yet
         vvtv_encoder_drops_ratio{stream=\"main\"} 0
         vvtv_encoder_expected_frames{stream=\"main\"} 20
         vvtv_bitrate_variance_ratio{stream=\"main\"} 0
         vvtv_bitrate_samples{stream=\"main\"} 3",
        [None, None, None, None],
    ),
    (
        "one variant is old, the publisher is there; drops and swings
         vvtv_segment_age_seconds{stream=\"main\",variant=\"a\"} 2
         vvtv_segment_age_seconds{stream=\"main\",variant=\"b\"} 10
         vvtv_ingest_publishing{stream=\"main\"} 1
         vvtv_ingest_up{stream=\"main\"} 0
         vvtv_encoder_drops_ratio{stream=\"main\"} 0.02
         vvtv_bitrate_variance_ratio{stream=\"main\"} 0.3",
        [Some(0), Some(0), Some(0), Some(0)],
    ),
    (
        "segments are fresh still, the publisher is gone
         vvtv_segment_age_seconds{stream=\"main\",variant=\"a\"} 2
         vvtv_ingest_publishing{stream=\"main\"} 0
         vvtv_ingest_up{stream=\"main\"} 1",
        [None, None, Some(1), Some(0)],
    ),
    (
        "the exporter is gone, another stream is there
         vvtv_segment_age_seconds{stream=\"other\",variant=\"a\"} 99
         vvtv_ingest_publishing{stream=\"other\"} 0
         vvtv_ingest_up{stream=\"other\"} 0",
        [None, None, None, None],
    ),
];

#[test]
fn health_is_one_zero_or_unknown_as_prometheus_computes_it() {
    let (root, config) = shipped();
    let queries: Vec<String> = load_dir(&config.runbooks, &config.site)
        .unwrap()
        .iter()
        .map(|book| book.healthy.about(&Target::new("main")))
        .collect();
    let mut text = "evaluation_interval: 1s\ntests:\n".to_owned();
    for (series, expected) in CASES {
        let mut lines = series.lines();
        write!(text, "  - name: {}\n    interval: 1s\n    input_series:{THRESHOLDS}", lines.next().unwrap()).unwrap();
        for (name, value) in lines.map(|line| line.trim().rsplit_once(' ').unwrap()) {
            writeln!(text, "      - {{series: '{name}', values: '{value}x3'}}").unwrap();
        }
        text.push_str("    promql_expr_test:\n");
        for (query, expected) in queries.iter().zip(expected) {
            let samples = expected.map_or_else(String::new, |value| format!("{{labels: '{{}}', value: {value}}}"));
            let query = serde_json::to_string(query).unwrap();
            writeln!(text, "      - {{expr: {query}, eval_time: 1s, exp_samples: [{samples}]}}").unwrap();
        }
    }
    let file = root.path().join("health.yml");
    std::fs::write(&file, &text).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output().expect("promtool is installed");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}\n{text}");
}

#[test]
fn the_runbooks_tests_pass_and_leave_no_branch_out() {
    let (_root, config) = shipped();
    let books = load_dir(&config.runbooks, &config.site).unwrap();
    let summary = tests_of(&config, &books);
    assert!(summary.good(), "{summary}");
    assert_eq!(summary.not_covered, [] as [&str; 0]);
    assert_eq!(summary.files.len(), 4);
}
