//! Programs that run another one: what they run, and where it begins.

use super::{Effect, Word};

/// What a command runs.
pub(crate) enum Inner {
    /// These words.
    Command(Vec<Word>),
    /// This text for a shell.
    Shell(String),
    /// Nothing, or what cannot be told from its words.
    Effect(Effect),
}

/// Variables that decide which programs run, or what they load.
const STEERING: [&str; 9] =
    ["PATH", "IFS", "ENV", "BASH_ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONPATH", "PERL5OPT"];

const SSH: &str = "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w";
/// Settings of ssh that run nothing on this side.
const SSH_SETTINGS: [&str; 12] = [
    "batchmode",
    "connecttimeout",
    "stricthostkeychecking",
    "serveraliveinterval",
    "serveralivecountmax",
    "user",
    "port",
    "loglevel",
    "passwordauthentication",
    "identityfile",
    "identitiesonly",
    "userknownhostsfile",
];

/// What a program runs; `None` if it runs no other one.
pub(crate) fn inner(name: &str, arguments: &[Word]) -> Option<Inner> {
    let plain = |valued, operands| behind(name, arguments, valued, operands);
    Some(match name {
        "nohup" | "setsid" | "chronic" | "unbuffer" | "builtin" | "busybox" | "toybox" | "caffeinate" | "eatmydata" => {
            plain("", 0)
        }
        "env" => env(arguments),
        "sudo" | "doas" => sudo(name, arguments),
        "nice" => plain("-n --adjustment", 0),
        "ionice" if !has(arguments, "-p -P -u --pid --pgid --uid") => plain("-c -n --class --classdata", 0),
        "stdbuf" => plain("-i -o -e --input --output --error", 0),
        "timeout" => plain("-s -k --signal --kill-after", 1),
        "time" if !has(arguments, "-o --output") => plain("-f --format", 0),
        "chroot" => plain("", 1),
        "nsenter" => plain("-t -S -G -w -r --target --setuid --setgid", 0),
        "command" | "type" if has(arguments, "-v -V") => Inner::Effect(Effect::Reads),
        "command" => plain("", 0),
        "exec" => plain("-a", 0),
        "watch" => joined(name, plain("-n --interval", 0)),
        "xargs" | "gxargs" => xargs(name, arguments),
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" => shell(name, arguments),
        "eval" => joined(name, Inner::Command(arguments.to_vec())),
        "trap" => trap(arguments),
        "su" | "runuser" => su(name, arguments),
        "ssh" => ssh(arguments),
        "export" | "readonly" | "local" if arguments.iter().any(steers) => {
            Inner::Effect(Effect::cannot_say(name, "decides which programs run"))
        }
        "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose" => {
            return exec_in_container(name, arguments);
        }
        "kubectl" | "oc" if arguments.first().and_then(Word::known) == Some("exec") => exec_in_pod(arguments),
        "ip" if known(arguments, 0) == "netns" && known(arguments, 1) == "exec" => {
            Inner::Command(arguments.get(3..).unwrap_or_default().to_vec())
        }
        _ => return None,
    })
}

/// Whether an assignment decides which programs run.
pub(super) fn steers(assignment: &Word) -> bool {
    let text = assignment.text();
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    STEERING.contains(&name)
}

fn known(words: &[Word], at: usize) -> &str {
    words.get(at).and_then(Word::known).unwrap_or_default()
}

/// Whether one of these options stands before the first operand.
fn has(arguments: &[Word], options: &str) -> bool {
    let mut given = arguments.iter().take_while(|word| word.prefix().starts_with('-'));
    given.any(|word| options.split(' ').any(|option| word.prefix().starts_with(option)))
}

/// Where the words behind the options and so many operands begin; `None` if it cannot be told.
fn begins(arguments: &[Word], valued: &str, operands: usize) -> Option<usize> {
    let takes_value = |text: &str| valued.split(' ').any(|option| option == text);
    let (mut at, mut left) = (0, operands);
    while let Some(word) = arguments.get(at) {
        let text = word.prefix();
        if word.may_be_option() {
            return None;
        }
        if text == "--" {
            return Some(at + 1 + left);
        }
        if text.len() > 1 && text.starts_with('-') {
            if takes_value(text) && arguments.get(at + 1).is_some_and(Word::may_split) {
                return None;
            }
            at += 1 + usize::from(takes_value(text));
        } else if left > 0 {
            left -= 1;
            at += 1;
        } else {
            break;
        }
    }
    Some(at)
}

fn behind(name: &str, arguments: &[Word], valued: &str, operands: usize) -> Inner {
    match begins(arguments, valued, operands) {
        Some(at) => Inner::Command(arguments.get(at..).unwrap_or_default().to_vec()),
        None => Inner::Effect(Effect::cannot_say(name, "is told only when it runs what to run")),
    }
}

/// Words as one text, which a shell takes apart again.
fn joined(name: &str, inner: Inner) -> Inner {
    let Inner::Command(words) = inner else { return inner };
    let texts: Option<Vec<&str>> = words.iter().map(Word::known).collect();
    match texts {
        Some(texts) => Inner::Shell(texts.join(" ")),
        None => Inner::Effect(Effect::cannot_say(name, "is told only when it runs what to run")),
    }
}

/// Leaves out assignments that come first.
fn without_assignments(name: &str, inner: Inner) -> Inner {
    let Inner::Command(words) = inner else { return inner };
    let assigns = |word: &&Word| word.prefix().split_once('=').is_some_and(|(name, _)| is_name(name));
    let assignments = words.iter().take_while(assigns).count();
    if words.iter().take(assignments).any(steers) {
        return Inner::Effect(Effect::cannot_say(name, "decides which programs run"));
    }
    Inner::Command(words.into_iter().skip(assignments).collect())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn env(arguments: &[Word]) -> Inner {
    if has(arguments, "-S --split-string") {
        return Inner::Effect(Effect::cannot_say("env -S", "takes its words apart by itself"));
    }
    without_assignments("env", behind("env", arguments, "-u -C --unset --chdir", 0))
}

fn sudo(name: &str, arguments: &[Word]) -> Inner {
    const VALUED: &str = "-u -g -h -p -C -T -R -D -r -t -U --user --group --host --prompt --chdir --chroot";
    if has(arguments, "-e --edit") {
        return Inner::Effect(Effect::changes(format!("{name} -e"), "edits files"));
    }
    match without_assignments(name, behind(name, arguments, VALUED, 0)) {
        Inner::Command(words) if words.is_empty() => {
            let asks = has(arguments, "-l -v -V --list --validate --version");
            let shell = || Effect::cannot_say(name, "starts a shell");
            Inner::Effect(if asks { Effect::Reads } else { shell() })
        }
        // What follows is put together again for a shell.
        Inner::Command(_) if has(arguments, "-s -i --shell --login") => {
            Inner::Effect(Effect::cannot_say(name, "gives its words to a shell"))
        }
        inner @ (Inner::Command(_) | Inner::Shell(_) | Inner::Effect(_)) => inner,
    }
}

/// What it reads comes in the place of `-I`'s text, or behind the words.
fn xargs(name: &str, arguments: &[Word]) -> Inner {
    const VALUED: &str = "-I -n -P -L -d -a -E -s --replace --max-args --max-procs --max-lines --delimiter --arg-file";
    let inner = behind(name, arguments, VALUED, 0);
    let Inner::Command(mut words) = inner else { return inner };
    if words.is_empty() {
        return Inner::Effect(Effect::Reads);
    }
    let replaced = arguments.iter().zip(arguments.iter().skip(1)).find_map(|(option, value)| match option.prefix() {
        "-I" | "--replace" => Some(value.text().to_owned()),
        text => text.strip_prefix("-I").or(text.strip_prefix("-i")).map(str::to_owned),
    });
    let replaced = replaced.map(|text| if text.is_empty() { "{}".to_owned() } else { text });
    match replaced {
        Some(place) => {
            for word in &mut words {
                if let Some(at) = word.text().find(&place) {
                    let text = word.text().to_owned();
                    *word = Word::quoted(text, at);
                }
            }
        }
        None => words.push(Word::several("what it reads".to_owned())),
    }
    Inner::Command(words)
}

fn shell(name: &str, arguments: &[Word]) -> Inner {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.prefix();
        if word.may_be_option() || !text.starts_with(['-', '+']) {
            break;
        }
        let letters = text.get(1..).filter(|letters| !letters.starts_with('-')).unwrap_or_default();
        if letters.contains('o') {
            words.next();
        }
        if letters.contains('c') {
            return match words.next() {
                Some(text) if text.known().is_some() => Inner::Shell(text.text().to_owned()),
                Some(_) | None => {
                    Inner::Effect(Effect::cannot_say(format!("{name} -c"), "is told only when it runs what to run"))
                }
            };
        } else if text == "-n" {
            return Inner::Effect(Effect::Reads);
        }
    }
    Inner::Effect(Effect::cannot_say(name, "runs a script that is not looked at"))
}

fn trap(arguments: &[Word]) -> Inner {
    match arguments.first() {
        None => Inner::Effect(Effect::Reads),
        Some(word) => match word.known() {
            Some("-" | "-l" | "-p" | "") => Inner::Effect(Effect::Reads),
            Some("--") => trap(arguments.get(1..).unwrap_or_default()),
            Some(text) => Inner::Shell(text.to_owned()),
            None => Inner::Effect(Effect::cannot_say("trap", "is told only when it runs what to run")),
        },
    }
}

fn su(name: &str, arguments: &[Word]) -> Inner {
    let text = arguments.iter().position(|word| matches!(word.prefix(), "-c" | "--command"));
    match text.and_then(|at| arguments.get(at + 1)).map(|word| (word.known().is_some(), word.text())) {
        Some((true, text)) => Inner::Shell(text.to_owned()),
        Some((false, _)) => Inner::Effect(Effect::cannot_say(name, "is told only when it runs what to run")),
        None if name == "runuser" && has(arguments, "-u --user") => {
            behind(name, arguments, "-u -g -G --user --group", 0)
        }
        None => Inner::Effect(Effect::cannot_say(name, "starts a shell")),
    }
}

/// The words behind the host are put together for the shell on the other side.
fn ssh(arguments: &[Word]) -> Inner {
    let mut settings = arguments.iter().zip(arguments.iter().skip(1)).filter(|(option, _)| option.prefix() == "-o");
    let odd = settings.find(|(_, value)| {
        let name = value.prefix().split(['=', ' ']).next().unwrap_or_default().to_ascii_lowercase();
        !SSH_SETTINGS.contains(&name.as_str())
    });
    if let Some((_, value)) = odd {
        return Inner::Effect(Effect::cannot_say(format!("ssh -o {}", value.text()), "may run something on this side"));
    }
    if has(arguments, "-L -R -D -w -W -O -E -F -S -f -N") {
        return Inner::Effect(Effect::cannot_say("ssh", "opens more than a command's connection"));
    }
    match behind("ssh", arguments, SSH, 1) {
        Inner::Command(words) if words.is_empty() => Inner::Effect(Effect::cannot_say("ssh", "starts a shell")),
        inner @ (Inner::Command(_) | Inner::Shell(_) | Inner::Effect(_)) => joined("ssh", inner),
    }
}

/// `docker exec`, `docker container exec`, `docker compose exec`, with whatever is told of the container behind it.
fn exec_in_container(name: &str, arguments: &[Word]) -> Option<Inner> {
    const VALUED: &str = "-e -u -w --env --user --workdir --env-file --detach-keys --index";
    let at = match (known(arguments, 0), known(arguments, 1)) {
        ("exec", _) => 1,
        ("container" | "compose", "exec") => 2,
        _ => return None,
    };
    Some(behind(name, arguments.get(at..).unwrap_or_default(), VALUED, 1))
}

fn exec_in_pod(arguments: &[Word]) -> Inner {
    match arguments.iter().position(|word| word.known() == Some("--")) {
        Some(at) if arguments.iter().take(at).all(|word| !word.may_split()) => {
            Inner::Command(arguments.get(at + 1..).unwrap_or_default().to_vec())
        }
        Some(_) | None => Inner::Effect(Effect::cannot_say("kubectl exec", "needs `--` before what it runs")),
    }
}
