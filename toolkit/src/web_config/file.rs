//! The web configuration file: its shape, and its meaning.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::Settings;
use super::auth::{User, Users};
use super::rate::RateLimit;
use super::tls;
use crate::access::{Cidr, Role, Token, TrustedProxy};
use crate::duration::PromDuration;
use crate::yaml::{Document, Spanned, YamlError};

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
    rate_limit: Option<Spanned<RateFile>>,
    #[serde(default)]
    roles: Option<BTreeMap<String, Spanned<Role>>>,
    #[serde(default)]
    tokens: Vec<TokenFile>,
    #[serde(default)]
    trusted_proxy: Option<Spanned<ProxyFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    name: Spanned<String>,
    role: Role,
    file: Spanned<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyFile {
    addresses: Vec<Spanned<String>>,
    user_header: Spanned<String>,
    #[serde(default)]
    groups_header: Option<Spanned<String>>,
    roles: BTreeMap<String, Role>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateFile {
    interval: PromDuration,
    #[serde(default = "one")]
    burst: u32,
}

const fn one() -> u32 {
    1
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
    client_allowed_sans: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    cipher_suites: Vec<Spanned<String>>,
    #[serde(default)]
    curve_preferences: Vec<Spanned<String>>,
    #[serde(default)]
    prefer_server_cipher_suites: bool,
}

pub(super) fn read(source: &Document) -> Result<Settings, YamlError> {
    let file: File = source.parse()?;
    let rate = file.rate_limit.as_ref().map(|limit| rate(source, limit)).transpose()?;
    let http2 = file.http_server_config.http2;
    let tls = match &file.tls_server_config {
        None => None,
        Some(section) => Some(server_tls(source, section, http2)?),
    };
    let users = users(source, file.basic_auth_users, file.roles)?;
    let headers = headers(source, &file.http_server_config.headers)?;
    let certificates = file.tls_server_config.iter().flat_map(|section| section.value.files(source));
    let files = certificates.chain(file.tokens.iter().map(|token| source.resolve(&token.file.value))).collect();
    let tokens = tokens(source, &file.tokens)?;
    let proxy = file.trusted_proxy.as_ref().map(|section| proxy(source, section)).transpose()?;
    Ok(Settings { tls, users, tokens, proxy, headers, http2, rate, files })
}

impl TlsFile {
    fn files(&self, source: &Document) -> Vec<PathBuf> {
        let named = [&self.cert_file, &self.key_file, &self.client_ca_file];
        named.into_iter().flatten().map(|path| source.resolve(path)).collect()
    }
}

fn rate(source: &Document, limit: &Spanned<RateFile>) -> Result<RateLimit, YamlError> {
    let RateFile { interval, burst } = limit.value;
    if interval.get().is_zero() || burst == 0 {
        return Err(source.error(limit, "an interval and a burst above zero are needed: this would admit nobody"));
    }
    Ok(RateLimit::new(interval.get(), burst))
}

/// Picks what is named out of what the TLS library has, in the library's order; empty means all.
fn pick<T: Clone>(
    source: &Document,
    names: &[Spanned<String>],
    known: &[T],
    name_of: impl Fn(&T) -> String,
) -> Result<Option<Vec<T>>, YamlError> {
    for name in names {
        if known.iter().all(|item| name_of(item) != name.value) {
            let all: Vec<String> = known.iter().map(&name_of).collect();
            return Err(source.error(name, format!("not supported, expected one of {}", all.join(", "))));
        }
    }
    let wanted = |item: &&T| names.iter().any(|name| name.value == name_of(item));
    Ok((!names.is_empty()).then(|| known.iter().filter(wanted).cloned().collect()))
}

fn users(
    source: &Document,
    given: BTreeMap<String, Spanned<String>>,
    roles: Option<BTreeMap<String, Spanned<Role>>>,
) -> Result<Option<std::sync::Arc<Users>>, YamlError> {
    let has_roles = roles.is_some();
    let mut roles = roles.unwrap_or_default();
    let mut users = BTreeMap::new();
    for (name, hash) in given {
        if hash.value.parse::<bcrypt::HashParts>().is_err() {
            return Err(source.error(&hash, format!("the password of `{name}` is not a bcrypt hash")));
        }
        let role = roles.remove(&name).map(|role| role.value);
        users.insert(name, User { hash: hash.value, role });
    }
    if let Some((name, role)) = roles.first_key_value() {
        return Err(source.error(role, format!("`{name}` is not among the `basic_auth_users`")));
    }
    Ok((!users.is_empty()).then(|| std::sync::Arc::new(Users::new(users, has_roles))))
}

/// The longest name of a token.
const NAME_BYTES_MAX: usize = 64;

fn tokens(source: &Document, given: &[TokenFile]) -> Result<Vec<Token>, YamlError> {
    let mut tokens: Vec<Token> = Vec::with_capacity(given.len());
    for TokenFile { name, role, file } in given {
        if name.value.trim().is_empty() || name.value.len() > NAME_BYTES_MAX || name.value.contains(char::is_control) {
            return Err(source.error(name, format!("a token's name has one to {NAME_BYTES_MAX} bytes")));
        }
        if tokens.iter().any(|token| **token.name() == *name.value) {
            return Err(source.error(name, "another token has this name"));
        }
        let token = Token::read(&name.value, *role, &source.resolve(&file.value));
        tokens.push(token.map_err(|error| source.error(file, error.to_string()))?);
    }
    Ok(tokens)
}

fn proxy(source: &Document, section: &Spanned<ProxyFile>) -> Result<TrustedProxy, YamlError> {
    let file = &section.value;
    let mut addresses = Vec::with_capacity(file.addresses.len());
    for text in &file.addresses {
        let cidr: Cidr = text
            .value
            .parse()
            .map_err(|()| source.error(text, "not an address, and not a network in CIDR notation"))?;
        if cidr.is_everything() {
            return Err(source.error(text, "this trusts everybody's headers: name the proxy's addresses"));
        }
        addresses.push(cidr);
    }
    if addresses.is_empty() {
        return Err(source.error(section, "`addresses` names no address, so nobody's headers would count"));
    }
    let header = |name: &Spanned<String>| {
        name.value.parse::<HeaderName>().map_err(|_| source.error(name, "not the name of a header"))
    };
    if file.roles.is_empty() {
        return Err(source.error(section, "`roles` names no group, so nobody would have a role (`*` is everybody)"));
    }
    Ok(TrustedProxy {
        addresses,
        user_header: header(&file.user_header)?,
        groups_header: file.groups_header.as_ref().map(header).transpose()?,
        roles: file.roles.clone(),
    })
}

fn headers(source: &Document, given: &BTreeMap<String, Spanned<String>>) -> Result<HeaderMap, YamlError> {
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
    source: &Document,
    section: &Spanned<TlsFile>,
    http2: bool,
) -> Result<std::sync::Arc<rustls::ServerConfig>, YamlError> {
    let file = &section.value;
    let all = rustls::crypto::aws_lc_rs::default_provider();
    let suites = pick(source, &file.cipher_suites, &all.cipher_suites, |suite| tls::suite_name(suite.suite()))?;
    let curves = pick(source, &file.curve_preferences, &all.kx_groups, |group| tls::curve_name(group.name()))?;
    let pem = |key: &str, inline: &Option<String>, path: &Option<PathBuf>| -> Result<Option<Vec<u8>>, YamlError> {
        match (inline, path) {
            (Some(_), Some(_)) => Err(source.error(section, format!("`{key}` and `{key}_file` exclude each other"))),
            (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(path)) => {
                let path = source.resolve(path);
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
        suites,
        curves,
        own_order: file.prefer_server_cipher_suites,
    };
    settings.build().map_err(|error| source.error(section, crate::logging::chain(&error)))
}

fn clients(
    source: &Document,
    section: &Spanned<TlsFile>,
    authority: Option<Vec<u8>>,
) -> Result<tls::Clients, YamlError> {
    let named = &section.value.client_allowed_sans;
    let kind = &section.value.client_auth_type;
    let verified = kind.as_ref().is_some_and(|kind| kind.value == "RequireAndVerifyClientCert");
    if let Some(names) = named
        && (names.value.is_empty() || !verified)
    {
        let message = "needs `client_auth_type: RequireAndVerifyClientCert`, and a name at least";
        return Err(source.error(names, message));
    }
    let Some(kind) = kind else {
        return match authority {
            None => Ok(tls::Clients::Anybody),
            Some(_) => Err(source.error(section, "`client_ca` without `client_auth_type` would let everybody in")),
        };
    };
    match (kind.value.as_str(), authority) {
        ("NoClientCert", None) => Ok(tls::Clients::Anybody),
        ("NoClientCert", Some(_)) => Err(source.error(kind, "`client_ca` is given, but clients are not asked")),
        ("VerifyClientCertIfGiven", Some(authority)) => Ok(tls::Clients::VerifiedIfGiven { authority }),
        ("RequireAndVerifyClientCert", Some(authority)) => {
            let names = named.as_ref().map(|names| names.value.clone());
            Ok(tls::Clients::Verified { authority, names })
        }
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

fn versions(source: &Document, file: &TlsFile) -> Result<tls::Versions, YamlError> {
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
        read(&Document::from_text("web.yml".into(), text.to_owned())).unwrap_err().to_string()
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
            "rate_limit:\n  interval: 0s\n",
            "http_server_config:\n  headers:\n    X-Evil: x\n",
            "http_server_config:\n  headers:\n    X-Frame-Options: \"a\\nb\"\n",
            "tls_server_config:\n  cert: x\n  key: x\n  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_allowed_sans: [a]\n",
            "tls_server_config:\n  cert: x\n  key: x\n  curve_preferences: [CurveP224]\n",
            "tls_server_config:\n  key_file: a\n",
            "tls_server_config:\n  cert_file: a.pem\n  key: x\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_ca: x\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAnyClientCert\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: RequireAndVerifyClientCert\n",
            "tls_server_config:\n  cert: x\n  key: x\n  client_auth_type: Never\n",
            "tls_server_config:\n  cert: x\n  key: x\n  min_version: TLS10\n",
            "tls_server_config:\n  cert: x\n  key: x\n  min_version: TLS13\n  max_version: TLS12\n",
            "tls_server_config:\n  cert: x\n  key: x\n",
            "roles: {alice: king}\n",
            "roles: {alice: viewer}\n",
            "tokens: [{name: ci, role: viewer, file: absent}]\n",
            "tokens: [{name: '', role: viewer, file: absent}]\n",
            "trusted_proxy: {addresses: [proxy], user_header: X-User, roles: {}}\n",
            "trusted_proxy: {addresses: [0.0.0.0/0], user_header: X-User, roles: {}}\n",
            "trusted_proxy: {addresses: [], user_header: X-User, roles: {a: viewer}}\n",
            "trusted_proxy: {addresses: [10.0.0.1], user_header: 'X User', roles: {a: viewer}}\n",
            "trusted_proxy: {addresses: [10.0.0.1], user_header: X-User, roles: {}}\n",
        ];
        insta::assert_snapshot!(first_lines(&mistakes), @"
        web.yml:1:1: unknown field `basic_auth_user`, expected one of tls_server_config, http_server_config, basic_auth_users, rate_limit, roles, tokens, trusted_proxy
        web.yml:2:10: the password of `alice` is not a bcrypt hash
        web.yml:2:3: an interval and a burst above zero are needed: this would admit nobody
        web.yml:3:13: header `X-Evil` cannot be configured, expected one of Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection
        web.yml:3:22: not a valid value of header `X-Frame-Options`
        web.yml:4:19: not supported, expected one of TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        web.yml:4:24: needs `client_auth_type: RequireAndVerifyClientCert`, and a name at least
        web.yml:4:23: not supported, expected one of X25519, CurveP256, CurveP384, X25519MLKEM768
        web.yml:2:3: `cert_file` or `cert` is required
        web.yml:2:3: cannot read cert a.pem: No such file or directory (os error 2)
        web.yml:2:3: `client_ca` without `client_auth_type` would let everybody in
        web.yml:4:21: not supported by this program: it asks for certificates without verifying them
        web.yml:4:21: needs `client_ca_file`
        web.yml:4:21: expected one of NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert
        web.yml:4:16: expected TLS12 or TLS13
        web.yml:4:16: `min_version` is above `max_version`
        web.yml:2:3: the certificate file holds no certificate
        web.yml:1:16: unknown variant `king`, expected one of viewer, operator, admin
        web.yml:1:16: `alice` is not among the `basic_auth_users`
        web.yml:1:41: cannot read the token in absent: No such file or directory (os error 2)
        web.yml:1:17: a token's name has one to 64 bytes
        web.yml:1:29: not an address, and not a network in CIDR notation
        web.yml:1:29: this trusts everybody's headers: name the proxy's addresses
        web.yml:1:16: `addresses` names no address, so nobody's headers would count
        web.yml:1:53: not the name of a header
        web.yml:1:16: `roles` names no group, so nobody would have a role (`*` is everybody)
        ");
    }

    #[test]
    fn users_and_headers_are_read() {
        let text = format!(
            "basic_auth_users:\n  alice: {}\nhttp_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n",
            bcrypt::hash("wonder", 4).unwrap()
        );
        let config = read(&Document::from_text("web.yml".into(), text)).unwrap();
        assert!(!config.http2);
        assert_eq!(format!("{:?}", config.users), "Some({\"alice\": None})");
        assert_eq!(config.headers.get("x-frame-options").unwrap(), "deny");
    }
}
