use super::*;
use rstest::rstest;

fn of(language: &str, text: &str) -> Fence {
    read(&Code { language: language.to_owned(), line: 1, text: text.to_owned(), open: false }, "")
}

fn said(fence: Fence) -> String {
    match fence {
        Fence::Other(why) => why,
        Fence::Script(script) => {
            let of = |lines: &[CodeLine]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("|");
            let mut said = of(&script.linux);
            if !script.macos.is_empty() {
                said = format!("{said} macOS {}", of(&script.macos));
            }
            if !script.printed.is_empty() {
                said = format!("{said} printed {:?}", script.printed);
            }
            script.doubts.iter().fold(said, |said, doubt| format!("{said} ? {doubt}"))
        }
    }
}

#[rstest]
#[case("console", "$ df -h\nFilesystem Size\n$ uptime\n", "df -h|uptime printed [2]")]
#[case("", "$ cat <<EOF\na\n$ b\nEOF\nprinted\n", "cat <<EOF|a|$ b|EOF printed [5]")]
#[case("console", "$ for i in a b; do\n>   rm $i\n> done\n", "for i in a b; do|rm $i|done")]
#[case("", "$ for i in a b; do\n  rm $i\ndone\nok\n", "for i in a b; do|  rm $i|done printed [4]")]
#[case("", "$ kubectl get \\\n    pods\nNAME\n", "kubectl get \\|    pods printed [3]")]
#[case("console", "[root@node ~]# systemctl stop x\n", "systemctl stop x")]
#[case("", "root@node:~# reboot\n", "reboot")]
#[case("bash", "# only a comment\nuptime\n", "# only a comment|uptime")]
#[case("bash", "# only a comment\n", "comments, and no command")]
#[case("bash", "cd /x\nexport A=1\nrm -rf \"$A\"\n", "cd /x|export A=1|rm -rf \"$A\"")]
#[case("sh", "a\n# or on macOS:\nb\n", "a macOS # or on macOS:|b")]
#[case("", "NAME READY STATUS\nx 1/1 Running\n", "no commands, by its first line")]
#[case("", "key: value\n", "no commands, by its first line")]
#[case("", "sum(rate(x[5m]))\n", "no commands, by its first line")]
#[case("", "{\"a\": 1}\n", "no commands, by its first line")]
#[case("yaml", "a: b\n", "a `yaml` block has no commands")]
#[case("", "mysql> DROP TABLE x;\n", "a session in another program than a shell")]
#[case("", ">>> import os\n", "a session in another program than a shell")]
#[case("", "> rm -rf /x\n", "rm -rf /x")]
#[case("", "> /var/log/x\n", "/var/log/x ? `> /var/log/x`: a prompt, or a redirection that empties the file?")]
#[case("console", "uptime\n", "uptime ? a session without a prompt: are these commands, or what they print?")]
#[case("", "\n", "an empty block of code")]
fn blocks_of_code_are_told_apart(#[case] language: &str, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(said(of(language, text)), expected);
}

#[test]
fn what_a_text_announces_as_output_is_none_of_the_commands() {
    let code = Code { line: 1, text: "uptime\n".to_owned(), ..Code::default() };
    assert_eq!(read(&code, "The output looks like this:"), Fence::Other("what a command prints".to_owned()));
}

proptest::proptest! {
    #[test]
    fn any_text_is_an_answer(language in "(|bash|console|text)", text in "(\\$ |# |> |% |>>> |a@b\\$ |<<E|E|\n|\\\\|'|if |fi|do |\\PC)*") {
        let _ = of(&language, &text);
    }
}
