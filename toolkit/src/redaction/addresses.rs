//! Addresses: userinfo, publishing keys in paths, and addresses that are themselves the secret.

use std::sync::LazyLock;

use regex::Regex;

use super::MARK;
use super::pattern::compile;
use super::shapes::{Rule, each, looks_random};
use super::spans::Spans;

/// How far an address is looked through for its `@`.
const AUTHORITY_BYTES_MAX: usize = 1 << 10;

/// A user name of so many characters that stands alone is a token.
const TOKEN_AS_USER_MIN: usize = 16;

/// Stream names of fewer characters are names, on hosts that are not known for keys.
const KEY_CHARACTERS_MIN: usize = 12;

/// Ingests where the last part of the path is always a key.
const INGESTS: [&str; 20] = [
    "youtube.com",
    "twitch.tv",
    "live-video.net",
    "facebook.com",
    "instagram.com",
    "pscp.tv",
    "restream.io",
    "vimeo.com",
    "castr.io",
    "castr.com",
    "mux.com",
    "cloudflare.com",
    "trovo.live",
    "dlive.tv",
    "kick.com",
    "linkedin.com",
    "tiktok.com",
    "tiktokcdn.com",
    "livepush.io",
    "dacast.com",
];

/// What is secret in an address's path, by its host.
static PATHS: LazyLock<[Rule; 12]> = LazyLock::new(|| {
    [
        (&["hooks.slack"] as &[_], r"(?i)hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/(?P<s>[\w/+-]+)"),
        (&["discord"], r"(?i)discord(?:app)?\.com/api(?:/v\d+)?/webhooks/(?P<s>[\w/-]+)"),
        (&["webhook.office"], r#"(?i)\.webhook\.office\.com/webhookb2/(?P<s>[^\s"'<>]+)"#),
        (&["outlook.office"], r#"(?i)outlook\.office(?:365)?\.com/webhook/(?P<s>[^\s"'<>]+)"#),
        (&["api.telegram"], r"(?i)api\.telegram\.org/bot(?P<s>[\w:%-]+)"),
        (&["pagerduty.com"], r"(?i)events\.(?:eu\.)?pagerduty\.com/(?:integration|x-ere)/(?P<s>\w+)"),
        (&["victorops"], r"(?i)alert\.victorops\.com/integrations/generic/\d+/alert/(?P<s>[\w/-]+)"),
        (&["hc-ping"], r"(?i)hc-ping\.com/(?P<s>[\w/-]+)"),
        (&["webexapis"], r"(?i)webexapis\.com/v1/webhooks/incoming/(?P<s>[\w-]+)"),
        (&["/hooks/"], r"(?i)/hooks/(?P<s>[a-z0-9]{26})\b"),
        // Akamai's tokens as part of a path.
        (&["hmac="], r"(?i)[~=&]hmac=(?P<s>[0-9a-f]{16,})"),
        (&["%3a%2f%2f"], r"(?i)%3A%2F%2F[^\s%&]*%3A(?P<s>[^\s&]*?)%40"),
    ]
    .map(Rule::always)
});

static PUBLISHING: LazyLock<Option<Regex>> =
    LazyLock::new(|| compile(r#"(?i)\brtmp[a-z]{0,2}://(?P<host>[^\s/"'<>]*)/(?P<path>[^\s"'<>`]*)"#));

pub(super) fn find(line: &str, spans: &mut Spans) {
    if !line.contains(['/', '%', '~']) {
        return;
    }
    for (at, _) in line.match_indices("://") {
        userinfo(line, at + 3, spans);
    }
    each(&*PATHS, line, spans);
    for found in PUBLISHING.iter().flat_map(|pattern| pattern.captures_iter(line)) {
        if let (Some(host), Some(path)) = (found.name("host"), found.name("path")) {
            stream_key(host.as_str(), path.as_str(), path.start(), spans);
        }
    }
}

/// `user:password@` and `token@`. A `/` in a password that nobody encoded does not hide it from us.
fn userinfo(line: &str, from: usize, spans: &mut Spans) {
    let text = line.get(from..).unwrap_or_default();
    let text = text.get(..text.floor_char_boundary(AUTHORITY_BYTES_MAX)).unwrap_or_default();
    let run = text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`')).unwrap_or(text.len());
    let run = text.get(..run).unwrap_or_default();
    let authority = run.get(..run.find(['/', '?', '#']).unwrap_or(run.len())).unwrap_or_default();
    let userinfo = match authority.rfind('@') {
        Some(end) => run.get(..end),
        None => {
            let after_colon = authority.split_once(':').map(|(_, after)| after);
            let port = after_colon
                .is_none_or(|after| after.bytes().all(|byte| byte.is_ascii_digit()) || authority.starts_with('['));
            if port { None } else { run.rfind('@').and_then(|end| run.get(..end)) }
        }
    };
    let Some(userinfo) = userinfo else { return };
    let (user, password) = userinfo.split_once(':').map_or((userinfo, None), |(user, password)| (user, Some(password)));
    let token =
        user.len() >= TOKEN_AS_USER_MIN || password.is_some_and(|password| matches!(password, "" | "x-oauth-basic"));
    if token {
        spans.push(from..from + user.len());
    }
    if let Some(password) = password {
        spans.push(from + user.len() + 1..from + user.len() + 1 + password.len());
    }
}

/// `app/KEY`, `app/instance/KEY`, `app?backup=1/KEY`.
fn stream_key(host: &str, path: &str, from: usize, spans: &mut Spans) {
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let ingest = INGESTS
        .iter()
        .any(|known| host.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('.')));
    let Some((application, rest)) = path.split_once('/') else { return };
    let mut at = from + application.len() + 1;
    for part in rest.split('/') {
        let name = part.split('?').next().unwrap_or_default();
        if (ingest && !name.is_empty()) || is_key(name) {
            spans.push(at..at + name.len());
        }
        at += part.len() + 1;
    }
}

/// Names are words with a number (`main`, `cam-2_1080p60`); keys are neither.
fn is_key(name: &str) -> bool {
    let ordinary = |part: &str| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        part.len() <= 24 && (digits.is_empty() || (rest.len() == part.len() && digits.len() <= 4 && rest.len() <= 8))
    };
    name.len() >= KEY_CHARACTERS_MIN
        && !name.split(['-', '_', '.', '~', '+']).all(ordinary)
        && name.bytes().any(|byte| byte.is_ascii_digit())
        || (name.len() >= KEY_CHARACTERS_MIN && looks_random(name) && !name.contains(['-', '_', '.']))
}

/// An address or a reference without fragment and without the values of its query.
pub(super) fn without_values(text: &str) -> String {
    let whole = text.split('#').next().unwrap_or_default();
    let Some((path, query)) = whole.split_once('?') else { return whole.to_owned() };
    let keys = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) => format!("{key}={MARK}"),
        // A query that is no list of pairs is all value.
        None => MARK.to_owned(),
    });
    format!("{path}?{}", keys.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_has_its_needles() {
        for rule in PATHS.iter() {
            rule.assert_sound();
        }
    }
}
