//! What a media file holds, asked of ffprobe.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::process::Command;

/// How long ffprobe may take; a file on a hanging disk must not hold the queue up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the queue and the feeder need to know of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// `None` when the file does not say.
    pub duration_seconds: Option<f64>,
    /// `None` where there is no moving picture: a cover is none.
    pub picture: Option<Picture>,
    /// It has sound.
    pub has_audio: bool,
    /// Bits per second of the whole file; `None` when it does not say.
    pub bitrate_bps: Option<u64>,
}

/// The picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    codec_type: String,
    width: Option<u32>,
    height: Option<u32>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Default, Deserialize)]
struct Format {
    duration: Option<String>,
    bit_rate: Option<String>,
}

/// Kinds of files that are played: containers and elementary streams that hold their media themselves. Lists of other files (playlists,
/// concat scripts, manifests, patterns of images) are none of them, whatever they are named: they would play, and tell, what else is
/// on the disk.
const FORMATS: &str = "mov,matroska,webm,mpegts,mpeg,mpegvideo,mxf,avi,flv,asf,ogg,nut,gxf,dv,ivf,obu,h264,hevc,m4v,av1,rm,wtv,\
                       mp3,aac,flac,ac3,eac3,wav,w64,aiff,caf,amr,dts,truehd,ape,wv,tta,gif";

/// What ffmpeg and ffprobe may open for an item of the queue: the file, as a file, and as one of the kinds that hold their media
/// themselves. Goes before `-i`.
pub const CONFINED: [&str; 4] = ["-protocol_whitelist", "file", "-format_whitelist", FORMATS];

/// The `file:` form keeps ffmpeg from reading an odd path as a protocol or an option.
pub fn file_url(path: &str) -> String {
    format!("file:{path}")
}

impl Media {
    /// What ffprobe wrote, as JSON.
    ///
    /// # Errors
    /// It cannot be read, or tells of nothing that can be played.
    pub fn parse(json: &[u8]) -> anyhow::Result<Self> {
        let output: Output = serde_json::from_slice(json).context("ffprobe's answer cannot be read")?;
        let picture = output
            .streams
            .iter()
            // The cover of a music file is listed as video, but is no moving picture.
            .find(|stream| stream.codec_type == "video" && stream.disposition.attached_pic == 0)
            .and_then(|stream| stream.width.zip(stream.height))
            .map(|(width, height)| Picture { width, height });
        let has_audio = output.streams.iter().any(|stream| stream.codec_type == "audio");
        if picture.is_none() && !has_audio {
            bail!("neither picture nor sound to play");
        }
        Ok(Self {
            duration_seconds: output
                .format
                .duration
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|seconds| seconds.is_finite() && *seconds > 0.0),
            picture,
            has_audio,
            bitrate_bps: output.format.bit_rate.and_then(|text| text.parse().ok()),
        })
    }
}

/// Asks ffprobe about a regular file.
///
/// # Errors
/// The file is missing or no regular file, ffprobe is missing, fails or takes too long, or nothing in the file can be played.
pub async fn inspect(ffprobe: &str, path: &str) -> anyhow::Result<Media> {
    let metadata = std::fs::metadata(Path::new(path)).with_context(|| path.to_owned())?;
    if !metadata.is_file() {
        bail!("{path}: not a regular file");
    }
    let run = Command::new(ffprobe)
        .args(["-v", "error", "-of", "json"])
        .args(CONFINED)
        .args([
            "-show_entries",
            "format=duration,bit_rate:stream=codec_type,width,height:stream_disposition=attached_pic",
        ])
        .arg(file_url(path))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TIMEOUT, run)
        .await
        .with_context(|| format!("{path}: {ffprobe} did not answer within {TIMEOUT:?}"))?
        .with_context(|| format!("cannot run {ffprobe}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        if let Some(format) = refused_format(&text) {
            bail!("{path}: holds `{format}`, whatever its name says: that is not played from the queue");
        }
        bail!("{path}: {}", last_line(&text).unwrap_or("ffprobe failed without a word"));
    }
    Media::parse(&output.stdout).with_context(|| path.to_owned())
}

/// The last line that says something.
pub fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty())
}

/// Which format ffmpeg found and may not open, from `[hls @ 0x5581] Format not on whitelist '…'`.
fn refused_format(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.contains("Format not on whitelist"))?;
    line.trim_start().strip_prefix('[')?.split([' ', ']']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_and_a_song_with_a_cover() {
        let film = br#"{"streams":[{"codec_type":"video","width":640,"height":360,"disposition":{"attached_pic":0}},
            {"codec_type":"audio","disposition":{"attached_pic":0}}],"format":{"duration":"12.5","bit_rate":"800000"}}"#;
        let expected = Media {
            duration_seconds: Some(12.5),
            picture: Some(Picture { width: 640, height: 360 }),
            has_audio: true,
            bitrate_bps: Some(800_000),
        };
        assert_eq!(Media::parse(film).unwrap(), expected);
        let song = br#"{"streams":[{"codec_type":"audio"},{"codec_type":"video","width":300,"height":300,
            "disposition":{"attached_pic":1}}],"format":{"duration":"N/A"}}"#;
        let expected = Media { duration_seconds: None, picture: None, has_audio: true, bitrate_bps: None };
        assert_eq!(Media::parse(song).unwrap(), expected);
    }

    #[test]
    fn a_file_with_nothing_to_play_is_refused() {
        let error = Media::parse(br#"{"streams":[{"codec_type":"subtitle"}],"format":{}}"#).unwrap_err();
        assert_eq!(error.to_string(), "neither picture nor sound to play");
    }
}
