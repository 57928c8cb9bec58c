//! Reading the configuration again while the server runs: what comes into force, what a broken file changes (nothing), and what
//! becomes of open incidents.

use crate::hostile::Neighbours;
use crate::program::{ADMIN, Program, block_on, firing, wait_for};

const RUNBOOK: &str = "runbooks/demo.yml";

/// Whether the last reading was good, as the metrics have it.
fn good(program: &Program) -> bool {
    let (_, metrics) = program.get("/metrics");
    let value = metrics.lines().find_map(|line| line.strip_prefix("vvtv_remediator_config_last_reload_successful "));
    value.unwrap() == "1"
}

#[test]
fn a_good_configuration_comes_into_force_and_a_broken_one_changes_nothing() {
    let program = Program::start();
    assert!(good(&program));
    let titled = |title: &str| program.get("/runbooks/demo").1.contains(&format!("<title>{title}"));
    program.rewrite(RUNBOOK, |text| text.replace("title: Demo", "title: Second"));
    assert!(!titled("Second"));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    assert!(titled("Second"));

    program.rewrite(RUNBOOK, |text| text.replace("title: Second", "title: Third").replace("critical", "awful"));
    let (status, said) = program.asked("/-/reload");
    assert_eq!(status, 500, "{said}");
    let where_and_what = "failed to reload the configuration: DIR/runbooks/demo.yml:5:11: ";
    assert!(said.replace(&program.dir.path().display().to_string(), "DIR").starts_with(where_and_what), "{said}");
    assert!(said.contains("awful"), "{said}");
    assert!(titled("Second") && !good(&program));
    wait_for("the error in the log", || {
        let log = program.logged();
        let error = |line: &&String| line.contains("level=error") && line.contains("the old one stays");
        log.iter().find(error).map(drop).ok_or_else(|| log.join("\n"))
    });

    program.rewrite(RUNBOOK, |text| text.replace("awful", "critical"));
    program.hang_up();
    wait_for("the third text", || {
        if titled("Third") && good(&program) { Ok(()) } else { Err(program.logged().join("\n")) }
    });
}

#[test]
fn open_incidents_follow_new_windows_and_runbooks_and_new_channels_are_used() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let window = "maintenance_windows: [{name: Always, cron: '* * * * *', lasts: 1h, timezone: UTC}]\n";
    let program = neighbours.program().without_first_step().edited(|config| config + window);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let stands = |what: &str, phase: &str, reason: &str| {
        wait_for(what, || match program.incidents().first() {
            Some(incident) if incident["phase"] == phase && incident["reason"] == reason => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    stands("the window to hold it back", "blocked", "maintenance");
    assert_eq!(program.written(), Vec::<String>::new());

    program.rewrite("remediator.yml", |config| config.replace(window, ""));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    wait_for("the change", || {
        if program.written() == ["mended"] { Ok(()) } else { Err(format!("{:?}", program.incidents())) }
    });

    program.rewrite("remediator.yml", |config| {
        config.replace(
            r#"{webhook: {url: "http://127.0.0.1:9/"}}"#,
            &format!("{{webhook: {{url: '{}'}}}}", neighbours.pager()),
        )
    });
    program.rewrite(RUNBOOK, |text| text.replace("id: demo", "id: other").replace("[Demo]", "[Other]"));
    assert_eq!(program.asked("/-/reload"), (200, String::new()));
    stands("people to have it", "exhausted", "runbook_gone");
    let page =
        wait_for("the page", || neighbours.pages().into_iter().next().ok_or_else(|| program.logged().join("\n")));
    assert_eq!((&page["reason"], &page["runbook"]), (&"runbook_gone".into(), &"demo".into()), "{page}");
    assert_eq!(program.written(), ["mended"], "nothing runs without its text");
}

#[test]
fn a_page_of_another_site_reloads_nothing() {
    let program = Program::start();
    program.rewrite(RUNBOOK, |text| text.replace("title: Demo", "title: Second"));
    let url = format!("{}/-/reload", program.base);
    let (status, said) = block_on(async {
        let request = reqwest::Client::new().post(url).bearer_auth(ADMIN).header("origin", "http://evil.example");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    });
    let why = "requests from another site are refused (http://evil.example)";
    assert_eq!((status, said), (403, serde_json::json!({"error": why, "reason": null}).to_string()));
    assert!(program.get("/runbooks/demo").1.contains("<title>Demo"));
}

/// Every key that needs a restart with another value, whatever it was.
const OTHER_PLACES: &str = r#"
listen: 127.0.0.1:1
external_url: http://127.0.0.1:2
database: sqlite:other.db
prometheus: http://127.0.0.1:3
alertmanager: http://127.0.0.1:4
webhook: {token_file: token}
targets: vector(1)
reconcile: 5s
journal: {retention: 8d}
"#;

#[test]
fn changed_keys_that_need_a_restart_are_named_and_the_rest_comes_into_force() {
    let program = Program::start();
    std::fs::write(program.path("token"), "secret").unwrap();
    let before = std::fs::read_to_string(program.path("remediator.yml")).unwrap();
    let (_, people) = before.split_once("contacts:").unwrap();
    program.rewrite("remediator.yml", |_| format!("{OTHER_PLACES}runbooks: runbooks/\ncontacts:{people}"));
    program.rewrite(RUNBOOK, |text| text.replace("title: Demo", "title: Second"));
    let keys = "listen, external_url, database, prometheus, alertmanager, webhook, targets, reconcile, \
                journal.retention";
    assert_eq!(program.asked("/-/reload"), (200, format!("these changed keys need a restart: {keys}\n")));
    assert!(program.get("/runbooks/demo").1.contains("<title>Second") && good(&program));
    let in_the_log = format!("keys=\"{keys}\"");
    wait_for("the warning", || {
        let log = program.logged();
        let found = log.iter().any(|line| line.contains("level=warn") && line.contains(&in_the_log));
        if found { Ok(()) } else { Err(log.join("\n")) }
    });

    program.rewrite("remediator.yml", |_| before);
    assert_eq!(program.asked("/-/reload"), (200, String::new()), "what was taken back waits for nothing");
}
