//! Amazon SNS: what Alertmanager of Amazon Managed Prometheus, and others in AWS, send through a topic.
//!
//! SNS shows no token. Its signature vouches for a message: by the key of a certificate that lies at SNS' own address in the topic's region,
//! for a topic that the configuration names. Nothing is asked of anybody for any other topic.
//!
//! Source: Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format" and "Verifying the signatures of Amazon SNS messages".

mod amazon;
mod signature;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;
use vvtv_incident::Timestamp;

pub(crate) use self::amazon::Amazon;
use self::signature::{Key, signed_text};
use crate::alerts::webhook::time;

/// The largest envelope that is read: SNS sends at most 256 KiB, and its text is escaped once more.
pub(crate) const ENVELOPE_BYTES_MAX: usize = 1 << 20;
/// SNS tries for about an hour to deliver a message; an older one, or one from the future, is somebody's copy.
const AGE_MAX: Duration = Duration::from_secs(2 * 3600);

/// A topic's name: `arn:aws:sns:REGION:ACCOUNT:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicArn {
    text: Box<str>,
    /// Where SNS of its region is.
    host: Box<str>,
}

impl TopicArn {
    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return None };
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let is_region = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(is_region && [region, account, name].into_iter().all(|text| word(text))) {
            return None;
        }
        let host = match *partition {
            "aws" | "aws-us-gov" => format!("sns.{region}.amazonaws.com"),
            "aws-cn" => format!("sns.{region}.amazonaws.com.cn"),
            _ => return None,
        };
        Some(Self { text: text.into(), host: host.into() })
    }
}

/// An address of SNS in a topic's region: the only ones that are ever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnsUrl(Url);

impl SnsUrl {
    fn of(topic: &TopicArn, text: &str) -> Result<Self, SnsError> {
        let url = Url::parse(text).ok();
        let url = url.filter(|url| {
            url.scheme() == "https"
                && url.host_str() == Some(&*topic.host)
                && url.port().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        url.map(Self).ok_or_else(|| SnsError::Elsewhere { host: topic.host.clone() })
    }

    /// The address.
    #[must_use]
    pub(crate) const fn get(&self) -> &Url {
        &self.0
    }
}

/// Who answers at these addresses.
pub(crate) trait Source: Send + Sync {
    /// Fetches what lies there.
    ///
    /// # Errors
    /// Nothing does, or too much.
    fn get(&self, url: &SnsUrl) -> impl Future<Output = Result<Vec<u8>, SourceError>> + Send;
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// It cannot be reached, or breaks off.
    #[error("cannot be reached")]
    Request(#[from] reqwest::Error),
    /// It answers with an error.
    #[error("answers {0}")]
    Status(reqwest::StatusCode),
    /// The answer is larger than it needs to be.
    #[error("answers with more than {0} bytes")]
    TooLarge(usize),
}

/// Why an envelope is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnsError {
    /// It is no JSON, or not of the right shape.
    #[error("the body is no message of Amazon SNS")]
    Garbage(#[source] serde_json::Error),
    /// Nobody subscribed to this one.
    #[error("the topic is not one of `webhook.sns_topics`")]
    Topic,
    /// It is too old, from the future, or has no time.
    #[error("the message's time is not within two hours of now")]
    Time,
    /// Another program's address.
    #[error("an address of the message is not https://{host}")]
    Elsewhere {
        /// Where it should be.
        host: Box<str>,
    },
    /// The signature is of a version that is not known, or it is none.
    #[error("the signature cannot be read")]
    Unsigned,
    /// The certificate cannot be fetched.
    #[error("cannot fetch the certificate of Amazon SNS")]
    Certificate(#[source] SourceError),
    /// What was fetched is no certificate, or not valid now.
    #[error("the certificate of Amazon SNS cannot be used")]
    BadCertificate,
    /// Somebody else has written it.
    #[error("the signature is wrong")]
    Forged,
    /// The subscription could not be confirmed.
    #[error("cannot confirm the subscription")]
    Unconfirmed(#[source] SourceError),
}

impl SnsError {
    /// Whether the same message may be taken later.
    #[must_use]
    pub(crate) const fn is_temporary(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Unconfirmed(_))
    }
}

/// A message as it comes.
#[derive(Debug, Deserialize)]
struct Envelope {
    #[serde(rename = "Type")]
    kind: Kind,
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "TopicArn")]
    topic_arn: String,
    #[serde(rename = "Message")]
    message: String,
    #[serde(default, rename = "Subject")]
    subject: Option<String>,
    #[serde(rename = "Timestamp")]
    timestamp: String,
    #[serde(rename = "SignatureVersion")]
    signature_version: String,
    #[serde(rename = "Signature")]
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(default, rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    #[serde(default, rename = "Token")]
    token: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Kind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What an envelope that can be believed has in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A message was published.
    Published(String),
    /// The subscription began, as SNS had asked whether it should.
    Confirmed,
    /// The subscription has ended: nothing comes any more.
    Unsubscribed,
}

/// The topics that are listened to.
pub(crate) struct Sns<S = Amazon> {
    topics: Vec<TopicArn>,
    source: S,
    /// The key that was used last. Only one certificate is fetched at a time, whoever makes up envelopes.
    key: Mutex<Option<(SnsUrl, Key)>>,
}

impl<S: Source> Sns<S> {
    /// Listens to these.
    pub(crate) fn new(topics: Vec<TopicArn>, source: S) -> Self {
        Self { topics, source, key: Mutex::new(None) }
    }

    /// Whether to any.
    pub(crate) const fn listens(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Reads an envelope that came at `now`, makes sure of it, and confirms the subscription if that is what it asks for.
    ///
    /// # Errors
    /// It is not believed, or what is needed for that cannot be fetched.
    pub(crate) async fn take(&self, body: &[u8], now: Timestamp) -> Result<Content, SnsError> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(SnsError::Garbage)?;
        let topic = self.topics.iter().find(|topic| *topic.text == *envelope.topic_arn).ok_or(SnsError::Topic)?;
        let at = time(&envelope.timestamp).ok_or(SnsError::Time)?;
        if now.since(at) > AGE_MAX || at.since(now) > AGE_MAX {
            return Err(SnsError::Time);
        }
        let certificate = SnsUrl::of(topic, &envelope.signing_cert_url)?;
        let text = signed_text(&envelope).ok_or(SnsError::Unsigned)?;
        self.verify(certificate, &envelope, &text, now).await?;
        match envelope.kind {
            Kind::Notification => Ok(Content::Published(envelope.message)),
            Kind::UnsubscribeConfirmation => Ok(Content::Unsubscribed),
            Kind::SubscriptionConfirmation => {
                let url = SnsUrl::of(topic, envelope.subscribe_url.as_deref().unwrap_or_default())?;
                self.source.get(&url).await.map_err(SnsError::Unconfirmed)?;
                Ok(Content::Confirmed)
            }
        }
    }

    async fn verify(&self, at: SnsUrl, envelope: &Envelope, text: &str, now: Timestamp) -> Result<(), SnsError> {
        let mut known = self.key.lock().await;
        if let Some((_, key)) = known.as_ref().filter(|(url, key)| *url == at && key.is_valid_at(now)) {
            return key.verify(envelope, text);
        }
        let pem = self.source.get(&at).await.map_err(SnsError::Certificate)?;
        let key = Key::of_certificate(&pem).filter(|key| key.is_valid_at(now)).ok_or(SnsError::BadCertificate)?;
        key.verify(envelope, text)?;
        *known = Some((at, key));
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
