//! Commands for a person at a terminal, as commands that end by themselves and need none.

use crate::verbs::check::refused;

/// A command that a step can run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    pub(super) linux: String,
    /// Where macOS has another form of it.
    pub(super) macos: Option<String>,
    /// What a person should look at.
    pub(super) notes: Vec<String>,
}

/// The bounded form; what has none is left as it is, and said to be refused.
pub(super) fn bounded(text: &str) -> Bounded {
    let (linux, macos) = rewrite(text);
    let mut notes = Vec::new();
    if linux != text {
        notes.push(format!("the page has `{text}`, for a person at a terminal: is this form what was meant?"));
    } else if macos.is_some() {
        notes.push("macOS has other options: is its form what was meant?".to_owned());
    }
    for message in refused(&linux) {
        notes.push(format!("`check` refuses it: {message}"));
    }
    if linux.starts_with("nginx -t") {
        notes.push(
            "it opens NGINX's logs and process id for writing: where NGINX is another user's, bin/check-nginx does the same".to_owned(),
        );
    }
    if linux.contains("://") {
        notes.push(
            "an address with a stream's name in it: write {{ target | segment }} for the name if it is the target's"
                .to_owned(),
        );
    }
    if let Some(at) = linux.split_whitespace().find(|word| word.starts_with("/tmp/")) {
        notes.push(format!(
            "{at} is everybody's: what is written to {{{{ incident.attachments }}}} is kept with the incident"
        ));
    }
    Bounded { linux, macos, notes }
}

fn rewrite(text: &str) -> (String, Option<String>) {
    let mut words = text.split_whitespace();
    let program = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let has = |option: &str| rest.contains(&option);
    match program {
        "top" | "htop" | "atop" if !has("-b") => {
            let all = "top -b -n 1 | head -n 30".to_owned();
            let of = |name: &str| {
                format!("pids=$(pgrep -d, {name}) && top -b -n 1 -p \"$pids\" || echo 'no {name} process'")
            };
            (pgrep(text).map_or(all, of), Some("top -l 1 -n 20 -o cpu".to_owned()))
        }
        "iftop" | "nload" | "bmon" => ("ip -s link".to_owned(), Some("netstat -ib".to_owned())),
        "iostat" => match rest.as_slice() {
            ["-x", every, times] => (text.to_owned(), Some(format!("iostat -w {every} -c {times}"))),
            _ => (text.to_owned(), None),
        },
        "free" => (text.to_owned(), Some("vm_stat".to_owned())),
        "watch" => {
            let inner = text.find(['\'', '"']).and_then(|at| text.get(at + 1..text.len() - 1));
            (inner.unwrap_or(text).to_owned(), None)
        }
        "ps" if text.starts_with("ps aux | grep ") && plain(text.trim_start_matches("ps aux | grep ")) => {
            let name = text.trim_start_matches("ps aux | grep ");
            // The brackets keep grep from finding itself.
            let (first, others) = name.split_at(1);
            // Without arguments: they may hold keys.
            (
                format!("ps -axo pid,etime,pcpu,rss,stat,comm | grep '[{first}]{others}' || echo 'no {name} process'"),
                None,
            )
        }
        "ffprobe" if text.contains("://") && !has("-rw_timeout") => (with(text, program, "-rw_timeout 5000000"), None),
        "curl" if !has("--max-time") && !has("-m") => (with(text, program, "--max-time 5"), None),
        "systemctl" if has("status") && !has("--no-pager") => (text.replacen("status", "status --no-pager", 1), None),
        "journalctl" if has("-f") => (format!("{} -n 100 --no-pager", text.replacen(" -f", "", 1)), None),
        "tail" if has("-f") => (text.replacen("-f", "-n 100", 1), None),
        "sudo" if !has("-n") => (with(text, program, "-n"), None),
        "ls" => (counted_tail(text).unwrap_or_else(|| text.to_owned()), None),
        _ => (text.to_owned(), None),
    }
}

/// `… | tail -10` as `… | tail -n 10`, which every `tail` takes.
fn counted_tail(text: &str) -> Option<String> {
    let (before, count) = text.rsplit_once("| tail -")?;
    let number = !count.is_empty() && count.chars().all(|c| c.is_ascii_digit());
    number.then(|| format!("{before}| tail -n {count}"))
}

/// The command with an option directly behind the program.
fn with(text: &str, program: &str, option: &str) -> String {
    text.replacen(program, &format!("{program} {option}"), 1)
}

/// The plain name that `$(pgrep …)` looks for.
fn pgrep(text: &str) -> Option<&str> {
    let inside = text.split_once("$(pgrep ")?.1.split_once(')')?.0;
    inside.split_whitespace().last().filter(|name| plain(name))
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "top -p $(pgrep ffmpeg)",
        "pids=$(pgrep -d, ffmpeg) && top -b -n 1 -p \"$pids\" || echo 'no ffmpeg process'"
    )]
    #[case("htop", "top -b -n 1 | head -n 30")]
    #[case("iftop -t -s 60", "ip -s link")]
    #[case("watch -n 2 'vvtvctl streaming metrics'", "vvtvctl streaming metrics")]
    #[case("ps aux | grep nginx", "ps -axo pid,etime,pcpu,rss,stat,comm | grep '[n]ginx' || echo 'no nginx process'")]
    #[case("curl -I http://h/x", "curl --max-time 5 -I http://h/x")]
    #[case("journalctl -u nginx-rtmp -f", "journalctl -u nginx-rtmp -n 100 --no-pager")]
    #[case("tail -f /var/log/syslog", "tail -n 100 /var/log/syslog")]
    #[case("sudo launchctl unload x", "sudo -n launchctl unload x")]
    #[case("ls -la /x | tail -10", "ls -la /x | tail -n 10")]
    #[case("ping -c 10 8.8.8.8", "ping -c 10 8.8.8.8")]
    fn commands_for_a_terminal_have_a_form_that_ends(#[case] page: &str, #[case] expected: &str) {
        let bounded = bounded(page);
        assert_eq!(bounded.linux, expected);
        assert_eq!(refused(&bounded.linux), [] as [&str; 0]);
        assert_eq!(bounded.notes.is_empty(), page == expected);
    }

    #[test]
    fn what_has_no_such_form_is_named() {
        let notes = bounded("ping 8.8.8.8").notes;
        assert_eq!(notes, ["`check` refuses it: `ping` never ends: write `ping -c 10 HOST`"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "(top|watch|ps aux \\| grep|curl|journalctl|sudo|tail|iostat) ?\\PC*") {
            let _ = bounded(&text);
        }
    }
}
