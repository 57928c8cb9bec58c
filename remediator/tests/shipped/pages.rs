//! Pages in the forms that people write, each imported as a whole: files and report.

use std::path::Path;

use rstest::rstest;
use vvtv_remediator::runbook::platform::Platform;
use vvtv_remediator::runbook::{Site, parse};
use vvtv_remediator::source::Source;
use vvtv_remediator::verbs::import::import;

use crate::verbs::{program, said};

fn page(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages").join(format!("{name}.md")))
        .unwrap()
}

#[rstest]
#[case::meaning_impact_diagnosis_mitigation("one-alert")]
#[case::several_alerts("several-alerts")]
#[case::headings_of_their_own("own-headings")]
#[case::setext_tildes_brackets_and_indented_code("setext")]
#[case::bullets_without_a_heading("bullets")]
#[case::scripts_of_several_lines("scripts")]
#[case::sessions_and_other_fences("sessions")]
#[case::placeholders("placeholders")]
#[case::conditions_and_prohibitions("conditions")]
#[case::times("times")]
#[case::another_language("chinese")]
#[case::names_in_any_script("names")]
#[case::fences_without_an_end("unclosed")]
#[case::people_and_lists("people")]
#[case::another_page_form("wiki")]
fn pages_become_files_and_a_report(#[case] name: &str) {
    let import = import(&format!("{name}.md"), page(name)).unwrap();
    let mut text: Vec<_> = import.files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
    text.push(format!("==> report\n{}", import.report()));
    insta::with_settings!({description => name, omit_expression => true}, {
        insta::assert_snapshot!(name, text.join("\n"));
    });
}

/// A runbook of which somebody has decided the head, and nothing about its steps.
fn with_a_head(text: &str) -> String {
    let head = [
        ("alerts: []", "alerts: [A]"),
        ("target: \"\"", "target: stream"),
        ("healthy: \"\"", "healthy: min(up)"),
        ("severity: \"\"", "severity: critical"),
        ("respond_within: 0s", "respond_within: 5m"),
        ("escalate: {level: 0, after: 0s}", "escalate: {level: 2, after: 10m}"),
    ];
    head.into_iter().fold(text.to_owned(), |text, (empty, decided)| text.replace(empty, decided))
}

/// What the loader says of a page's runbooks once their heads are decided.
#[rstest]
#[case("scripts")]
#[case("sessions")]
#[case("placeholders")]
#[case("conditions")]
#[case("unclosed")]
fn what_must_not_run_as_it_stands_is_refused_by_its_place(#[case] name: &str) {
    let import = import(&format!("{name}.md"), page(name)).unwrap();
    let site = Site { platform: Platform::Linux, variables: Default::default() };
    let mut said = Vec::new();
    for (file, text) in &import.files {
        let source = Source::from_text(file.into(), with_a_head(text));
        let errors = parse(source, &site).err().unwrap_or_default();
        said.extend(errors.iter().map(|error| error.to_string().lines().next().unwrap_or_default().to_owned()));
    }
    insta::assert_snapshot!(format!("refused_{name}"), said.join("\n"));
}

#[test]
fn programs_get_files_and_report_as_json() {
    let (code, stdout, stderr) = said(program().args(["import", "pages/bullets.md", "--format", "json"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let said: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    insta::assert_json_snapshot!(said);
}

#[test]
fn a_page_that_is_no_text_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("latin1.md");
    std::fs::write(&page, b"# A\n\n1. Pr\xfcfen\n").unwrap();
    let (code, stdout, stderr) = said(program().arg("import").arg(&page));
    let expected = "vvtv-remediator: import DIR/latin1.md: line 3: the byte 0xfc is not UTF-8: save the page as UTF-8, e.g. with \
                    `iconv -f ISO-8859-1 -t UTF-8`\n";
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(stderr.replace(&dir.path().display().to_string(), "DIR"), expected);
}
