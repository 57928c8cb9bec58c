//! The way of frames into the encoder. Never blocks: when the encoder does not take its frames, new ones are refused.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// One picture, yuv420p. Shared, because a slate is the same picture again and again.
pub(crate) type Frame = Arc<Vec<u8>>;

/// The writing ends of one encoder's two inputs.
#[derive(Debug)]
pub(crate) struct Sink {
    video: mpsc::Sender<Frame>,
    audio: mpsc::Sender<Vec<u8>>,
}

/// The encoder's ends: they become its standard input (video) and output (audio), which ffmpeg reads as `pipe:0` and `pipe:1`.
///
/// Socket pairs, so that there is no path to clean up and the encoder sees the end of its input when the daemon dies.
#[derive(Debug)]
pub(crate) struct EncoderInputs {
    pub(crate) video: OwnedFd,
    pub(crate) audio: OwnedFd,
}

impl Sink {
    /// Makes the pair of inputs, with room for `depth` frames. Needs a tokio runtime.
    ///
    /// # Errors
    /// No file descriptors are left.
    pub(crate) fn open(depth: usize) -> anyhow::Result<(Self, EncoderInputs)> {
        let (video, video_end) = pair()?;
        let (audio, audio_end) = pair()?;
        let (video_sender, mut video_frames) = mpsc::channel::<Frame>(depth);
        let (audio_sender, mut audio_chunks) = mpsc::channel::<Vec<u8>>(depth);
        // The writers end with the encoder (broken pipe) or with the sink (channel closed).
        tokio::spawn(async move {
            let mut video = video;
            while let Some(frame) = video_frames.recv().await {
                if video.write_all(&frame).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            let mut audio = audio;
            while let Some(chunk) = audio_chunks.recv().await {
                if audio.write_all(&chunk).await.is_err() {
                    break;
                }
            }
        });
        Ok((Self { video: video_sender, audio: audio_sender }, EncoderInputs { video: video_end, audio: audio_end }))
    }

    /// Hands a frame and exactly its samples over; false when there is no room, and then neither was taken, so that picture and
    /// sound stay together.
    pub(crate) fn offer(&self, frame: Frame, audio: Vec<u8>) -> bool {
        let (Ok(video_room), Ok(audio_room)) = (self.video.try_reserve(), self.audio.try_reserve()) else {
            return false;
        };
        video_room.send(frame);
        audio_room.send(audio);
        true
    }
}

fn pair() -> anyhow::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().context("cannot make a socket pair")?;
    ours.set_nonblocking(true).context("cannot make a socket non-blocking")?;
    Ok((UnixStream::from_std(ours).context("cannot watch a socket")?, theirs.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[tokio::test]
    async fn a_reader_that_does_not_read_never_blocks_and_keeps_picture_and_sound_together() {
        let (sink, inputs) = Sink::open(3).unwrap();
        let frame: Frame = Arc::new(vec![7; 4 << 20]);
        let mut taken = 0;
        // A large frame fills the socket at once: one is being written, three wait.
        for _ in 0..10 {
            taken += usize::from(sink.offer(frame.clone(), vec![1; 4]));
            tokio::task::yield_now().await;
        }
        assert!((3..=4).contains(&taken), "{taken}");
        drop(inputs.video);
        let mut audio = std::os::unix::net::UnixStream::from(inputs.audio);
        drop(sink);
        let read = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            audio.read_to_end(&mut all).unwrap();
            all.len()
        });
        assert_eq!(read.await.unwrap(), taken * 4);
    }
}
