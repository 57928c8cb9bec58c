use vvtv_incident::IncidentId;

use super::super::audit;
use super::super::write::commit;
use super::super::{Batch, Delivery, schema};
use super::*;

fn at(millis: i64) -> Timestamp {
    timestamp(millis)
}

fn message(kind: MessageKind, reason: Reason, due_at: i64) -> Message {
    let subject = Subject::Incident { incident: IncidentId::new(1), page: 1 };
    Message {
        key: MessageKey { subject, kind, channel: "hook".to_owned() },
        contact: "SRE On-Call".to_owned(),
        level: Level::FIRST,
        reason,
        due_at: at(due_at),
    }
}

/// Kind and reason of what waits after a transaction with these messages and these ends.
fn waiting(connection: &mut Connection, sent: &[Message], ends: &[(MessageKind, Delivery)]) -> Vec<(String, Reason)> {
    let deliveries = ends.iter().map(|(kind, end)| (message(*kind, Reason::Held, 0).key, end.clone())).collect();
    let batch = Batch { messages: sent.to_vec(), deliveries, ..Batch::default() };
    let mut end = audit::head(connection).unwrap();
    commit(connection, &mut end, &batch).unwrap();
    let waiting = messages(connection).unwrap();
    waiting.into_iter().map(|it| (it.key.kind.as_str().to_owned(), it.reason)).collect()
}

#[test]
fn an_update_takes_the_place_of_an_earlier_one_and_is_sent_until_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = schema::open(&dir.path().join("remediator.db")).unwrap();
    let trigger = message(MessageKind::Trigger, Reason::Exhausted, 10);
    let update = |reason, due_at| message(MessageKind::Update, reason, due_at);
    let sent = |millis| Delivery::Sent { at: at(millis) };
    let named = |kind: &str, reason| (kind.to_owned(), reason);

    let first = [trigger.clone(), update(Reason::StepFailed, 10)];
    let both = waiting(&mut connection, &first, &[]);
    assert_eq!(both, [named("trigger", Reason::Exhausted), named("update", Reason::StepFailed)]);
    let taken = [(MessageKind::Trigger, sent(20)), (MessageKind::Update, sent(21))];
    assert_eq!(waiting(&mut connection, &[], &taken), []);
    // A page is written once, an update again and again.
    let again = [trigger, update(Reason::Relapse, 30)];
    assert_eq!(waiting(&mut connection, &again, &[]), [named("update", Reason::Relapse)]);
    // What was taken before it was due is the one before.
    let early = [(MessageKind::Update, sent(29))];
    assert_eq!(waiting(&mut connection, &[], &early), [named("update", Reason::Relapse)]);
    let failed = [(MessageKind::Update, Delivery::Failed { error: "down".to_owned() })];
    assert_eq!(waiting(&mut connection, &[], &failed), [named("update", Reason::Relapse)]);
    // A resolve says more than what waits of its page.
    let resolve = [message(MessageKind::Resolve, Reason::Stabilised, 40)];
    assert_eq!(waiting(&mut connection, &resolve, &[]), [named("resolve", Reason::Stabilised)]);
}

#[test]
fn what_went_away_within_the_hour_is_remembered_with_how_often_it_came_back() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open(&dir.path().join("remediator.db")).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO incident (id, runbook, target, phase, reason, opened_at, closed_at, state) VALUES
                 (1, 'a', 'old', 'closed', 'stabilised', 1, 1000, '{}'),
                 (2, 'a', 'main', 'closed', 'stabilised', 1, 5000000, '{"returned": 2, "relapses": 3}'),
                 (3, 'a', 'early', 'closed', 'monitored', 1, 5000000, '{"relapses": 1}'),
                 (4, 'a', 'rotten', 'closed', 'monitored', 1, 5000000, '{"relapses'),
                 (5, 'a', 'by hand', 'closed', 'aborted', 1, 5000000, '{}'),
                 (6, 'a', 'open', 'working', 'stabilised', 1, NULL, '{}');
               INSERT INTO timeline (incident_id, at, event, reason, detail) VALUES
                 (2, 1000, 'paged', 'budget_spent', 'L1'), (2, 5000000, 'paged', 'budget_spent', 'L1'),
                 (3, 5000000, 'paged', 'runbook_budget_spent', 'L1'), (4, 5000000, 'paged', 'exhausted', 'L1'),
                 (4, 5000000, 'blocked', 'budget_spent', 'mend');"#,
        )
        .unwrap();
    let now = 5_000_100;
    let mut remembered: Vec<_> =
        over(&connection, now).unwrap().into_iter().map(|it| (it.target.to_string(), it.times_back)).collect();
    remembered.sort();
    let expected = [("early".to_owned(), 1), ("main".to_owned(), 5), ("rotten".to_owned(), 0)];
    assert_eq!(remembered, expected);
    let mut called: Vec<_> =
        budget_calls(&connection, now).unwrap().into_iter().map(|it| it.target.to_string()).collect();
    called.sort();
    assert_eq!(called, ["early", "main"]);
}

#[test]
fn a_message_that_cannot_be_read_is_taken_for_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let connection = schema::open(&dir.path().join("remediator.db")).unwrap();
    connection
        .execute_batch(
            "INSERT INTO message (incident_id, page, kind, channel, contact, level, reason, due_at, state) VALUES
                 (1, 1, 'trigger', 'hook', 'x', 1, 'respelled', 10, 'queued'),
                 (1, 2, 'respelled', 'hook', 'x', 1, 'exhausted', 20, 'queued'),
                 (-1, 3, 'trigger', 'hook', 'x', 1, 'exhausted', 30, 'queued'),
                 (0, 4, 'trigger', 'hook', 'x', 1, 'overdue', 40, 'sent');",
        )
        .unwrap();
    let short = |messages: Vec<Message>| {
        messages.into_iter().map(|it| (it.key.subject, it.key.kind, it.reason)).collect::<Vec<_>>()
    };
    let page = Subject::Incident { incident: IncidentId::new(1), page: 1 };
    let task = Subject::Task(vvtv_incident::TaskId::new(4));
    assert_eq!(
        short(messages(&connection).unwrap()),
        [(page, MessageKind::Trigger, Reason::Unreadable), (task, MessageKind::Trigger, Reason::Overdue)]
    );
    assert_eq!(short(standing(&connection).unwrap()), [(task, MessageKind::Trigger, Reason::Overdue)]);
}
