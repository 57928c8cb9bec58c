//! The servers that are watched: playlists that stand still or advance, a server that hangs, an RTMP server. They note when each
//! request arrives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Seconds of a segment of an advancing playlist.
const SEGMENT_SECONDS: f64 = 2.0;

/// Segments listed.
const LISTED: u64 = 6;

/// A server of playlists `/still/N`, `/live/N`, segments, and `/hung/N`, which never answers.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    requests: u64,
    last: HashMap<u32, Instant>,
    /// Between the requests for one playlist, seconds.
    gaps: Vec<f64>,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            let started = Instant::now();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), started));
            }
        });
        Self { address, log }
    }

    /// Requests since the last call, and the gaps between those for the same playlist.
    pub(crate) fn take(&self) -> (f64, Vec<f64>) {
        let mut log = self.log.lock().unwrap();
        (std::mem::take(&mut log.requests) as f64, std::mem::take(&mut log.gaps))
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Log>>, started: Instant) {
    let _ = stream.set_nodelay(true);
    let mut request = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut request).await {
        let now = Instant::now();
        let text = std::str::from_utf8(&request[..read]).unwrap();
        let mut words = text.split_ascii_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut parts = path.trim_start_matches('/').split('/');
        let (kind, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let id: u32 = id.split('.').next().and_then(|id| id.parse().ok()).unwrap_or(0);
        let body = match kind {
            "hung" => return std::future::pending().await,
            "still" => playlist(1000),
            _ if method == "HEAD" => String::new(),
            _ => playlist((now - started).as_secs_f64().mul_add(1.0 / SEGMENT_SECONDS, f64::from(id) * 0.618) as u64),
        };
        {
            let mut log = log.lock().unwrap();
            log.requests += 1;
            if method == "GET"
                && let Some(last) = log.last.insert(id, now)
            {
                log.gaps.push((now - last).as_secs_f64());
            }
        }
        let length = if method == "HEAD" { 500_000 } else { body.len() };
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/vnd.apple.mpegurl\r\nContent-Length: {length}\r\nConnection: keep-alive\r\n\r\n"
        );
        if stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.is_err() {
            return;
        }
    }
}

fn playlist(first: u64) -> String {
    let segments: String =
        (first..first + LISTED).map(|n| format!("#EXTINF:{SEGMENT_SECONDS:.3},\nmain-{n}.ts\n")).collect();
    format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-TARGETDURATION:2\n{segments}")
}

/// An RTMP server that accepts every `connect`.
pub(crate) async fn rtmp() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut c0_c1 = [0; 1537];
                stream.read_exact(&mut c0_c1).await?;
                let mut greeting = vec![3; 1 + 1536 + 1536];
                greeting[1537..].copy_from_slice(&c0_c1[1..]);
                stream.write_all(&greeting).await?;
                let mut c2 = [0; 1536];
                stream.read_exact(&mut c2).await?;
                let mut connect = [0; 1024];
                let _ = stream.read(&mut connect).await?;
                stream.write_all(b"\x03\0\0\0\0\0\x0a\x14\0\0\0\0\x02\0\x07_result").await
            });
        }
    });
    address
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Lets the world go on.
pub(crate) async fn settle(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
