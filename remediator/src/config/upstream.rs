//! `prometheus` and `alertmanager` as they are written: an address, or an address with what it demands, in the words of Prometheus'
//! `http_config`. Secrets are in files or in the environment.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::{self, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor, value};
use vvtv_toolkit::yaml::{Spanned, YamlError, place};

use super::build::{Builder, base_url};
use crate::secret::Secret;
use crate::upstream::{Credentials, Identity, Tls, Upstream};

/// Alertmanagers of one cluster.
const PEERS_MAX: usize = 8;
/// The largest file of certificates that is read.
const PEM_BYTES_MAX: u64 = 1 << 20;
/// Headers that say how a message is sent, or who sends it.
const OURS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
];

/// One of them.
#[derive(Debug)]
pub(super) enum One {
    Address(String),
    Full(Box<Full>),
}

/// One, or a list of them.
#[derive(Debug)]
pub(super) enum Several {
    One(One),
    List(Vec<Spanned<One>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Full {
    url: Spanned<String>,
    #[serde(default)]
    authorization: Option<Spanned<Authorization>>,
    #[serde(default)]
    basic_auth: Option<Spanned<BasicAuth>>,
    #[serde(default)]
    http_headers: BTreeMap<String, Spanned<Header>>,
    #[serde(default)]
    tls_config: Option<Spanned<TlsConfig>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    #[serde(default, rename = "type")]
    scheme: Option<Spanned<String>>,
    #[serde(default)]
    credentials_file: Option<Spanned<String>>,
    #[serde(default)]
    credentials_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicAuth {
    username: Spanned<String>,
    #[serde(default)]
    password_file: Option<Spanned<String>>,
    #[serde(default)]
    password_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(default)]
    values: Vec<Spanned<String>>,
    #[serde(default)]
    files: Vec<Spanned<String>>,
    #[serde(default)]
    env: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsConfig {
    #[serde(default)]
    ca_file: Option<Spanned<String>>,
    #[serde(default)]
    cert_file: Option<Spanned<String>>,
    #[serde(default)]
    key_file: Option<Spanned<String>>,
    #[serde(default)]
    server_name: Option<Spanned<String>>,
}

struct OneVisitor;

impl<'de> Visitor<'de> for OneVisitor {
    type Value = One;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, or {url: ADDRESS, …}")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<One, E> {
        Ok(One::Address(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<One, A::Error> {
        Full::deserialize(value::MapAccessDeserializer::new(map)).map(|full| One::Full(Box::new(full)))
    }
}

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor)
    }
}

struct SeveralVisitor;

impl<'de> Visitor<'de> for SeveralVisitor {
    type Value = Several;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, {url: ADDRESS, …}, or a list of these")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Several, E> {
        OneVisitor.visit_str(text).map(Several::One)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Several, A::Error> {
        OneVisitor.visit_map(map).map(Several::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Several, A::Error> {
        Vec::deserialize(value::SeqAccessDeserializer::new(list)).map(Several::List)
    }
}

impl<'de> Deserialize<'de> for Several {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeveralVisitor)
    }
}

/// The places of headers whose values stand in the file as they are.
pub(super) fn plain_headers(written: &One) -> Vec<(String, Spanned<()>)> {
    let One::Full(full) = written else { return Vec::new() };
    let plain = full.http_headers.iter().flat_map(|(name, it)| it.value.values.iter().map(move |at| (name, at)));
    plain.map(|(name, at)| (name.clone(), place(at))).collect()
}

impl Several {
    pub(super) fn plain_headers(&self) -> Vec<(String, Spanned<()>)> {
        match self {
            Self::One(one) => plain_headers(one),
            Self::List(list) => list.iter().flat_map(|one| plain_headers(&one.value)).collect(),
        }
    }
}

impl Builder {
    pub(super) fn upstreams(&mut self, written: &Spanned<Several>) -> Result<Vec<Upstream>, YamlError> {
        match &written.value {
            Several::One(one) => Ok(vec![self.upstream(&place(written), one)?]),
            Several::List(list) if list.is_empty() => Err(self.source.error(written, "the list is empty")),
            Several::List(list) => {
                if let Some(one_too_many) = list.get(PEERS_MAX) {
                    return Err(self.source.error(one_too_many, format!("more than {PEERS_MAX} of one cluster")));
                }
                list.iter().map(|one| self.upstream(&place(one), &one.value)).collect()
            }
        }
    }

    pub(super) fn upstream(&mut self, at: &Spanned<()>, written: &One) -> Result<Upstream, YamlError> {
        let full = match written {
            One::Address(text) => {
                let text = Spanned::new(text.clone(), at.referenced, at.defined);
                return Ok(Upstream::open_to_all(base_url(&self.source, &text)?));
            }
            One::Full(full) => full,
        };
        let upstream = Upstream {
            url: base_url(&self.source, &full.url)?,
            credentials: self.credentials(full)?,
            headers: self.http_headers(&full.http_headers)?,
            tls: self.tls(full)?,
        };
        if upstream.credentials.is_some() && !upstream.url.username().is_empty() {
            return Err(self.source.error(&full.url, "the address has a user in it, and credentials beside it"));
        }
        if let Err(error) = upstream.door() {
            let at = full.tls_config.as_ref().map_or_else(|| place(at), place);
            return Err(self.source.error(&at, format!("{error:#}")));
        }
        Ok(upstream)
    }

    fn credentials(&mut self, full: &Full) -> Result<Option<Credentials>, YamlError> {
        match (&full.authorization, &full.basic_auth) {
            (None, None) => Ok(None),
            (Some(_), Some(basic)) => {
                Err(self.source.error(basic, "`authorization` and `basic_auth` exclude each other"))
            }
            (Some(at), None) => {
                let scheme = match &at.value.scheme {
                    None => "Bearer".to_owned(),
                    Some(basic) if basic.value.eq_ignore_ascii_case("basic") => {
                        return Err(self.source.error(basic, "a user and a password are `basic_auth`"));
                    }
                    // A scheme is a token, as a header's name is (RFC 9110 §11.1).
                    Some(scheme) if HeaderName::from_bytes(scheme.value.as_bytes()).is_ok() => scheme.value.clone(),
                    Some(scheme) => {
                        return Err(self.source.error(scheme, "not a scheme: expected one word, e.g. Bearer"));
                    }
                };
                let credentials = (&at.value.credentials_file, &at.value.credentials_env);
                let credentials = self.file_or_environment(credentials, at, "credentials")?;
                Ok(Some(Credentials::Authorization { scheme, credentials }))
            }
            (None, Some(at)) => {
                let username = &at.value.username;
                if username.value.contains(':') {
                    return Err(self.source.error(username, "a user's name has no colon (RFC 7617)"));
                }
                let password = (&at.value.password_file, &at.value.password_env);
                let password = self.file_or_environment(password, at, "password")?;
                Ok(Some(Credentials::Basic { username: username.value.clone(), password }))
            }
        }
    }

    fn file_or_environment<T>(
        &mut self,
        (file, variable): (&Option<Spanned<String>>, &Option<Spanned<String>>),
        at: &Spanned<T>,
        what: &str,
    ) -> Result<Secret, YamlError> {
        match (file, variable) {
            (Some(file), None) => self.header_secret(file),
            (None, Some(variable)) => self.environment_secret(variable),
            (Some(_), Some(variable)) => {
                let message = format!("`{what}_file` and `{what}_env` exclude each other");
                Err(self.source.error(variable, message))
            }
            (None, None) => Err(self.source.error(at, format!("expected `{what}_file: FILE` or `{what}_env: NAME`"))),
        }
    }

    /// A secret out of a file that becomes a header.
    fn header_secret(&mut self, file: &Spanned<String>) -> Result<Secret, YamlError> {
        let secret = self.secret(file)?;
        self.sendable(secret, file)
    }

    fn environment_secret(&mut self, variable: &Spanned<String>) -> Result<Secret, YamlError> {
        let secret = self.or_report(Secret::from_environment(&variable.value), variable)?;
        self.sendable(secret, variable)
    }

    fn sendable<T>(&self, secret: Secret, at: &Spanned<T>) -> Result<Secret, YamlError> {
        match HeaderValue::from_str(secret.reveal()) {
            Ok(_) => Ok(secret),
            Err(_) => Err(self.source.error(at, "the secret cannot be sent in a header")),
        }
    }

    fn http_headers(
        &mut self,
        written: &BTreeMap<String, Spanned<Header>>,
    ) -> Result<Vec<(HeaderName, Secret)>, YamlError> {
        let mut headers = Vec::new();
        for (name, at) in written {
            let wrong = |message: &str| self.source.error(at, format!("`{name}` {message}"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("is not a header's name"))?;
            if OURS.contains(&name) {
                return Err(wrong("is not set here: there are `authorization`, `basic_auth` and `url`"));
            }
            let Header { values, files, env } = &at.value;
            if values.is_empty() && files.is_empty() && env.is_empty() {
                return Err(wrong("has no value: expected `values`, `files` or `env`"));
            }
            for value in values {
                let secret = self.sendable(Secret::new(&value.value), value)?;
                headers.push((name.clone(), secret));
            }
            for file in files {
                headers.push((name.clone(), self.header_secret(file)?));
            }
            for variable in env {
                headers.push((name.clone(), self.environment_secret(variable)?));
            }
        }
        Ok(headers)
    }

    fn tls(&mut self, full: &Full) -> Result<Tls, YamlError> {
        let Some(at) = &full.tls_config else { return Ok(Tls::default()) };
        if !full.url.value.starts_with("https:") {
            return Err(self.source.error(at, "the address is not https: nothing of this would be used"));
        }
        let identity = match (&at.value.cert_file, &at.value.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let certificate = self.pem(certificate)?.into_boxed_str();
                self.private_key(key)?.map(|key| Identity { certificate, key })
            }
            (Some(only), None) | (None, Some(only)) => {
                return Err(self.source.error(only, "a client certificate has both `cert_file` and `key_file`"));
            }
        };
        let server_name = match &at.value.server_name {
            Some(name) if !matches!(url::Host::parse(&name.value), Ok(url::Host::Domain(_))) => {
                return Err(self.source.error(name, "not a name: expected a host's, as in its certificate"));
            }
            name => name.as_ref().map(|name| name.value.as_str().into()),
        };
        let ca = at.value.ca_file.as_ref().map(|file| self.pem(file).map(String::into_boxed_str)).transpose()?;
        Ok(Tls { ca, identity, server_name })
    }

    fn pem(&self, path: &Spanned<String>) -> Result<String, YamlError> {
        use std::io::Read as _;
        let file = self.source.resolve(&path.value);
        let mut text = String::new();
        let read = std::fs::File::open(&file).and_then(|file| file.take(PEM_BYTES_MAX).read_to_string(&mut text));
        match read {
            Ok(_) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(text),
            Ok(_) => Err(self.source.error(path, format!("{} holds no certificate (PEM)", file.display()))),
            Err(error) => Err(self.source.error(path, format!("cannot read {}: {error}", file.display()))),
        }
    }

    /// Nothing where it cannot be read and that is only reported.
    fn private_key(&mut self, path: &Spanned<String>) -> Result<Option<Secret>, YamlError> {
        let file = self.source.resolve(&path.value);
        let read = Secret::read_lines(&file);
        if read.is_ok() {
            self.secret_files.push((file, place(path)));
        }
        let key = self.or_report(read, path)?;
        Ok((!key.reveal().is_empty()).then_some(key))
    }
}
