//! Mail by SMTP (RFC 5321), plain text.
//!
//! The page's key is the message's id, so that a mail that comes twice is one mail, and a resolve answers its trigger.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::{EXPLANATION_CHARS_MAX, Notice, NoticeKind, PagerError, short_key, text};
use crate::config::{Email, EmailTls};

const CHANNEL: &str = "the mail server";
/// The part of a message's id that is ours; longer ones break lines.
const KEY_CHARS_MAX: usize = 64;
const SUBJECT_CHARS_MAX: usize = 200;
const TRIED_BYTES_MAX: usize = 16_000;

/// Tells other programs not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Hands one mail over.
pub(super) async fn send(email: &Email, notice: &Notice, within: Duration) -> Result<(), PagerError> {
    // Its errors tell their causes themselves.
    let unreachable = |error: String| PagerError::Unreachable { channel: CHANNEL, source: error.into() };
    let message = message(email, notice, SystemTime::now()).map_err(|error| unreachable(error.to_string()))?;
    let transport = transport(email, within).map_err(|error| unreachable(error.to_string()))?;
    match tokio::time::timeout(within, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refusal(&error).unwrap_or_else(|| unreachable(error.to_string()))),
        Err(_) => Err(PagerError::TooSlow { channel: CHANNEL, limit: within }),
    }
}

/// The mail.
fn message(email: &Email, notice: &Notice, now: SystemTime) -> Result<Message, lettre::error::Error> {
    let key = short_key(&notice.key, KEY_CHARS_MAX);
    let id = |kind: &str| format!("<{key}.{kind}@{}>", email.from.domain());
    let message = Message::builder()
        .from(email.from.clone().into())
        .to(email.to.clone().into())
        .date(now)
        .subject(text::headline(notice).chars().take(SUBJECT_CHARS_MAX).collect::<String>())
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    let message = match notice.kind {
        NoticeKind::Trigger => message.message_id(Some(id("trigger"))),
        // There may be several, and none of them is another's copy: each gets an id of its own.
        NoticeKind::Update => message.message_id(None).in_reply_to(id("trigger")),
        NoticeKind::Resolve => message.message_id(Some(id("resolve"))).in_reply_to(id("trigger")),
    };
    message.body(text::plain(notice, TRIED_BYTES_MAX))
}

fn transport(email: &Email, within: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, SmtpError> {
    let parameters = |certificate: &Option<String>| {
        let builder = TlsParameters::builder(email.host.clone());
        match certificate {
            Some(text) => builder.add_root_certificate(Certificate::from_pem(text.as_bytes())?),
            None => builder,
        }
        .build()
    };
    let tls = match &email.tls {
        EmailTls::Implicit(certificate) => Tls::Wrapper(parameters(certificate)?),
        EmailTls::Starttls(certificate) => Tls::Required(parameters(certificate)?),
        EmailTls::Loopback => Tls::None,
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.clone())
        .port(email.port)
        .tls(tls)
        .timeout(Some(within));
    Ok(match &email.login {
        Some((name, password)) => {
            builder.credentials(Credentials::new(name.clone(), password.reveal().to_owned())).build()
        }
        None => builder.build(),
    })
}

/// What the server answered, if it did: 4xx asks for another try, 5xx is for ever.
fn refusal(error: &SmtpError) -> Option<PagerError> {
    let status = u16::from(error.status()?);
    let explanation = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let explanation = explanation.chars().filter(|c| !c.is_control()).take(EXPLANATION_CHARS_MAX).collect();
    Some(if error.is_permanent() {
        PagerError::Refused { channel: CHANNEL, status, explanation }
    } else {
        PagerError::Busy { channel: CHANNEL, status, explanation, retry_after: None }
    })
}
