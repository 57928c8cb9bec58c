mod samples;

use std::fmt::Write as _;
use std::path::Path;

use vvtv_incident::{Incident, IncidentId, ReceiverName, StepRef, TaskId};

use super::*;
use crate::conditions::targets::Told;
use crate::installation::{Installation, InstallationId, Nameless};
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
