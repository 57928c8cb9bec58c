use std::path::Path;
use std::process::Command;
use std::sync::Mutex as StdMutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

pub(crate) const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alerts";
const HOST: &str = "https://sns.eu-west-1.amazonaws.com";

/// What lies at the addresses of SNS, and which were asked.
struct Stand {
    certificate: Vec<u8>,
    asked: StdMutex<Vec<String>>,
}

impl Source for &Stand {
    async fn get(&self, url: &SnsUrl) -> Result<Vec<u8>, SourceError> {
        self.asked.lock().unwrap().push(url.get().to_string());
        match url.get().path() {
            "/cert.pem" => Ok(self.certificate.clone()),
            "/none.pem" => Ok(b"<html>".to_vec()),
            "/" => Ok(b"<ConfirmSubscriptionResponse/>".to_vec()),
            _ => Err(SourceError::Status(reqwest::StatusCode::NOT_FOUND)),
        }
    }
}

/// A key and its certificate, made by openssl.
pub(crate) struct Signer {
    pub(crate) dir: tempfile::TempDir,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let arguments =
            "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=sns.amazonaws.com";
        openssl(dir.path(), arguments);
        Self { dir }
    }

    fn stand(&self) -> Stand {
        let certificate = std::fs::read(self.dir.path().join("cert.pem")).unwrap();
        Stand { certificate, asked: StdMutex::new(Vec::new()) }
    }

    /// The message with its signature, of the version that it names.
    pub(crate) fn sign(&self, mut message: Value) -> Value {
        let envelope: Envelope = serde_json::from_value(message.clone()).unwrap();
        let text = signed_text(&envelope).unwrap();
        let signature = if message["SignatureVersion"] == "1" {
            std::fs::write(self.dir.path().join("text"), text).unwrap();
            openssl(self.dir.path(), "dgst -sha1 -sign key.pem -out signature text");
            std::fs::read(self.dir.path().join("signature")).unwrap()
        } else {
            openssl(self.dir.path(), "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out key.der");
            let key = RsaKeyPair::from_pkcs8(&std::fs::read(self.dir.path().join("key.der")).unwrap()).unwrap();
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            signature
        };
        message["Signature"] = json!(STANDARD.encode(signature));
        message
    }
}

pub(crate) fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(dir).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn notification(version: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92", "TopicArn": TOPIC, "Message": "{\"version\": \"4\",\n\"alerts\": []}",
        "Timestamp": jiff::Timestamp::now().to_string(), "SignatureVersion": version, "Signature": "",
        "SigningCertURL": format!("{HOST}/cert.pem"), "UnsubscribeURL": format!("{HOST}/?Action=Unsubscribe"),
    })
}

pub(crate) fn confirmation(subscribe_url: &str) -> Value {
    let mut message = notification("2");
    message["Type"] = json!("SubscriptionConfirmation");
    (message["SubscribeURL"], message["Token"]) = (json!(subscribe_url), json!("2336412f37"));
    message
}

async fn take(stand: &Stand, message: &Value) -> Result<Said, String> {
    let sns = Sns::new(vec![TopicArn::parse(TOPIC).unwrap()], stand);
    sns.take(message.to_string().as_bytes(), crate::clock::wall()).await.map_err(|error| error.to_string())
}

#[rstest]
#[case("1")]
#[case("2")]
#[tokio::test]
async fn a_message_that_its_signature_vouches_for_is_taken_and_an_altered_one_is_not(#[case] version: &str) {
    let signer = Signer::new();
    let stand = signer.stand();
    let message = signer.sign(notification(version));
    assert_eq!(take(&stand, &message).await, Ok(Said::Published("{\"version\": \"4\",\n\"alerts\": []}".to_owned())));
    let mut with_subject = notification(version);
    with_subject["Subject"] = json!("é");
    assert!(take(&stand, &signer.sign(with_subject)).await.is_ok());
    for (field, value) in [("Message", "x"), ("MessageId", "x"), ("Subject", "x")] {
        let mut altered = message.clone();
        altered[field] = json!(value);
        assert_eq!(take(&stand, &altered).await, Err("the signature is wrong".to_owned()), "{field}");
    }
    let somebody_else_s = Signer::new().sign(notification(version));
    assert_eq!(take(&stand, &somebody_else_s).await, Err("the signature is wrong".to_owned()));
}

#[tokio::test]
async fn a_subscription_is_confirmed_at_sns_and_nowhere_else() {
    let signer = Signer::new();
    let stand = signer.stand();
    let at_sns = format!("{HOST}/?Action=ConfirmSubscription&Token=2336412f37");
    assert_eq!(take(&stand, &signer.sign(confirmation(&at_sns))).await, Ok(Said::Confirmed));
    assert_eq!(*stand.asked.lock().unwrap(), [format!("{HOST}/cert.pem"), at_sns]);
    stand.asked.lock().unwrap().clear();
    for elsewhere in ["https://evil.example/", "http://127.0.0.1:10048/-/reload", ""] {
        let expected = format!("an address of the message is not {HOST}");
        assert_eq!(take(&stand, &signer.sign(confirmation(elsewhere))).await, Err(expected));
    }
    assert!(stand.asked.lock().unwrap().iter().all(|url| url.ends_with("/cert.pem")));
    let mut unsigned = confirmation(HOST);
    unsigned["Signature"] = json!("AAAA");
    assert_eq!(take(&stand, &unsigned).await, Err("the signature is wrong".to_owned()));
    let mut over = confirmation(HOST);
    over["Type"] = json!("UnsubscribeConfirmation");
    assert_eq!(take(&stand, &signer.sign(over)).await, Ok(Said::Unsubscribed));
}

#[rstest]
#[case("TopicArn", "arn:aws:sns:eu-west-1:123456789012:other", "the topic is not one of `webhook.sns_topics`")]
#[case("Timestamp", "2020-01-01T00:00:00Z", "the message's time is not within two hours of now")]
#[case("Timestamp", "2120-01-01T00:00:00Z", "the message's time is not within two hours of now")]
#[case("Timestamp", "yesterday", "the message's time is not within two hours of now")]
#[case("SigningCertURL", "http://sns.eu-west-1.amazonaws.com/cert.pem", "")]
#[case("SigningCertURL", "https://sns.us-east-1.amazonaws.com/cert.pem", "")]
#[case("SigningCertURL", "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem", "")]
#[case("SigningCertURL", "https://evil.example/sns.eu-west-1.amazonaws.com/cert.pem", "")]
#[case("SigningCertURL", "https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem", "")]
#[case("SigningCertURL", "https://x@sns.eu-west-1.amazonaws.com/cert.pem", "")]
#[case("SigningCertURL", "https://sns.eu-west-1.amazonaws.com:8443/cert.pem", "")]
#[case("SigningCertURL", "cert.pem", "")]
#[tokio::test]
async fn nothing_is_asked_for_what_cannot_be_ours(#[case] field: &str, #[case] value: &str, #[case] expected: &str) {
    let stand = Stand { certificate: Vec::new(), asked: StdMutex::new(Vec::new()) };
    let mut message = notification("2");
    message[field] = json!(value);
    let elsewhere = format!("an address of the message is not {HOST}");
    let expected = if expected.is_empty() { elsewhere } else { expected.to_owned() };
    assert_eq!(take(&stand, &message).await, Err(expected));
    assert_eq!(*stand.asked.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_certificate_is_fetched_once_and_one_that_is_none_vouches_for_nothing() {
    let signer = Signer::new();
    let stand = signer.stand();
    let sns = Sns::new(vec![TopicArn::parse(TOPIC).unwrap()], &stand);
    let now = crate::clock::wall();
    let body = signer.sign(notification("2")).to_string();
    for _ in 0..3 {
        assert!(sns.take(body.as_bytes(), now).await.is_ok());
    }
    assert_eq!(stand.asked.lock().unwrap().len(), 1);
    let with = |field: &str, value: &str| {
        let mut message = signer.sign(notification("2"));
        message[field] = json!(value);
        message
    };
    let told = [
        with("SigningCertURL", &format!("{HOST}/none.pem")),
        with("SigningCertURL", &format!("{HOST}/absent.pem")),
        with("SignatureVersion", "3"),
        with("Signature", "§"),
        with("Type", "Else"),
    ];
    let mut said = Vec::new();
    for message in &told {
        said.push(take(&stand, message).await.unwrap_err());
    }
    assert_eq!(
        said,
        [
            "the certificate of Amazon SNS cannot be used",
            "cannot fetch the certificate of Amazon SNS",
            "the signature cannot be read",
            "the signature cannot be read",
            "the body is no message of Amazon SNS",
        ]
    );
    let key = Key::of_certificate(&stand.certificate).unwrap();
    let days = |number: u64| now + Duration::from_secs(86_400 * number);
    assert_eq!(
        [key.is_valid_at(now), key.is_valid_at(days(3)), key.is_valid_at(Timestamp::default())],
        [true, false, false]
    );
}

#[rstest]
#[case("arn:aws:sns:eu-west-1:123456789012:alerts", Some("sns.eu-west-1.amazonaws.com"))]
#[case("arn:aws-us-gov:sns:us-gov-west-1:1:a", Some("sns.us-gov-west-1.amazonaws.com"))]
#[case("arn:aws-cn:sns:cn-north-1:1:a", Some("sns.cn-north-1.amazonaws.com.cn"))]
#[case("arn:aws:sqs:eu-west-1:1:a", None)]
#[case("arn:aws:sns:evil.example/:1:a", None)]
#[case("arn:aws:sns:eu-west-1:1", None)]
#[case("arn:aws:sns::1:a", None)]
#[case("arn:other:sns:eu-west-1:1:a", None)]
fn a_topic_s_name_says_where_sns_is(#[case] text: &str, #[case] host: Option<&str>) {
    assert_eq!(TopicArn::parse(text).map(|topic| topic.host.to_string()).as_deref(), host);
}
