//! The web configuration file: its shape, and its meaning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::WebConfig;
use super::auth::Users;
use super::tls;
use crate::yaml::{self, Spanned, YamlError};

/// The headers that the format allows to be set.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tls_server_config: Option<Spanned<TlsFile>>,
    #[serde(default)]
    http_server_config: HttpFile,
    #[serde(default)]
    basic_auth_users: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    rate_limit: Option<Spanned<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpFile {
    #[serde(default = "yes")]
    http2: bool,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<String>>,
}

impl Default for HttpFile {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    #[serde(default)]
    cert: Option<String>,
    #[serde(default)]
    cert_file: Option<PathBuf>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    key_file: Option<PathBuf>,
    #[serde(default)]
    client_ca: Option<String>,
    #[serde(default)]
    client_ca_file: Option<PathBuf>,
    #[serde(default)]
    client_auth_type: Option<Spanned<String>>,
    #[serde(default)]
    min_version: Option<Spanned<String>>,
    #[serde(default)]
    max_version: Option<Spanned<String>>,
    #[serde(default)]
    client_allowed_sans: Option<Spanned<IgnoredAny>>,
    #[serde(default)]
    cipher_suites: Option<Spanned<IgnoredAny>>,
    #[serde(default)]
    curve_preferences: Option<Spanned<IgnoredAny>>,
    #[serde(default)]
    prefer_server_cipher_suites: Option<Spanned<IgnoredAny>>,
}

/// The file being read, for messages.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    directory: &'a Path,
}

impl Source<'_> {
    fn error<T>(&self, at: &Spanned<T>, message: impl Into<String>) -> YamlError {
        yaml::error_at(self.name, self.text, at, message)
    }

    fn unsupported(&self, key: &str, value: Option<&Spanned<IgnoredAny>>) -> Result<(), YamlError> {
        value.map_or(Ok(()), |value| Err(self.error(value, format!("`{key}` is not supported by this program"))))
    }
}

pub(super) fn read(name: &str, text: &str, directory: &Path) -> Result<WebConfig, YamlError> {
    let source = Source { name, text, directory };
    let file: File = yaml::parse(name, text)?;
    source.unsupported("rate_limit", file.rate_limit.as_ref())?;
    let http2 = file.http_server_config.http2;
    let tls = match &file.tls_server_config {
        None => None,
        Some(section) => Some(server_tls(&source, section, http2)?),
    };
    let users = users(&source, file.basic_auth_users)?;
    let headers = headers(&source, &file.http_server_config.headers)?;
    Ok(WebConfig { tls, users, headers, http2 })
}

fn users(
    source: &Source<'_>,
    given: BTreeMap<String, Spanned<String>>,
) -> Result<Option<std::sync::Arc<Users>>, YamlError> {
    let mut hashes = BTreeMap::new();
    for (user, hash) in given {
        if hash.value.parse::<bcrypt::HashParts>().is_err() {
            return Err(source.error(&hash, format!("the password of `{user}` is not a bcrypt hash")));
        }
        hashes.insert(user, hash.value);
    }
    Ok((!hashes.is_empty()).then(|| std::sync::Arc::new(Users::new(hashes))))
}

fn headers(source: &Source<'_>, given: &BTreeMap<String, Spanned<String>>) -> Result<HeaderMap, YamlError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let known = HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let parsed = (name.parse::<HeaderName>(), value.value.parse::<HeaderValue>());
        match parsed {
            (Ok(name), Ok(value)) if known => {
                headers.insert(name, value);
            }
            _ if !known => {
                let message = format!("header `{name}` cannot be configured, expected one of {}", HEADERS.join(", "));
                return Err(source.error(value, message));
            }
            _ => return Err(source.error(value, format!("not a valid value of header `{name}`"))),
        }
    }
    Ok(headers)
}

fn server_tls(
    source: &Source<'_>,
    section: &Spanned<TlsFile>,
    http2: bool,
) -> Result<std::sync::Arc<rustls::ServerConfig>, YamlError> {
    let file = &section.value;
    for (key, value) in [
        ("client_allowed_sans", &file.client_allowed_sans),
        ("cipher_suites", &file.cipher_suites),
        ("curve_preferences", &file.curve_preferences),
        ("prefer_server_cipher_suites", &file.prefer_server_cipher_suites),
    ] {
        source.unsupported(key, value.as_ref())?;
    }
    let pem = |key: &str, inline: &Option<String>, path: &Option<PathBuf>| -> Result<Option<Vec<u8>>, YamlError> {
        match (inline, path) {
            (Some(_), Some(_)) => Err(source.error(section, format!("`{key}` and `{key}_file` exclude each other"))),
            (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(path)) => {
                let path = source.directory.join(path);
                let read = std::fs::read(&path);
                read.map(Some)
                    .map_err(|error| source.error(section, format!("cannot read {key} {}: {error}", path.display())))
            }
            (None, None) => Ok(None),
        }
    };
    let missing = |key: &str| source.error(section, format!("`{key}_file` or `{key}` is required"));
    let settings = tls::Settings {
        certificate: pem("cert", &file.cert, &file.cert_file)?.ok_or_else(|| missing("cert"))?,
        key: pem("key", &file.key, &file.key_file)?.ok_or_else(|| missing("key"))?,
        clients: clients(source, section, pem("client_ca", &file.client_ca, &file.client_ca_file)?)?,
        versions: versions(source, file)?,
        http2,
    };
    settings.build().map_err(|error| source.error(section, crate::logging::chain(&error)))
}

fn clients(
    source: &Source<'_>,
    section: &Spanned<TlsFile>,
    authority: Option<Vec<u8>>,
) -> Result<tls::Clients, YamlError> {
    let Some(kind) = &section.value.client_auth_type else {
        return match authority {
            None => Ok(tls::Clients::Anybody),
            Some(_) => Err(source.error(section, "`client_ca` without `client_auth_type` would let everybody in")),
        };
    };
    match (kind.value.as_str(), authority) {
        ("NoClientCert", None) => Ok(tls::Clients::Anybody),
        ("NoClientCert", Some(_)) => Err(source.error(kind, "`client_ca` is given, but clients are not asked")),
        ("VerifyClientCertIfGiven", Some(authority)) => Ok(tls::Clients::VerifiedIfGiven { authority }),
        ("RequireAndVerifyClientCert", Some(authority)) => Ok(tls::Clients::Verified { authority }),
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            Err(source.error(kind, "needs `client_ca_file`"))
        }
        ("RequestClientCert" | "RequireAnyClientCert", _) => {
            Err(source.error(kind, "not supported by this program: it asks for certificates without verifying them"))
        }
        _ => {
            Err(source.error(kind, "expected one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"))
        }
    }
}

fn versions(source: &Source<'_>, file: &TlsFile) -> Result<tls::Versions, YamlError> {
    let number = |value: &Option<Spanned<String>>, default: u8| match value {
        None => Ok(default),
        Some(value) => match value.value.as_str() {
            "TLS12" => Ok(2),
            "TLS13" => Ok(3),
            _ => Err(source.error(value, "expected TLS12 or TLS13")),
        },
    };
    match (number(&file.min_version, 2)?, number(&file.max_version, 3)?, &file.min_version) {
        (2, 3, _) => Ok(tls::Versions::Both),
        (2, _, _) => Ok(tls::Versions::Only12),
        (_, 3, _) => Ok(tls::Versions::Only13),
        (_, _, Some(min)) => Err(source.error(min, "`min_version` is above `max_version`")),
        (_, _, None) => Ok(tls::Versions::Both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        read("web.yml", text, Path::new("/nowhere")).unwrap_err().to_string()
    }

    fn first_lines(texts: &[&str]) -> String {
        let lines: Vec<_> = texts.iter().map(|text| error(text).lines().next().unwrap().to_owned()).collect();
        lines.join("\n")
    }

    #[test]
    fn every_mistake_has_its_place_and_its_message() {
        let mistakes = [
            "basic_auth_user: {}\n",
            "basic_auth_users:\n  alice: wonder\n",
            "rate_limit:\n  interval: 1s\n",
            "http_server_config:\n  headers:\n    X-Evil: x\n",
            "http_server_config:\n  headers:\n    X-Frame-Options: \"a\\nb\"\n",
            "tls_server_config:\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            "tls_server_config:\n  key_file: a\n",
            "tls_server_config:\n  cert_file: a.pem\n  key: x\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_ca: x\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAnyClientCert\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAndVerifyClientCert\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: Never\n",
            "tls_server_config:\n  cert: x\n  key: x\n  min_version: TLS10\n",
            "tls_server_config:\n  cert: x\n  key: x\n  min_version: TLS13\n  max_version: TLS12\n",
            "tls_server_config:\n  cert: x\n  key: x\n",
        ];
        insta::assert_snapshot!(first_lines(&mistakes), @"
        web.yml:1:1: unknown field `basic_auth_user`, expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit
        web.yml:2:10: the password of `alice` is not a bcrypt hash
        web.yml:2:3: `rate_limit` is not supported by this program
        web.yml:3:13: header `X-Evil` cannot be configured, expected one of Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection
        web.yml:3:22: not a valid value of header `X-Frame-Options`
        web.yml:2:18: `cipher_suites` is not supported by this program
        web.yml:2:3: `cert_file` or `cert` is required
        web.yml:2:3: cannot read cert /nowhere/a.pem: No such file or directory (os error 2)
        web.yml:2:3: `client_ca` without `client_auth_type` would let everybody in
        web.yml:4:21: not supported by this program: it asks for certificates without verifying them
        web.yml:4:21: needs `client_ca_file`
        web.yml:4:21: expected one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert
        web.yml:4:16: expected TLS12 or TLS13
        web.yml:4:16: `min_version` is above `max_version`
        web.yml:2:3: the certificate file holds no certificate
        ");
    }

    #[test]
    fn users_and_headers_are_read() {
        let text = format!(
            "basic_auth_users:\n  alice: {}\nhttp_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n",
            bcrypt::hash("wonder", 4).unwrap()
        );
        let config = read("web.yml", &text, Path::new("/nowhere")).unwrap();
        assert!(!config.http2);
        assert_eq!(format!("{:?}", config.users), "Some(Users { names: [\"alice\"], .. })");
        assert_eq!(config.headers.get("x-frame-options").unwrap(), "deny");
    }
}
