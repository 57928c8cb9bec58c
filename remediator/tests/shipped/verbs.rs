//! The binary's verbs that print or write whole files.

use std::path::Path;

use assert_cmd::Command;
use vvtv_remediator::verbs::import::import;

use crate::installation::shipped;

pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"));
    program.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"));
    program
}

/// The exit code, stdout and stderr.
pub(crate) fn said(program: &mut Command) -> (i32, String, String) {
    let output = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn schema_prints_the_shipped_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/runbook.schema.json");
    let shipped = std::fs::read_to_string(file).unwrap();
    assert_eq!(said(program().arg("schema")), (0, shipped, String::new()));
}

#[test]
fn check_exits_with_1_once_something_is_wrong() {
    let (root, _config) = shipped();
    let config = root.path().join("remediator.yml");
    let check = || said(program().args(["check", "--config.file"]).arg(&config).env("PATH", ""));
    let (code, stdout, stderr) = check();
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.lines().last().unwrap().starts_with("4 runbooks, 34 alert rules: 0 errors, "), "{stdout}");
    let book = root.path().join("runbooks/ingest-down.yml");
    let text = std::fs::read_to_string(&book).unwrap();
    std::fs::write(&book, text.replace("severity: critical", "severity: awful")).unwrap();
    let (code, stdout, stderr) = check();
    assert_eq!((code, stderr.as_str()), (1, ""), "{stdout}");
    let expected = "\
error: ROOT/runbooks/ingest-down.yml:8:11: unknown variant `awful`, expected one of warning, major, critical
";
    assert!(stdout.replace(&root.path().display().to_string(), "ROOT").contains(expected), "{stdout}");
}

#[test]
fn import_writes_its_files_once_and_names_the_decisions() {
    let page = include_str!("../fixtures/streaming_runbook.md");
    let import = import("streaming_runbook.md", page).unwrap();
    let decisions = format!("{}\n", import.report());
    let printed: String = import.files.iter().map(|(name, text)| format!("# {name}\n{text}\n")).collect();
    let mut to_stdout = program();
    to_stdout.args(["import", "streaming_runbook.md"]);
    assert_eq!(said(&mut to_stdout), (0, printed, decisions.clone()));

    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("new");
    to_stdout.arg("--output").arg(&output);
    assert_eq!(said(&mut to_stdout), (0, String::new(), decisions));
    let written = |(name, _): &(String, String)| (name.clone(), std::fs::read_to_string(output.join(name)).unwrap());
    assert_eq!(import.files.iter().map(written).collect::<Vec<_>>(), import.files);
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), import.files.len());

    let (code, stdout, stderr) = said(&mut to_stdout);
    let why =
        format!("vvtv-remediator: create {}: File exists (os error 17)\n", output.join("segment-age.yml").display());
    assert_eq!((code, stdout, stderr), (1, String::new(), why));
}

#[test]
fn import_of_a_page_without_text_says_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.md");
    std::fs::write(&page, "# Nothing\n").unwrap();
    let (code, stdout, stderr) = said(program().arg("import").arg(&page));
    let why = "nothing to compile: the page has no text below a heading";
    let expected = format!("vvtv-remediator: import {}: {why}\n", page.display());
    assert_eq!((code, stdout, stderr), (1, String::new(), expected));
}

#[test]
fn render_of_what_is_no_runbook_says_where_it_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("book.yml");
    std::fs::write(&file, "id: x\ntitel: y\n").unwrap();
    let (code, stdout, stderr) = said(program().arg("render").arg(&file));
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    let expected =
        format!("vvtv-remediator: {}:2:1: unknown field `titel`, expected one of id, title, ", file.display());
    assert!(stderr.starts_with(&expected), "{stderr}");
}
