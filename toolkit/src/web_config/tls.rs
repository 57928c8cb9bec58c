//! rustls server configuration from PEM texts.

mod names;

use std::sync::Arc;

use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CipherSuite, NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite, version};

use self::names::OnlyNamed;

/// What the TLS section of the file means.
pub(super) struct Settings {
    /// Certificate chain, PEM.
    pub(super) certificate: Vec<u8>,
    /// Private key, PEM.
    pub(super) key: Vec<u8>,
    pub(super) clients: Clients,
    pub(super) versions: Versions,
    pub(super) http2: bool,
    /// Only these; none for all that the library has.
    pub(super) suites: Option<Vec<SupportedCipherSuite>>,
    pub(super) curves: Option<Vec<&'static dyn SupportedKxGroup>>,
    /// The server's order decides, not the client's.
    pub(super) own_order: bool,
}

/// A suite by the name that Go gives it, which is IANA's.
pub(super) fn suite_name(suite: CipherSuite) -> String {
    suite.as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}

/// A key exchange group by the name that Go gives it.
pub(super) fn curve_name(group: NamedGroup) -> String {
    let name = group.as_str().unwrap_or_default();
    name.strip_prefix("secp")
        .and_then(|rest| rest.strip_suffix("r1"))
        .map_or_else(|| name.to_owned(), |bits| format!("CurveP{bits}"))
}

/// Which clients may connect.
pub(super) enum Clients {
    Anybody,
    VerifiedIfGiven {
        authority: Vec<u8>,
    },
    /// With a certificate of the authority, and with one of the names unless any will do.
    Verified {
        authority: Vec<u8>,
        names: Option<Vec<String>>,
    },
}

/// Which protocol versions are spoken.
pub(super) enum Versions {
    Only12,
    Only13,
    Both,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("the certificate is not PEM")]
    Certificate(#[source] pem::Error),
    #[error("the certificate file holds no certificate")]
    NoCertificate,
    #[error("the key is not PEM")]
    Key(#[source] pem::Error),
    #[error("the client CA is not PEM")]
    Authority(#[source] pem::Error),
    #[error("the client CA cannot be used")]
    Verifier(#[from] VerifierBuilderError),
    #[error("TLS refuses certificate and key")]
    Rustls(#[from] rustls::Error),
}

impl Settings {
    pub(super) fn build(self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        if let Some(suites) = self.suites {
            provider.cipher_suites = suites;
        }
        if let Some(curves) = self.curves {
            provider.kx_groups = curves;
        }
        let provider = Arc::new(provider);
        let versions: &[&rustls::SupportedProtocolVersion] = match self.versions {
            Versions::Only12 => &[&version::TLS12],
            Versions::Only13 => &[&version::TLS13],
            Versions::Both => &[&version::TLS12, &version::TLS13],
        };
        let chain = certificates(&self.certificate).map_err(TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(TlsError::Key)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
        let verifier = match self.clients {
            Clients::Anybody => WebPkiClientVerifier::no_client_auth(),
            Clients::VerifiedIfGiven { authority } => {
                WebPkiClientVerifier::builder_with_provider(roots(&authority)?, provider)
                    .allow_unauthenticated()
                    .build()?
            }
            Clients::Verified { authority, names } => {
                let verified = WebPkiClientVerifier::builder_with_provider(roots(&authority)?, provider).build()?;
                match names {
                    Some(names) => Arc::new(OnlyNamed { verified, names }),
                    None => verified,
                }
            }
        };
        let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
        config.ignore_client_order = self.own_order;
        config.alpn_protocols = if self.http2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_slice_iter(text).collect()
}

fn roots(authority: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority).map_err(TlsError::Authority)? {
        roots.add(certificate)?;
    }
    Ok(Arc::new(roots))
}
