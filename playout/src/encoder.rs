//! Starts the one encoder ffmpeg and turns what happens to it into events.
//!
//! The waiter task alone signals the process, and stops doing so once it is reaped: no signal can reach a stranger with its pid.

mod arguments;

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use rustix::process::{Pid as OsPid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::settings::EncoderSettings;
use vvtv_streaming::ffmpeg_progress::{Block, Blocks};
use vvtv_toolkit::process::{self, Stat};

use crate::machine::{Exit, Pid};
use crate::sink::{EncoderInputs, Sink};
use crate::streaming_log::StreamingLog;

/// ffmpeg's longest lines are a few hundred bytes.
const LINE_BYTES_MAX: u64 = 8 << 10;

pub(crate) use arguments::arguments;

/// What a living or just ended encoder tells.
#[derive(Debug)]
pub(crate) enum Told {
    Progress(Block),
    Exited(Exit),
}

/// A message of the encoder with this pid; the receiver ignores those of an earlier one.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) pid: Pid,
    pub(crate) told: Told,
}

/// A started encoder.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) pid: Pid,
    pub(crate) settings: EncoderSettings,
    signals: mpsc::Sender<Signal>,
}

impl Encoder {
    /// Starts ffmpeg. Its messages go to `messages`, its words to the log.
    ///
    /// # Errors
    /// ffmpeg cannot be started, or the sockets for its input and progress cannot be made.
    pub(crate) fn start(
        config: &Arc<Config>,
        settings: EncoderSettings,
        log: &StreamingLog,
        messages: &mpsc::Sender<Message>,
    ) -> anyhow::Result<(Self, Sink)> {
        // A socket of its own for each encoder: nothing that an earlier one sent can be taken for this one's.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").context("cannot open a port for ffmpeg's progress")?;
        socket.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        let progress = socket.local_addr().context("the progress port has no address")?;
        let socket = UdpSocket::from_std(socket).context("cannot watch a socket")?;
        // One second: a hiccup of the encoder costs nothing, and a slow encoder is noticed within that time.
        let (sink, EncoderInputs { video, audio }) = Sink::open(config.video.fps as usize)?;
        let mut child = Command::new(&config.ffmpeg)
            .args(arguments(config, &settings, progress))
            .stdin(Stdio::from(video))
            .stdout(Stdio::from(audio))
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is the daemon's to handle.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", config.ffmpeg))?;
        let pid = child.id().context("the encoder has no pid")?;
        let words = child.stderr.take().context("the encoder has no error output")?;
        tokio::spawn(listen(words, log.clone(), pid));
        let listening = tokio::spawn(forward(socket, config.clone(), pid, messages.clone()));
        let (signals, orders) = mpsc::channel(4);
        let messages = messages.clone();
        tokio::spawn(async move {
            let exit = wait(child, pid, orders).await;
            listening.abort();
            let _ = messages.send(Message { pid, told: Told::Exited(exit) }).await;
        });
        Ok((Self { pid, settings, signals }, sink))
    }

    /// What the system tells of the process; it is buried only after its exit was told.
    pub(crate) fn stat(&self) -> Option<Stat> {
        i32::try_from(self.pid).ok().and_then(process::stat)
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        let _ = self.signals.try_send(Signal::TERM);
    }

    /// Ends the process.
    pub(crate) fn kill(&self) {
        let _ = self.signals.try_send(Signal::KILL);
    }
}

async fn wait(mut child: Child, pid: Pid, mut orders: mpsc::Receiver<Signal>) -> Exit {
    loop {
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) => status.signal().map_or_else(|| Exit::Code(status.code().unwrap_or(-1)), Exit::Signal),
                Err(error) => {
                    tracing::error!(pid, %error, "cannot wait for the encoder");
                    Exit::Code(-1)
                }
            },
            Some(order) = orders.recv() => signal(pid, order),
        }
    }
}

/// A process that is gone is no error.
fn signal(pid: Pid, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(OsPid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

async fn listen(words: impl AsyncRead + Unpin, log: StreamingLog, pid: Pid) {
    let source = format!("encoder[{pid}]");
    let mut words = BufReader::new(words);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end is cut rather than collected.
        match (&mut words).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => log.program(&source, String::from_utf8_lossy(&line).trim_end()),
        }
    }
}

/// Takes ffmpeg's datagrams in and sends each on, unchanged, to whoever wants them.
async fn forward(socket: UdpSocket, config: Arc<Config>, pid: Pid, messages: mpsc::Sender<Message>) {
    let copies: Vec<(UdpSocket, SocketAddr)> = config.progress_to.iter().filter_map(|to| outlet(*to)).collect();
    let mut buffer = vec![0; 8 << 10];
    while let Ok(length) = socket.recv(&mut buffer).await {
        let datagram = buffer.get(..length).unwrap_or_default();
        for (outlet, to) in &copies {
            // Nobody listening is no fault of the encoder; UDP cannot block it.
            let _ = outlet.try_send_to(datagram, *to);
        }
        for block in Blocks::default().feed(datagram) {
            let told = match block {
                Ok(block) => Told::Progress(block),
                Err(error) => {
                    tracing::warn!(pid, %error, "ffmpeg's progress cannot be read");
                    continue;
                }
            };
            if messages.send(Message { pid, told }).await.is_err() {
                return;
            }
        }
    }
}

fn outlet(to: SocketAddr) -> Option<(UdpSocket, SocketAddr)> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = std::net::UdpSocket::bind(any).and_then(|socket| {
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    });
    match socket {
        Ok(socket) => Some((socket, to)),
        Err(error) => {
            tracing::error!(%to, %error, "progress cannot be forwarded");
            None
        }
    }
}
