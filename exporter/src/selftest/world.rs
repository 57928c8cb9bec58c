//! The servers of the self-test: a web server with playlist, segments and statistics, an RTMP server, an encoder that reports. All on
//! loopback, each healthy until told otherwise.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

/// Between two reports of the encoder.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// A segment's length: short, so that the test is.
const SEGMENT: Duration = Duration::from_millis(300);

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    PlaylistFrozen,
    PlaylistVanished,
    SegmentsMissing,
    RtmpHung,
    PublisherFrozen,
    EncoderDrops,
    EncoderStarved,
    BitrateSwings,
}

pub(super) struct World {
    web: SocketAddr,
    rtmp: SocketAddr,
    progress: SocketAddr,
    state: Arc<State>,
    fault: watch::Sender<Option<Fault>>,
}

struct State {
    started: Instant,
    fault: watch::Receiver<Option<Fault>>,
    newest: AtomicU64,
    published_bytes: AtomicU64,
    restart: AtomicBool,
}

impl World {
    pub(super) async fn start() -> io::Result<Self> {
        let (fault, receiver) = watch::channel(None);
        let state = Arc::new(State {
            started: Instant::now(),
            fault: receiver,
            newest: AtomicU64::new(0),
            published_bytes: AtomicU64::new(0),
            restart: AtomicBool::new(false),
        });
        let (web, rtmp) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let (web_address, rtmp_address) = (web.local_addr()?, rtmp.local_addr()?);
        // A free port for the exporter to receive on: it is given back at once.
        let progress = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?;
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = web.accept().await {
                // A client that hangs up ends its own connection only.
                tokio::spawn(serve_web(stream, Arc::clone(&shared)));
            }
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = rtmp.accept().await {
                tokio::spawn(serve_rtmp(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { web: web_address, rtmp: rtmp_address, progress, state, fault })
    }

    /// Lets time pass for encoder and packager.
    pub(super) fn begin(&self) {
        tokio::spawn(encode(self.progress, Arc::clone(&self.state)));
    }

    pub(super) fn config(&self) -> String {
        let Self { web, rtmp, progress, .. } = self;
        format!(
            "streams:\n  - name: selftest\n    playlist: http://{web}/main.m3u8\n    ingest: rtmp://{rtmp}/live/main\n    \
             nginx_stat: http://{web}/stat\n    encoder_progress: udp://{progress}\n    \
             thresholds: {{segment_age_seconds: 1}}\n\
             interval: 100ms\ntimeout: 1s\ningest_timeout: 500ms\nwindow: 5s\nstalled_after: 500ms\nsilent_after: 1s\n\
             bitrate_interval: 200ms\nhost: {{broadcast: /, processes: []}}\n"
        )
    }

    pub(super) fn set(&self, fault: Option<Fault>) {
        self.fault.send_replace(fault);
    }

    pub(super) fn restart_encoder(&self) {
        self.state.restart.store(true, Ordering::Relaxed);
    }
}

impl State {
    fn is(&self, fault: Fault) -> bool {
        *self.fault.borrow() == Some(fault)
    }

    fn playlist(&self) -> String {
        let newest = self.newest.load(Ordering::Relaxed);
        let first = newest.saturating_sub(5);
        let segments: String = (first..=newest).map(|n| format!("#EXTINF:0.3,\n{n}.ts\n")).collect();
        format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}")
    }

    fn statistics(&self) -> String {
        let (bytes, uptime) = (self.published_bytes.load(Ordering::Relaxed), self.started.elapsed().as_secs());
        format!(
            "<rtmp><pid>1</pid><uptime>{uptime}</uptime><server><application><name>live</name><live><stream><name>main</name>\
             <bytes_in>{bytes}</bytes_in><client><id>1</id><publishing/></client><publishing/></stream></live></application></server></rtmp>"
        )
    }
}

async fn serve_web(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut request = [0; 2048];
    loop {
        let read = stream.read(&mut request).await?;
        let text = String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
        let path = text.split_ascii_whitespace().nth(1).unwrap_or_default();
        if path.is_empty() {
            return Ok(());
        }
        let body = match path {
            "/stat" => Some(state.statistics()),
            "/main.m3u8" if state.is(Fault::PlaylistVanished) => None,
            "/main.m3u8" => Some(state.playlist()),
            _ if state.is(Fault::SegmentsMissing) => None,
            _ => Some("media".repeat(1000)),
        };
        let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
        let body = body.unwrap_or_default();
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        if !text.starts_with("HEAD") {
            answer.push_str(&body);
        }
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn serve_rtmp(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    if state.is(Fault::RtmpHung) {
        return std::future::pending().await;
    }
    let mut greeting = [0; 1537];
    stream.read_exact(&mut greeting).await?;
    stream.write_all(&greeting).await?;
    stream.write_all(greeting.get(1..).unwrap_or_default()).await?;
    let mut rest = [0; 1536];
    stream.read_exact(&mut rest).await?;
    let mut connect = [0; 1024];
    // Whatever the command says, this server accepts it.
    let _: usize = stream.read(&mut connect).await?;
    stream.write_all(b"\x03\0\0\0\0\0\x0a\x14\0\0\0\0\x02\0\x07_result").await
}

/// Encoder, publisher and packager: reports, sends bytes, makes segments.
async fn encode(to: SocketAddr, state: Arc<State>) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut ticks = tokio::time::interval(REPORT_EVERY);
    let (mut frames, mut dropped, mut out_time) = (0_u64, 0_u64, Duration::ZERO);
    let (mut last, mut media, mut bytes) = (Instant::now(), Duration::ZERO, 0.0);
    let mut swing = 0_u32;
    loop {
        ticks.tick().await;
        let passed = last.elapsed();
        last = Instant::now();
        if state.restart.swap(false, Ordering::Relaxed) {
            (frames, dropped, out_time) = (0, 0, Duration::ZERO);
        }
        let speed = if state.is(Fault::EncoderStarved) { 0.5 } else { 1.0 };
        out_time += passed.mul_f64(speed);
        // A thousand frames a second: enough in a short window to say something.
        frames = frames.max(out_time.as_millis().try_into().unwrap_or(u64::MAX));
        dropped += if state.is(Fault::EncoderDrops) { 10 } else { 0 };
        let report =
            format!("frame={frames}\ndrop_frames={dropped}\nout_time_us={}\nprogress=continue\n", out_time.as_micros());
        // Nobody may be listening yet.
        let _: io::Result<usize> = socket.send_to(report.as_bytes(), to).await;
        swing += 1;
        let rate = if state.is(Fault::BitrateSwings) && swing % 12 < 6 { 5e6 } else { 1e6 };
        if !state.is(Fault::PublisherFrozen) {
            bytes += rate * passed.as_secs_f64();
            state.published_bytes.store(bytes as u64, Ordering::Relaxed);
        }
        media += passed;
        if media >= SEGMENT && !state.is(Fault::PlaylistFrozen) {
            media = Duration::ZERO;
            state.newest.fetch_add(1, Ordering::Relaxed);
        }
    }
}
