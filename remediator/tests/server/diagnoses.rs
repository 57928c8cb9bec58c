//! Steps that say that they only read, and do not: `check` says so, and none of them runs unasked.

use std::process::Command;

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// A program whose first step writes a file and is called a diagnosis, in a mode, with a target that is sick.
fn program(neighbours: &Neighbours, mode: &str) -> Program {
    let program = neighbours.program();
    program.rewrite("runbooks/demo.yml", |text| text.replace("    reads_only: true\n", ""));
    program.edited(|config| format!("mode: {mode}\n{config}"))
}

#[test]
fn a_diagnosis_that_writes_is_an_error_of_check() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = program(&neighbours, "shadow");
    let mut check = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"));
    let output = check.arg("check").arg("--config.file").arg(program.path("remediator.yml")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap().replace(&program.path("").display().to_string(), "ROOT/");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = "error: ROOT/runbooks/demo.yml:15:12: a diagnosis runs unasked, but `>> $VVTV_TEST_LOG` writes a file: write \
                    `kind: change`, or `reads_only: true` if it alters nothing here\n";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn in_shadow_only_what_is_known_to_read_runs() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = program(&neighbours, "shadow");
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("both steps to stay on paper", || match program.incidents().first() {
        Some(incident) if incident["steps"][1]["reason"] == "shadow" => {
            assert_eq!(incident["steps"][0]["reason"], "shadow", "{incident}");
            Ok(())
        }
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), Vec::<String>::new());
}

#[test]
fn a_diagnosis_that_writes_waits_for_approval_as_changes_do() {
    let neighbours = Neighbours::start(&serde_json::json!([]));
    let program = program(&neighbours, "approve");
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the diagnosis to wait for a person", || match program.incidents().first() {
        Some(incident) if incident["awaits_approval"] == "look" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(program.written(), Vec::<String>::new());
    let config = program.path("remediator.yml").display().to_string();
    let approve = ["approve", "1", "--step", "look", "--server", &program.base, "--config.file", &config];
    let output = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator")).args(approve).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    wait_for("the diagnosis to run", || match program.written() {
        lines if lines == ["looked"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
}
