//! One ffmpeg per queue item: decodes the file and normalises it to the channel's picture and sound.
//!
//! The daemon's clock takes frames out; a feeder that is ahead waits in its pipe. Picture and sound come on two pipes, and the
//! feeder may block on one while the other is wanted: then silence goes out and the sound that comes late is thrown away.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio_util::task::AbortOnDropHandle;
use vvtv_playout_interface::config::{Config, Video};
use vvtv_playout_interface::ffprobe::{self, Media};
use vvtv_playout_interface::queue::Item;

use crate::sink::Frame;

/// Samples per second and channel of the channel's sound; two channels of 16 bits.
pub(crate) const SAMPLE_RATE: u32 = 48_000;

/// Bytes of one sample of both channels.
pub(crate) const SAMPLE_BYTES: usize = 4;

const AUDIO_CHUNK: usize = 16 << 10;

/// About 60 s of sound: files whose sound lies far from their picture need room here.
const AUDIO_CHUNKS: usize = 700;

/// How much of ffmpeg's complaints is kept.
const COMPLAINT_BYTES: u64 = 8 << 10;

/// An item that is being decoded. Dropping it kills ffmpeg.
#[derive(Debug)]
pub(crate) struct Feeder {
    pub(crate) item: Item,
    /// Seconds, by the file itself or else by the queue.
    pub(crate) duration_seconds: Option<f64>,
    video: Option<mpsc::Receiver<Frame>>,
    audio: Option<mpsc::Receiver<Vec<u8>>>,
    sound: Vec<u8>,
    /// Bytes of sound that went out as silence and are to be skipped when they come.
    debt: usize,
    last: Option<Frame>,
    process: AbortOnDropHandle<anyhow::Result<()>>,
}

/// What the feeder has for the next frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Pull {
    /// A picture (`None`: the item has none, show black) and its sound.
    Frame(Option<Frame>, Vec<u8>),
    /// Nothing yet; the last picture, if any.
    Starved(Option<Frame>),
    Ended,
}

impl Feeder {
    /// Looks at the file and starts decoding.
    ///
    /// # Errors
    /// The file cannot be played, or ffmpeg cannot be started.
    pub(crate) async fn start(config: &Config, item: Item) -> anyhow::Result<Self> {
        let media = ffprobe::inspect(&config.ffprobe, &item.asset_path).await?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().context("cannot make a socket pair")?;
        ours.set_nonblocking(true).context("cannot make a socket non-blocking")?;
        let sound_input = UnixStream::from_std(ours).context("cannot watch a socket")?;
        let mut child = Command::new(&config.ffmpeg)
            .args(arguments(&media, &item.asset_path, item.resume_seconds, config.video))
            // ffmpeg can write to descriptor 0 (`pipe:0`): the second output needs no path that way.
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", config.ffmpeg))?;
        let picture_input = child.stdout.take().context("the feeder has no output")?;
        let complaints = child.stderr.take().context("the feeder has no error output")?;
        let video = media.picture.map(|_| {
            let (sender, receiver) = mpsc::channel(config.video.fps as usize);
            tokio::spawn(read_frames(picture_input, config.video.frame_bytes(), sender));
            receiver
        });
        let audio = media.has_audio.then(|| {
            let (sender, receiver) = mpsc::channel(AUDIO_CHUNKS);
            tokio::spawn(read_sound(sound_input, sender));
            receiver
        });
        let process = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut text = Vec::new();
            let reading = complaints.take(COMPLAINT_BYTES).read_to_end(&mut text).await;
            let status = child.wait().await.context("cannot wait for the feeder")?;
            reading.context("cannot read the feeder's error output")?;
            let text = String::from_utf8_lossy(&text);
            let complaint = ffprobe::last_line(&text).unwrap_or("no reason given");
            anyhow::ensure!(status.success(), "{complaint} ({status})");
            Ok(())
        }));
        let duration_seconds = media.duration_seconds.or(item.duration_seconds);
        Ok(Self { item, duration_seconds, video, audio, sound: Vec::new(), debt: 0, last: None, process })
    }

    /// Whether the first frame can go out, so that an item begins with picture and sound together.
    pub(crate) fn ready(&mut self, sound_bytes: usize) -> bool {
        let sound = self.collect_sound(sound_bytes) || self.audio_closed();
        match &self.video {
            Some(video) => (!video.is_empty() && (sound || video.len() == video.max_capacity())) || video.is_closed(),
            None => sound,
        }
    }

    /// Takes the next frame with `sound_bytes` of sound. Never waits.
    pub(crate) fn pull(&mut self, sound_bytes: usize) -> Pull {
        let enough = self.collect_sound(sound_bytes);
        let frame = match self.video.as_mut().map(mpsc::Receiver::try_recv) {
            Some(Ok(frame)) => {
                self.last = Some(frame.clone());
                Some(frame)
            }
            Some(Err(TryRecvError::Empty)) => return Pull::Starved(self.last.clone()),
            // The sound may outlast the picture: the last picture stands until both have ended.
            Some(Err(TryRecvError::Disconnected)) if enough => self.last.clone(),
            Some(Err(TryRecvError::Disconnected)) if self.audio_closed() => return Pull::Ended,
            Some(Err(TryRecvError::Disconnected)) => return Pull::Starved(self.last.clone()),
            None if enough => None,
            None if self.audio_closed() => return Pull::Ended,
            None => return Pull::Starved(None),
        };
        Pull::Frame(frame, self.take_sound(sound_bytes))
    }

    /// Whether decoding has come to its end, with what is decoded still to play.
    pub(crate) fn decoded(&self) -> bool {
        self.process.is_finished()
    }

    /// How ffmpeg ended. Waits for it; what it still has to say is thrown away.
    ///
    /// # Errors
    /// ffmpeg failed: its last complaint.
    pub(crate) async fn outcome(self) -> anyhow::Result<()> {
        let Self { video, audio, process, .. } = self;
        drop((video, audio));
        process.await.context("the feeder was given up")?
    }

    fn audio_closed(&self) -> bool {
        self.audio.as_ref().is_none_or(|audio| audio.is_closed() && audio.is_empty())
    }

    /// Brings at least `wanted` bytes of sound together if they are there.
    fn collect_sound(&mut self, wanted: usize) -> bool {
        let Some(audio) = &mut self.audio else { return false };
        while self.sound.len() < wanted {
            let Ok(chunk) = audio.try_recv() else { break };
            let skipped = self.debt.min(chunk.len());
            self.debt -= skipped;
            self.sound.extend_from_slice(chunk.get(skipped..).unwrap_or_default());
        }
        self.sound.len() >= wanted
    }

    fn take_sound(&mut self, wanted: usize) -> Vec<u8> {
        let rest = self.sound.split_off(wanted.min(self.sound.len()));
        let mut sound = std::mem::replace(&mut self.sound, rest);
        if !self.audio_closed() {
            self.debt += wanted - sound.len();
        }
        sound.resize(wanted, 0);
        sound
    }
}

fn arguments(media: &Media, path: &str, from: Option<f64>, video: Video) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"].map(str::to_owned).into();
    arguments.extend(ffprobe::CONFINED.map(str::to_owned));
    if let Some(seconds) = from {
        arguments.extend(["-ss".to_owned(), format!("{seconds:.3}")]);
    }
    arguments.extend(["-i".to_owned(), ffprobe::file_url(path)]);
    if media.picture.is_some() {
        let Video { width, height, fps } = video;
        let filter = format!(
            "fps={fps}:start_time=0,scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2,\
             pad={width}:{height}:-1:-1,setsar=1,format=yuv420p"
        );
        arguments.extend(["-map", "0:V:0", "-vf", &filter, "-f", "rawvideo", "pipe:1"].map(str::to_owned));
    }
    if media.has_audio {
        let filter = format!("aresample={SAMPLE_RATE}:async=1:first_pts=0");
        let output = ["-map", "0:a:0", "-af", &filter, "-ac", "2", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:0"];
        arguments.extend(output.map(str::to_owned));
    }
    arguments
}

async fn read_frames(mut input: impl AsyncRead + Unpin, bytes: usize, frames: mpsc::Sender<Frame>) {
    loop {
        let mut frame = vec![0; bytes];
        // A torn last frame is no frame.
        if input.read_exact(&mut frame).await.is_err() || frames.send(Arc::new(frame)).await.is_err() {
            return;
        }
    }
}

async fn read_sound(mut input: impl AsyncRead + Unpin, chunks: mpsc::Sender<Vec<u8>>) {
    loop {
        let mut chunk = vec![0; AUDIO_CHUNK];
        match input.read(&mut chunk).await {
            Ok(length) if length > 0 => chunk.truncate(length),
            Ok(_) | Err(_) => return,
        }
        if chunks.send(chunk).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
