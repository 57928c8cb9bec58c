//! RTMP addresses, read as ffmpeg reads them: what follows the server is sent as it is written, not as a URL would escape it.

use std::fmt;

use url::{Host, Url};
use vvtv_toolkit::redaction::MARK;

/// The port where none is written (RTMP 1.0 has none; Adobe's servers, nginx and SRS agree).
const PORT: u16 = 1935;

/// An RTMP publishing point.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ingest {
    /// The server and application; what a probe can ask for without publishing.
    pub endpoint: RtmpEndpoint,
    /// The stream's name within the application.
    pub key: String,
}

/// An application of an RTMP server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RtmpEndpoint {
    /// Host name or address, of IPv6 without brackets.
    pub host: String,
    /// Port, 1935 by default.
    pub port: u16,
    /// Application, which may contain slashes.
    pub app: String,
    /// What follows the application when connecting, often a key.
    pub arguments: Arguments,
    /// How far a probe goes.
    pub connect: Connect,
}

/// Arguments of an application: sent to its server, and shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arguments(String);

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Arguments(none)" } else { "Arguments(hidden)" })
    }
}

impl Arguments {
    /// What the server said, without what only it was told: servers repeat in their answers what they were asked for.
    #[must_use]
    pub fn hidden_in(&self, said: &str) -> String {
        let values = self.0.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let secrets = std::iter::once(self.0.as_str()).chain(values).filter(|secret| !secret.is_empty());
        secrets.fold(said.to_owned(), |said, secret| said.replace(secret, MARK))
    }
}

/// How far a probe of an RTMP server goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connect {
    /// `connect` to the application: the server knows it, and lets us in.
    #[default]
    Application,
    /// The handshake alone: the server answers. A hook that the operator runs at each `connect` is not called.
    Handshake,
}

/// Why an address is none of an RTMP server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// It cannot be read.
    #[error("not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// Another protocol.
    #[error("`{0}` is not probed: expected rtmp://HOST[:PORT]/APPLICATION/STREAM")]
    Scheme(String),
    /// Something is missing.
    #[error("expected rtmp://HOST[:PORT]/APPLICATION[?ARGUMENTS]/STREAM")]
    Incomplete,
}

impl RtmpEndpoint {
    /// Its address for people: without arguments.
    #[must_use]
    pub fn url(&self) -> String {
        let bracketed = Some(&self.host).filter(|host| host.contains(':')).map(|host| format!("[{host}]"));
        format!("rtmp://{}:{}/{}", bracketed.as_ref().unwrap_or(&self.host), self.port, self.app)
    }

    /// The `app` of the `connect` command.
    #[must_use]
    pub fn app_argument(&self) -> String {
        self.with_arguments(self.app.clone())
    }

    /// The `tcUrl` of the `connect` command.
    #[must_use]
    pub fn tc_url(&self) -> String {
        self.with_arguments(self.url())
    }

    fn with_arguments(&self, mut text: String) -> String {
        if !self.arguments.0.is_empty() {
            text.extend(["?", &self.arguments.0]);
        }
        text
    }

    /// Reads an address, and the stream's name where it has one.
    ///
    /// Arguments that follow the application belong to it, even where the name follows them (`live?key=x/main`). Those that follow the
    /// name are sent when publishing, which a probe never does.
    ///
    /// # Errors
    /// Not an address of an RTMP server, or without an application.
    pub fn parse(text: &str) -> Result<(Self, Option<String>), IngestError> {
        let url = Url::parse(text)?;
        if url.scheme() != "rtmp" {
            return Err(IngestError::Scheme(url.scheme().to_owned()));
        }
        let host = match url.host().ok_or(IngestError::Incomplete)? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let after_host = text.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap_or_default().1;
        let (app, arguments, key) = split(after_host.trim());
        if host.is_empty() || app.is_empty() || after_host.contains(char::is_control) {
            return Err(IngestError::Incomplete);
        }
        let arguments = Arguments(arguments.to_owned());
        let port = url.port().unwrap_or(PORT);
        let endpoint = Self { host, port, app: app.to_owned(), arguments, connect: Connect::Application };
        Ok((endpoint, key.filter(|key| !key.is_empty()).map(str::to_owned)))
    }
}

/// Application, its arguments, stream.
fn split(text: &str) -> (&str, &str, Option<&str>) {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let path = path.trim_matches('/');
    if let Some((app, key)) = path.rsplit_once('/') {
        return (app, "", Some(key));
    }
    match query.split_once('/') {
        None => (path, query, None),
        Some((arguments, key)) => (path, arguments, key.trim_matches('/').split('?').next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("rtmp://a/live/main", "rtmp://a:1935/live", "", Some("main"))]
    #[case("rtmp://a:1936/live/inst/main/", "rtmp://a:1936/live/inst", "", Some("main"))]
    #[case("rtmp://a/live", "rtmp://a:1935/live", "", None)]
    #[case("rtmp://127.0.0.1/live/main", "rtmp://127.0.0.1:1935/live", "", Some("main"))]
    #[case("rtmp://[::1]:1936/live/main", "rtmp://[::1]:1936/live", "", Some("main"))]
    #[case("rtmp://[2001:db8:0:0::7]/live/main", "rtmp://[2001:db8::7]:1935/live", "", Some("main"))]
    #[case("rtmp://user:secret@a/live/main", "rtmp://a:1935/live", "", Some("main"))]
    #[case("rtmp://a/live?key=s3cret/main", "rtmp://a:1935/live", "key=s3cret", Some("main"))]
    #[case("rtmp://a/live?key=s3cret", "rtmp://a:1935/live", "key=s3cret", None)]
    #[case("rtmp://a/live/?key=s3cret/main?x=1", "rtmp://a:1935/live", "key=s3cret", Some("main"))]
    #[case("rtmp://a/live/main?key=a/b==", "rtmp://a:1935/live", "", Some("main"))]
    #[case("rtmp://a/live/a{b} ü#1%20", "rtmp://a:1935/live", "", Some("a{b} ü#1%20"))]
    fn an_address_is_read_as_encoders_read_it(
        #[case] text: &str,
        #[case] shown: &str,
        #[case] arguments: &str,
        #[case] expected: Option<&str>,
    ) {
        let (endpoint, key) = RtmpEndpoint::parse(text).unwrap();
        assert_eq!((endpoint.url().as_str(), key.as_deref()), (shown, expected));
        assert_eq!(endpoint.arguments, Arguments(arguments.to_owned()));
        assert!(!format!("{endpoint:?}").contains("s3cret"));
    }

    #[rstest]
    #[case("rtmps://a/live/main", "`rtmps` is not probed: expected rtmp://HOST[:PORT]/APPLICATION/STREAM")]
    #[case("rtmp://a/", "expected rtmp://HOST[:PORT]/APPLICATION[?ARGUMENTS]/STREAM")]
    #[case("rtmp://a/?key=1/main", "expected rtmp://HOST[:PORT]/APPLICATION[?ARGUMENTS]/STREAM")]
    #[case("rtmp:///live/main", "expected rtmp://HOST[:PORT]/APPLICATION[?ARGUMENTS]/STREAM")]
    #[case("rtmp://[::1/live/main", "not a URL: invalid IPv6 address")]
    fn what_is_none_is_told(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(RtmpEndpoint::parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
    }

    #[test]
    fn arguments_are_sent_and_never_shown() {
        let (endpoint, _) = RtmpEndpoint::parse("rtmp://[::1]/live?key=s3cret&user=jo/main").unwrap();
        assert_eq!(endpoint.app_argument(), "live?key=s3cret&user=jo");
        assert_eq!(endpoint.tc_url(), "rtmp://[::1]:1935/live?key=s3cret&user=jo");
        let said = "no `live?key=s3cret&user=jo` for jo with s3cret";
        assert_eq!(endpoint.arguments.hidden_in(said), "no `live?REDACTED` for REDACTED with REDACTED");
        assert_eq!(Arguments::default().hidden_in("no"), "no");
    }
}
