//! Clients that are verified, and have one of the configured names besides.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Asks for a name after everything else was verified.
#[derive(Debug)]
pub(super) struct OnlyNamed {
    pub(super) verified: Arc<dyn ClientCertVerifier>,
    /// Exact subject alternative names.
    pub(super) names: Vec<String>,
}

impl ClientCertVerifier for OnlyNamed {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verified.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verified.verify_client_cert(end_entity, intermediates, now)?;
        let names = subject_alternative_names(end_entity).ok_or(CertificateError::BadEncoding)?;
        if names.iter().any(|name| self.names.contains(name)) {
            Ok(verified)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verified.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verified.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verified.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.verified.requires_raw_public_keys()
    }
}

/// DNS names, addresses, e-mail addresses and URIs (RFC 5280 §4.2.1.6), as text; none if it cannot be read.
fn subject_alternative_names(certificate: &[u8]) -> Option<Vec<String>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let names = certificate.tbs_certificate.get::<SubjectAltName>().ok()?;
    Some(names.iter().flat_map(|(_, names)| &names.0).filter_map(name).collect())
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text) | GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => {
            Some(text.to_string())
        }
        GeneralName::IpAddress(address) => {
            let v4 = <[u8; 4]>::try_from(address.as_bytes()).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(address.as_bytes()).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;

    #[test]
    fn names_of_every_kind_are_read() {
        let text = include_bytes!("../../../tests/fixtures/tls/names.pem");
        let names = subject_alternative_names(&CertificateDer::from_pem_slice(text).unwrap());
        let expected =
            ["prometheus.example", "192.0.2.1", "2001:db8::1", "ops@example.org", "spiffe://example.org/prometheus"];
        assert_eq!(names, Some(expected.map(str::to_owned).to_vec()));
        let without = include_bytes!("../../../tests/fixtures/tls/ca.pem");
        assert_eq!(subject_alternative_names(&CertificateDer::from_pem_slice(without).unwrap()), Some(Vec::new()));
        assert_eq!(subject_alternative_names(b"no certificate"), None);
    }
}
