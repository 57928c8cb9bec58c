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

/// A command wherever a shell text can have one: in lists, pipelines, compound commands, functions, substitutions, other programs.
fn somewhere(command: String) -> impl Strategy<Value = String> {
    const PLACES: [&str; 26] = [
        "ls; X",
        "X; ls",
        "ls && X",
        "X || ls",
        "ls | X",
        "X | cat",
        "{ ! X; }",
        "X & ls",
        "if X; then ls; fi",
        "if ls; then X; fi",
        "if ls; then ls; elif ls; then ls; else X; fi",
        "for i in 1 2; do X; done",
        "while X; do ls; done",
        "until ls; do X; done",
        "case a in b) ls ;; *) X ;; esac",
        "{ X; }",
        "(X)",
        "f() { X; }; f",
        "echo \"a $(X) b\"",
        "a=$(X)",
        "echo ${x:-$(X)}",
        "for i in $(X); do ls; done",
        "cat <<E\ntext\nE\nX",
        "ls # text\nX",
        "echo `X`",
        "timeout 5 sh -c 'X'",
    ];
    prop::collection::vec(0..PLACES.len(), 0..5).prop_map(move |places| {
        places.iter().fold(command.clone(), |text, place| {
            let place = PLACES[*place];
            // These do not stand in themselves without escapes.
            let again = ['\'', '`'].iter().any(|quote| place.contains(*quote) && text.contains(*quote));
            if again { text } else { place.replace('X', &text) }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_an_answer(text in "\\PC*|[a-z \"'$()|;&\\\\#`\n<>{}-]*") {
        let _ = of_shell(&text);
        let _ = commands(&text);
    }

    #[test]
    fn a_redirection_into_a_file_never_reads(text in somewhere("ls > /vvtv/file".to_owned())) {
        prop_assert!(!of_shell(&text).reads(), "{text}");
    }

    #[test]
    fn an_unknown_program_never_reads(text in "[a-z]{3,8}q[0-9]".prop_flat_map(|name| somewhere(format!("{name} a")))) {
        prop_assert!(!of_shell(&text).reads(), "{text}");
    }

    #[test]
    fn what_reads_reads_wherever_it_stands(text in somewhere("uptime".to_owned())) {
        let effect = of_shell(&text);
        // The parser does not take every `case` within brackets, and `$((` may be a sum: what is not certain cannot be said.
        let uncertain = text.contains("case") || text.contains("$((");
        let fine = effect.reads() || (uncertain && matches!(effect, Effect::CannotSay(_)));
        prop_assert!(fine, "{text}: {effect:?}");
    }

    #[test]
    fn an_unknown_program_never_reads_as_words(name in "[a-z]{3,8}q[0-9]", rest in prop::collection::vec("\\PC*", 0..4)) {
        let argv: Vec<&str> = std::iter::once(name.as_str()).chain(rest.iter().map(String::as_str)).collect();
        prop_assert!(!of_argv(&argv).reads());
    }
}
