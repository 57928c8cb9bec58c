//! "or on macOS": values that differ between operating systems.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor, value};

/// An operating system that commands can be written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
}

impl Platform {
    /// The one this program was built for; anything that is not macOS is taken for Linux.
    #[must_use]
    pub const fn current() -> Self {
        if cfg!(target_os = "macos") { Self::Macos } else { Self::Linux }
    }

    /// The platform's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
        }
    }
}

/// One value for every platform, or `{linux: …, macos: …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByPlatform<T> {
    /// The same everywhere.
    Same(T),
    /// One each.
    Each {
        /// On Linux.
        linux: T,
        /// On macOS.
        macos: T,
    },
}

impl<T> ByPlatform<T> {
    /// The value for a platform.
    #[must_use]
    pub const fn get(&self, platform: Platform) -> &T {
        match (self, platform) {
            (Self::Same(value), _)
            | (Self::Each { linux: value, .. }, Platform::Linux)
            | (Self::Each { macos: value, .. }, Platform::Macos) => value,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByPlatform<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByPlatformVisitor(PhantomData))
    }
}

struct ByPlatformVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ByPlatformVisitor<T> {
    type Value = ByPlatform<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value, or {linux: …, macos: …}")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(value::StrDeserializer::new(text)).map(ByPlatform::Same)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::deserialize(value::SeqAccessDeserializer::new(seq)).map(ByPlatform::Same)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut linux, mut macos) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "linux" => linux = Some(map.next_value()?),
                "macos" => macos = Some(map.next_value()?),
                _ => return Err(A::Error::unknown_field(&key, &["linux", "macos"])),
            }
        }
        match (linux, macos) {
            (Some(linux), Some(macos)) => Ok(ByPlatform::Each { linux, macos }),
            (None, _) => Err(A::Error::missing_field("linux")),
            (_, None) => Err(A::Error::missing_field("macos")),
        }
    }
}
