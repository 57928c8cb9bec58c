//! Spellings that are more than one state's.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vvtv_incident::{Reason, Timestamp};

/// A reason by its one spelling, which is the timeline's and the metrics' too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReasonV1(pub(super) Reason);

impl Serialize for ReasonV1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for ReasonV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Reason::named(&text).map(Self).ok_or_else(|| D::Error::custom(format!("unknown reason `{text}`")))
    }
}

/// A point in time in milliseconds since the Unix epoch.
pub(super) type MillisV1 = u64;

pub(super) const fn at(millis: MillisV1) -> Timestamp {
    Timestamp::from_millis(millis)
}
