//! Tokens that are known by their shape, as their services document it.

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use super::pattern::compile;
use super::spans::Spans;

/// Whether what a pattern found is a secret.
type Test = fn(&str) -> bool;

/// A pattern whose group `s` is the secret, if it passes the test. It is compiled when it is first needed: there are many, and most programs
/// never write a line that one of them could match.
pub(super) struct Rule {
    /// In small letters; without one of them in the line, the pattern need not be tried. None: always.
    needles: &'static [&'static str],
    pattern: Cow<'static, str>,
    compiled: OnceLock<Option<Regex>>,
    is_secret: Test,
}

/// A pattern and what is in every text that it matches.
pub(super) type Needled = (&'static [&'static str], &'static str);

impl Rule {
    pub(super) const fn new(needles: &'static [&'static str], pattern: Cow<'static, str>, is_secret: Test) -> Self {
        Self { needles, pattern, compiled: OnceLock::new(), is_secret }
    }

    pub(super) fn always((needles, pattern): Needled) -> Self {
        Self::new(needles, Cow::Borrowed(pattern), |_| true)
    }

    /// `None` for a broken pattern, which the tests name.
    pub(super) fn compiled(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(&self.pattern)).as_ref()
    }
}

#[cfg(test)]
impl Rule {
    /// It compiles, and what it is tried for stands in it.
    pub(super) fn assert_sound(&self) {
        assert!(self.compiled().is_some(), "{}", self.pattern);
        let letters = self.pattern.to_ascii_lowercase().replace('\\', "");
        for needle in self.needles {
            assert!(letters.contains(needle), "`{needle}` for {}", self.pattern);
        }
    }
}

pub(super) fn each(rules: &[Rule], line: &str, spans: &mut Spans) {
    let small = line.to_ascii_lowercase();
    let is_tried = |rule: &&Rule| rule.needles.is_empty() || rule.needles.iter().any(|needle| small.contains(needle));
    for rule in rules.iter().filter(is_tried) {
        let captured = rule.compiled().into_iter().flat_map(|pattern| pattern.captures_iter(line));
        let found = captured.filter_map(|captures| captures.name("s"));
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

/// Without word boundaries before them.
const ANYWHERE: [Needled; 6] = [
    // crypt(3): bcrypt, yescrypt, SHA, MD5; Argon2; Apache.
    (&["$2"], r"(?P<s>\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53})"),
    (&["$"], r#"(?P<s>\$(?:[1567]|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*)\$[^\s:"']{8,})"#),
    (&["{s"], r"(?P<s>\{S?SHA\d*\}[A-Za-z0-9+/]{20,}={0,2})"),
    // A PEM block on a line of its own or as text of JSON.
    (
        &["-----begin"],
        r#"(?i)-----BEGIN [\w ]*(?:PRIVATE KEY|STATIC KEY V1)[\w ]*-----(?P<s>[^"'\s][^"']*?)(?:-----END|["']|$)"#,
    ),
    (&["geniekey"], r"(?i)\bGenieKey\s+(?P<s>[\w-]{8,})"),
    (&["machine"], r"(?i)\bmachine\s+\S+\s+login\s+\S+\s+password\s+(?P<s>\S+)"),
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let tokens = Rule::new(&[], Cow::Owned(format!(r"\b(?P<s>{})", TOKENS.join("|"))), |_| true);
    let bearer = r"(?i)\b(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9._~+/-]{8,}=*)";
    // YouTube's stream keys. What is around them must not make them a part of something longer.
    let youtube = r"(?:^|[^\w-])(?P<s>[a-z0-9]{4}(?:-[a-z0-9]{4}){4})(?:$|[^\w-])";
    let tested = [
        Rule::new(&["bearer", "basic", "token"], Cow::Borrowed(bearer), looks_random),
        Rule::new(&["-"], Cow::Borrowed(youtube), has_letters_and_digits),
    ];
    ANYWHERE.into_iter().map(Rule::always).chain([tokens]).chain(tested).collect()
});

pub(super) fn find(line: &str, spans: &mut Spans) {
    each(&RULES, line, spans);
}

/// A line of a PEM block whose beginning was cut off.
static ORPHANS: LazyLock<[Rule; 1]> =
    LazyLock::new(|| [Rule::new(&[], Cow::Borrowed(r"^\s*(?P<s>[A-Za-z0-9+/]{60,76}={0,2})\s*$"), is_base64)]);

pub(super) fn find_orphans(line: &str, spans: &mut Spans) {
    if (60..=82).contains(&line.trim().len()) {
        each(&*ORPHANS, line, spans);
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
        for pattern in TOKENS {
            compile(pattern).unwrap();
        }
        for rule in RULES.iter().chain(&*ORPHANS) {
            rule.assert_sound();
        }
    }
}
