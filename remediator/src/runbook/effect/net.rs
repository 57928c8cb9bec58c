//! Programs of the network whose options decide: curl, wget, openssl, netcat, ethtool and the like.

use super::arguments::{Given, Style, sort};
use super::table::is_nowhere;
use super::{Effect, Word};

const WRITES: &str = "writes a file";
const SENDS: &str = "sends something that may change what it is sent to";
const UNKNOWN: &str = "is not in the table of what programs do";

const CURL: &str = "-A -b -c -C -d -D -e -E -F -h -H -K -m -o -P -Q -r -t -T -u -U -w -x -X -y -Y -z --output --data --data-raw \
                    --data-binary --data-urlencode --data-ascii --json --form --form-string --request --header --user --max-time \
                    --connect-timeout --write-out --user-agent --cookie --cookie-jar --dump-header --proxy --cacert --cert --key \
                    --resolve --retry --retry-delay --max-redirs --proto --url --config --upload-file --trace --trace-ascii --stderr \
                    --interface --range --referer --quote --libcurl --etag-save --hsts --alt-svc --unix-socket --max-filesize";

pub(super) fn curl(what: &str, words: &[Word], _: usize) -> Effect {
    let given = sort(words, CURL, Style::Getopt);
    let as_query = given.has("-G --get");
    let one = |option: &Given<'_>| -> Effect {
        let said = || format!("{what} {}", option.name);
        let value = option.value.as_ref().and_then(|value| value.known());
        if option.is_one_of("-o --output -D --dump-header --trace --trace-ascii --stderr -c --cookie-jar") {
            return if value.is_some_and(is_nowhere) { Effect::Reads } else { Effect::changes(said(), WRITES) };
        }
        if option.is_one_of("-O -J --remote-name --remote-name-all --remote-header-name --output-dir --libcurl --etag-save --hsts --alt-svc") {
            return Effect::changes(said(), WRITES);
        }
        if option.is_one_of("-X --request") {
            return match value.map(str::to_ascii_uppercase).as_deref() {
                Some("GET" | "HEAD" | "OPTIONS") => Effect::Reads,
                Some(method) => Effect::changes(format!("{} {method}", said()), SENDS),
                None => Effect::cannot_say(said(), "is told only when it runs what to ask"),
            };
        }
        if option.is_one_of("-d --data --data-raw --data-binary --data-urlencode --data-ascii --url-query") {
            return if as_query || option.name == "--url-query" {
                Effect::Reads
            } else {
                Effect::changes(said(), SENDS)
            };
        }
        if option.is_one_of("-F -T --json --form --form-string --upload-file --mail-from --mail-rcpt") {
            return Effect::changes(said(), SENDS);
        }
        if option.is_one_of("-K -Q --config --quote -t --telnet-option --next") {
            return Effect::cannot_say(said(), "tells it more than is looked at");
        }
        Effect::Reads
    };
    unsure(what, given.unsure).and(Effect::all(given.options.iter().map(one)))
}

/// It writes what it gets, unless it is told to print it or to throw it away.
pub(super) fn wget(what: &str, words: &[Word], _: usize) -> Effect {
    const VALUED: &str = "-O -o -a -T -t -U -P -e -i -B -Q -w --output-document --output-file --timeout --tries --user-agent --header \
                          --method --body-data --body-file --post-data --post-file --user --password --directory-prefix";
    let given = sort(words, VALUED, Style::Getopt);
    if let Some(option) = given.given("--post-data --post-file --method --body-data --body-file").next() {
        return Effect::changes(format!("{what} {}", option.name), SENDS);
    }
    if let Some(option) = given.given("-e --execute --use-askpass --config").next() {
        return Effect::cannot_say(format!("{what} {}", option.name), "tells it more than is looked at");
    }
    let nowhere = |option: &Given<'_>| option.value.as_ref().and_then(|value| value.known()).is_some_and(is_nowhere);
    let mut written =
        given.given("-o -a -O --output-file --append-output --output-document --save-cookies --warc-file --hsts-file");
    if let Some(option) = written.find(|option| !nowhere(option)) {
        return Effect::changes(format!("{what} {}", option.name), WRITES);
    }
    let prints = given.has("--spider -V --version") || given.has("-O --output-document");
    if prints { unsure(what, given.unsure) } else { Effect::changes(what, "writes what it gets into a file") }
}

/// `-z` only asks whether somebody listens.
pub(super) fn netcat(what: &str, words: &[Word], _: usize) -> Effect {
    let given = sort(words, "-w -p -s -i -q", Style::Getopt);
    let asks = given.has("-z") && given.options.iter().all(|option| option.is_one_of("-z -v -w -n -u -4 -6"));
    if asks && given.unsure.is_none() { Effect::Reads } else { Effect::cannot_say(what, "sends what it reads") }
}

pub(super) fn openssl(what: &str, words: &[Word], _: usize) -> Effect {
    const VERBS: [&str; 9] = ["version", "x509", "s_client", "verify", "ciphers", "crl", "dgst", "asn1parse", "req"];
    const WRITES_WITH: [&str; 8] =
        ["-out", "-keyout", "-sess_out", "-CAcreateserial", "-writerand", "-newkey", "-new", "-keylogfile"];
    let verb = words.first().and_then(Word::known).unwrap_or_default();
    let said = format!("{what} {verb}");
    if let Some(word) = words.iter().find(|word| word.may_be_option()) {
        return unsure(&said, Some(word));
    }
    if let Some(word) = words.iter().find(|word| WRITES_WITH.contains(&word.prefix())) {
        return Effect::changes(format!("{said} {}", word.text()), WRITES);
    }
    if VERBS.contains(&verb) { Effect::Reads } else { Effect::cannot_say(said, UNKNOWN) }
}

/// ethtool's first option says what it does; without one it shows.
pub(super) fn ethtool(what: &str, words: &[Word], _: usize) -> Effect {
    const SHOWS: [&str; 30] = [
        "-a",
        "-c",
        "-g",
        "-i",
        "-d",
        "-e",
        "-k",
        "-P",
        "-S",
        "-n",
        "-u",
        "-x",
        "-T",
        "-l",
        "-m",
        "--show-pause",
        "--show-coalesce",
        "--show-ring",
        "--driver",
        "--show-features",
        "--show-offload",
        "--statistics",
        "--show-permaddr",
        "--show-channels",
        "--module-info",
        "--show-eee",
        "--show-fec",
        "--show-priv-flags",
        "--show-time-stamping",
        "--version",
    ];
    match words.first() {
        Some(word) if word.may_be_option() => unsure(what, Some(word)),
        Some(word) if word.prefix().starts_with('-') && !SHOWS.contains(&word.prefix()) => {
            Effect::changes(format!("{what} {}", word.text()), "sets the interface")
        }
        Some(_) | None => Effect::Reads,
    }
}

pub(super) fn firewall_cmd(what: &str, words: &[Word], _: usize) -> Effect {
    let shows = |word: &Word| {
        let text = word.prefix();
        [
            "--state",
            "--list-",
            "--get-",
            "--query-",
            "--info-",
            "--zone=",
            "--permanent",
            "--version",
            "--direct",
            "--check-config",
        ]
        .iter()
        .any(|shown| text.starts_with(shown))
            || !text.starts_with('-')
    };
    match words.iter().find(|word| word.may_be_option() || !shows(word)) {
        Some(word) => Effect::changes(format!("{what} {}", word.text()), "alters what the network lets through"),
        None => Effect::Reads,
    }
}

/// macOS: `-get…`, `-list…` and `-show…` only tell.
pub(super) fn networksetup(what: &str, words: &[Word], _: usize) -> Effect {
    let verb = words.first().map(Word::prefix).unwrap_or_default();
    if ["-get", "-list", "-show"].iter().any(|shown| verb.starts_with(shown)) {
        return Effect::Reads;
    }
    Effect::changes(format!("{what} {verb}"), "alters interfaces, routes or addresses")
}

fn unsure(what: &str, word: Option<&Word>) -> Effect {
    match word {
        Some(word) => Effect::cannot_say(
            what,
            format!("may get options from `{}`: put it in quotes, after other text", word.text()),
        ),
        None => Effect::Reads,
    }
}
