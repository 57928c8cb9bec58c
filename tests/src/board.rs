//! The live board: four signals with their thresholds, the fault's place, open incidents, pages. Fetch | render.

use crate::ask::{Ask, Incident, Sample};
use crate::pager::Page;

/// What the board shows. `None` = nobody knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    signals: Vec<Row>,
    stage: Option<String>,
    alerts: Option<Vec<String>>,
    incidents: Option<Vec<Incident>>,
    pages: Vec<Page>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: &'static str,
    value: Option<f64>,
    threshold: Option<f64>,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Ratio,
    /// 1 = up, 0 = down.
    Up,
}

/// Name, query, the threshold's `signal` label, unit.
const SIGNALS: [(&str, &str, Option<&str>, Unit); 4] = [
    ("segment age", r#"max(vvtv_segment_age_seconds{stream="main"})"#, Some("segment_age"), Unit::Seconds),
    ("encoder drops", r#"max(vvtv_encoder_drops_ratio{stream="main"})"#, Some("encoder_drops"), Unit::Ratio),
    ("ingest", r#"min(vvtv_ingest_up{stream="main"})"#, None, Unit::Up),
    ("bitrate variance", r#"max(vvtv_bitrate_variance_ratio{stream="main"})"#, Some("bitrate_variance"), Unit::Ratio),
];

impl Board {
    /// Asks the stack. What does not answer is unknown on the board, never old.
    pub async fn fetch(ask: &Ask, pages: Vec<Page>) -> Self {
        let mut signals = Vec::new();
        for (name, query, signal, unit) in SIGNALS {
            let value = ask.value(query).await.ok().flatten();
            let threshold = match signal {
                Some(signal) => {
                    let query = format!(r#"max(vvtv_alert_threshold{{stream="main",signal="{signal}"}})"#);
                    ask.value(&query).await.ok().flatten()
                }
                None => None,
            };
            signals.push(Row { name, value, threshold, unit });
        }
        let stages = ask.query(r#"vvtv_fault_stage{stream="main"} == 1"#).await.unwrap_or_default();
        let firing = ask.query(r#"ALERTS{alertstate="firing",alertname!="Watchdog"}"#).await;
        Self {
            signals,
            stage: labels(&stages, "stage").pop(),
            alerts: firing.ok().map(|firing| labels(&firing, "alertname")),
            incidents: ask.incidents("open").await.ok(),
            pages,
        }
    }

    /// The board as text, one line per item, without any time: two equal boards are the same state.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::from("signal            now          limit\n");
        for row in &self.signals {
            let limit = row.threshold.map_or_else(String::new, |threshold| row.unit.show(threshold));
            let value = row.value.map_or_else(|| "unknown".to_owned(), |value| row.unit.show(value));
            text.push_str(&format!("{:<17} {value:<12} {limit:<8} {}\n", row.name, row.verdict()));
        }
        text.push_str(&format!("fault stage       {}\n", self.stage.as_deref().unwrap_or("unknown")));
        text.push_str(&format!("alerts            {}\n", alert_names(self.alerts.as_deref())));
        text.push_str(&match &self.incidents {
            None => "incidents         unknown\n".to_owned(),
            Some(open) if open.is_empty() => "incidents         none open\n".to_owned(),
            Some(open) => open.iter().map(incident_line).collect(),
        });
        if let Some(last) = self.pages.last() {
            text.push_str(&format!("pages sent        {}, the last: {}\n", self.pages.len(), page_line(last)));
        }
        text
    }

    /// What a log line needs: alerts, incidents with their steps, pages; not the figures, which change every second.
    #[must_use]
    pub fn state(&self) -> String {
        let skipped = 1 + self.signals.len();
        self.render().lines().skip(skipped).collect::<Vec<_>>().join(" | ")
    }
}

impl Row {
    fn verdict(&self) -> &'static str {
        let sick = match (self.unit, self.value, self.threshold) {
            (Unit::Up, Some(value), _) => value < 1.0,
            (Unit::Seconds | Unit::Ratio, Some(value), Some(threshold)) => value > threshold,
            (Unit::Up, None, _) | (Unit::Seconds | Unit::Ratio, None, _) | (Unit::Seconds | Unit::Ratio, _, None) => {
                return "?";
            }
        };
        if sick { "ALARM" } else { "ok" }
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{value:.1} s"),
            Self::Ratio => format!("{:.2} %", value * 100.0),
            Self::Up if value >= 1.0 => "up".to_owned(),
            Self::Up => "down".to_owned(),
        }
    }
}

fn labels(samples: &[Sample], label: &str) -> Vec<String> {
    let mut values: Vec<String> = samples.iter().filter_map(|sample| sample.labels.get(label).cloned()).collect();
    values.sort();
    values.dedup();
    values
}

fn alert_names(alerts: Option<&[String]>) -> String {
    match alerts {
        None => "unknown".to_owned(),
        Some([]) => "none firing".to_owned(),
        Some(names) => names.join(", "),
    }
}

fn incident_line(incident: &Incident) -> String {
    let busy = incident.steps.iter().find(|step| step.state == "running");
    let last = incident.steps.iter().rev().find(|step| step.state != "pending" && step.state != "skipped");
    let step = busy.or(last).map_or_else(String::new, |step| format!(", step {} {}", step.id, step.state));
    format!("incident          {} of {}: {}{step}\n", incident.runbook, incident.target, incident.phase)
}

fn page_line(page: &Page) -> String {
    let summary = page.body.pointer("/payload/summary").and_then(serde_json::Value::as_str).unwrap_or("no summary");
    format!("{} \"{summary}\"", page.action().unwrap_or(&page.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Step;
    use serde_json::json;
    use std::time::SystemTime;

    fn row(index: usize, value: Option<f64>, threshold: Option<f64>) -> Row {
        let (name, _, _, unit) = SIGNALS[index];
        Row { name, value, threshold, unit }
    }

    fn step(id: &str, state: &str) -> Step {
        Step {
            id: id.to_owned(),
            kind: String::new(),
            state: state.to_owned(),
            reason: None,
            attempt: None,
            exit_code: None,
        }
    }

    #[test]
    fn a_board_of_a_fault() {
        let incident = Incident {
            id: 1,
            runbook: "segment-age".to_owned(),
            target: "main".to_owned(),
            phase: "repairing".to_owned(),
            reason: None,
            healthy_at: None,
            closed_at: None,
            level: None,
            steps: vec![step("encoder_status", "ok"), step("restart_encoder", "running"), step("bundle", "pending")],
            pages: Vec::new(),
            timeline: Vec::new(),
        };
        let page = Page {
            path: "/v2/enqueue".to_owned(),
            authorization: None,
            body: json!({"event_action": "trigger", "payload": {"summary": "main is sick"}}),
            at: SystemTime::UNIX_EPOCH,
        };
        let board = Board {
            signals: vec![
                row(0, Some(12.34), Some(10.0)),
                row(1, Some(0.001), Some(0.005)),
                row(2, Some(0.0), None),
                row(3, None, Some(0.25)),
            ],
            stage: Some("encoder".to_owned()),
            alerts: Some(vec!["SegmentAgeHigh".to_owned()]),
            incidents: Some(vec![incident]),
            pages: vec![page],
        };
        insta::assert_snapshot!(board.render(), @r#"
        signal            now          limit
        segment age       12.3 s       10.0 s   ALARM
        encoder drops     0.10 %       0.50 %   ok
        ingest            down                  ALARM
        bitrate variance  unknown      25.00 %  ?
        fault stage       encoder
        alerts            SegmentAgeHigh
        incident          segment-age of main: repairing, step restart_encoder running
        pages sent        1, the last: trigger "main is sick"
        "#);
        insta::assert_snapshot!(board.state(), @r#"fault stage       encoder | alerts            SegmentAgeHigh | incident          segment-age of main: repairing, step restart_encoder running | pages sent        1, the last: trigger "main is sick""#);
    }

    #[test]
    fn what_does_not_answer_is_unknown() {
        insta::assert_snapshot!(Board::default().render(), @"
        signal            now          limit
        fault stage       unknown
        alerts            unknown
        incidents         unknown
        ");
    }
}
