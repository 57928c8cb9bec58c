//! Amazon SNS, from its request to the incident: on a stand-in that has its name and a certificate of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::alerts::sns::TopicArn;
use crate::alerts::sns::tests::{Signer, TOPIC, confirmation, notification, openssl};

const NAME: &str = "sns.eu-west-1.amazonaws.com";

struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A server with the certificate in a directory, of which it serves the signer's at `/cert.pem`; it counts confirmations.
async fn stand_in(dir: &Path, confirmed: Arc<AtomicUsize>) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(dir.join("tls.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let certificate = std::fs::read(dir.join("cert.pem")).unwrap();
    let confirm = move || async move { confirmed.fetch_add(1, Ordering::Relaxed).to_string() };
    let app = Router::new().route("/cert.pem", get(move || async move { certificate })).route("/", get(confirm));
    let listener = Tls { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn post(app: &App, message: &Value) -> (u16, String) {
    let request = Request::builder().method(Method::POST).uri("/webhook/sns");
    let request =
        request.header("content-type", "text/plain; charset=UTF-8").header("x-amz-sns-message-type", "Notification");
    send(app, request.body(Body::from(message.to_string())).unwrap()).await
}

async fn send(app: &App, request: Request) -> (u16, String) {
    let response = app.clone().into_router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_message_opens_an_incident_and_a_subscription_is_confirmed() {
    let signer = Signer::new();
    let dir = signer.dir.path();
    let key = "-newkey rsa:2048 -nodes";
    openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
    openssl(dir, &format!("req {key} -keyout tls.key -out tls.csr -subj /CN=sns"));
    std::fs::write(dir.join("extensions"), format!("subjectAltName=DNS:{NAME}\n")).unwrap();
    openssl(
        dir,
        "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out tls.pem",
    );
    let mut published = notification("2");
    published["Message"] = DELIVERY.into();
    let published = signer.sign(published);
    let confirmation = signer.sign(confirmation(&format!("https://{NAME}/?Action=ConfirmSubscription&Token=t")));
    let confirmed = Arc::new(AtomicUsize::new(0));
    let address = stand_in(dir, Arc::clone(&confirmed)).await;

    let (site, stop) = (files(), CancellationToken::new());
    let mut shared = furnished(site.path(), &stop);
    let ca = reqwest::Certificate::from_pem(&std::fs::read(dir.join("ca.pem")).unwrap()).unwrap();
    let amazon = Amazon::by(reqwest::Client::builder().tls_certs_only([ca]).resolve(NAME, address)).unwrap();
    shared.sns = Sns::new(vec![TopicArn::parse(TOPIC).unwrap()], amazon);
    let app = router(shared, "/metrics");
    assert_eq!(post(&app, &confirmation).await, (200, "ok\n".to_owned()));
    assert_eq!(confirmed.load(Ordering::Relaxed), 1);
    assert_eq!(post(&app, &published).await, (200, "ok\n".to_owned()));
    let mut altered = published.clone();
    altered["Message"] = DELIVERY.replace("main", "other").into();
    assert_eq!(post(&app, &altered).await, (403, "the signature is wrong\n".to_owned()));
    let list =
        Request::builder().uri("/api/v1/incidents").header("authorization", format!("Bearer {}", token("viewer")));
    let (status, list) = send(&app, list.body(Body::empty()).unwrap()).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let targets: Vec<_> = list["incidents"].as_array().unwrap().iter().map(|it| &it["target"]).collect();
    assert_eq!((status, targets), (200, vec![&Value::from("main")]));
    stop.cancel();
}
