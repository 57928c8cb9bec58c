mod samples;

use std::fmt::Write as _;
use std::path::Path;

use vvtv_incident::{IncidentId, ReceiverName, TaskId};

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
