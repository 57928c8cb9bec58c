//! Command lines: flags whose value is a secret, and programs that take one under a flag that says nothing.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::MARK;
use super::names::{Sense, sense};
use super::pairs::is_plain_stream_id;
use super::pattern::compile;
use super::shapes::{Needled, Rule, each};
use super::spans::Spans;

/// Words after a flag in a sentence.
const WORDS: [&str; 16] = [
    "and", "are", "as", "cannot", "for", "from", "has", "in", "instead", "is", "must", "needs", "or", "to", "was",
    "with",
];

/// A flag of two or more letters and what follows it. The value is looked at anew, as it may be the next flag.
static FLAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(r#"(?:^|[\s"'\[,(])--?(?P<name>[A-Za-z][\w.-]{1,60})["']?(?:\s+|\s*,\s*)(?P<v>\\?"[^"]*|'[^']*|[^\s"']+)"#)
});

static LAST_FLAG: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile(r#"(?:^|[\s"'\[,(])--?(?P<name>[A-Za-z][\w.-]{1,60})["']?,?\s*\\?$"#));

const PROGRAMS: [Needled; 15] = [
    (&["mysql", "mariadb"], r"(?i)\b(?:mysql|mysqldump|mysqladmin|mariadb)[\w-]*\s(?:.*?\s)?-p(?P<s>[^\s=-][^\s]*)"),
    (&["sshpass"], r"(?i)\bsshpass\s+(?:-v\s+)?-p\s*(?P<s>\S+)"),
    (&["login"], r"(?i)\b(?:docker|podman|skopeo|helm|npm|az|cf|oc)\s(?:.*?\s)?login\s(?:.*?\s)?-p\s*(?P<s>\S+)"),
    (&["redis-cli"], r"(?i)\bredis-cli\s(?:.*?\s)?-a\s*(?P<s>\S+)"),
    (&["mosquitto_"], r"(?i)\bmosquitto_\w+\s(?:.*?\s)?-P\s*(?P<s>\S+)"),
    (&["ldap"], r"(?i)\bldap\w+\s(?:.*?\s)?-w\s*(?P<s>\S+)"),
    (&["7z"], r"(?i)\b(?:7z[ar]?|7za)\s(?:.*?\s)?-p(?P<s>\S+)"),
    (&["zip"], r"\b(?:zip|unzip)\s(?:.*?\s)?-P\s*(?P<s>\S+)"),
    (&["htpasswd"], r"\bhtpasswd\s(?:.*?\s)?-\w*b\w*\s+(?:\S+\s+){1,2}(?P<s>\S+)\s*$"),
    (&["smbclient", "mount.cifs"], r"(?i)\b(?:smbclient|mount\.cifs)\s(?:.*?\s)?-U\s*[^\s%]+%(?P<s>\S+)"),
    (&["openssl"], r"(?i)\bopenssl\s(?:.*?\s)?-(?:passin|passout|pass|k)\s+(?:pass:)?(?P<s>\S+)"),
    (&["openssl"], r"(?i)\bopenssl\s(?:.*?\s)?-K\s+(?P<s>\S+)"),
    (&["curl"], r#"(?i)\bcurl\s(?:.*?\s)?(?:-b|--cookie)\s*["'](?P<s>[^\s"'=]+=[^"']*)"#),
    (&["curl"], r#"(?i)\bcurl\s(?:.*?\s)?(?:-b|--cookie)\s*(?P<s>[^\s"'=]+=[^\s"']*)"#),
    (&["snmp"], r"(?i)\bsnmp\w+\s(?:.*?\s)?-[cAX]\s*(?P<s>\S+)"),
];

static COMMANDS: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // curl, wget and others; a user and a group are numbers.
    let login = r#"(?:^|[\s"',\[])(?:-u|-U|--user|--proxy-user)(?:["']?[\s,]+|=)?["']?[^\s:"'/=,]+:(?P<s>[^\s"']+)"#;
    let is_secret = |secret: &str| !secret.bytes().all(|byte| byte.is_ascii_digit());
    let login = Rule::new(&["-u"], Cow::Borrowed(login), is_secret);
    PROGRAMS.into_iter().map(Rule::always).chain([login]).collect()
});

/// Directives of configurations without a separator.
static DIRECTIVES: LazyLock<[Rule; 2]> = LazyLock::new(|| {
    [
        (
            &["requirepass", "masterauth", "secure_link_secret", "rpcpassword"] as &[_],
            r"(?i)^\s*(?:requirepass|masterauth|secure_link_secret|rpcpassword)\s+(?P<s>\S+)",
        ),
        (
            &["proxy_set_header"],
            r#"(?i)\bproxy_set_header\s+(?:x-[\w-]*(?:key|token|secret)|cookie)\s+["']?(?P<s>[^"';]+)"#,
        ),
    ]
    .map(Rule::always)
});

pub(super) fn find(line: &str, spans: &mut Spans) {
    if has_flag(line) {
        flags(line, spans);
        each(&COMMANDS, line, spans);
    }
    each(&*DIRECTIVES, line, spans);
}

fn has_flag(line: &str) -> bool {
    let begins = |pair: &[u8]| matches!(pair, [b' ' | b'\t' | b'"' | b'\'' | b'[' | b',' | b'(', b'-']);
    line.starts_with('-') || line.as_bytes().windows(2).any(begins)
}

fn flags(line: &str, spans: &mut Spans) {
    let Some(pattern) = FLAG.as_ref() else { return };
    let mut at = 0;
    while let Some(found) = pattern.captures_at(line, at) {
        let (Some(name), Some(value)) = (found.name("name"), found.name("v")) else { return };
        // The blank before the next flag is part of its match.
        at = value.start().saturating_sub(1).max(name.end());
        let text = value.as_str();
        let secret = text.trim_start_matches('\\').trim_start_matches(['"', '\'']);
        let start = value.end() - secret.len();
        let bare = secret.len() == text.len();
        let hidden = match sense(name.as_str()) {
            Sense::Secret | Sense::Perhaps | Sense::Several => is_secret(secret, bare),
            Sense::StreamId => !is_plain_stream_id(secret),
            Sense::Plain => false,
        };
        if hidden {
            let end = if bare { start + secret.trim_end_matches([',', ']', ')', ';']).len() } else { value.end() };
            spans.push(start..end);
        }
    }
}

fn is_secret(value: &str, bare: bool) -> bool {
    let flag = bare && value.starts_with('-');
    let number = value.len() <= 2 && value.bytes().all(|byte| byte.is_ascii_digit());
    let template =
        value.starts_with("{{") || value.starts_with("${") || value.starts_with("$(") || value.starts_with('<');
    !(flag || number || template || value == "|" || WORDS.contains(&value))
}

/// Whether the line ends with a flag whose value must be on the next one.
pub(super) fn ends_with_flag(line: &str) -> bool {
    if !has_flag(line) {
        return false;
    }
    let found = LAST_FLAG.as_ref().and_then(|pattern| pattern.captures(line));
    found
        .and_then(|found| found.name("name"))
        .is_some_and(|name| matches!(sense(name.as_str()), Sense::Secret | Sense::Perhaps))
}

/// The first argument of a line: after the mark of a list's item, in or without quotes.
pub(super) fn first_argument(line: &str) -> Option<Range<usize>> {
    let text = line.trim_start();
    let text = text.strip_prefix("- ").unwrap_or(text).trim_start();
    let start = line.len() - text.len();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, length) = match quote {
        Some(quote) => {
            let inner = text.get(1..).unwrap_or_default();
            (start + 1, inner.find(quote).unwrap_or(inner.len()))
        }
        None => (start, text.find([' ', '\t']).unwrap_or(text.len())),
    };
    let value = line.get(start..start + length)?;
    is_secret(value, quote.is_none()).then_some(start..start + length)
}

/// Arguments on one line. One that follows a secret's flag is hidden whole, whatever is in it.
pub(super) fn quoted<S: AsRef<str>>(argv: &[S]) -> String {
    let mut shown: Vec<String> = Vec::with_capacity(argv.len());
    let mut expects_secret = false;
    for argument in argv {
        let argument = argument.as_ref();
        let hidden = expects_secret && is_secret(argument, true);
        expects_secret = argument.starts_with('-') && ends_with_flag(argument);
        shown.push(match argument {
            _ if hidden => MARK.to_owned(),
            "" => "''".to_owned(),
            plain
                if !plain.contains(|c: char| {
                    c.is_whitespace() || matches!(c, '\'' | '"' | '\\' | '$' | '`' | '&' | ';' | '|')
                }) =>
            {
                plain.to_owned()
            }
            odd => format!("'{}'", odd.replace('\'', r"'\''")),
        });
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_has_its_needles() {
        for rule in COMMANDS.iter().chain(&*DIRECTIVES) {
            rule.assert_sound();
        }
    }
}
