//! Connections that are held against a program, for the tests of every program that serves.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// More than a program has places.
const CONNECTIONS: usize = 600;
/// How often each comes again after it was ended.
const RETURNS: usize = 1;

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Sends this and waits for what comes.
    Waits(&'static str),
    /// Sends this so many times, and reads nothing.
    NeverReads(&'static str, usize),
}

/// Connections that are held against a program, until it is dropped.
pub(crate) struct Flood {
    _runtime: Runtime,
}

impl Flood {
    /// Opens them all.
    pub(crate) fn start(to: &str, kind: Kind, addresses: u8) -> Self {
        let most = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let to: SocketAddr = to.parse().unwrap();
        let (opened, mut open) = mpsc::channel(CONNECTIONS);
        for number in 0..CONNECTIONS {
            let from = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % usize::from(addresses)).unwrap());
            let opened = opened.clone();
            runtime.spawn(async move {
                for time in 0..=RETURNS {
                    // Refused when the kernel's queue is full.
                    let Ok(client) = connect(from, to).await else { continue };
                    if time == 0 {
                        opened.send(()).await.unwrap();
                    }
                    hold(client, kind).await;
                }
            });
        }
        drop(opened);
        let all = async { while open.recv_many(&mut Vec::new(), CONNECTIONS).await > 0 {} };
        // Those that wait in the kernel's queue are open for their client already.
        let _: Result<(), _> = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), all).await });
        Self { _runtime: runtime }
    }
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// Until the connection ends, or is seen to.
async fn hold(mut client: TcpStream, kind: Kind) {
    match kind {
        Kind::Waits(request) => {
            if client.write_all(request.as_bytes()).await.is_ok() {
                let _: Result<usize, _> = client.read_to_end(&mut Vec::new()).await;
            }
        }
        Kind::NeverReads(request, times) => {
            if client.write_all(request.repeat(times).as_bytes()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        }
    }
}
