use super::*;

struct Site {
    root: tempfile::TempDir,
}

const RUNBOOK: &str = "\
id: segment-age
title: High Segment Age
alerts: [SegmentAgeHigh]
severity: critical
target: stream
healthy: min(vvtv_ingest_up{stream=\"$target\"})
respond_within: 5m
escalate: {level: 2, after: 10m}
steps:
  - {id: a, kind: diagnose, run: [ls]}
";

const RULES: &str = "\
groups:
  - name: g
    rules:
      - record: x
        expr: y
      - alert: SegmentAgeHigh
        expr: x > 1
        keep_firing_for: 15s
        labels: {severity: critical}
        annotations: {runbook_url: 'http://h/runbooks/segment-age'}
";

const CONFIG: &str = "\
database: sqlite:r.db
runbooks: runbooks
rules: [rules.yml]
prometheus: http://127.0.0.1:9090
alertmanager: http://127.0.0.1:9093
webhook: {token_file: token}
contacts:
  - {level: 1, name: A, respond_within: 5m, notify: [hook]}
  - {level: 2, name: B, respond_within: 5m, notify: [bell]}
channels:
  hook: {webhook: {url: 'http://127.0.0.1:9/x'}}
  bell: {webhook: {url: 'http://127.0.0.1:9/y'}}
";

impl Site {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let site = Self { root: tempfile::tempdir().unwrap() };
        std::fs::create_dir(site.root.path().join("runbooks")).unwrap();
        site.write("config.yml", CONFIG).write("rules.yml", RULES).write("runbooks/a.yml", RUNBOOK).write("token", "t");
        let token = site.root.path().join("token");
        std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).unwrap();
        site
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.root.path().join(name), text).unwrap();
        self
    }

    fn report(&self) -> String {
        let report = check(&self.root.path().join("config.yml")).to_string();
        report.replace(&self.root.path().display().to_string(), "ROOT")
    }
}

#[test]
fn what_agrees_has_no_findings() {
    assert_eq!(Site::new().report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}

#[test]
fn an_alert_without_a_rule_and_a_level_without_a_contact_are_errors() {
    let site = Site::new();
    let book = RUNBOOK.replace("[SegmentAgeHigh]", "[SegmentAgeHigh, PublisherLost]").replace("level: 2", "level: 3");
    site.write("runbooks/a.yml", &book);
    insta::assert_snapshot!(site.report());
}

#[test]
fn rules_that_say_something_else_are_warnings() {
    let site = Site::new();
    site.write("rules.yml", &RULES.replace("critical", "major").replace("runbooks/segment-age", "runbooks/other"));
    insta::assert_snapshot!(site.report());
}

#[test]
fn steps_without_end_are_errors_on_whichever_platform_they_stand() {
    let site = Site::new();
    let steps = "  - {id: b, kind: diagnose, run: [tail, -f, /var/log/syslog]}
  - {id: c, kind: diagnose, shell: {linux: top -b -n 1, macos: top}}
  - {id: d, kind: diagnose, run: [curl, 'http://h/']}
  - {id: e, kind: diagnose, run: [no-such-program]}
";
    site.write("runbooks/a.yml", &format!("{RUNBOOK}{steps}"));
    insta::assert_snapshot!(site.report());
}

#[test]
fn secrets_in_plain_text_are_errors() {
    let site = Site::new();
    let channel = "hook: {webhook: {url: 'http://u:p@127.0.0.1:9/x', headers: {X-Api-Key: k3y}}}";
    let config = CONFIG.replace("hook: {webhook: {url: 'http://127.0.0.1:9/x'}}", channel);
    site.write("config.yml", &config.replace("webhook: {token_file: token}\n", ""));
    insta::assert_snapshot!(site.report());
}

#[test]
fn broken_files_are_reported_together() {
    let site = Site::new();
    site.write("runbooks/a.yml", "id: [").write("runbooks/b.yml", "id: b\nid: b\n").write("rules.yml", "groups: 7");
    insta::assert_snapshot!(site.report());
    let site = Site::new();
    site.write(
        "config.yml",
        &CONFIG.replace("[rules.yml]", "[none.yml]").replace("runbooks: runbooks", "runbooks: none"),
    );
    insta::assert_snapshot!(site.report());
    site.write("config.yml", "database: 7: 8");
    insta::assert_snapshot!(site.report());
}

#[test]
fn metrics_that_nobody_has_are_errors() {
    let site = Site::new();
    let step = "  - {id: b, kind: diagnose, when: {any: [{promql: 'x > bool 1'}, {promql: up * on () frames_sum}]}, run: [ls]}\n";
    site.write("runbooks/a.yml", &format!("{}{step}", RUNBOOK.replace("vvtv_ingest_up", "vvtv_ingets_up")));
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
    site.write("config.yml", &format!("{CONFIG}metrics: [scrape.prom, names.txt]\n"));
    site.write(
        "scrape.prom",
        "# HELP vvtv_ingest_up It is.\n# TYPE vvtv_ingest_up gauge\nvvtv_ingest_up{stream=\"main\"} 1\n",
    );
    site.write("names.txt", "other\nframes\n");
    insta::assert_snapshot!(site.report());
    std::fs::remove_file(site.root.path().join("names.txt")).unwrap();
    insta::assert_snapshot!(site.report());
}

#[test]
fn steps_that_no_incident_reaches_are_errors() {
    let site = Site::new();
    let steps = "  - {id: b, kind: diagnose, when: {expr: 1 > 2}, run: [ls]}
  - {id: c, kind: diagnose, when: {all: [{promql: up}, {expr: steps.b.json.state == \"x\"}]}, run: [ls]}
  - {id: d, kind: diagnose, when: {any: [{expr: steps.c.state == \"ok\"}, {expr: steps.b.exit_code == 0}]}, run: [ls]}
  - {id: e, kind: diagnose, when: {expr: steps.d.state == \"skipped\"}, run: [ls]}
  - {id: f, kind: diagnose, when: {any: [{expr: steps.c.state == \"ok\"}, {expr: target == \"x\"}]}, run: [ls]}
  - {id: g, kind: diagnose, when: {expr: steps.f.state == \"ok\" and target != \"x\"}, run: [ls]}
";
    site.write("runbooks/a.yml", &format!("{RUNBOOK}{steps}"));
    insta::assert_snapshot!(site.report());
}

#[test]
fn what_comes_round_by_the_calendar_is_looked_at_too() {
    let site = Site::new();
    let duty = |name: &str, run: &str| {
        format!(
            "  - {{name: {name}, schedule: 0 7 * * *, timezone: UTC, owner: 1, due_within: 8h, steps: [{{run: [{run}]}}]}}\n"
        )
    };
    let duties =
        [duty("a", "no-such-program"), duty("b", "no-such-program, x"), duty("c", "tail, -f, /x"), duty("d", "ls")];
    site.write("config.yml", &format!("{CONFIG}maintenance:\n{}", duties.concat()));
    insta::assert_snapshot!(site.report());
}

/// What `check` says of steps, with the places in the file.
fn said_of(steps: &str) -> String {
    let site = Site::new();
    site.write("runbooks/a.yml", &format!("{RUNBOOK}{steps}"));
    site.report()
}

#[test]
fn data_that_could_be_more_than_a_segment_is_refused_in_its_place() {
    insta::assert_snapshot!(said_of(
        "  - {id: b, kind: diagnose, run: [echo, 'http://127.0.0.1/hls/{{ target }}.m3u8']}
  - {id: c, kind: diagnose, run: [echo, 'http://127.0.0.1/x?name={{ target }}']}
  - {id: d, kind: diagnose, run: [echo, 'http://{{ alert.labels.instance }}/x']}
  - {id: e, kind: diagnose, run: [echo, '/vvtv/logs/{{ alert.labels.file }}']}
  - {id: f, kind: diagnose, run: [echo, '{{ target | segment }}/x']}
  - {id: g, kind: diagnose, run: [echo, '/x/{% if true %}{{ target | segment }}{% endif %}']}
"
    ));
}

#[test]
fn data_in_what_programs_ask_is_refused_however_it_gets_there() {
    insta::assert_snapshot!(said_of(
        "  - {id: b, kind: diagnose, run: [curl, --max-time, 5, 'http://127.0.0.1/{{ target | segment }}']}
  - {id: c, kind: diagnose, run: [curl, --max-time, 5, --globoff, '{{ alert.labels.url }}']}
  - {id: d, kind: diagnose, reads_only: true, run: [timeout, 5, curl, -gm5, -d, '@{{ steps.c.stdout }}', 'http://127.0.0.1/']}
  - {id: e, kind: diagnose, run: [ffprobe, -rw_timeout, 5000000, 'concat:{{ target }}']}
  - {id: f, kind: diagnose, shell: 'curl -m 5 \"http://127.0.0.1/hls/$VVTV_TARGET.m3u8\"'}
  - {id: g, kind: diagnose, shell: 'echo \"rtmp://127.0.0.1/live/${VVTV_LABEL_stream}\"'}
  - {id: h, kind: diagnose, shell: 'it=$VVTV_TARGET; curl -m 5 \"http://127.0.0.1/hls/$it.m3u8\"'}
"
    ));
}

#[test]
fn data_in_its_place_is_nothing_to_speak_of() {
    let fine = said_of(
        "  - {id: b, kind: diagnose, run: [curl, -g, -m, 5, 'http://127.0.0.1/{{ target | segment }}?a={{ alert.name | query_value }}']}
  - {id: c, kind: diagnose, reads_only: true, run: [curl, -g, -m, 5, -d, 'name={{ target | query_value }}', 'http://127.0.0.1/']}
  - {id: d, kind: diagnose, reads_only: true, shell: 'curl -m 5 --data \"@$VVTV_FACTS\" http://127.0.0.1/; echo \"$VVTV_TARGET\"'}
  - {id: e, kind: diagnose, run: [echo, '{{ target }}', 'note={{ alert.labels.note }}']}
",
    );
    assert_eq!(fine, "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}

#[test]
fn a_runbook_whose_targets_nobody_knows_is_a_warning() {
    let site = Site::new();
    site.write("runbooks/a.yml", &RUNBOOK.replace("target: stream", "target: instance"));
    insta::assert_snapshot!(site.report());
    site.write("config.yml", &format!("{CONFIG}inventory: ['127.0.0.1:9100']\n"));
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
    site.write("config.yml", &format!("{CONFIG}targets: group by (stream) (x) or group by (instance) (up)\n"));
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}

const ROUTES: &str = "\
route:
  receiver: people
  routes: [{receiver: remediator, matchers: ['severity=~\"critical|major\"', stream!=\"\"]}]
receivers:
  - {name: remediator, webhook_configs: [{url: 'http://127.0.0.1:10048/webhook/alertmanager'}]}
  - {name: people}
";

#[test]
fn rules_that_the_routes_send_here_and_no_runbook_answers_are_named() {
    let site = Site::new();
    let others = "      - {alert: ViewerBuffersEmpty, expr: 'x > 1', labels: {severity: critical}}
      - {alert: CdnErrorRate, expr: 'sum by (stream) (y) > 1', labels: {severity: major, stream: main}}
      - {alert: DiskFillsUp, expr: 'sum by (instance) (y) > 1', labels: {severity: critical}}
      - {alert: Templated, expr: x, labels: {severity: '{{ $labels.how_bad }}'}}
      - {alert: ForPeople, expr: x, labels: {severity: page}}
      - {alert: Watchdog, expr: vector(1), labels: {severity: critical, stream: none}}
";
    site.write("alertmanager.yml", ROUTES).write("rules.yml", &format!("{RULES}{others}"));
    site.write("config.yml", &format!("{CONFIG}alertmanager_config: alertmanager.yml\n"));
    insta::assert_snapshot!(site.report());
}

#[test]
fn a_rule_without_its_runbook_s_target_is_named() {
    let site = Site::new();
    site.write("rules.yml", &RULES.replace("x > 1", "max by (variant) (x) > 1"));
    insta::assert_snapshot!(site.report());
    site.write("rules.yml", &RULES.replace("x > 1", "max(x) > 1").replace("{severity", "{stream: main, severity"));
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}

#[test]
fn routes_that_cannot_be_read_or_lead_elsewhere_are_named() {
    let site = Site::new();
    site.write("config.yml", &format!("{CONFIG}alertmanager_config: alertmanager.yml\n"));
    let missing = site.report();
    site.write("alertmanager.yml", &ROUTES.replace("critical|major", "critical("));
    let wrong = site.report();
    site.write("alertmanager.yml", &ROUTES.replace("/webhook/alertmanager", "/elsewhere"));
    insta::assert_snapshot!(format!("{missing}\n\n{wrong}\n\n{}", site.report()));
}

#[test]
fn levels_that_one_channel_reaches_are_a_warning() {
    let site = Site::new();
    site.write("config.yml", &CONFIG.replace("notify: [bell]", "notify: [hook]"));
    insta::assert_snapshot!(site.report());
    site.write(
        "config.yml",
        &CONFIG.replace(
            "name: A, respond_within: 5m, notify: [hook]",
            "name: A, respond_within: 5m, notify: [hook, bell]",
        ),
    );
    assert!(site.report().contains("every level is reached through `bell`, `hook` alone"));
    site.write("config.yml", CONFIG);
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}

#[test]
fn a_console_on_loopback_and_a_channel_that_leaves_the_machine_are_a_warning() {
    let site = Site::new();
    let config = CONFIG.replace("http://127.0.0.1:9/x", "https://hooks.example/x");
    site.write("config.yml", &config);
    let by_default = site.report();
    site.write("config.yml", &format!("{config}external_url: http://[::1]:10048\n"));
    insta::assert_snapshot!(format!("{by_default}\n\n{}", site.report()));
    site.write("config.yml", &format!("{config}external_url: https://console.example\n"));
    assert_eq!(site.report(), "1 runbooks, 1 alert rules: 0 errors, 0 warnings");
}
