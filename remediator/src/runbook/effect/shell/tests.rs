use rstest::rstest;

use super::*;

#[rstest]
#[case("ps aux | grep '[f]fmpeg' || echo 'no process'", &["ps aux", "grep [f]fmpeg", "echo no process"])]
#[case("pids=$(pgrep -d, ffmpeg) && top -b -p \"$pids\"", &["pgrep -d, ffmpeg", "top -b -p $pids"])]
#[case("echo \"now $(tail -f \"a b\") later\"; ls", &["tail -f a b", "echo now $ later", "ls"])]
#[case("A=1 B=2; if ! tail -f x; then ls; fi # top", &["tail -f x", "ls"])]
#[case("echo 'it is; | fine' \\; x", &["echo it is; | fine ; x"])]
#[case("a\\\nb c", &["ab c"])]
#[case("while true; do ls; done", &["true", "ls", "while true"])]
#[case("for i in 1 2; do cat <<E | wc -l\n$i; rm\nE\ndone", &["cat", "wc -l"])]
#[case("case $x in a|b) ls ;; *) (id; { w; }) ;; esac >/dev/null", &["ls", "id", "w"])]
#[case("f() { ls \"$@\"; }; f a", &["ls $@", "f a"])]
#[case("ls 'unclosed", &[])]
fn commands_are_found(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(commands(text).iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
}
