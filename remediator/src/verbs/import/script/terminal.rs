//! What a person at a terminal does with care, or what only works there or in one shell.

use super::CodeLine;
use crate::verbs::import::session::is_command;

const SHELLS: [&str; 6] = ["sh", "bash", "zsh", "ash", "/bin/sh", "/bin/bash"];

/// Why a step cannot type what a person types: a command opens a shell of its own, and what follows is meant for that one.
pub(super) fn waits<'a>(lines: impl Iterator<Item = &'a CodeLine>) -> Vec<String> {
    let lines: Vec<&CodeLine> = lines.filter(|line| is_command(line)).collect();
    let mut waits = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let text = line.text.trim();
        if !opens_a_shell(text) {
            continue;
        }
        waits.push(if index + 1 < lines.len() {
            format!("where what follows `{text}` runs: a person types it into what that opens")
        } else {
            format!("what is to be typed into what `{text}` opens: it waits for a person")
        });
    }
    waits
}

fn opens_a_shell(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut words = words.as_slice();
    if let ["sudo", rest @ ..] = words {
        words = without_options(rest);
        if words.is_empty() {
            return rest.iter().any(|word| ["-i", "-s", "--login", "--shell"].contains(word));
        }
    }
    let Some((program, rest)) = words.split_first() else { return false };
    let has = |wanted: &[&str]| rest.iter().any(|word| wanted.contains(word));
    let ends_in_shell = rest.last().is_some_and(|word| SHELLS.contains(word));
    let piped = text.contains(['|', '<', ';', '&']);
    match *program {
        "ssh" => positional(rest, &["-i", "-l", "-p", "-o", "-J", "-F", "-L", "-R"]) == 1 && !piped,
        "su" => !has(&["-c", "--command"]),
        "oc" | "kubectl" if has(&["rsh"]) => true,
        "oc" | "kubectl" if has(&["debug"]) => !has(&["--"]),
        "oc" | "kubectl" | "docker" | "podman" => has(&["exec", "run"]) && ends_in_shell,
        "chroot" => positional(rest, &[]) == 1 || ends_in_shell,
        "psql" | "mysql" | "mariadb" | "mongosh" => {
            !has(&["-c", "-f", "-e", "-l", "--command", "--file", "--execute", "--list", "--eval"]) && !piped
        }
        "redis-cli" => positional(rest, &["-h", "-p", "-a", "-n"]) == 0 && !piped,
        "screen" | "tmux" => true,
        shell => SHELLS.contains(&shell) && rest.is_empty(),
    }
}

/// What `sudo` runs.
fn without_options<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    match words {
        ["-u" | "-g" | "-h" | "-D", _, rest @ ..] => without_options(rest),
        [option, rest @ ..] if option.starts_with('-') => without_options(rest),
        rest => rest,
    }
}

/// How many words are neither options nor what these take.
fn positional(words: &[&str], with_value: &[&str]) -> usize {
    let mut before = "";
    let mut count = 0;
    for word in words {
        if !word.starts_with('-') && !with_value.contains(&before) {
            count += 1;
        }
        before = word;
    }
    count
}

/// The first word of a text that is known for what cannot be taken back.
pub(super) fn irreversible(text: &str) -> Option<&str> {
    const WORDS: &str = "rm rmdir unlink shred dd truncate wipefs mkfs fdisk parted lvremove vgremove -delete --delete delete drop \
                         purge prune destroy format reboot shutdown poweroff halt kill pkill killall promote DROP DELETE TRUNCATE";
    let mut words = text.split(|c: char| c.is_whitespace() || ";|&(){}\"'`".contains(c));
    words.find(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        WORDS.split_ascii_whitespace().any(|known| known == name)
            || name.starts_with("mkfs.")
            || name.starts_with("purge_")
    })
}

/// Whether a text has what `/bin/sh` (POSIX.1-2024, Shell Command Language) reads otherwise than `bash`.
pub(super) fn needs_bash(text: &str) -> bool {
    let forms = ["[[ ", "<<<", "<(", ">(", "&>", "|&", "pipefail", "=(", "{1..", "{0..", "read -p"];
    let arithmetic =
        text.match_indices("((").any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with('$')));
    let words = ["function", "source", "declare", "shopt", "mapfile", "readarray"];
    let first = |line: &str| line.split_whitespace().next().is_some_and(|word| words.contains(&word));
    arithmetic || forms.iter().any(|form| text.contains(form)) || text.lines().any(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ssh node1", true)]
    #[case("ssh -p 22 node1", true)]
    #[case("ssh node1 uptime", false)]
    #[case("sudo -i", true)]
    #[case("sudo systemctl restart x", false)]
    #[case("sudo -u postgres psql", true)]
    #[case("su - postgres", true)]
    #[case("su postgres -c 'psql -l'", false)]
    #[case("oc debug node/x", true)]
    #[case("oc debug node/x -- chroot /host df", false)]
    #[case("oc rsh -n etcd pod-0", true)]
    #[case("kubectl exec -it pod -- bash", true)]
    #[case("kubectl exec pod -- df", false)]
    #[case("psql -c 'select 1'", false)]
    #[case("psql", true)]
    #[case("redis-cli info", false)]
    #[case("bash", true)]
    #[case("bash x.sh", false)]
    fn what_waits_for_a_person_is_known(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(opens_a_shell(text), expected);
    }

    #[rstest]
    #[case("systemctl stop x && rm -rf /x", Some("rm"))]
    #[case("/sbin/mkfs.ext4 /dev/sdb", Some("/sbin/mkfs.ext4"))]
    #[case("kubectl delete pod x", Some("delete"))]
    #[case("systemctl restart x", None)]
    fn what_cannot_be_taken_back_is_known(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(irreversible(text), expected);
    }

    #[rstest]
    #[case("[[ -f x ]] && y", true)]
    #[case("diff <(a) <(b)", true)]
    #[case("x &> y", true)]
    #[case("echo $((1 + 2))", false)]
    #[case("if [ -f x ]; then y; fi > z 2>&1", false)]
    fn what_only_bash_has_is_known(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(needs_bash(text), expected);
    }
}
