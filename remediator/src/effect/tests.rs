use std::fmt::Write as _;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// The lines of a fixture; a here-document is one line of it and its text is put behind it.
fn lines(fixture: &str) -> impl Iterator<Item = &str> {
    fixture.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Every line that is judged otherwise, with what is said of it.
fn otherwise(fixture: &str, expected: impl Fn(&Effect) -> bool) -> String {
    let mut found = String::new();
    for line in lines(fixture) {
        let effect = of_shell(line);
        if !expected(&effect) {
            writeln!(found, "{line}\n    {effect:?}").unwrap();
        }
    }
    found
}

#[test]
fn what_reads_is_known_to_read() {
    assert_eq!(otherwise(include_str!("tests/reads.txt"), Effect::reads), "");
}

#[test]
fn what_changes_is_known_to_change() {
    assert_eq!(otherwise(include_str!("tests/changes.txt"), |effect| matches!(effect, Effect::Changes(_))), "");
}

#[test]
fn what_cannot_be_told_is_not_said_to_read() {
    assert_eq!(otherwise(include_str!("tests/cannot_say.txt"), |effect| matches!(effect, Effect::CannotSay(_))), "");
}

#[rstest]
#[case("rm -rf a", "`rm` removes files")]
#[case("ls && sudo -n systemctl stop nginx", "`systemctl stop` starts, stops or alters services")]
#[case("echo x >> \"$file\"", "`>> $file` writes a file")]
#[case("curl -X POST http://h/", "`curl -X POST` sends something that may change what it is sent to")]
#[case("fix; ls", "`fix` is not in the table of what programs do")]
#[case("fix; rm a", "`rm` removes files")]
#[case("systemctl $verb", "`systemctl` is told by `$verb` what to do")]
#[case("curl $it", "`curl` may get options from `$it`: put it in quotes, after other text")]
#[case("[[ -f a ]]", "`[[` is not in the table of what programs do")]
#[case("LD_PRELOAD=a ls", "`LD_PRELOAD=a` decides which programs run")]
fn the_cause_is_named(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(of_shell(text).cause().unwrap().to_string(), expected);
}

#[rstest]
#[case(&["ls", "{{ target }}"], true)]
#[case(&["vvtvctl", "streaming", "stats"], true)]
#[case(&["vvtvctl", "flags", "{{ 'set' if x else 'unset' }}", "a"], false)]
#[case(&["vvtvctl", "ops", "bundle", "--output", "{{ incident.attachments }}/a.tar.gz"], false)]
#[case(&["{{ target }}"], false)]
#[case(&["curl", "-m", "5", "http://h/{{ target | segment }}"], true)]
#[case(&["curl", "-o{{ target }}", "http://h/"], false)]
#[case(&["sort", "{{ target }}"], true)]
#[case(&["sh", "-c", "ls"], true)]
#[case(&["sh", "-c", "{{ target }}"], false)]
#[case(&["rm", ">", "/dev/null"], false)]
#[case(&["echo", ">", "/tmp/a"], true)]
#[case(&["ls", "$(rm a)", "; rm b"], true)]
#[case(&[], true)]
fn words_are_no_shell_text(#[case] argv: &[&str], #[case] reads: bool) {
    assert_eq!(of_argv(argv).reads(), reads, "{:?}", of_argv(argv));
}

#[test]
fn what_is_nested_without_end_is_an_answer() {
    for opener in ["(", "$(", "`", "{ ", "if ", "case x in x) ", "while ", "\"$(", "${x:-", "$((", "sh -c '", "<<a\n"] {
        for times in [1, 10, 100, 100_000] {
            assert!(!of_shell(&format!("{}rm a", opener.repeat(times))).reads(), "{opener} {times} times");
        }
    }
}

#[test]
fn a_bomb_of_digits_is_an_answer() {
    assert!(!of_shell("ls 99999999999999999999>a").reads());
}

/// Pieces that shell text is made of, put together at random.
fn shell_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("ls"), Just(" "), Just("|"), Just("&&"), Just(";"), Just("\n"), Just("'"), Just("\""), Just("$("), Just(")"), Just("`"),
        Just("${x:-"), Just("}"), Just("if "), Just("then "), Just("fi"), Just("for i in "), Just("do "), Just("done"), Just("case x in "),
        Just("esac"), Just("<<E\n"), Just("E\n"), Just("\\"), Just("#"), Just("{ "), Just("("), Just("x=1"), Just("f()"), Just(" -o "),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_an_answer(text in "\\PC*|[a-z \"'$()|;&\\\\#`\n<>{}-]*") {
        let _ = of_shell(&text);
        let _ = commands(&text);
    }

    #[test]
    fn a_redirection_into_a_file_never_reads(before in shell_text(), after in shell_text()) {
        let text = format!("{before}\nls > /vvtv/file\n{after}");
        // Where quotes, comments or a here-document hold it, it is none: /bin/sh's own reading tells.
        prop_assume!(is_command_of("ls > /vvtv/file", &text));
        prop_assert!(!of_shell(&text).reads(), "{text}");
    }

    #[test]
    fn an_unknown_program_never_reads(name in "[a-z]{3,8}q[0-9]", before in shell_text(), after in shell_text()) {
        let text = format!("{before}\n{name} a\n{after}");
        prop_assume!(is_command_of(&name, &text));
        prop_assert!(!of_shell(&text).reads(), "{text}");
    }

    #[test]
    fn an_unknown_program_never_reads_as_words(name in "[a-z]{3,8}q[0-9]", rest in prop::collection::vec("\\PC*", 0..4)) {
        let argv: Vec<&str> = std::iter::once(name.as_str()).chain(rest.iter().map(String::as_str)).collect();
        prop_assert!(!of_argv(&argv).reads());
    }
}

/// Whether `/bin/sh` takes the line for a command of its own: with a function definition in its place the text is still good, and with
/// a lone `)` it is not.
fn is_command_of(line: &str, text: &str) -> bool {
    let good = |text: &str| {
        let mut sh = std::process::Command::new("/bin/sh");
        sh.args(["-n", "-c", text]).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        sh.status().unwrap().success()
    };
    good(text) && !good(&text.replacen(line, ")", 1))
}
