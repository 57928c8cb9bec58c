//! `playout.yml`: the file as written, parsed once into values that need no further checks.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::redaction::Redactor;
use vvtv_toolkit::yaml::{self, Spanned, YamlError};

use crate::settings::{EncoderSettings, Kbps, Preset, RateControl};

/// The shipped file: what holds when a root has none.
const SHIPPED: &str = include_str!("../../../deploy/playout.yml");

/// The configuration of one channel.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the stream, as the exporter's labels have it.
    pub stream: String,
    /// Where the encoder publishes.
    pub publish: PublishUrl,
    /// Where NGINX tells and obeys.
    pub nginx: Nginx,
    /// Base address of vvtv-exporter.
    pub exporter: Url,
    /// Base address of vvtv-remediator.
    pub remediator: Url,
    /// Base address of Prometheus.
    pub prometheus: Url,
    /// Who gets a copy of each progress datagram.
    pub progress_to: Vec<SocketAddr>,
    /// The picture that the channel sends, whatever its items are.
    pub video: Video,
    /// Encoder settings where no flag is set.
    pub encoder: EncoderSettings,
    /// When an encoder that ended comes back.
    pub respawn: Respawn,
    /// No progress for so long means stuck.
    pub stuck_after: Duration,
    /// The program, by name or path.
    pub ffmpeg: String,
    /// The program, by name or path.
    pub ffprobe: String,
}

/// The HTTP addresses of nginx.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nginx {
    /// The `rtmp_stat` page.
    pub stat: Url,
    /// The `rtmp_control` location.
    pub control: Url,
    /// The media or master playlist that viewers load.
    pub playlist: Url,
}

/// An RTMP address taken apart: nginx asks for application and name separately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishUrl {
    /// The whole address, as ffmpeg gets it.
    pub url: Url,
    /// A name or an address, without brackets.
    pub host: String,
    /// 1935 where the address has none.
    pub port: u16,
    /// The application: the first part of the path.
    pub app: String,
    /// The name to publish under: the rest of the path. A key, where it is not the stream's public name.
    pub name: String,
}

/// The picture that the channel sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Whole frames per second.
    pub fps: u32,
}

impl Video {
    /// Bytes of one yuv420p frame.
    pub const fn frame_bytes(self) -> usize {
        (self.width as usize) * (self.height as usize) * 3 / 2
    }
}

/// When an encoder that ended comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Respawn {
    /// The pause after the first end; it doubles with each further one.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
    /// The pause after an end by a signal: whoever killed it means to act first.
    pub after_signal: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    stream: String,
    publish: Spanned<String>,
    nginx: Nginx,
    exporter: Url,
    remediator: Url,
    prometheus: Url,
    #[serde(default)]
    progress_to: Vec<SocketAddr>,
    video: VideoFile,
    encoder: EncoderFile,
    respawn: RespawnFile,
    stuck_after: Spanned<PromDuration>,
    #[serde(default = "ffmpeg")]
    ffmpeg: String,
    #[serde(default = "ffprobe")]
    ffprobe: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VideoFile {
    width: Spanned<u32>,
    height: Spanned<u32>,
    fps: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncoderFile {
    preset: Spanned<String>,
    crf: Spanned<u8>,
    rate_control: Spanned<String>,
    bitrate: Spanned<String>,
    #[serde(default)]
    buffer_size: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RespawnFile {
    first: Spanned<PromDuration>,
    max: Spanned<PromDuration>,
    after_signal: PromDuration,
}

fn ffmpeg() -> String {
    "ffmpeg".to_owned()
}

fn ffprobe() -> String {
    "ffprobe".to_owned()
}

impl Config {
    /// Reads the file, or the shipped one where `path` does not exist and was not asked for by name.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and column.
    pub fn load(path: &Path, explicit: bool) -> Result<Self, YamlError> {
        if !explicit && !path.exists() {
            return Self::parse("deploy/playout.yml", SHIPPED);
        }
        let text = yaml::read(path)?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Hides what texts may not show. A stream's name that is not its public name is a key.
    pub fn redactor(&self) -> Redactor {
        let PublishUrl { app, name, .. } = &self.publish;
        let redactor = Redactor::default();
        if *name == self.stream { redactor } else { redactor.with_stream_key(app, name) }
    }

    /// Parses a file's text; `source` only names it in messages.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and column.
    pub fn parse(source: &str, text: &str) -> Result<Self, YamlError> {
        let file: File = yaml::parse(source, text)?;
        let publish = PublishUrl::parse(&file.publish.value)
            .map_err(|message| yaml::error_at(source, text, &file.publish, message))?;
        let stuck_after = file.stuck_after.value.get();
        if stuck_after < Duration::from_secs(1) {
            // ffmpeg reports twice a second: anything shorter would call a healthy encoder stuck.
            return Err(yaml::error_at(source, text, &file.stuck_after, "stuck_after must be at least 1s"));
        }
        Ok(Self {
            stream: file.stream,
            publish,
            nginx: file.nginx,
            exporter: file.exporter,
            remediator: file.remediator,
            prometheus: file.prometheus,
            progress_to: file.progress_to,
            video: file.video.check(source, text)?,
            encoder: file.encoder.check(source, text)?,
            respawn: file.respawn.check(source, text)?,
            stuck_after,
            ffmpeg: file.ffmpeg,
            ffprobe: file.ffprobe,
        })
    }
}

impl VideoFile {
    fn check(&self, source: &str, text: &str) -> Result<Video, YamlError> {
        for size in [&self.width, &self.height] {
            if !(64..=4096).contains(&size.value) || !size.value.is_multiple_of(2) {
                return Err(yaml::error_at(source, text, size, "must be an even number of pixels from 64 to 4096"));
            }
        }
        if !(5..=60).contains(&self.fps.value) {
            return Err(yaml::error_at(source, text, &self.fps, "fps must be from 5 to 60"));
        }
        Ok(Video { width: self.width.value, height: self.height.value, fps: self.fps.value })
    }
}

impl RespawnFile {
    fn check(&self, source: &str, text: &str) -> Result<Respawn, YamlError> {
        let (first, max) = (self.first.value.get(), self.max.value.get());
        if first < Duration::from_millis(100) {
            // Shorter pauses would keep starting an encoder that cannot run.
            return Err(yaml::error_at(source, text, &self.first, "first must be at least 100ms"));
        }
        if max < first {
            return Err(yaml::error_at(source, text, &self.max, "max must not be shorter than first"));
        }
        Ok(Respawn { first, max, after_signal: self.after_signal.get() })
    }
}

impl EncoderFile {
    fn check(&self, source: &str, text: &str) -> Result<EncoderSettings, YamlError> {
        let preset: Preset =
            self.preset.value.parse().map_err(|message: String| yaml::error_at(source, text, &self.preset, message))?;
        let rate_control: RateControl = self
            .rate_control
            .value
            .parse()
            .map_err(|message: String| yaml::error_at(source, text, &self.rate_control, message))?;
        let kbps = |value: &Spanned<String>| {
            value.value.parse::<Kbps>().map_err(|message| yaml::error_at(source, text, value, message))
        };
        if self.crf.value > 51 {
            return Err(yaml::error_at(source, text, &self.crf, "crf must be from 0 to 51"));
        }
        Ok(EncoderSettings {
            preset,
            crf: self.crf.value,
            rate_control,
            bitrate: kbps(&self.bitrate)?,
            buffer_size: self.buffer_size.as_ref().map(kbps).transpose()?,
        })
    }
}

impl PublishUrl {
    /// Takes `rtmp://host[:port]/app/name` apart.
    ///
    /// # Errors
    /// What is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
        if url.scheme() != "rtmp" {
            return Err(format!("`{text}`: expected rtmp://host:port/application/name"));
        }
        let host = url.host_str().ok_or_else(|| format!("`{text}` names no host"))?.to_owned();
        let mut parts = url.path().trim_start_matches('/').splitn(2, '/');
        let (Some(app), Some(name)) = (parts.next(), parts.next()) else {
            return Err(format!("`{text}`: expected an application and a name after the host, as in /live/main"));
        };
        if app.is_empty() || name.is_empty() {
            return Err(format!("`{text}`: expected an application and a name after the host, as in /live/main"));
        }
        let (app, name) = (app.to_owned(), name.to_owned());
        Ok(Self { host, port: url.port().unwrap_or(1935), app, name, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_shipped_file_is_valid() {
        let config = Config::parse("deploy/playout.yml", SHIPPED).unwrap();
        assert_eq!(config.publish.app, "live");
        assert_eq!(config.publish.name, "main");
        assert_eq!(config.publish.port, 1935);
        assert_eq!(config.video.frame_bytes(), 1_382_400);
        assert_eq!(config.encoder.rate_control, RateControl::Cbr);
        assert_eq!(config.progress_to, ["127.0.0.1:10050".parse().unwrap()]);
    }

    #[rstest]
    #[case(
        "publish: rtmp://127.0.0.1:1935/live/main",
        "publish: rtmp://127.0.0.1/live",
        "expected an application and a name"
    )]
    #[case("publish: rtmp://", "publish: http://", "expected rtmp://host:port/application/name")]
    #[case("width: 1280", "width: 1281", "must be an even number of pixels")]
    #[case("fps: 25", "fps: 250", "fps must be from 5 to 60")]
    #[case("preset: veryfast", "preset: quick", "`quick` is no x264 preset")]
    #[case("rate_control: cbr, bitrate", "rate_control: abr, bitrate", "expected cbr, vbr or crf")]
    #[case("crf: 23", "crf: 60", "crf must be from 0 to 51")]
    #[case("bitrate: 3000k", "bitrate: lots", "`lots` is no bitrate")]
    #[case("stuck_after: 2s", "stuck_after: 200ms", "stuck_after must be at least 1s")]
    #[case("first: 500ms", "first: 0", "first must be at least 100ms")]
    #[case("max: 10s", "max: 200ms", "max must not be shorter than first")]
    #[case("stream: main", "stream: main\nstraem: main", "unknown field `straem`")]
    fn what_is_wrong_is_named_with_its_place(#[case] good: &str, #[case] bad: &str, #[case] message: &str) {
        let text = SHIPPED.replacen(good, bad, 1);
        assert_ne!(text, SHIPPED);
        let error = Config::parse("playout.yml", &text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(error.starts_with("playout.yml:"), "{error}");
    }
}
