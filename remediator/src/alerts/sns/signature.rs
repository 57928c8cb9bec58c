//! The signature of a message: which text it is of, and whose key made it.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use vvtv_incident::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::{Envelope, Kind, SnsError};

/// What is signed: the names and values of some fields, in this order, each on a line of its own. Nothing where one is absent.
pub(super) fn signed_text(envelope: &Envelope) -> Option<String> {
    let Envelope { message, message_id, subject, subscribe_url, timestamp, token, topic_arn, .. } = envelope;
    let kind = envelope.kind.to_string();
    let fields: Vec<(&str, &str)> = match envelope.kind {
        Kind::Notification => {
            let subject = subject.as_deref().map(|subject| ("Subject", subject));
            let first = [("Message", message.as_str()), ("MessageId", message_id)];
            let last = [("Timestamp", timestamp.as_str()), ("TopicArn", topic_arn), ("Type", &kind)];
            first.into_iter().chain(subject).chain(last).collect()
        }
        Kind::SubscriptionConfirmation | Kind::UnsubscribeConfirmation => vec![
            ("Message", message),
            ("MessageId", message_id),
            ("SubscribeURL", subscribe_url.as_deref()?),
            ("Timestamp", timestamp),
            ("Token", token.as_deref()?),
            ("TopicArn", topic_arn),
            ("Type", &kind),
        ],
    };
    Some(fields.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect())
}

/// The key of a certificate, and when it counts.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// `RSAPublicKey`, DER (RFC 8017).
    rsa: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Key {
    /// Of a PEM certificate.
    pub(super) fn of_certificate(pem: &[u8]) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem).ok()?;
        let certificate = Certificate::from_der(&der).ok()?.tbs_certificate;
        let seconds = |time: x509_cert::time::Time| {
            Timestamp::from_millis(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
        };
        Some(Self {
            rsa: certificate.subject_public_key_info.subject_public_key.as_bytes()?.to_vec(),
            not_before: seconds(certificate.validity.not_before),
            not_after: seconds(certificate.validity.not_after),
        })
    }

    pub(super) fn is_valid_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Whether the signature of a text is this key's.
    pub(super) fn verify(&self, envelope: &Envelope, text: &str) -> Result<(), SnsError> {
        let algorithm = match envelope.signature_version.as_str() {
            "1" => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            "2" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(SnsError::Unsigned),
        };
        let signature = STANDARD.decode(&envelope.signature).map_err(|_| SnsError::Unsigned)?;
        UnparsedPublicKey::new(algorithm, &self.rsa).verify(text.as_bytes(), &signature).map_err(|_| SnsError::Forged)
    }
}
