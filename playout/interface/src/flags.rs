//! `data/flags.json`: settings that an operator changes at run time. They win over `playout.yml`.
//!
//! Writers hold a lock and rename into place, so that a reader sees the old file or the new one, whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, bail};

use crate::layout::Layout;
use crate::settings::{EncoderReport, EncoderSettings, Kbps, Preset, RateControl};

/// Larger files are no flags.
const BYTES_MAX: u64 = 64 << 10;

/// The flags that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `encoder.bitrate`
    Bitrate,
    /// `encoder.buffer_size`
    BufferSize,
    /// `encoder.crf`
    Crf,
    /// `encoder.preset`
    Preset,
    /// `encoder.rate_control`
    RateControl,
}

/// Every flag, with its name and what it does.
pub const KEYS: [(Key, &str, &str); 5] = [
    (Key::Bitrate, "encoder.bitrate", "video bitrate, as 3000k"),
    (
        Key::BufferSize,
        "encoder.buffer_size",
        "rate buffer, as 4000k; under cbr at most one second of the bitrate counts",
    ),
    (Key::Crf, "encoder.crf", "quality from 0 (best) to 51, with rate control crf"),
    (Key::Preset, "encoder.preset", "x264 preset, ultrafast (least load) to placebo"),
    (Key::RateControl, "encoder.rate_control", "cbr, vbr or crf"),
];

impl Key {
    /// As people write it, `encoder.preset`.
    pub fn name(self) -> &'static str {
        KEYS.iter().find(|(key, ..)| *key == self).map_or("", |(_, name, _)| name)
    }
}

impl FromStr for Key {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match KEYS.iter().find(|(_, name, _)| *name == text) {
            Some((key, ..)) => Ok(*key),
            None => {
                let names: Vec<&str> = KEYS.iter().map(|(_, name, _)| *name).collect();
                bail!("unknown flag `{text}`: expected one of {}", names.join(", "))
            }
        }
    }
}

/// The flags that are set, each with its text as given and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(BTreeMap<Key, String>);

/// One flag before and after.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The flag's name.
    pub key: &'static str,
    /// `None`: it was not set.
    pub old: Option<String>,
    /// `None`: it was taken back.
    pub new: Option<String>,
}

impl Flags {
    /// What a flag is set to, as it was written.
    pub fn get(&self, key: Key) -> Option<&str> {
        self.0.get(&key).map(String::as_str)
    }

    /// The flags that are set, by name.
    pub fn named(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, value)| (key.name().to_owned(), value.clone())).collect()
    }

    /// Flags that are set and change nothing, or less than they say, under the settings in force.
    pub fn without_effect(&self, settings: &EncoderReport) -> Vec<String> {
        let EncoderReport { rate_control, buffer_size_kbps, .. } = settings;
        let mut warnings = Vec::new();
        if let Some(crf) = self.get(Key::Crf)
            && *rate_control != RateControl::Crf.to_string()
        {
            warnings.push(format!(
                "encoder.crf={crf} has no effect: it counts with rate control crf, and {rate_control} is in force"
            ));
        }
        if let Some(Ok(size)) = self.get(Key::BufferSize).map(str::parse::<Kbps>)
            && *rate_control == RateControl::Cbr.to_string()
            && size.get() > *buffer_size_kbps
        {
            warnings.push(format!(
                "encoder.buffer_size={size} counts as {buffer_size_kbps}k: under cbr the buffer is at most one second of the bitrate"
            ));
        }
        warnings
    }

    /// The settings in force: `base` with every flag that is set laid over it.
    ///
    /// # Errors
    /// A value that does not parse, named with its flag.
    pub fn over(&self, base: &EncoderSettings) -> anyhow::Result<EncoderSettings> {
        let mut settings = *base;
        for (key, value) in &self.0 {
            lay(&mut settings, *key, value)?;
        }
        Ok(settings)
    }

    /// Reads the file; one that does not exist means no flags.
    ///
    /// # Errors
    /// It cannot be read, is no JSON object of texts, or has an unknown flag or a bad value.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut text = String::new();
        file.take(BYTES_MAX + 1)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
        if text.len() as u64 > BYTES_MAX {
            bail!("{}: larger than {BYTES_MAX} bytes", path.display());
        }
        Self::parse(&text).with_context(|| format!("{} is broken", path.display()))
    }

    /// Parses a file's text.
    ///
    /// # Errors
    /// It is no JSON, names an unknown flag, or sets one to what it cannot be.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let raw: BTreeMap<String, String> = serde_json::from_str(text)?;
        let mut flags = Self::default();
        for (name, value) in raw {
            let key: Key = name.parse()?;
            check(key, &value)?;
            flags.0.insert(key, value);
        }
        Ok(flags)
    }

    fn render(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(&self.named())? + "\n")
    }
}

/// Says whether `value` fits `key`.
///
/// # Errors
/// What was expected.
pub fn check(key: Key, value: &str) -> anyhow::Result<()> {
    let mut any = EncoderSettings {
        preset: Preset::default(),
        crf: 23,
        rate_control: RateControl::Cbr,
        bitrate: "1000k".parse().map_err(anyhow::Error::msg)?,
        buffer_size: None,
    };
    lay(&mut any, key, value)
}

fn lay(settings: &mut EncoderSettings, key: Key, value: &str) -> anyhow::Result<()> {
    let name = key.name();
    let bad = |message: String| anyhow::anyhow!("flag {name}: {message}");
    match key {
        Key::Preset => settings.preset = value.parse().map_err(bad)?,
        Key::RateControl => settings.rate_control = value.parse().map_err(bad)?,
        Key::Bitrate => settings.bitrate = value.parse().map_err(bad)?,
        Key::BufferSize => settings.buffer_size = Some(value.parse().map_err(bad)?),
        Key::Crf => {
            let crf = value.parse::<u8>().ok().filter(|crf| *crf <= 51);
            settings.crf = crf.ok_or_else(|| bad(format!("`{value}` is no crf: expected a number from 0 to 51")))?;
        }
    }
    Ok(())
}

/// Sets (`Some`) and unsets (`None`) flags in one step and says what each was before.
///
/// # Errors
/// A value that does not fit, or a file that cannot be read or written. Then nothing is changed.
pub fn change(layout: &Layout, wanted: &[(Key, Option<String>)]) -> anyhow::Result<Vec<Change>> {
    for (key, value) in wanted {
        if let Some(value) = value {
            check(*key, value)?;
        }
    }
    let path = layout.flags();
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let lock_path = layout.flags_lock();
    let lock = File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    let mut flags = Flags::load(&path)?;
    let mut changes = Vec::new();
    for (key, value) in wanted {
        let old = match value {
            Some(value) => flags.0.insert(*key, value.clone()),
            None => flags.0.remove(key),
        };
        changes.push(Change { key: key.name(), old, new: value.clone() });
    }
    let staged = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&staged)?;
        file.write_all(flags.render().map_err(std::io::Error::other)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&staged, &path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_old_and_new_and_survives_reading() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned());
        let set = |value: &str| change(&layout, &[(Key::Preset, Some(value.to_owned()))]).unwrap();
        assert_eq!(set("fast"), [Change { key: "encoder.preset", old: None, new: Some("fast".into()) }]);
        assert_eq!(set("slow"), [Change { key: "encoder.preset", old: Some("fast".into()), new: Some("slow".into()) }]);
        assert_eq!(Flags::load(&layout.flags()).unwrap().get(Key::Preset), Some("slow"));
        change(&layout, &[(Key::Preset, None)]).unwrap();
        assert_eq!(Flags::load(&layout.flags()).unwrap(), Flags::default());
    }

    #[test]
    fn a_flag_that_the_rate_control_ignores_is_told() {
        let told = |flags: &str, rate_control: &str, buffer_size_kbps| {
            let (preset, crf, bitrate_kbps) = ("fast".to_owned(), 23, 3000);
            let rate_control = rate_control.to_owned();
            let report = EncoderReport { preset, crf, rate_control, bitrate_kbps, buffer_size_kbps };
            Flags::parse(flags).unwrap().without_effect(&report)
        };
        let crf = r#"{"encoder.crf": "28"}"#;
        let no_effect =
            |of| format!("encoder.crf=28 has no effect: it counts with rate control crf, and {of} is in force");
        assert_eq!(told(crf, "cbr", 3000), [no_effect("cbr")]);
        assert_eq!(told(crf, "vbr", 6000), [no_effect("vbr")]);
        assert_eq!(told(crf, "crf", 6000), Vec::<String>::new());
        let buffer = r#"{"encoder.buffer_size": "4000k", "encoder.preset": "fast"}"#;
        let less =
            "encoder.buffer_size=4000k counts as 3000k: under cbr the buffer is at most one second of the bitrate";
        assert_eq!(told(buffer, "cbr", 3000), [less]);
        assert_eq!(told(buffer, "cbr", 4000), Vec::<String>::new());
        assert_eq!(told(buffer, "vbr", 4000), Vec::<String>::new());
    }

    #[test]
    fn one_bad_value_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned());
        let wanted = [(Key::Preset, Some("fast".to_owned())), (Key::Crf, Some("99".to_owned()))];
        let error = change(&layout, &wanted).unwrap_err();
        assert_eq!(error.to_string(), "flag encoder.crf: `99` is no crf: expected a number from 0 to 51");
        assert!(!layout.flags().exists());
    }

    #[test]
    fn a_broken_file_is_an_error_not_an_empty_set() {
        let error = Flags::parse(r#"{"encoder.speed": "1"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown flag `encoder.speed`"), "{error}");
        assert!(Flags::parse("{").is_err());
        assert!(Flags::parse(r#"{"encoder.preset": "quick"}"#).is_err());
    }
}
