use rstest::rstest;
use vvtv_incident::{AlertName, AlertRecord, Fingerprint, LabelName, Sender, Timestamp};

use super::super::schema;
use super::*;

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A journal whose incident 4 has this state, two steps and three pages, of which the second led to nobody.
fn journal(state: &str) -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open(&dir.path().join("remediator.db")).unwrap();
    connection
        .execute(
            "INSERT INTO incident (id, runbook, target, phase, reason, opened_at, state)
             VALUES (4, 'demo', 'main', 'running', 'next_step', 1000, ?1)",
            [state],
        )
        .unwrap();
    connection
        .execute_batch(
            "INSERT INTO step_run (incident_id, step, attempt, change, intent_at, finished_at, state, exit_code) VALUES
                 (4, 'look', 1, 0, 1100, 1200, 'failed', 3), (4, 'mend', 1, 1, 1300, 1310, 'not_run', NULL),
                 (4, 'mend', 2, 1, 1400, NULL, 'running', NULL), (5, 'mend', 1, 1, 1, 2, 'ok', 0);
             INSERT INTO message (incident_id, page, kind, channel, contact, level, reason, due_at, state, sent_at) VALUES
                 (4, 1, 'trigger', 'hook', 'x', 1, 'response_time', 2000, 'sent', 2100),
                 (4, 1, 'resolve', 'hook', 'x', 1, 'relapse', 2500, 'queued', NULL),
                 (4, 3, 'update', 'hook', 'x', 2, 'relapse', 2700, 'queued', NULL),
                 (4, 3, 'trigger', 'hook', 'x', 2, 'respelled', 2600, 'queued', NULL),
                 (4, 4000000000, 'trigger', 'hook', 'x', 2, 'relapse', 2600, 'queued', NULL),
                 (0, 4, 'trigger', 'hook', 'x', 1, 'overdue', 1, 'queued', NULL);",
        )
        .unwrap();
    (dir, connection)
}

fn step(id: &str, kind: StepKind, state: StepState) -> StepRecord {
    StepRecord {
        id: StepId::new(id),
        kind,
        state,
        reason: None,
        attempts: 1,
        not_run: 0,
        started_at: Some(at(1100)),
        finished_at: Some(at(1200)),
        approved_by: None,
    }
}

#[test]
fn what_other_tables_say_of_it_is_still_known() {
    let state = r#"{"id":4,"phase":"spent","alerts":{"f-a":{"name":"Demo","labels":{"stream":"main"},"starts_at":900,
        "heard_at":1000,"ends_at":null}}}"#;
    let (_dir, connection) = journal(state);
    let Opened { incidents: readable, unreadable } = incidents(&connection).unwrap();
    let alert = AlertRecord {
        name: AlertName::new("Demo"),
        labels: BTreeMap::from([(LabelName::new("stream"), "main".into())]),
        starts_at: at(900),
        heard_at: at(1000),
        ends_at: None,
        suppressed: false,
        sender: Sender::Alertmanager,
    };
    let page = |page, level, reason, due_at, arrival, resolved| PageRecord {
        page,
        level: Level::new(level),
        reason,
        due_at: at(due_at),
        arrival,
        resolved,
    };
    let expected = Unreadable {
        id: IncidentId::new(4),
        runbook: RunbookId::new("demo"),
        target: Target::new("main"),
        opened_at: at(1000),
        alerts: BTreeMap::from([(Fingerprint::new("f-a"), alert)]),
        steps: vec![
            step("look", StepKind::Diagnose, StepState::Failed),
            StepRecord {
                attempts: 2,
                not_run: 1,
                started_at: Some(at(1400)),
                finished_at: None,
                ..step("mend", StepKind::Change, StepState::Running)
            },
        ],
        pages: vec![
            page(1, 1, Reason::ResponseTime, 2000, Arrival::Taken { at: at(2100) }, true),
            page(2, 2, Reason::Unreadable, 2600, Arrival::Awaited, true),
            page(3, 2, Reason::Unreadable, 2600, Arrival::Awaited, false),
        ],
        text: state.to_owned(),
    };
    assert_eq!((readable, unreadable), (Vec::new(), vec![expected]));
}

#[rstest]
#[case::cut_off(r#"{"id":4,"phase":"exha"#)]
#[case::no_json("spent")]
#[case::nothing("")]
#[case::another_reason(include_str!("../../../tests/journals/kept/incidents").trim_start_matches("full ").replace("stabilised", "spent"))]
#[case::the_state_of_another(include_str!("../../../tests/journals/kept/incidents").trim_start_matches("full "))]
fn a_state_that_means_nothing_is_told_whole(#[case] state: impl AsRef<str>) {
    let state = state.as_ref();
    let (_dir, connection) = journal(state);
    let Opened { incidents: readable, unreadable } = incidents(&connection).unwrap();
    let told: Vec<_> = unreadable.into_iter().map(|it| (it.id.get(), it.text)).collect();
    assert_eq!((readable, told), (Vec::new(), vec![(4, state.to_owned())]));
}

#[test]
fn a_text_that_is_none_is_told_as_far_as_it_is_one_and_a_long_one_is_cut() {
    let (_dir, connection) = journal("{}");
    connection.execute("UPDATE incident SET state = CAST(x'7b22ff' AS TEXT)", []).unwrap();
    assert_eq!(incidents(&connection).unwrap().unreadable.pop().unwrap().text, "{\"\u{fffd}");
    connection.execute("UPDATE incident SET state = ?1", ["é".repeat(TEXT_BYTES_MAX)]).unwrap();
    let text = incidents(&connection).unwrap().unreadable.pop().unwrap().text;
    assert_eq!(text.len(), TEXT_BYTES_MAX + "… [524288 bytes in all]".len());
    assert!(text.ends_with("é… [524288 bytes in all]"), "{}", text.chars().rev().take(40).collect::<String>());
}
