//! Commands without end, or that need a terminal: a step has neither patience nor a terminal. Each is refused with its bounded form.

use super::Weight;
use crate::runbook::effect::{self, Inner, Word};

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) weight: Weight,
    pub(super) message: String,
}

/// Looks at every command of a shell text.
pub(super) fn shell(text: &str) -> Vec<Trouble> {
    let commands = effect::commands(text);
    commands.iter().flat_map(|words| command(&words.iter().map(String::as_str).collect::<Vec<_>>())).collect()
}

/// Looks at one command, and at what it runs.
pub(super) fn command(words: &[&str]) -> Vec<Trouble> {
    let Some((program, arguments)) = words.split_first() else { return Vec::new() };
    let name = program.rsplit('/').next().unwrap_or(program);
    let given: Vec<Word> = arguments.iter().map(|word| Word::fixed(*word)).collect();
    let mut found = match effect::inner(name, &given) {
        Some(Inner::Command(words)) => command(&words.iter().map(Word::text).collect::<Vec<_>>()),
        Some(Inner::Shell(text)) => shell(&text),
        Some(Inner::Effect(_)) | None => Vec::new(),
    };
    match name {
        // What it bounds may still want a terminal, but ends.
        "timeout" => found.retain(|trouble| trouble.message.contains("terminal")),
        "sudo" => {
            let own = arguments.iter().position(|word| !word.starts_with('-')).unwrap_or(arguments.len());
            if !has(arguments.get(..own).unwrap_or_default(), 'n', "--non-interactive") {
                found.push(refuse("`sudo` may ask for a password and wait for ever: write `sudo -n`"));
            }
        }
        _ => {}
    }
    found.extend(look(name, arguments));
    found
}

fn look(name: &str, arguments: &[&str]) -> Option<Trouble> {
    let message = match name {
        "top" if has(arguments, 'b', "--batch") && has(arguments, 'n', "--iterations") => return None,
        "top" if has(arguments, 'l', "") => return None,
        "top" => "`top` needs a terminal and never ends: write `top -b -n 1` (macOS: `top -l 1`)",
        "htop" | "atop" | "glances" | "btop" => "it needs a terminal: write `top -b -n 1 -p PID` (macOS: `top -l 1`)",
        "iotop" if has(arguments, 'b', "--batch") && has(arguments, 'n', "--iter") => return None,
        "iotop" => "`iotop` needs a terminal and never ends: write `iotop -b -n 1`",
        "iftop" | "nload" | "bmon" | "nethogs" => {
            "it needs a terminal and never ends: write `ip -s link` (macOS: `netstat -ib`)"
        }
        "watch" => "`watch` needs a terminal and never ends: run the command itself, once",
        "less" | "more" | "man" | "vi" | "vim" | "nano" => "it needs a terminal: write `cat` or `tail -n 100`",
        "journalctl" if has(arguments, 'f', "--follow") => {
            "`journalctl -f` never ends: write `journalctl -n 100 --no-pager`"
        }
        "tail" if has(arguments, 'f', "--follow") || has(arguments, 'F', "--retry") => {
            "`tail -f` never ends: write `tail -n 100`"
        }
        "dmesg" if has(arguments, 'w', "--follow") => "`dmesg -w` never ends: write `dmesg | tail -n 100`",
        "docker" | "podman" | "kubectl" if arguments.contains(&"logs") && has(arguments, 'f', "--follow") => {
            "following logs never ends: write `logs --tail 100`"
        }
        "docker" | "podman" if arguments.contains(&"stats") && !arguments.contains(&"--no-stream") => {
            "`stats` never ends: write `stats --no-stream`"
        }
        "ping" | "ping6" if !has(arguments, 'c', "") && !has(arguments, 'w', "") => {
            "`ping` never ends: write `ping -c 10 HOST`"
        }
        "mtr" if !has(arguments, 'r', "--report") => "`mtr` needs a terminal: write `mtr --report`",
        "tcpdump" if !has(arguments, 'c', "") => "`tcpdump` never ends: write `tcpdump -c 100`",
        "strace" => "`strace` ends only with what it traces: write `timeout 5 strace …`",
        "sleep" if arguments.contains(&"infinity") => "`sleep infinity` never ends",
        "yes" => "`yes` never ends",
        "while" if matches!(arguments.first(), Some(&("true" | ":"))) => "this loop never ends: count its turns",
        "until" if arguments.first() == Some(&"false") => "this loop never ends: count its turns",
        "iostat" | "vmstat" | "mpstat" | "pidstat" | "sar" => return sampler(name, arguments),
        "ffprobe" | "ffmpeg" if from_network(arguments) && !limited(arguments, &["-rw_timeout", "-timeout"]) => {
            return Some(warn("a server that hangs is waited for until the step's timeout: add `-rw_timeout 5000000`"));
        }
        "curl" if !has(arguments, 'm', "--max-time") => {
            return Some(warn("a server that hangs is waited for until the step's timeout: add `--max-time 5`"));
        }
        "ssh" if !arguments.iter().any(|word| word.contains("BatchMode=yes")) => {
            return Some(warn("`ssh` may ask for a password: add `-o BatchMode=yes -o ConnectTimeout=5`"));
        }
        _ => return None,
    };
    Some(refuse(message))
}

/// `iostat -x 1`: an interval without a count never ends. macOS writes `iostat -w 1 -c 5`.
fn sampler(name: &str, arguments: &[&str]) -> Option<Trouble> {
    let is_number = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let mut numbers = 0;
    let mut previous = "";
    for word in arguments {
        if is_number(word) && !matches!(previous, "-w" | "-c" | "-p" | "-P") {
            numbers += 1;
        }
        previous = word;
    }
    let endless = numbers == 1 || (arguments.contains(&"-w") && !arguments.contains(&"-c"));
    endless.then(|| refuse(&format!("`{name}` with an interval and no count never ends: write `{name} 1 5`")))
}

/// Whether a short option (also among others, as in `-bn1`) or a long one is given.
pub(super) fn has(arguments: &[&str], short: char, long: &str) -> bool {
    arguments.iter().any(|word| match word.strip_prefix("--") {
        Some(_) => !long.is_empty() && (*word == long || word.starts_with(&format!("{long}="))),
        None => word.strip_prefix('-').is_some_and(|letters| letters.contains(short)),
    })
}

fn limited(arguments: &[&str], options: &[&str]) -> bool {
    arguments.iter().any(|word| options.contains(word))
}

fn from_network(arguments: &[&str]) -> bool {
    arguments.iter().any(|word| ["rtmp://", "rtmps://", "http://", "https://"].iter().any(|it| word.starts_with(it)))
}

fn refuse(message: &str) -> Trouble {
    Trouble { weight: Weight::Error, message: message.to_owned() }
}

fn warn(message: &str) -> Trouble {
    Trouble { weight: Weight::Warning, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("top -p 1")]
    #[case("top -b -p 1")]
    #[case("/usr/bin/htop")]
    #[case("iftop -t -s 60")]
    #[case("watch -n 2 'vvtvctl streaming metrics --live'")]
    #[case("journalctl -u nginx-rtmp -f --since '10 minutes ago'")]
    #[case("tail -100f /vvtv/logs/streaming.log")]
    #[case("tail --follow=name x")]
    #[case("ping 8.8.8.8")]
    #[case("iostat -x 1")]
    #[case("iostat -w 1")]
    #[case("vmstat 1")]
    #[case("sudo tail -n 5 x")]
    #[case("sudo -n top")]
    #[case("timeout 5 htop")]
    #[case("ls; echo x | sh -c 'ping host'")]
    #[case("echo \"$(top -p 1)\"")]
    #[case("while true; do ls; done")]
    fn what_has_no_end_or_needs_a_terminal_is_refused(#[case] text: &str) {
        assert!(shell(text).iter().any(|trouble| trouble.weight == Weight::Error), "{text}");
    }

    #[rstest]
    #[case("top -b -n 1 -p 1")]
    #[case("top -bn1")]
    #[case("top -l 1")]
    #[case("tail -n 100 /vvtv/logs/streaming.log | grep ERROR")]
    #[case("ls -la /vvtv/storage/ready/ | tail -10")]
    #[case("journalctl -u nginx-rtmp -n 100 --no-pager")]
    #[case("ping -c 10 8.8.8.8")]
    #[case("iostat -x 1 5")]
    #[case("iostat -w 1 -c 5")]
    #[case("vmstat")]
    #[case("timeout 5 ping host")]
    #[case("sudo -n launchctl list")]
    #[case("ffprobe -rw_timeout 5000000 rtmp://h/a")]
    #[case("curl -sS -I --max-time 5 http://h/")]
    #[case("echo 'top; watch'")]
    fn bounded_forms_are_fine(#[case] text: &str) {
        assert_eq!(shell(text), []);
    }

    #[rstest]
    #[case("ffprobe rtmp://localhost/live/main")]
    #[case("curl -I http://localhost:8080/hls/main.m3u8")]
    #[case("ssh host uptime")]
    fn what_only_the_step_s_timeout_ends_is_a_warning(#[case] text: &str) {
        assert!(matches!(shell(text).as_slice(), [Trouble { weight: Weight::Warning, .. }]), "{text}");
    }
}
