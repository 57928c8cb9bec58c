//! The programs that are asked over HTTP, Prometheus and Alertmanager: where each is, and what it wants to see before it answers.
//!
//! Source: Prometheus documentation, `<http_config>`, whose words the configuration uses.

pub(crate) mod clock;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::secret::Secret;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its base address, with a slash at the end.
    pub url: Url,
    /// Who we say that we are.
    pub credentials: Option<Credentials>,
    /// What else every request says, e.g. `X-Scope-OrgID`.
    pub headers: Vec<(HeaderName, Secret)>,
    /// How the connection is made sure of.
    pub tls: Tls,
}

/// Who we say that we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `Authorization: SCHEME CREDENTIALS`, the scheme being `Bearer` as a rule.
    Authorization {
        /// The scheme (RFC 9110 §11.1).
        scheme: String,
        /// What follows it.
        credentials: Secret,
    },
    /// `Basic` (RFC 7617).
    Basic {
        /// The user, without a colon.
        username: String,
        /// Their password.
        password: Secret,
    },
}

/// How a TLS connection is made sure of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM certificates to trust, in the place of the system's.
    pub ca: Option<Box<str>>,
    /// Our own certificate.
    pub identity: Option<Identity>,
    /// The name that the certificate must have and that is asked for, in the place of the address's.
    pub server_name: Option<Box<str>>,
}

/// A certificate with its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those that vouch for it.
    pub certificate: Box<str>,
    /// Its private key.
    pub key: Secret,
}

/// A way in: requests that show what is wanted.
#[derive(Clone, Debug)]
pub struct Door {
    /// It follows no redirect: what it shows is for this address only.
    http: reqwest::Client,
    headers: HeaderMap,
    base: Url,
}

impl Door {
    /// An address below the base.
    ///
    /// # Errors
    /// The two make no address.
    pub fn address(&self, path: &str) -> Result<Url, url::ParseError> {
        self.base.join(path)
    }

    /// A question.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url).headers(self.headers.clone())
    }

    /// The same with a body.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url).headers(self.headers.clone())
    }
}

impl Upstream {
    /// One that wants nothing of us.
    #[must_use]
    pub const fn open_to_all(url: Url) -> Self {
        Self { url, credentials: None, headers: Vec::new(), tls: Tls { ca: None, identity: None, server_name: None } }
    }

    /// Makes the client.
    ///
    /// # Errors
    /// A certificate, key or header is none, or the system's certificates cannot be loaded.
    pub fn door(&self) -> anyhow::Result<Door> {
        let mut builder = reqwest::Client::builder().redirect(Policy::none());
        if let Some(ca) = &self.tls.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(ca.as_bytes()).context("the CA cannot be read")?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = &self.tls.identity {
            let pem = format!("{}\n{}", identity.key.reveal(), identity.certificate);
            let identity =
                reqwest::Identity::from_pem(pem.as_bytes()).context("the client certificate cannot be read")?;
            builder = builder.identity(identity);
        }
        let mut base = self.url.clone();
        if let Some(name) = &self.tls.server_name {
            let address = base.host().map(|host| host.to_owned()).context("the address has no host")?;
            base.set_host(Some(name)).context("`server_name` is no host")?;
            builder = builder.dns_resolver(Arc::new(Elsewhere(address)));
        }
        let http = builder.build().context("cannot set up the HTTP client")?;
        Ok(Door { http, headers: self.header_map()?, base })
    }

    fn header_map(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.clone(), hidden(value.reveal())?);
        }
        let authorization = match &self.credentials {
            None => return Ok(headers),
            Some(Credentials::Authorization { scheme, credentials }) => format!("{scheme} {}", credentials.reveal()),
            Some(Credentials::Basic { username, password }) => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal())))
            }
        };
        headers.insert(AUTHORIZATION, hidden(&authorization)?);
        Ok(headers)
    }

    /// Everything that must not be written down.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let credentials = self.credentials.as_ref().map(|credentials| match credentials {
            Credentials::Authorization { credentials: secret, .. } | Credentials::Basic { password: secret, .. } => {
                secret
            }
        });
        let key = self.tls.identity.as_ref().map(|identity| &identity.key);
        let headers = self.headers.iter().map(|(_, value)| value);
        credentials.into_iter().chain(key).chain(headers).map(Secret::reveal)
    }
}

/// The address as people know it: without what may be secret in it.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path().trim_end_matches('/'))
    }
}

fn hidden(value: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).context("a header's value cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Leads every name to one host: that of the address, whose certificate has another name.
struct Elsewhere(Host<String>);

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        // Port 0: the address's own takes its place.
        let host = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = match host {
                Host::Domain(name) => tokio::net::lookup_host((name, 0)).await?.collect(),
                Host::Ipv4(address) => vec![(address, 0).into()],
                Host::Ipv6(address) => vec![(address, 0).into()],
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
