//! RTMP servers, scripted: what they answer `connect` with, and what they are told.

use std::net::SocketAddr;

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use vvtv_exporter::config::{Connect, RtmpEndpoint};
use vvtv_exporter::health::Failure;
use vvtv_exporter::probe::rtmp::{self, Answer};

use super::TIMEOUT;

fn text(text: &str) -> Vec<u8> {
    [&[0x02], u16::try_from(text.len()).unwrap().to_be_bytes().as_slice(), text.as_bytes()].concat()
}

fn property(name: &str, value: &[u8]) -> Vec<u8> {
    [text(name).get(1..).unwrap(), value].concat()
}

/// A message on chunk stream 3, in chunks of 128 bytes.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let chunks: Vec<&[u8]> = body.chunks(128).collect();
    [&[3, 0, 0, 0], length.get(1..).unwrap(), &[kind, 0, 0, 0, 0], &chunks.join(&0xC3)].concat()
}

fn command(name: &str, info: &[Vec<u8>]) -> Vec<u8> {
    let number = [&[0x00], 1.0_f64.to_be_bytes().as_slice()].concat();
    [text(name), number, vec![0x05, 0x03], info.concat(), vec![0, 0, 9]].concat()
}

fn error(description: &str) -> Vec<u8> {
    let code = property("code", &text("NetConnection.Connect.Rejected"));
    message(
        20,
        &command("_error", &[property("level", &text("error")), code, property("description", &text(description))]),
    )
}

/// A server for one connection: the handshake, its answer, and what it was sent after the handshake.
async fn server(address: &str, answer: Vec<u8>) -> (SocketAddr, oneshot::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut c0_c1 = [0; 1537];
        stream.read_exact(&mut c0_c1).await?;
        stream.write_all(&[vec![3], vec![0; 1536], c0_c1[1..].to_vec()].concat()).await?;
        stream.read_exact(&mut [0; 1536]).await?;
        let mut said = vec![0; 4096];
        let read = stream.read(&mut said).await?;
        said.truncate(read);
        // Whoever asked may have gone.
        let _ = sender.send(said);
        stream.write_all(&answer).await?;
        stream.read(&mut [0; 1]).await
    });
    (address, receiver)
}

#[rstest]
#[case::a_password(error("[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "), Answer::AuthRequired)]
#[case::another_server(
    message(20, &command("_error", &[property("ex", &[&[0x03], property("redirect", &text("rtmp://b/live")).as_slice(), &[0, 0, 9]].concat())])),
    Answer::Redirected
)]
#[case::after_others([message(20, &command("onBWDone", &[])), message(20, &command("_result", &[]))].concat(), Answer::Accepted)]
#[case::in_an_envelope(message(17, &[vec![0], command("_result", &[])].concat()), Answer::Accepted)]
#[tokio::test]
async fn a_server_that_answers_is_up(#[case] answer: Vec<u8>, #[case] expected: Answer) {
    let (address, said) = server("127.0.0.1:0", answer).await;
    let (endpoint, _) = RtmpEndpoint::parse(&format!("rtmp://{address}/live")).unwrap();
    assert_eq!(rtmp::handshake(&endpoint, TIMEOUT).await, Ok(expected));
    assert!(!said.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_as_the_server_says_it_without_what_is_secret() {
    let (address, said) = server("[::1]:0", error("Application live?key=s3cret not found\r\n")).await;
    let (endpoint, key) = RtmpEndpoint::parse(&format!("rtmp://{address}/live?key=s3cret/main")).unwrap();
    let refused = rtmp::handshake(&endpoint, TIMEOUT).await.unwrap_err();
    let message = format!("rtmp://{address}/live refuses the connection: Application live?REDACTED not found  ");
    assert_eq!((refused.reason, refused.message), (Failure::Rejected, message));
    let said = said.await.unwrap();
    let was_told = |text: &str| said.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(was_told("live?key=s3cret") && was_told(&format!("rtmp://{address}/live?key=s3cret")));
    assert_eq!(key.as_deref(), Some("main"));
}

#[tokio::test]
async fn the_handshake_alone_asks_for_no_application() {
    let (address, said) = server("127.0.0.1:0", Vec::new()).await;
    let (endpoint, _) = RtmpEndpoint::parse(&format!("rtmp://{address}/live")).unwrap();
    let endpoint = RtmpEndpoint { connect: Connect::Handshake, ..endpoint };
    assert_eq!(rtmp::handshake(&endpoint, TIMEOUT).await, Ok(Answer::Accepted));
    assert_eq!(said.await, Ok(Vec::new()));
}
