//! ffmpeg's arguments as the encoder: what the settings mean to it. Pure.

use std::net::SocketAddr;

use vvtv_playout_interface::config::{Config, Video};
use vvtv_playout_interface::settings::{EncoderSettings, RateControl};

use crate::feeder::SAMPLE_RATE;

/// All of ffmpeg's arguments, for the process and for `config --show-encoder`.
pub(crate) fn arguments(config: &Config, settings: &EncoderSettings, progress: SocketAddr) -> Vec<String> {
    let video = config.video;
    let mut arguments: Vec<String> =
        ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info", "-stats_period", "0.5", "-progress"]
            .map(str::to_owned)
            .into();
    // UDP, because ffmpeg then neither waits for the listener nor ends with it.
    arguments.push(format!("udp://{progress}"));
    let (size, rate) = (format!("{}x{}", video.width, video.height), video.fps.to_string());
    arguments.extend(
        ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", &size, "-framerate", &rate, "-i", "pipe:0"]
            .map(str::to_owned),
    );
    let samples = SAMPLE_RATE.to_string();
    arguments.extend(["-f", "s16le", "-ar", &samples, "-ac", "2", "-i", "pipe:1"].map(str::to_owned));
    arguments.extend(["-map", "0:v:0", "-map", "1:a:0"].map(str::to_owned));
    arguments.extend(self::video(settings, video));
    arguments
        .extend(["-c:a", "aac", "-b:a", "128k", "-f", "flv", "-flvflags", "no_duration_filesize"].map(str::to_owned));
    arguments.push(config.publish.url.to_string());
    arguments
}

/// How the picture is compressed.
fn video(settings: &EncoderSettings, video: Video) -> Vec<String> {
    // Keyframes every 2 s exactly, because the HLS packager can cut only there.
    let gop = (video.fps * 2).to_string();
    let mut arguments: Vec<String> = ["-c:v", "libx264", "-preset"].map(str::to_owned).into();
    arguments.push(settings.preset.to_string());
    // Without look-ahead, out_time follows the wall clock and a restart shows its first segment half a second sooner.
    arguments.extend(["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g"].map(str::to_owned));
    arguments.extend([gop.clone(), "-keyint_min".to_owned(), gop]);
    arguments.extend(["-sc_threshold", "0"].map(str::to_owned));
    let bitrate = settings.bitrate.to_string();
    let buffer = settings.effective_buffer().to_string();
    let rate: Vec<String> = match settings.rate_control {
        RateControl::Cbr => {
            let mut rate: Vec<String> =
                ["-b:v", &bitrate, "-minrate", &bitrate, "-maxrate", &bitrate, "-bufsize"].map(str::to_owned).into();
            rate.extend([buffer, "-x264-params".to_owned(), "nal-hrd=cbr:force-cfr=1".to_owned()]);
            rate
        }
        RateControl::Vbr => {
            let ceiling = format!("{}k", settings.bitrate.get() * 3 / 2);
            ["-b:v", &bitrate, "-maxrate", &ceiling, "-bufsize", &buffer].map(str::to_owned).into()
        }
        RateControl::Crf => {
            let crf = settings.crf.to_string();
            ["-crf", &crf, "-maxrate", &bitrate, "-bufsize", &buffer].map(str::to_owned).into()
        }
    };
    arguments.extend(rate);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: Video = Video { width: 320, height: 180, fps: 25 };

    fn settings(rate_control: RateControl, buffer: Option<&str>) -> EncoderSettings {
        EncoderSettings {
            preset: "veryfast".parse().unwrap(),
            crf: 23,
            rate_control,
            bitrate: "800k".parse().unwrap(),
            buffer_size: buffer.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn arguments_by_rate_control() {
        let line = |rate, buffer| video(&settings(rate, buffer), VIDEO).join(" ");
        insta::assert_snapshot!(line(RateControl::Cbr, None), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -b:v 800k -minrate 800k -maxrate 800k -bufsize 800k -x264-params nal-hrd=cbr:force-cfr=1");
        insta::assert_snapshot!(line(RateControl::Vbr, Some("1M")), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -b:v 800k -maxrate 1200k -bufsize 1000k");
        insta::assert_snapshot!(line(RateControl::Crf, None), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -crf 23 -maxrate 800k -bufsize 1600k");
    }
}
