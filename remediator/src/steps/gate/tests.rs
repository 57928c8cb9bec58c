use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// What a shell makes of a script, and whether the note that it waits is as it was.
fn told(shell: &[&str], script: &[u8], note: &Path) -> (Vec<u8>, bool) {
    std::fs::write(note, "waits\n").unwrap();
    let mut command = std::process::Command::new(shell[0]);
    command.args(&shell[1..]).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // One that has become its program does not read the rest.
    let _ended = child.stdin.take().unwrap().write_all(script);
    let output = child.wait_with_output().unwrap().stdout;
    (output, std::fs::metadata(note).unwrap().len() > 0)
}

/// The shells that `/bin/sh` is on the systems that we know, as far as they are here.
fn shells() -> Vec<Vec<&'static str>> {
    let known = [vec!["/bin/dash"], vec!["/bin/bash", "--posix"], vec!["/bin/busybox", "sh"]];
    known.into_iter().filter(|shell| Path::new(shell[0]).exists()).collect()
}

fn printed(arguments: &[String]) -> Vec<String> {
    let program = ["/usr/bin/printf", "%s\\0"].map(str::to_owned);
    program.into_iter().chain(arguments.iter().cloned()).chain(["end".to_owned()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arguments_and_variables_arrive_as_they_are(
        arguments in prop::collection::vec(prop_oneof!["[^\0]{0,30}", "[ '\"\\\\$`!;&|<>{}\r\n\t#*?~]{0,12}"], 1..5),
        variable in "[^\0]{0,40}",
    ) {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("it's a note.waits");
        let variables = [("VVTV_TARGET".into(), variable.clone().into())];
        for shell in shells() {
            let (output, waits) = told(&shell, &script(&note, &variables, &printed(&arguments)).unwrap(), &note);
            let mut expected = arguments.iter().map(String::as_str).chain(["end"]).collect::<Vec<_>>().join("\0").into_bytes();
            expected.push(0);
            prop_assert_eq!((output, waits), (expected, false), "{:?}", shell);
            let environment = ["/usr/bin/env", "-0"].map(str::to_owned);
            let (output, _) = told(&shell, &script(&note, &variables, &environment).unwrap(), &note);
            let expected = format!("VVTV_TARGET={variable}").into_bytes();
            prop_assert!(output.split(|byte| *byte == 0).any(|line| line == expected), "{:?}", shell);
        }
    }
}

#[test]
fn whatever_is_cut_off_does_not_run_and_still_waits() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("note.waits");
    let variables = [("VVTV_TARGET".into(), "a 'b'\nc".into())];
    let whole = script(&note, &variables, &printed(&["x'; y".to_owned(), "}".to_owned()])).unwrap();
    for shell in shells() {
        // The line's end is no part of the command.
        for length in 0..whole.len() - 1 {
            assert_eq!(told(&shell, &whole[..length], &note), (Vec::new(), true), "{shell:?} {length}");
        }
    }
}

#[test]
fn what_no_argument_can_hold_is_an_error() {
    let error = script(Path::new("/note"), &[], &["a\0b".to_owned()]).unwrap_err();
    assert_eq!(error.to_string(), "nul byte found in provided data");
}
