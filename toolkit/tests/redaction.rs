//! The corpus, and what holds of every text: no planted secret survives, and what was redacted stays as it is.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;
use vvtv_toolkit::redaction::{self, GROWTH_MAX, MARK, Redactor};

fn corpus(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redaction").join(file);
    std::fs::read_to_string(path).unwrap().replace('¦', "")
}

/// What follows `mark` on the lines of a case, one text.
fn side(case: &str, mark: char) -> String {
    let lines = case.lines().filter_map(|line| line.strip_prefix(mark));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

fn cases(file: &str) -> Vec<(String, String)> {
    let text = corpus(file);
    let cases = text.split("\n\n").map(|case| (side(case, '<'), side(case, '>')));
    cases.filter(|(given, _)| !given.is_empty()).collect()
}

#[rstest]
#[case("addresses.txt")]
#[case("headers.txt")]
#[case("configuration.txt")]
#[case("commands.txt")]
#[case("tokens.txt")]
#[case("blocks.txt")]
fn secrets_go_and_the_rest_stays(#[case] file: &str) {
    let cases = cases(file);
    assert!(cases.len() >= 5, "{file} was not read");
    let shown = cases.into_iter().map(|(given, expected)| (redaction::text(&given).into_owned(), expected));
    assert_eq!(shown.filter(|(shown, expected)| shown != expected).collect::<Vec<_>>(), []);
}

#[test]
fn what_is_no_secret_stays() {
    let innocents = corpus("innocents.txt");
    let innocents: Vec<&str> = innocents.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(innocents.len() >= 60);
    let changed = innocents.into_iter().filter(|line| redaction::text(line) != *line);
    assert_eq!(changed.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_own_secrets_go_wherever_they_stand() {
    let redactor = Redactor::new([
        "s3cret-token",
        "s3cret-token-2",
        "short",
        "first line of it\nsecond line of it",
        "a b/c&d=e+f",
    ])
    .with_stream_key("live", "k3y");
    let cases = [
        ("true: s3cret-token, s3cret-token-2", "true: REDACTED, REDACTED"),
        ("a short one", "a short one"),
        ("xfirst line of ity and\nsecond line of it", "xREDACTEDy and\nREDACTED"),
        ("x=a%20b%2Fc%26d%3De%2Bf", "x=REDACTED"),
        ("publish live/k3y by k3y", "publish live/REDACTED by k3y"),
    ];
    for (given, expected) in cases {
        assert_eq!(redactor.text(given), expected);
    }
    assert!(!format!("{redactor:?}").contains("s3cret"));
}

#[test]
fn a_command_line_is_quoted_and_shown_without_secrets() {
    let argv = [
        "curl",
        "-u",
        "anna:hunter2",
        "--api-key",
        "two words -- 'quoted'",
        "-H",
        "Cookie: a=b; c=d",
        "--url",
        "http://h/?x=1 2",
        "",
    ];
    let shown = Redactor::default().arguments(&argv);
    assert_eq!(shown, "curl -u anna:REDACTED --api-key REDACTED -H 'Cookie: REDACTED' --url 'http://h/?x=1 2' ''");
}

#[test]
fn an_address_is_shown_without_the_values_of_its_query() {
    let redactor = Redactor::default();
    let cases = [
        ("http://a.test/main.m3u8", "http://a.test/main.m3u8"),
        (
            "http://user:secret@a.test/x.ts?Policy=abc&Signature=s%3D&t#secret",
            "http://user:REDACTED@a.test/x.ts?Policy=REDACTED&Signature=REDACTED&REDACTED",
        ),
        ("seg/1.ts?unknown=abc=", "seg/1.ts?unknown=REDACTED"),
        ("/1.ts#abc", "/1.ts"),
    ];
    for (given, expected) in cases {
        assert_eq!(redactor.address(given), expected);
    }
}

#[test]
fn a_quote_that_is_not_closed_hides_no_end_of_a_line() {
    let text = "prog --token \"two words; psql\r\n\nnext\n";
    assert_eq!(Redactor::default().text(text), "prog --token \"REDACTED\r\n\nnext\n");
}

#[test]
fn columns_stay_when_secrets_are_covered() {
    let mut lines = Redactor::default().lines();
    let (shown, hidden) = lines.next_aligned("  playlist: 'http://üser:pässw0rd@h/x' # here");
    assert_eq!(shown, "  playlist: 'http://üser:********@h/x' # here");
    assert_eq!(hidden, ["pässw0rd"]);
}

/// What makes patterns slow: a quadratic search would take minutes. The time is generous, as test machines are busy.
#[rstest]
#[case("a")]
#[case("token")]
#[case("a=")]
#[case("-p ")]
#[case("x://")]
#[case("rtmp://h/a/")]
#[case("eyJ")]
#[case("--password --token ")]
#[case("mysql -h ")]
#[case("{\"token\":\"a\",")]
#[case("-----BEGIN PRIVATE KEY-----")]
#[case("é=\"")]
#[case("$5$")]
#[case("token={")]
#[case("tokens=")]
#[case("auth=basic,~")]
#[case("name=[")]
fn hostile_texts_take_linear_time(#[case] unit: &str) {
    let of = |bytes: usize| unit.repeat(bytes / unit.len());
    let started = std::time::Instant::now();
    let clean = redaction::text(&of(128 << 10)).len();
    let took = started.elapsed();
    assert!(clean <= GROWTH_MAX * (128 << 10));
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}

/// What a secret may stand in, with `@` in its place.
const GRAMMARS: [&str; 22] = [
    "http://user:@@host/x",
    "rtmp://h/live/main?token=@&x=1",
    "GET /a?x=1&sig=@ HTTP/1.1",
    "srt://h:9000?passphrase=@",
    "rtmp://a.rtmp.youtube.com/live2/@",
    "rtmps://live.twitch.tv/app/@",
    "https://hooks.slack.com/services/@",
    "Authorization: Bearer @",
    "Authorization: GenieKey @",
    "curl -H 'X-Api-Key: @' http://h/",
    "Cookie: sid=@; a=b",
    "password: @",
    "  - smtp_password: \"@\"",
    "{\"apiKey\": \"@\", \"n\": 1}",
    "\"{\\\"clientSecret\\\": \\\"@\\\"}\"",
    "X=1 AWS_SECRET_ACCESS_KEY=@ Y=2",
    "Config { token: Some(\"@\") }",
    "prog --password @ --port 80",
    "[\"prog\", \"--api-key\", \"@\"]",
    "curl -u anna:@ http://h/",
    "sshpass -p @ ssh h",
    "level=info msg=x stream_key=@ y=1",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_planted_secret_never_survives(
        secret in "[A-Za-z0-9]{6,40}",
        grammar in 0..GRAMMARS.len(),
        before in "[ -~é]{0,40}",
        after in "[ -~é]{0,40}",
        lines in prop::collection::vec("[ -~]{0,60}", 0..3),
    ) {
        prop_assume!(secret.bytes().any(|byte| byte.is_ascii_digit()));
        // Surroundings that hold the secret or open a quote around it are another grammar.
        let plain = |text: &str| text.replace(['"', '\'', '\\', '`', '<', '>', '=', ':', '/', '{', '$'], " ");
        let planted = GRAMMARS[grammar].replacen("@@", "\u{1}@", 1).replacen('@', &secret, 1).replace('\u{1}', "");
        let planted = if grammar == 0 { format!("http://user:{secret}@host/x") } else { planted };
        let begins_line = grammar == 7 || grammar == 8 || (10..=12).contains(&grammar);
        let before = if begins_line { String::new() } else { plain(&before) + " " };
        let text = format!("{}\n{before}{planted} {}\n", plain(&lines.join("\n")), plain(&after));
        prop_assume!(!text.replacen(&secret, "", 1).contains(&secret));
        let clean = redaction::text(&text);
        prop_assert!(!clean.contains(&secret), "{clean}");
        prop_assert!(clean.contains(MARK));
    }

    #[test]
    fn what_was_redacted_stays_and_lines_stay_lines(
        text in r#"(?:[ -~é\n]|token|password|://|@|=|: |"|'|\\|--|-----BEGIN PRIVATE KEY-----\n|\|\n|Authorization|AKIA|REDACTED|0123|eyJ|key|rtmp|\?|&|name|value){0,60}"#,
    ) {
        let once = redaction::text(&text).into_owned();
        prop_assert_eq!(redaction::text(&once), once.as_str());
        prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count());
        prop_assert!(once.len() <= text.len() * GROWTH_MAX);
    }

    #[test]
    fn any_text_is_an_answer(text in any::<String>()) {
        let once = redaction::text(&text).into_owned();
        prop_assert_eq!(redaction::text(&once), once.as_str());
        let mut lines = Redactor::default().lines();
        for line in text.lines() {
            prop_assert_eq!(lines.next_aligned(line).0.chars().count(), line.chars().count());
        }
    }
}
