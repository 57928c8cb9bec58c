//! Encoder settings: what an operator may set, and the ffmpeg arguments that follow. Pure.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::config::Video;

/// How the encoder compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncoderSettings {
    pub(crate) preset: Preset,
    /// x264's constant rate factor, 0 to 51. Counts only with [`RateControl::Crf`].
    pub(crate) crf: u8,
    pub(crate) rate_control: RateControl,
    /// Video bitrate: the rate itself (cbr), the mean (vbr) or the ceiling (crf).
    pub(crate) bitrate: Kbps,
    /// Size of the rate buffer; `None` leaves it to the rate control.
    pub(crate) buffer_size: Option<Kbps>,
}

/// x264's presets, lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
    Slower,
    Veryslow,
    Placebo,
}

/// x264's preset names, lightest first, as the order of [`Preset`].
pub(crate) const PRESETS: [(&str, Preset); 10] = [
    ("ultrafast", Preset::Ultrafast),
    ("superfast", Preset::Superfast),
    ("veryfast", Preset::Veryfast),
    ("faster", Preset::Faster),
    ("fast", Preset::Fast),
    ("medium", Preset::Medium),
    ("slow", Preset::Slow),
    ("slower", Preset::Slower),
    ("veryslow", Preset::Veryslow),
    ("placebo", Preset::Placebo),
];

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        PRESETS.iter().find(|(name, _)| *name == text).map(|(_, preset)| *preset).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is no x264 preset: expected one of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PRESETS.iter().find(|(_, preset)| preset == self).map_or("", |(name, _)| name))
    }
}

/// How the bitrate is governed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RateControl {
    /// Constant, with filler where the picture needs less.
    Cbr,
    /// A mean with a ceiling.
    Vbr,
    /// Constant quality with a ceiling: swings with the content.
    Crf,
}

impl FromStr for RateControl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cbr" => Ok(Self::Cbr),
            "vbr" => Ok(Self::Vbr),
            "crf" => Ok(Self::Crf),
            _ => Err(format!("`{text}` is no rate control: expected cbr, vbr or crf")),
        }
    }
}

impl fmt::Display for RateControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cbr => "cbr",
            Self::Vbr => "vbr",
            Self::Crf => "crf",
        })
    }
}

/// Kilobits per second (or kilobits, of a buffer), from 50 to 100,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Kbps(u32);

impl Kbps {
    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Kbps {
    type Err = String;

    /// `3000k`, `3M`, or `3000`: a bare number is kilobits, as `--bitrate 3000` in the runbooks means.
    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, factor) = match text.strip_suffix(['k', 'K']) {
            Some(digits) => (digits, 1),
            None => text.strip_suffix(['m', 'M']).map_or((text, 1), |digits| (digits, 1000)),
        };
        digits
            .parse::<u32>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|kbps| (50..=100_000).contains(kbps))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no bitrate: expected kilobits from 50 to 100000, as 3000k, 3M or 3000"))
    }
}

impl fmt::Display for Kbps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}k", self.0)
    }
}

/// The settings as shown to people and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct EncoderReport {
    pub(crate) preset: String,
    pub(crate) crf: u8,
    pub(crate) rate_control: String,
    pub(crate) bitrate_kbps: u32,
    pub(crate) buffer_size_kbps: u32,
}

impl EncoderSettings {
    /// The rate buffer in force.
    ///
    /// Under CBR never more than one second of the bitrate: a larger buffer lets the rate swing inside it, and a bitrate that
    /// swings is what CBR is turned on against (measured: CV 0.13 with one second).
    pub(crate) fn effective_buffer(&self) -> Kbps {
        match self.rate_control {
            RateControl::Cbr => self.buffer_size.map_or(self.bitrate, |size| size.min(self.bitrate)),
            RateControl::Vbr | RateControl::Crf => {
                self.buffer_size.unwrap_or(Kbps(self.bitrate.0.saturating_mul(2).min(100_000)))
            }
        }
    }

    /// What is in force, for status and reports.
    pub(crate) fn report(&self) -> EncoderReport {
        EncoderReport {
            preset: self.preset.to_string(),
            crf: self.crf,
            rate_control: self.rate_control.to_string(),
            bitrate_kbps: self.bitrate.get(),
            buffer_size_kbps: self.effective_buffer().get(),
        }
    }

    /// The video part of ffmpeg's output options.
    pub(crate) fn video_arguments(&self, video: Video) -> Vec<String> {
        // Keyframes every 2 s exactly, because the HLS packager can cut only there.
        let gop = (video.fps * 2).to_string();
        let mut arguments: Vec<String> = ["-c:v", "libx264", "-preset"].map(str::to_owned).into();
        arguments.push(self.preset.to_string());
        // Without look-ahead, out_time follows the wall clock and a restart shows its first segment half a second sooner.
        arguments.extend(["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g"].map(str::to_owned));
        arguments.extend([gop.clone(), "-keyint_min".to_owned(), gop]);
        arguments.extend(["-sc_threshold", "0"].map(str::to_owned));
        let bitrate = self.bitrate.to_string();
        let buffer = self.effective_buffer().to_string();
        let rate: Vec<String> = match self.rate_control {
            RateControl::Cbr => {
                let mut rate: Vec<String> = ["-b:v", &bitrate, "-minrate", &bitrate, "-maxrate", &bitrate, "-bufsize"]
                    .map(str::to_owned)
                    .into();
                rate.extend([buffer, "-x264-params".to_owned(), "nal-hrd=cbr:force-cfr=1".to_owned()]);
                rate
            }
            RateControl::Vbr => {
                let ceiling = format!("{}k", self.bitrate.get() * 3 / 2);
                ["-b:v", &bitrate, "-maxrate", &ceiling, "-bufsize", &buffer].map(str::to_owned).into()
            }
            RateControl::Crf => {
                let crf = self.crf.to_string();
                ["-crf", &crf, "-maxrate", &bitrate, "-bufsize", &buffer].map(str::to_owned).into()
            }
        };
        arguments.extend(rate);
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const VIDEO: Video = Video { width: 320, height: 180, fps: 25 };

    fn settings(rate_control: RateControl, buffer: Option<&str>) -> EncoderSettings {
        EncoderSettings {
            preset: Preset::Veryfast,
            crf: 23,
            rate_control,
            bitrate: "800k".parse().unwrap(),
            buffer_size: buffer.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn arguments_by_rate_control() {
        let line = |rate, buffer| settings(rate, buffer).video_arguments(VIDEO).join(" ");
        insta::assert_snapshot!(line(RateControl::Cbr, None), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -b:v 800k -minrate 800k -maxrate 800k -bufsize 800k -x264-params nal-hrd=cbr:force-cfr=1");
        insta::assert_snapshot!(line(RateControl::Vbr, Some("1M")), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -b:v 800k -maxrate 1200k -bufsize 1000k");
        insta::assert_snapshot!(line(RateControl::Crf, None), @"-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -crf 23 -maxrate 800k -bufsize 1600k");
    }

    #[test]
    fn a_large_buffer_does_not_undo_cbr() {
        assert_eq!(settings(RateControl::Cbr, Some("4000k")).effective_buffer(), Kbps(800));
        assert_eq!(settings(RateControl::Cbr, Some("200k")).effective_buffer(), Kbps(200));
        assert_eq!(settings(RateControl::Vbr, Some("4000k")).effective_buffer(), Kbps(4000));
    }

    #[rstest]
    #[case("3000", Some(3000))]
    #[case("3000k", Some(3000))]
    #[case("3M", Some(3000))]
    #[case("49", None)]
    #[case("3000000", None)]
    #[case("", None)]
    #[case("-5k", None)]
    #[case("99999999M", None)]
    fn bitrates(#[case] text: &str, #[case] expected: Option<u32>) {
        assert_eq!(text.parse::<Kbps>().ok().map(Kbps::get), expected);
    }

    #[test]
    fn presets_are_ordered_by_load() {
        assert!(Preset::Veryfast < Preset::Fast);
        assert!(PRESETS.iter().is_sorted_by_key(|(_, preset)| *preset));
    }
}
