mod upstream;

use rstest::rstest;

use super::*;

const MINIMAL: &str = "\
database: sqlite:data/remediator.db
runbooks: runbooks/
prometheus: http://127.0.0.1:9090
alertmanager: http://127.0.0.1:9093/am
contacts:
  - {level: 1, name: SRE On-Call, respond_within: 5m, notify: [hook]}
channels:
  hook: {webhook: {url: 'http://127.0.0.1:9/x'}}
";

fn read(text: &str) -> Result<Config, String> {
    let source = Source::from_text("/etc/vvtv/remediator.yml".into(), text.to_owned());
    build::config(source, SecretFiles::Demand).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_written_has_its_documented_default() {
    let config = read(MINIMAL).unwrap();
    assert_eq!(config.listen, "127.0.0.1:10048");
    assert_eq!(config.external_url.as_str(), "http://localhost:10048/");
    assert_eq!(config.database, Path::new("/etc/vvtv/data/remediator.db"));
    assert_eq!(config.runbooks, Path::new("/etc/vvtv/runbooks/"));
    let open = |url: &str| Upstream::open_to_all(Url::parse(url).unwrap());
    assert_eq!(config.prometheus, open("http://127.0.0.1:9090/"));
    assert_eq!(config.alertmanager, [open("http://127.0.0.1:9093/am/")]);
    assert_eq!(config.receiver, None);
    assert_eq!(config.targets, "group by (stream) (vvtv_ingest_up)");
    assert_eq!(config.reconcile, Duration::from_secs(30));
    assert_eq!(config.retention, Duration::from_secs(90 * 86_400));
    let contacts = vec![vvtv_incident::Contact {
        level: Level::FIRST,
        respond_within: Duration::from_secs(300),
        channels: [vvtv_incident::ChannelName::new("hook")].into(),
    }];
    let alert = vvtv_incident::AlertName::new("Watchdog");
    let watch = vvtv_incident::Watch { alert, expected: false, silent_after: Duration::from_secs(300) };
    assert_eq!(config.policy, Policy { contacts, watch: Some(watch), ..Policy::default() });
    assert_eq!(config.heartbeat, None);
}

#[test]
fn every_limit_can_be_set() {
    let limits = "\
mode: approve
limits:
  concurrent_changes: 2
  changes_per_hour: 3
  max_unhealthy_ratio: 0.5
  systemic_from: 4
  attempts_per_step: 5
  efficacy_min_runs: 15
  relapses: 0
  health_interval: 2s
  health_interval_idle: 6s
  health_questions_per_second: 14
  health_timeout: 7s
  health_unknown_for: 8s
  approval_expires: 9m
  ack_expires: 10m
  page_hold: 16s
  returns_within: 17m
  open_incidents: 11
  alerts_per_incident: 12
  pages_per_incident: 13
";
    let policy = read(&format!("{MINIMAL}{limits}")).unwrap().policy;
    let expected = Policy {
        mode: vvtv_incident::Mode::Approve,
        concurrent_changes: 2,
        changes_per_hour: 3,
        max_unhealthy_ratio: 0.5,
        systemic_from: 4,
        attempts_per_step: 5,
        efficacy_min_runs: 15,
        relapses: 0,
        health_interval: Duration::from_secs(2),
        health_interval_idle: Duration::from_secs(6),
        health_questions_per_second: 14,
        health_timeout: Duration::from_secs(7),
        health_unknown_for: Duration::from_secs(8),
        approval_expires: Duration::from_secs(540),
        ack_expires: Duration::from_secs(600),
        page_hold: Duration::from_secs(16),
        returns_within: Duration::from_secs(1020),
        open_incidents: 11,
        alerts_per_incident: 12,
        pages_per_incident: 13,
        unanswered: Policy::default().unanswered,
        watch: policy.watch.clone(),
        contacts: policy.contacts.clone(),
    };
    assert_eq!(policy, expected);
}

#[rstest]
#[case("{urls: [http://a:9093, 'https://b/am']}", Ok(vec!["http://a:9093/api/v2/alerts", "https://b/am/api/v2/alerts"]))]
#[case("{url: http://a:9093}", Ok(vec!["http://a:9093/api/v2/alerts"]))]
#[case("{}", Err("an Alertmanager has a `url`, a cluster has `urls`"))]
#[case("{urls: []}", Err("no Alertmanager is named"))]
#[case("{url: http://a:9093, urls: [http://b:9093]}", Err("`url` and `urls` exclude each other"))]
fn a_channel_names_one_alertmanager_or_a_cluster(#[case] written: &str, #[case] expected: Result<Vec<&str>, &str>) {
    let text = MINIMAL.replace("webhook: {url: 'http://127.0.0.1:9/x'}", &format!("alertmanager: {written}"));
    let found = read(&text).map(|config| match config.channels.into_values().next() {
        Some(Channel::Alertmanager { urls, .. }) => urls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    });
    match expected {
        Ok(urls) => assert_eq!(found.unwrap(), urls),
        Err(why) => assert!(found.as_ref().unwrap_err().contains(why), "{found:?}"),
    }
}

#[test]
fn what_is_left_to_people_can_be_set() {
    let written = "\
reconcile: 2m
unanswered: {severities: [critical, major], respond_within: 0s}
watchdog: {alert: DeadMansSwitch, silent_after: 7m}
";
    let policy = read(&format!("{MINIMAL}{written}")).unwrap().policy;
    let unanswered = vvtv_incident::Unanswered {
        severities: ["critical", "major"].map(Into::into).into(),
        respond_within: Some(Duration::ZERO),
    };
    assert_eq!(policy.unanswered, unanswered);
    let alert = vvtv_incident::AlertName::new("DeadMansSwitch");
    let watch = vvtv_incident::Watch { alert, expected: true, silent_after: Duration::from_secs(420) };
    assert_eq!(policy.watch, Some(watch));
    // Who is asked seldom is silent for long without being so.
    let policy = read(&format!("{MINIMAL}reconcile: 10m\n")).unwrap().policy;
    assert_eq!(policy.watch.unwrap().silent_after, Duration::from_secs(1800));
    let error = read(&format!("{MINIMAL}watchdog: {{silent_after: 1m}}\n")).unwrap_err();
    assert!(error.contains("9:26: must be at least 1m30s: Prometheus and Alertmanager are asked"), "{error}");
}

#[test]
fn a_heartbeat_s_address_is_a_secret_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("heartbeat");
    let read_with = |address: &str| {
        std::fs::write(&file, address).unwrap();
        read(&format!("{MINIMAL}heartbeat: {{url_file: '{}', every: 30s}}\n", file.display()))
    };
    let config = read_with("https://hc.example/ping/5ecre7\n").unwrap();
    let heartbeat = config.heartbeat.as_ref().unwrap();
    assert_eq!((heartbeat.url.reveal(), heartbeat.every), ("https://hc.example/ping/5ecre7", Duration::from_secs(30)));
    assert!(!format!("{config:?}").contains("5ecre7"));
    assert_eq!(redaction::redactor(&config).text("GET https://hc.example/ping/5ecre7 failed"), "GET REDACTED failed");
    for wrong in ["hc.example/ping", "file:///etc/passwd"] {
        let error = read_with(wrong).unwrap_err();
        assert!(error.contains("not an address of http or https") && !error.contains(wrong), "{error}");
    }
}

#[rstest]
#[case("level: 1", "level: 2", "6:13: expected level 1 here: levels count up from 1 without gaps")]
#[case("[hook]", "[pager]", "6:64: no channel is called `pager` (channels: hook)")]
#[case("[hook]", "[]", "6:63: SRE On-Call cannot be reached: no channel to notify")]
#[case(
    "respond_within: 5m",
    "respond_within: 5",
    "6:51: `5` is not a duration: expected something like 10s, 1m30s or 2h (units y w d h m s ms, largest first)"
)]
#[case(
    "webhook: {url",
    "pigeon: {url",
    "8:10: unknown variant `pigeon`, expected one of pagerduty, webhook, slack, opsgenie, alertmanager, email"
)]
#[case(
    "webhook: {url: 'http://127.0.0.1:9/x'}",
    "email: {server: mail.example, from: a@b.example, to: c@d.example}",
    "8:26: not a mail server: expected HOST:PORT, e.g. mail.example:587"
)]
#[case(
    "webhook: {url: 'http://127.0.0.1:9/x'}",
    "email: {server: 'mail.example:25', tls: none, from: a@b.example, to: c@d.example}",
    "8:26: everybody on the way could read the mail: without TLS only a server on this machine"
)]
#[case(
    "webhook: {url: 'http://127.0.0.1:9/x'}",
    "email: {server: 'localhost:25', tls: none, from: a@b.example, to: \"c@d.example\\nBcc: e@f.example\"}",
    "8:76: not a mail address: Invalid email user"
)]
#[case(
    "webhook: {url: 'http://127.0.0.1:9/x'}",
    "email: {server: 'localhost:25', tls: none, from: a@b.example, to: c@d.example, username: me}",
    "8:99: a login has both `username` and `password_file`"
)]
#[case("sqlite:data/remediator.db", "postgres://db", "1:11: not a database: expected sqlite:PATH")]
#[case("http://127.0.0.1:9090", "127.0.0.1:9090", "3:13: not an address: relative URL without a base")]
#[case(
    "prometheus:",
    "promethus:",
    "3:1: unknown field `promethus`, expected one of listen, external_url, database, runbooks, rules, metrics, variables, prometheus, alertmanager, alertmanager_config, mode, webhook, limits, contacts, channels, targets, inventory, environment, reconcile, maintenance_windows, maintenance, journal, unanswered, watchdog, heartbeat"
)]
#[case("runbooks: runbooks/", "runbooks: runbooks/\nlimits: {changes_per_hour: 0}", "3:28: must be at least 1")]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nlimits: {max_unhealthy_ratio: 40}",
    "3:31: not a ratio: expected a number from 0 to 1"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nlisten: here",
    "3:9: not an address to listen on: expected HOST:PORT, e.g. 127.0.0.1:10048"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\njournal: {retention: 6d}",
    "3:22: must be at least 7d: what happened last week is asked for"
)]
#[case("runbooks: runbooks/", "runbooks: runbooks/\nvariables: {restart: []}", "3:22: variable `restart`: is empty")]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nmaintenance_windows: [{name: x, cron: 0 4 * *, lasts: 1h, timezone: UTC}]",
    "3:39: `0 4 * *` is not a cron expression: Invalid pattern: Pattern must have between 5 and 7 fields."
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nmaintenance_windows: [{name: x, cron: 0 4 * * *, lasts: 1h, timezone: Mars}]",
    "3:71: failed to find time zone `Mars` in time zone database"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nmaintenance_windows: [{name: x, cron: 0 4 * * *, lasts: 2d, timezone: UTC}]",
    "3:57: longer than a day: pause the remediator instead"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\ntargets: count(group by (stream) (vvtv_ingest_up))",
    "3:10: a number names no targets: expected one sample for each, e.g. `group by (stream) (vvtv_ingest_up)`"
)]
#[case("runbooks: runbooks/", "runbooks: runbooks/\ntargets: ''", "3:10: the query is empty")]
#[case("runbooks: runbooks/", "runbooks: runbooks/\ninventory: [main, '']", "3:19: a target needs a name")]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nenvironment: [VVTV_API_TOKEN]",
    "3:15: it looks like a secret, and the environment of a step is no place for one: let the step read a file"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nenvironment: ['A=B']",
    "3:15: not the name of a variable: expected letters, digits and _"
)]
#[case(
    "runbooks: runbooks/",
    "runbooks: runbooks/\nwebhook: {token_file: none}",
    "3:23: cannot read the secret in /etc/vvtv/none: No such file or directory (os error 2)"
)]
fn what_is_wrong_is_said_in_its_place(#[case] right: &str, #[case] wrong: &str, #[case] expected: &str) {
    let error = read(&MINIMAL.replacen(right, wrong, 1)).unwrap_err();
    assert_eq!(error.lines().next().unwrap(), format!("/etc/vvtv/remediator.yml:{expected}"));
}

#[test]
fn secrets_can_be_absent_where_a_file_is_only_checked() {
    let text = format!("{MINIMAL}webhook: {{token_file: none}}\n");
    let source = Source::from_text("/etc/vvtv/remediator.yml".into(), text);
    let config = build::config(source, SecretFiles::Report).unwrap();
    assert_eq!(config.marks.unread_secrets.len(), 1);
}

/// The minimal configuration with another Alertmanager, beside some secrets.
const DUTY: &str = "{name: checks, schedule: 0 7 * * *, timezone: UTC, owner: 1, due_within: 8h, steps: [{run: [ls, {var: where}], timeout: 5m}]}";

fn read_duties(duties: &str) -> Result<Config, String> {
    read(&format!("{MINIMAL}variables: {{where: [-l, /tmp]}}\nmaintenance:\n  - {duties}\n"))
}

#[test]
fn a_machine_s_steps_and_a_person_s_task_are_read() {
    let person = "{name: review, schedule: 0 9 1 * *, timezone: UTC, owner: 1, due_within: 7d, person: Update it}";
    let config = read_duties(&format!("{DUTY}\n  - {person}")).unwrap();
    let shown: Vec<_> = config
        .maintenance
        .iter()
        .map(|duty| {
            let chores = duty.chores.iter().map(|chore| format!("{} in {:?}", chore.argv.join(" "), chore.timeout));
            format!("{} ({:?}): {} {:?}", duty.plan.name, duty.plan.doer, duty.plan.title, chores.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(shown, ["checks (Machine): checks [\"ls -l /tmp in 300s\"]", "review (Person): Update it []"]);
}

#[rstest]
#[case("name: checks", "name: Daily Checks", "11:12: not a name: expected a-z, 0-9 and -, at most 64 of them")]
#[case(
    "0 7 * * *",
    "0 25 * * *",
    "11:30: `0 25 * * *` is not a cron expression: Component error: Number out of bounds."
)]
#[case("timezone: UTC", "timezone: Mars", "11:51: failed to find time zone `Mars` in time zone database")]
#[case("owner: 1", "owner: 2", "11:63: no contact has level 2: they go from 1 to 1")]
#[case("due_within: 8h", "due_within: 0s", "11:78: must be longer than zero")]
#[case("due_within: 8h", "due_within: 2y", "11:78: longer than a year: nobody would ever be called")]
#[case("steps: [{run: [ls, {var: where}], timeout: 5m}]", "steps: []", "11:89: a machine needs steps")]
#[case("timeout: 5m", "timeout: 2h", "11:125: longer than an hour: an action of a runbook must end")]
#[case("[ls, {var: where}]", "[]", "11:96: nothing to run: expected [PROGRAM, ARGUMENT, …]")]
#[case("{var: where}", "{var: there}", "11:101: no variable `there` in the configuration's `variables`")]
#[case(
    "{var: where}",
    "'{{ target }}'",
    "11:96: there is no incident to fill in a template: write the text, or {var: NAME}"
)]
#[case("steps: [", "person: Look, steps: [", "11:90: either `steps` for a machine or `person`, not both")]
#[case(
    ", steps: [{run: [ls, {var: where}], timeout: 5m}]",
    "",
    "11:12: who does it? `steps: [{run: [PROGRAM, ARGUMENT, …]}]`, or `person: TEXT`"
)]
#[case(
    "steps: [{run: [ls, {var: where}], timeout: 5m}]",
    "person: ' '",
    "11:90: what is the person to do? At most 200 characters"
)]
fn what_is_wrong_with_maintenance_is_said_in_its_place(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] expected: &str,
) {
    assert!(DUTY.contains(right), "{right}");
    let error = read_duties(&DUTY.replacen(right, wrong, 1)).unwrap_err();
    assert_eq!(error.lines().next().unwrap(), format!("/etc/vvtv/remediator.yml:{expected}"));
}

#[test]
fn names_of_maintenance_are_unique_and_their_number_is_limited() {
    let message = |duties: &[String]| {
        let error = read_duties(&duties.join("\n  - ")).unwrap_err();
        error.lines().next().unwrap().to_owned()
    };
    let twice = message(&[DUTY.to_owned(), DUTY.to_owned()]);
    assert_eq!(twice, "/etc/vvtv/remediator.yml:12:12: another entry has this name");
    let many: Vec<_> = (0..101).map(|number| DUTY.replace("name: checks", &format!("name: c{number}"))).collect();
    assert_eq!(message(&many), "/etc/vvtv/remediator.yml:111:12: more than 100 entries");
    let steps = vec!["{run: [ls]}"; 21].join(", ");
    let long = message(&[DUTY.replace("{run: [ls, {var: where}], timeout: 5m}", &steps)]);
    assert_eq!(long, "/etc/vvtv/remediator.yml:11:89: more than 20 steps");
}

#[test]
fn a_new_installation_is_told_about_its_empty_routing_key_and_starts_without_one_in_shadow() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "").unwrap();
    let read = |mode: &str| {
        let channel = "hook: {pagerduty: {routing_key_file: key}}";
        let text = MINIMAL.replace("hook: {webhook: {url: 'http://127.0.0.1:9/x'}}", channel);
        let source = Source::from_text(dir.path().join("remediator.yml"), format!("mode: {mode}\n{text}"));
        build::config(source, SecretFiles::Demand).map_err(|error| error.to_string())
    };
    let error = read("act").unwrap_err();
    let root = dir.path().display();
    let expected = format!(
        "{root}/remediator.yml:9:40: the secret in {root}/key is empty: PagerDuty's routing key belongs there (of a service's \
         integration `Events API v2`); without PagerDuty, use a channel `webhook`; `mode: shadow` calls nobody and starts without"
    );
    assert_eq!(error.lines().next().unwrap(), expected);
    assert_eq!(read("shadow").unwrap().marks.unread_secrets.len(), 1);
}

#[test]
fn every_kind_of_channel_is_read_with_its_secret_which_is_not_written_down() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("slack", "https://hooks.slack.example/services/T0/B0/x"),
        ("opsgenie", "opsgenie-key"),
        ("token", "alertmanager-token"),
        ("mail", "mail-password"),
    ] {
        std::fs::write(dir.path().join(name), format!("{text}\n")).unwrap();
    }
    let ca = include_str!("../../../toolkit/tests/fixtures/tls/ca.pem");
    std::fs::write(dir.path().join("ca.pem"), ca).unwrap();
    let channels = "
  slack: {slack: {url_file: slack}}
  opsgenie: {opsgenie: {api_key_file: opsgenie}}
  alertmanager: {alertmanager: {url: 'http://127.0.0.1:9093/am', token_file: token}}
  plain: {email: {server: '[::1]:25', tls: none, from: a@b.example, to: c@d.example}}
  mail: {email: {server: 'm.example:587', from: a@b.example, to: c@d.example, username: me, password_file: mail, ca_file: ca.pem}}
";
    let source = Source::from_text(dir.path().join("remediator.yml"), format!("{}{}", MINIMAL.trim_end(), channels));
    let config = build::config(source, SecretFiles::Demand).unwrap();
    let address = |text: &str| text.parse::<lettre::Address>().unwrap();
    let plain = Email {
        host: "::1".to_owned(),
        port: 25,
        tls: EmailTls::Loopback,
        login: None,
        from: address("a@b.example"),
        to: address("c@d.example"),
    };
    let mail = Email {
        host: "m.example".to_owned(),
        port: 587,
        tls: EmailTls::Starttls(Some(ca.to_owned())),
        login: Some(("me".to_owned(), Secret::new("mail-password"))),
        ..plain.clone()
    };
    let url = |text| Url::parse(text).unwrap();
    let expected = [
        (
            "alertmanager",
            Channel::Alertmanager {
                urls: vec![url("http://127.0.0.1:9093/am/api/v2/alerts")],
                token: Some(Secret::new("alertmanager-token")),
            },
        ),
        ("hook", Channel::Webhook { url: url("http://127.0.0.1:9/x"), headers: BTreeMap::new(), token: None }),
        ("mail", Channel::Email(mail)),
        (
            "opsgenie",
            Channel::Opsgenie { api_key: Secret::new("opsgenie-key"), url: url("https://api.opsgenie.com/v2/alerts") },
        ),
        ("plain", Channel::Email(plain)),
        ("slack", Channel::Slack { url: Secret::new("https://hooks.slack.example/services/T0/B0/x") }),
    ];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, channel)| (ChannelName::new(name), channel)).collect();
    assert_eq!(config.channels, expected);
    let printed = "https://hooks.slack.example/services/T0/B0/x opsgenie-key alertmanager-token mail-password";
    let redactor = redaction::redactor(&config);
    assert_eq!(redactor.text(printed), "REDACTED REDACTED REDACTED REDACTED");
}
