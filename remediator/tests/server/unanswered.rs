//! Alerts that no runbook answers, on the real binary: who hears of them.

use serde_json::{Value, json};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// A delivery of one alert.
fn alert(status: &str, name: &str, labels: &Value) -> String {
    let mut delivery: Value = serde_json::from_str(&firing("main")).unwrap();
    let mut all = labels.clone();
    all["alertname"] = json!(name);
    delivery["alerts"][0]["labels"] = all;
    delivery["alerts"][0]["fingerprint"] = json!(format!("{name}-{labels}"));
    delivery["alerts"][0]["status"] = json!(status);
    if status == "resolved" {
        delivery["alerts"][0]["endsAt"] = json!("2026-11-22T15:08:00Z");
    }
    delivery.to_string()
}

#[test]
fn a_critical_alert_that_nobody_answers_calls_people_and_others_are_named() {
    let neighbours = Neighbours::start(&json!([]));
    let program = neighbours.program().edited(|config| {
        let config = config.replace("http://127.0.0.1:9/", &neighbours.pager());
        // The list of alerts is empty: a look at it would end what is delivered here.
        format!("{config}\nunanswered: {{respond_within: 100ms}}\nreconcile: 1h\nlimits: {{page_hold: 100ms, returns_within: 100ms}}\n")
    });
    let critical = json!({"severity": "critical", "stream": "main"});
    assert_eq!(program.deliver(alert("firing", "ViewerBuffersEmpty", &critical)).0, 200);
    assert_eq!(program.deliver(alert("firing", "Demo", &json!({"severity": "critical"}))).0, 200);
    assert_eq!(
        program.deliver(alert("firing", "CdnErrorRate", &json!({"severity": "major", "stream": "main"}))).0,
        200
    );
    let pages = wait_for("both pages", || match neighbours.pages() {
        pages if pages.len() == 2 => Ok(pages),
        pages => Err(format!("{pages:?}")),
    });
    let mut said: Vec<_> =
        pages.iter().map(|page| (&page["level"], &page["summary"], &page["links"]["runbook"])).collect();
    said.sort_by_key(|(_, summary, _)| summary.to_string());
    let buffers = "Alert without a runbook: ViewerBuffersEmpty: main: No runbook answers this alert.";
    let target = "Alert without a runbook: Demo: The alert lacks the label that names the target; an empty target never means \"all\".";
    assert_eq!(said, [(&json!(1), &json!(target), &Value::Null), (&json!(1), &json!(buffers), &Value::Null)]);
    assert_eq!(program.written(), [] as [String; 0], "nothing is run");

    let (_, metrics) = program.get("/metrics");
    for (name, reason) in
        [("CdnErrorRate", "no_runbook"), ("ViewerBuffersEmpty", "no_runbook"), ("Demo", "target_missing")]
    {
        let counted = format!("vvtv_remediator_unanswered_alerts_total{{alert=\"{name}\",reason=\"{reason}\"}} 1");
        assert!(metrics.lines().any(|line| line == counted), "{counted}: {metrics}");
    }
    let logged = program.logged();
    let unheard = logged.iter().filter(|line| line.contains("nobody is called")).collect::<Vec<_>>();
    assert!(unheard.len() == 1 && unheard[0].contains("CdnErrorRate"), "{logged:?}");
    let (status, console) = program.get("/incidents/1");
    assert!(status == 200 && console.contains("unanswered_alert on ViewerBuffersEmpty: main"), "{console}");
    assert!(!console.contains(">Runbook</a>"), "there is no page of a runbook: {console}");

    assert_eq!(program.deliver(alert("resolved", "ViewerBuffersEmpty", &critical)).0, 200);
    wait_for("its page's end", || match neighbours.pages() {
        pages if pages.len() == 3 && pages[2]["kind"] == "resolve" => Ok(()),
        pages => Err(format!("{pages:?}")),
    });
    assert_eq!(program.incidents().iter().filter(|it| it["phase"] == "closed").count(), 1);
}

#[test]
fn no_file_s_runbook_has_the_name_of_one_that_is_built_in() {
    let dir = Program::lay_out(&[("id: demo", "id: unanswered_alert")]);
    let (code, said) = crate::program::refused(dir.path());
    assert!(code == Some(1) && said.contains("not an id: expected a-z, 0-9 and -"), "{said}");
}
