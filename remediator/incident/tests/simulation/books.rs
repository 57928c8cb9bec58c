//! The runbooks of the simulation: a cause, a symptom that climbs a ladder, and one that takes its measure back.

use std::time::Duration;

use vvtv_incident::{
    AlertName, EscalateAt, HealthTest, Kind, LabelName, Level, LockName, Mode, OnFailure, Recovery, Restore, Runbook,
    RunbookId, Severity, Step, StepId,
};

use crate::shell::ALERTS;

fn step(id: &str, kind: Kind, conditional: bool) -> Step {
    Step {
        id: StepId::new(id),
        kind,
        conditional,
        timeout: Duration::from_secs(10),
        attempts: None,
        efficacy_floor: None,
    }
}

fn change(id: &str, lock: &str, repeatable: bool, on_failure: OnFailure) -> Step {
    let (locks, settle) = (vec![LockName::new(lock)], Duration::from_secs(15));
    step(id, Kind::Change { locks, settle, repeatable, on_failure }, repeatable)
}

pub(crate) fn books() -> Vec<Runbook> {
    let book = |id: &str, alert: &str, steps, recovery, causes: &[&str]| Runbook {
        id: RunbookId::new(id),
        severity: Severity::Critical,
        alerts: vec![AlertName::new(alert)],
        target: LabelName::new("stream"),
        causes: causes.iter().map(|cause| RunbookId::new(*cause)).collect(),
        healthy: HealthTest::new("up"),
        healthy_for: Duration::from_secs(30),
        respond_within: Duration::from_secs(300),
        escalate: Some(EscalateAt { level: Level::new(2), after: Duration::from_secs(600) }),
        steps,
        recovery,
        mode: Mode::Act,
        changes_per_hour: (id == "segment").then_some(3),
    };
    let look =
        |id, background| step(id, Kind::Diagnose { background, settle: Duration::ZERO, known_to_read: true }, false);
    let restore = Restore {
        apply: change("restore", "encoder:$target", false, OnFailure::Stop),
        undo: change("undo", "encoder:$target", false, OnFailure::Stop),
    };
    vec![
        book(
            "ingest",
            ALERTS[0],
            vec![look("status", false), change("nginx", "nginx", true, OnFailure::Stop)],
            Recovery::default(),
            &[],
        ),
        book(
            "segment",
            ALERTS[1],
            vec![
                look("status", false),
                look("iostat", true),
                change("restart", "encoder:$target", true, OnFailure::Continue),
                change("inject", "queue:$target", false, OnFailure::Stop),
            ],
            Recovery::default(),
            &["ingest"],
        ),
        book(
            "drops",
            ALERTS[2],
            vec![look("stats", false), change("lower", "encoder:$target", false, OnFailure::Stop)],
            Recovery { monitor: Duration::from_secs(600), restore: vec![restore] },
            &["ingest"],
        ),
    ]
}
