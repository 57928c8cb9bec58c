//! Encoder settings: what an operator may set. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the encoder compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// How much CPU is spent on quality.
    pub preset: Preset,
    /// x264's constant rate factor, 0 to 51. Counts only with [`RateControl::Crf`].
    pub crf: u8,
    /// What the bitrate means.
    pub rate_control: RateControl,
    /// Video bitrate: the rate itself (cbr), the mean (vbr) or the ceiling (crf).
    pub bitrate: Kbps,
    /// Size of the rate buffer; `None` leaves it to the rate control.
    pub buffer_size: Option<Kbps>,
}

/// x264's presets, lightest first.
const PRESETS: [&str; 10] =
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"];

/// One of x264's presets. A greater one needs more CPU for the same picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Preset(usize);

impl Default for Preset {
    /// `medium`, which is x264's own default.
    fn default() -> Self {
        Self(5)
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = PRESETS.iter().position(|name| *name == text).map(Self);
        known.ok_or_else(|| format!("`{text}` is no x264 preset: expected one of {}", PRESETS.join(", ")))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PRESETS.get(self.0).unwrap_or(&""))
    }
}

/// How the bitrate is governed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateControl {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kbps(u32);

impl Kbps {
    /// Kilobits per second, or kilobits.
    pub const fn get(self) -> u32 {
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderReport {
    /// x264's preset.
    pub preset: String,
    /// x264's constant rate factor; counts under `crf` alone.
    pub crf: u8,
    /// `cbr`, `vbr` or `crf`.
    pub rate_control: String,
    /// The rate, the mean or the ceiling, by the rate control; kilobits per second.
    pub bitrate_kbps: u32,
    /// The rate buffer in force, kilobits.
    pub buffer_size_kbps: u32,
}

impl EncoderSettings {
    /// The rate buffer in force.
    ///
    /// Under CBR never more than one second of the bitrate: a larger buffer lets the rate swing inside it, and a bitrate that
    /// swings is what CBR is turned on against (measured: CV 0.13 with one second).
    pub fn effective_buffer(&self) -> Kbps {
        match self.rate_control {
            RateControl::Cbr => self.buffer_size.map_or(self.bitrate, |size| size.min(self.bitrate)),
            RateControl::Vbr | RateControl::Crf => {
                self.buffer_size.unwrap_or(Kbps(self.bitrate.0.saturating_mul(2).min(100_000)))
            }
        }
    }

    /// What is in force, for status and reports.
    pub fn report(&self) -> EncoderReport {
        EncoderReport {
            preset: self.preset.to_string(),
            crf: self.crf,
            rate_control: self.rate_control.to_string(),
            bitrate_kbps: self.bitrate.get(),
            buffer_size_kbps: self.effective_buffer().get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn settings(rate_control: RateControl, buffer: Option<&str>) -> EncoderSettings {
        EncoderSettings {
            preset: Preset::default(),
            crf: 23,
            rate_control,
            bitrate: "800k".parse().unwrap(),
            buffer_size: buffer.map(|text| text.parse().unwrap()),
        }
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
        let preset = |name: &str| name.parse::<Preset>().unwrap();
        assert!(preset("ultrafast") < preset("veryfast") && preset("fast") < preset("placebo"));
        assert!(PRESETS.iter().all(|name| preset(name).to_string() == *name));
        assert_eq!(Preset::default(), preset("medium"));
    }
}
