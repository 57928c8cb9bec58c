//! Takes secrets out of texts before they leave the machine. Pure.

use anyhow::Context as _;
use regex::Regex;

use crate::config::Config;

const REPLACED: &str = "REDACTED";

/// Knows what a secret looks like.
pub(super) struct Redactor {
    patterns: Vec<(Regex, &'static str)>,
    stream_key: Option<String>,
}

impl Redactor {
    /// A stream's name that is not the public name of the stream is a key.
    ///
    /// # Errors
    /// A pattern is broken: a fault of the program.
    pub(super) fn new(config: Option<&Config>) -> anyhow::Result<Self> {
        let patterns = [
            // user:password@ in URLs.
            (r#"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@"'<>]+@"#, "${1}REDACTED@"),
            // ?token=… in URLs.
            (
                r#"(?i)([?&][\w.-]*(?:token|key|secret|pass|passwd|password|auth|sig|signature)=)[^&\s"'<>]+"#,
                "${1}REDACTED",
            ),
            (r"(?i)(authorization:\s*(?:bearer|basic)\s+)\S+", "${1}REDACTED"),
            // password: … and "token": "…" in configurations.
            (
                r#"(?im)((?:^|[\s{,(])["']?[\w.-]*(?:token|secret|password|passwd|routing_key|api_key|stream_key)["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s,}\]"']+)"#,
                "${1}\"REDACTED\"",
            ),
        ];
        let patterns = patterns
            .into_iter()
            .map(|(pattern, replacement)| {
                Ok((Regex::new(pattern).context("a redaction pattern is broken")?, replacement))
            })
            .collect::<anyhow::Result<_>>()?;
        let stream_key = config
            .filter(|config| config.publish.name != config.stream && config.publish.name.len() >= 4)
            .map(|config| config.publish.name.clone());
        Ok(Self { patterns, stream_key })
    }

    /// The text without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = match &self.stream_key {
            Some(key) => text.replace(key, REPLACED),
            None => text.to_owned(),
        };
        for (pattern, replacement) in &self.patterns {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("open 'rtmp://u:p%40ss@host/live/main'", "open 'rtmp://REDACTED@host/live/main'")]
    #[case("rtmp://h/live/main?stream_key=abc&x=1 ok", "rtmp://h/live/main?stream_key=REDACTED&x=1 ok")]
    #[case("GET /hls/a.m3u8?token=abc.def HTTP/1.1", "GET /hls/a.m3u8?token=REDACTED HTTP/1.1")]
    #[case("Authorization: Bearer abc.def", "Authorization: Bearer REDACTED")]
    #[case("{\"routing_key\": \"0123\", \"a\": 1}", "{\"routing_key\": \"REDACTED\", \"a\": 1}")]
    #[case("password: hunter2 # old", "password: \"REDACTED\" # old")]
    #[case("token_file: /etc/token", "token_file: /etc/token")]
    #[case("frame=25 keyint=50 http://127.0.0.1:8080/stat", "frame=25 keyint=50 http://127.0.0.1:8080/stat")]
    fn secrets_go_and_the_rest_stays(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Redactor::new(None).unwrap().clean(text), expected);
    }

    #[test]
    fn a_stream_key_goes_wherever_it_stands_and_the_public_name_stays() {
        let shipped = include_str!("../../../../deploy/playout.yml");
        let keyed = shipped.replace("/live/main", "/live/k3y-abcd");
        let config = Config::parse("playout.yml", &keyed).unwrap();
        let redactor = Redactor::new(Some(&config)).unwrap();
        assert_eq!(redactor.clean("publish k3y-abcd of main"), "publish REDACTED of main");
        let config = Config::parse("playout.yml", shipped).unwrap();
        assert_eq!(Redactor::new(Some(&config)).unwrap().clean("main"), "main");
    }
}
