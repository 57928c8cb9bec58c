//! How attempts stand, as it stands in a column.

use vvtv_incident::Outcome;

/// What `step_run.state` says of one that is over; of one that says nothing that is known here, nobody knows how it ended.
pub(in crate::journal) fn outcome(state: &str, exit_code: Option<i32>) -> Outcome {
    let ends = [Outcome::Ok, Outcome::Timeout, Outcome::NotRun, Outcome::Failed(exit(exit_code))];
    ends.into_iter().find(|end| end.as_str() == state).unwrap_or(Outcome::Unknown)
}

fn exit(code: Option<i32>) -> String {
    code.map_or_else(String::new, |code| format!("exit code {code}"))
}
