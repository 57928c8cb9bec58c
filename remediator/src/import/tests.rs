use super::*;

fn shipped() -> Import {
    import("streaming_runbook.md", include_str!("../../tests/fixtures/streaming_runbook.md")).unwrap()
}

#[test]
fn the_page_becomes_four_runbooks_contacts_and_maintenance_lists() {
    let import = shipped();
    let files: Vec<_> = import.files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
    insta::assert_snapshot!(files.join("\n"));
}

#[test]
fn every_place_that_needs_a_person_is_named_and_marked() {
    let import = shipped();
    let text = import.decisions.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(text);
    let marks: usize = import.files.iter().map(|(_, text)| text.matches("# DECIDE:").count()).sum();
    let outside = import.decisions.iter().filter(|decision| decision.file.is_empty()).count();
    assert_eq!(marks + outside, import.decisions.len());
    assert_eq!(shipped(), import);
}

#[test]
fn what_is_not_decided_is_refused_in_its_place() {
    let (name, text) = &shipped().files[0];
    let site = crate::runbook::Site { platform: crate::platform::Platform::Linux, variables: Default::default() };
    let source = crate::source::Source::from_text(name.into(), text.clone());
    let errors = crate::runbook::parse(source, &site).unwrap_err();
    let said: Vec<_> = errors.iter().map(|error| error.message()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

const PAGE: &str = "\
# A page
| Alert | Severity | Response Time | Escalation |
|--|--|--|--|
| odd thing | Terrible | soon | someone |
| late | Major | 5 minutes | Level 2 after 10min |
## Procedures
### odd: Odd Thing
Call Bob first.
**Immediate Actions:**
1. Ponder:
   ```bash
   frobnicate --now
   ping 8.8.8.8
   ```
2. Wait for the moon
### late: It's \"late\" # really
**Timer:** 20 minutes
1. Check {{ target }}:
   ```
   echo \"a # b\" # says: so
   ```
**Recovery:** look around
";

#[test]
fn a_page_in_another_hand_leaves_more_to_decide_and_guesses_nothing() {
    let import = import("page.md", PAGE).unwrap();
    let mut text: Vec<_> = import.files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
    text.extend(import.decisions.iter().map(ToString::to_string));
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn what_has_no_procedure_is_an_error() {
    assert_eq!(import("page.md", "# Nothing\n"), Err(ImportError::NoProcedure));
    assert_eq!(import("page.md", "## Procedures\n### a: A\n### a: B\n"), Err(ImportError::Twice(3)));
    assert_eq!(import("page.md", &"x".repeat(BYTES_MAX + 1)), Err(ImportError::TooLong));
}

proptest::proptest! {
    #[test]
    fn any_page_is_yaml_or_an_error(text in "(## Procedures\n|### a: b\n|[0-9]\\. If x, y:\n|```\n|[a-z#'\":{}|&\\\\ ]*\n|\\| Alert \\|\n|\\*\\*Recovery:\\*\\* \\PC*\n|- \\[ \\] \\PC*\n|\\PC*\n)*") {
        if let Ok(import) = import("page.md", &text) {
            for (name, text) in &import.files {
                let parsed: Result<serde_json::Value, _> = vvtv_toolkit::yaml::parse(name, text);
                proptest::prop_assert!(parsed.is_ok(), "{text}\n{parsed:?}");
            }
        }
    }
}
