//! Tokens that are known by their shape, as their services document it.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern::compile;
use super::spans::Spans;

/// Whether what a pattern found is a secret.
type Test = fn(&str) -> bool;

/// A pattern whose group `s` is the secret, if it passes the test.
pub(super) struct Rule {
    /// Without it in the line, the pattern need not be tried: most lines have no secret, and there are many patterns.
    needle: &'static str,
    pattern: Regex,
    is_secret: Test,
}

impl Rule {
    /// `None` for a broken pattern, which the tests name.
    pub(super) fn new(pattern: &str, is_secret: Test) -> Option<Self> {
        Some(Self { needle: "", pattern: compile(pattern)?, is_secret })
    }

    fn with(needle: &'static str, pattern: &str) -> Option<Self> {
        Some(Self { needle, ..Self::always(pattern)? })
    }

    pub(super) fn always(pattern: &str) -> Option<Self> {
        Self::new(pattern, |_| true)
    }
}

pub(super) fn each(rules: &[Rule], line: &str, spans: &mut Spans) {
    for rule in rules.iter().filter(|rule| line.contains(rule.needle)) {
        let found = rule.pattern.captures_iter(line).filter_map(|captures| captures.name("s"));
        for secret in found.filter(|secret| (rule.is_secret)(secret.as_str())) {
            spans.push(secret.range());
        }
    }
}

/// Services' tokens, one alternative a shape.
const TOKENS: [&str; 43] = [
    // Amazon: key ids, and Bedrock's keys.
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    r"ABSK[A-Za-z0-9+/]{100,}={0,2}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_\w{22,}",
    r"gl(?:pat|dt|ptt|rt|soat|ft|imt|agent|oas|cbt|ffct)-[\w.-]{20,}",
    r"xox[a-z](?:\.xox[a-z])?-[\w-]{10,}",
    r"xapp-\d-[\w-]{10,}",
    // Google: API keys, access tokens, client secrets.
    r"AIza[\w-]{35}",
    r"ya29\.[\w-]{20,}",
    r"GOCSPX-[\w-]{20,}",
    // Stripe.
    r"[srp]k_(?:live|test|prod)_\w{10,}",
    r"whsec_[\w+/=]{16,}",
    // JSON web tokens, signed or encrypted.
    r"eyJ[\w-]{8,}(?:\.[\w-]*){2,4}",
    // Grafana.
    r"eyJrIjoi[A-Za-z0-9+/]{40,}={0,2}",
    r"gl(?:sa|c)_[\w+/=]{32,}",
    // Twilio, SendGrid, Mailgun.
    r"SK[0-9a-f]{32}\b",
    r"SG\.[\w-]{16,}\.[\w-]{16,}",
    r"key-[0-9a-f]{32}\b",
    // PagerDuty's REST keys.
    r"u\+[\w-]{18}\b",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgEI[\w-]{50,}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"sk-(?:ant|proj|svcacct|admin)-[\w-]{20,}",
    r"sk-[A-Za-z0-9]{32,}",
    // Telegram's bots, Discord's bots.
    r"\d{8,10}:AA[\w-]{33}",
    r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}",
    // HashiCorp.
    r"hv[sbr]\.[\w-]{20,}",
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{40,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"ops_eyJ[\w+/=-]{50,}",
    r"HRKU-[\w-]{30,}",
    r"NR(?:AK|II|JS|RA)-[\w-]{19,}",
    r"dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"dapi[0-9a-f]{32}\b",
    r"dp\.(?:pt|st|ct|sa)\.[\w.-]{30,}",
    r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,}",
    r"sntry[su]_[\w+/=-]{40,}",
    r"lin_(?:api|oauth)_[\w-]{32,}",
    r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}",
    // Stream keys: Twitch, Facebook, Amazon IVS (Kick too).
    r"live_\d{6,}_\w{20,}",
    r"FB-\d{8,}-\d-[\w-]{8,}",
    r"sk_[a-z]{2}-[a-z]+-\d_\w{8,}",
];

/// Without word boundaries before them, and what each has in it.
const ANYWHERE: [(&str, &str); 6] = [
    // crypt(3): bcrypt, yescrypt, SHA, MD5; Argon2; Apache.
    ("$2", r"(?P<s>\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53})"),
    ("$", r#"(?P<s>\$(?:[1567]|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*)\$[^\s:"']{8,})"#),
    ("{S", r"(?P<s>\{S?SHA\d*\}[A-Za-z0-9+/]{20,}={0,2})"),
    // A PEM block on a line of its own or as text of JSON.
    (
        "-----",
        r#"(?i)-----BEGIN [\w ]*(?:PRIVATE KEY|STATIC KEY V1)[\w ]*-----(?P<s>[^"'\s][^"']*?)(?:-----END|["']|$)"#,
    ),
    ("", r"(?i)\bGenieKey\s+(?P<s>[\w-]{8,})"),
    ("", r"(?i)\bmachine\s+\S+\s+login\s+\S+\s+password\s+(?P<s>\S+)"),
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let tokens = format!(r"\b(?P<s>{})", TOKENS.join("|"));
    let tokens = compile(&tokens);
    let tokens = tokens.map(|pattern| Rule { needle: "", pattern, is_secret: |_| true });
    let anywhere = ANYWHERE.into_iter().filter_map(|(needle, pattern)| Rule::with(needle, pattern));
    let mut rules: Vec<Rule> = anywhere.chain(tokens).collect();
    let tested: [(&str, Test); 2] = [
        (r"(?i)\b(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9._~+/-]{8,}=*)", looks_random),
        // YouTube's stream keys. What is around them must not make them a part of something longer.
        (r"(?:^|[^\w-])(?P<s>[a-z0-9]{4}(?:-[a-z0-9]{4}){4})(?:$|[^\w-])", has_letters_and_digits),
    ];
    rules.extend(tested.into_iter().filter_map(|(pattern, is_secret)| Rule::new(pattern, is_secret)));
    rules
});

pub(super) fn find(line: &str, spans: &mut Spans) {
    each(&RULES, line, spans);
}

/// A line of a PEM block whose beginning was cut off.
static ORPHANS: LazyLock<Vec<Rule>> =
    LazyLock::new(|| Rule::new(r"^\s*(?P<s>[A-Za-z0-9+/]{60,76}={0,2})\s*$", is_base64).into_iter().collect());

pub(super) fn find_orphans(line: &str, spans: &mut Spans) {
    if (60..=82).contains(&line.trim().len()) {
        each(&ORPHANS, line, spans);
    }
}

/// Words have no digits, and capitals only at their beginning.
pub(super) fn looks_random(text: &str) -> bool {
    let bytes = text.as_bytes();
    let capital_inside =
        bytes.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    capital_inside || bytes.iter().any(u8::is_ascii_digit)
}

fn has_letters_and_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_base64(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && text.bytes().any(|byte| !byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        for pattern in TOKENS.into_iter().chain(ANYWHERE.map(|(_, pattern)| pattern)) {
            compile(pattern).unwrap();
        }
        assert_eq!(RULES.len(), ANYWHERE.len() + 1 + 2);
        assert_eq!(ORPHANS.len(), 1);
    }
}
