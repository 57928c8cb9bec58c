mod samples;

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr as _;

use vvtv_incident::{
    Arrival, EntryKind, Incident, IncidentId, Outcome, Reason, ReceiverName, Sender, Standing, StepRef, Task, TaskId,
};

use super::*;
use crate::conditions::targets::Told;
use crate::journal::installation::{Installation, InstallationId, Nameless};
use crate::journal::outbox::{MessageKind, Subject};
use crate::steps::Identity;
use samples::Named;

/// What stands in a file of `tests/journals/kept`: a line each, name and JSON. `UPDATE_GOLDEN=1` writes it anew; a line that is there
/// already is on somebody's disk and does not change.
fn lines(file: &str, present: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/kept").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, present).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let split = |line: &str| line.split_once(' ').map(|(name, json)| (name.to_owned(), json.to_owned())).unwrap();
    text.lines().map(split).collect()
}

/// What is written of each is what stands in the file, and is read as what it was.
#[track_caller]
fn kept<T: Kept + PartialEq + std::fmt::Debug>(file: &str, samples: Named<T>) {
    let mut present = String::new();
    for (name, sample) in &samples {
        writeln!(present, "{name} {}", write(sample).unwrap()).unwrap();
    }
    let golden = lines(file, &present);
    let written: Vec<_> = samples.iter().map(|(name, sample)| (name.clone(), write(sample).unwrap())).collect();
    assert_eq!(written, golden, "{file}: what is written");
    for ((name, json), (_, sample)) in golden.iter().zip(&samples) {
        assert_eq!(read::<T>(json).unwrap(), *sample, "{file}: {name} as it is read");
    }
}

#[test]
fn an_incident_of_every_phase_and_stage_is_kept_as_it_always_was() {
    let phases = samples::phases();
    assert_eq!(phases.len(), 8 + 8 + 5);
    kept("phases", phases.into_iter().map(|(name, phase)| (name, samples::bare(phase))).collect());
}

/// A whole journal of every version that a dump has, with an incident of every phase and stage; each is called what it is.
#[test]
fn a_journal_of_an_earlier_version_has_every_phase_and_stage_as_it_was() {
    for dump in
        [include_str!("../../../tests/journals/v4-phases.sql"), include_str!("../../../tests/journals/v6-phases.sql")]
    {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(dump).unwrap();
        let mut statement = connection.prepare("SELECT target, state FROM incident ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        let found: Vec<_> =
            rows.map(Result::unwrap).map(|(name, state)| (name, read::<Incident>(&state).unwrap().phase)).collect();
        assert_eq!(found, samples::phases());
    }
}

#[test]
fn an_incident_with_something_of_everything_is_kept_as_it_always_was() {
    kept("incidents", vec![("full".to_owned(), samples::full())]);
}

#[test]
fn every_reason_block_and_state_of_a_step_is_kept_as_it_always_was() {
    kept("reasons", samples::reasons());
    kept("blocks", samples::blocks());
    kept("step_states", samples::step_states());
}

#[test]
fn a_step_that_takes_a_measure_back_is_kept_by_its_place_behind_the_ladder_and_found_again() {
    let measured = |number, restore_next| {
        [StepRef::Apply(number), StepRef::Undo(number)].map(|at| (at, samples::with_measures(at, restore_next)))
    };
    // The second one's place is known although it is not the next: the runbook's text has changed meanwhile.
    let incidents = [measured(0, 0), measured(1, 1), measured(1, 0)].concat();
    let mut kept = Vec::new();
    for (at, incident) in incidents {
        let json = write(&incident).unwrap();
        let again = read::<Incident>(&json).unwrap();
        let place = serde_json::from_str::<serde_json::Value>(&json).unwrap()["phase"]["restoring"]["step"].clone();
        let id = |incident: &Incident| {
            let machine = incident.phase.machine().unwrap();
            incident.step(machine.at).unwrap().id.to_string()
        };
        assert_eq!(id(&again), id(&incident), "{at:?}");
        assert_eq!(
            again == incident,
            matches!((at, incident.restore_next), (StepRef::Apply(n) | StepRef::Undo(n), next) if n == next)
        );
        assert_eq!(write(&again).unwrap(), json);
        kept.push((id(&again), place.as_u64().unwrap()));
    }
    let expected = [("a", 2), ("undo-a", 3), ("b", 4), ("undo-b", 5), ("b", 4), ("undo-b", 5)];
    assert_eq!(kept, expected.map(|(id, place)| (id.to_owned(), place)));
}

#[test]
fn a_place_past_all_steps_is_past_all_measures() {
    let incident = samples::with_measures(StepRef::Apply(2), 2);
    let json = write(&incident).unwrap();
    for past in [json.clone(), json.replace(r#""step":6"#, &format!(r#""step":{}"#, usize::MAX))] {
        let again = read::<Incident>(&past).unwrap();
        let at = again.phase.machine().unwrap().at;
        assert_eq!(again.step(at), None, "{at:?}");
        assert_eq!(again.steps().count(), 6);
    }
}

#[test]
fn a_task_in_every_state_is_kept_as_it_always_was() {
    kept("tasks", samples::tasks());
    let process = |start_ticks, boot_id| Identity { pid: 4242, start_ticks, boot_id };
    let known = process(Some(1_364_506), Some("853a250f-f06b-48f5-b963-9a5365041e3f".to_owned()));
    kept("processes", vec![("known".to_owned(), known), ("unknown".to_owned(), process(None, None))]);
}

#[test]
fn settings_are_kept_as_they_always_were() {
    kept("pause", vec![("pause".to_owned(), samples::pause())]);
    kept::<Told>("targets", vec![("targets".to_owned(), samples::told())]);
    kept::<Vec<ReceiverName>>("receivers", vec![("receivers".to_owned(), samples::receivers())]);
    let id = InstallationId::try_from("0123456789abcdef".to_owned()).unwrap();
    let nameless = Nameless { incident: IncidentId::new(4), task: TaskId::new(2) };
    kept("installation", vec![("installation".to_owned(), Installation { id, nameless })]);
}

#[test]
fn the_words_of_columns_are_what_they_always_were() {
    let events = samples::events().into_iter().map(EntryKind::as_str);
    let kinds = samples::message_kinds().into_iter().map(MessageKind::as_str);
    let ends: Vec<_> = samples::outcomes();
    let ends = ends.iter().map(Outcome::as_str);
    let words = |column: &str, words: Vec<&'static str>| {
        words.into_iter().map(|word| (column.to_owned(), word.to_owned())).collect::<Vec<_>>()
    };
    let all = [
        words("timeline.event", events.collect()),
        words("timeline.reason", Reason::ALL.iter().map(|reason| reason.as_str()).collect()),
        words("message.kind", kinds.collect()),
        words("step_run.state", ends.collect()),
    ]
    .concat();
    let present: String = all.iter().map(|(column, word)| format!("{column} {word}\n")).collect();
    assert_eq!(all, lines("columns", &present));
    for end in samples::outcomes() {
        assert_eq!(outcome(end.as_str(), Some(3)), end);
    }
    assert_eq!(outcome("respelled", Some(0)), Outcome::Unknown);
    for kind in samples::message_kinds() {
        assert_eq!(MessageKind::from_str(kind.as_str()).unwrap(), kind);
    }
    assert!(Reason::ALL.iter().all(|reason| Reason::named(reason.as_str()) == Some(*reason)));
}

#[test]
fn a_message_is_about_an_incident_or_a_task_and_columns_that_name_neither_are_an_error() {
    let page = Subject::Incident { incident: IncidentId::new(7), page: 2 };
    let task = Subject::Task(TaskId::new(3));
    let columns = |subject: Subject| {
        let SubjectV1 { incident_id, page } = subject.into();
        (incident_id, page)
    };
    assert_eq!([columns(page), columns(task)], [(7, 2), (0, 3)]);
    let subject = |incident_id, page| Subject::try_from(SubjectV1 { incident_id, page }).ok();
    assert_eq!([subject(7, 2), subject(0, 3), subject(-1, 3)], [Some(page), Some(task), None]);
}

#[test]
fn a_word_that_no_version_has_written_is_an_error_that_names_it() {
    let whole = write(&samples::full()).unwrap();
    let error = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        read::<Incident>(&whole.replace(from, to)).unwrap_err().to_string()
    };
    let known = "expected one of `pending`, `skipped`, `running`, `ok`, `failed`, `timeout`, `unknown`";
    for (found, expected) in [
        (error("\"reason\":\"stabilised\"", "\"reason\":\"spent\""), "unknown reason `spent`".to_owned()),
        (error("\"failed\"", "\"spent\""), format!("unknown variant `spent`, {known}")),
    ] {
        assert!(found.starts_with(&expected), "{found}");
    }
    assert!(read::<Incident>(&whole[..whole.len() - 1]).is_err());
    assert!(read::<Task>("{}").is_err());
}

/// What the first versions did not write is what they meant.
#[test]
fn a_field_that_an_earlier_version_did_not_write_is_read_as_it_meant() {
    let mut sample = samples::full();
    let whole = write(&sample).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
    for name in ["retired", "returned", "aborted"] {
        value.as_object_mut().unwrap().remove(name).unwrap();
    }
    for name in ["still_since", "ends"] {
        value["escalation"].as_object_mut().unwrap().remove(name).unwrap();
    }
    value["escalation"]["standing"]["in_hand"].as_object_mut().unwrap().remove("told").unwrap();
    for page in value["escalation"]["pages"].as_array_mut().unwrap() {
        page.as_object_mut().unwrap().remove("arrival").unwrap();
    }
    for step in value["steps"].as_array_mut().unwrap() {
        step.as_object_mut().unwrap().remove("not_run").unwrap();
    }
    for alert in value["alerts"].as_object_mut().unwrap().values_mut() {
        for name in ["suppressed", "sender"] {
            alert.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    sample.retired.clear();
    (sample.returned, sample.aborted) = (0, false);
    (sample.escalation.still_since, sample.escalation.ends) = (None, None);
    if let Standing::InHand { told, .. } = &mut sample.escalation.standing {
        told.clear();
    }
    for page in &mut sample.escalation.pages {
        page.arrival = Arrival::Taken { at: samples::at(0) };
    }
    sample.ladder.iter_mut().for_each(|step| step.not_run = 0);
    for alert in sample.alerts.values_mut() {
        (alert.suppressed, alert.sender) = (false, Sender::Alertmanager);
    }
    assert_eq!(read::<Incident>(&value.to_string()).unwrap(), sample);
}
